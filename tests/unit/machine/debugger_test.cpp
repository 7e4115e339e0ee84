// Breakpoints, watchpoints and steps on small machines, by every engine: they stop where they should, and the run is the one
// that was never stopped.
#include "machine/debug/debugger.h"

#include <gtest/gtest.h>

#include <map>

#include "machine/board/engine_factory.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

using cpu::Breakpoint;
using cpu::Watchpoint;

constexpr u64 kCounter = 0x20'0000;
constexpr u64 kRounds = 300;
// The guest's instructions, as add_loop() puts them.
constexpr u64 kLoop = 0x10'002a;      // inc dword [kCounter]
constexpr u64 kCall = 0x10'0030;      // call kFunction
constexpr u64 kFunction = 0x10'1000;  // add eax, [kCounter], in another page
constexpr u64 kReturn = 0x10'1006;    // ret

/// A loop of kRounds that counts in memory and calls a function in another page.
Code looping_code() {
  Code code = {0xbc,
               0,
               0,
               0x18,
               0,  // mov esp, 0x180000
               0xb9,
               kRounds & 0xff,
               kRounds >> 8,
               0,
               0};                                  // mov ecx, kRounds
  code = code + Code{0xff, 0x05, 0,    0, 0x20, 0,  // inc dword [0x200000]
                     0xe8, 0xcb, 0x0f, 0, 0,        // call 0x101000
                     0x49, 0x75, 0xf2};             // dec ecx; jnz
  code = code + kPowerOff + kSpin;
  code.resize(kFunction - 0x10'0020, 0x90);
  return code + Code{0x03, 0x05, 0, 0, 0x20, 0, 0xc3};  // add eax, [0x200000]; ret
}

struct Debugging : testing::TestWithParam<EngineKind> {
  void SetUp() override {
    if (!engine_of_name(name_of_engine(GetParam()))) GTEST_SKIP() << "this host has no such engine";
  }
  static MachineConfig config() {
    MachineConfig config;
    config.engine = GetParam();
    config.jit.threshold = 2;
    return config;
  }
  static RunLimits limits() {
    RunLimits limits;
    limits.hash_every_retired = 97;
    return limits;
  }
  static std::vector<u64> chain(const RunResult& result) {
    std::vector<u64> hashes;
    for (const HashPoint& point : result.hashes) hashes.push_back(point.state_hash);
    hashes.push_back(result.state_hash);
    return hashes;
  }
  /// Whatever `stops` asks for at the beginning, the run goes on behind every stop, of which `seen` hears.
  static void expect_same_run(const Code& code, const std::function<void(Debugger&)>& stops,
                              const std::function<void(Machine&, const DebugStop&)>& seen) {
    const boot::TemporaryFile file(Guest::image(code));
    Guest plain(file, config());
    const RunResult expected = plain.run(limits());
    ASSERT_EQ(expected.reason, ExitReason::PowerOff) << expected.message;
    Guest guest(file, config());
    Debugger& debugger = guest.machine->debugger();
    stops(debugger);
    debugger.on_stop([&] {
      seen(*guest.machine, debugger.last_stop());
      guest.machine->resume();
    });
    const RunResult result = guest.run(limits());
    EXPECT_EQ(result.reason, ExitReason::PowerOff) << result.message << result.details;
    EXPECT_EQ(result.retired, expected.retired);
    EXPECT_EQ(chain(result), chain(expected));
  }
};

TEST_P(Debugging, BreakpointsStopBeforeTheirInstructionsEachTime) {
  std::map<u64, u64> hits;
  expect_same_run(
      looping_code(),
      [](Debugger& debugger) {
        for (const u64 linear : {kLoop, kFunction, kReturn}) debugger.add(Breakpoint{linear});
      },
      [&](Machine& machine, const DebugStop& stop) {
        ASSERT_EQ(stop.reason, DebugStop::Reason::Breakpoint);
        const cpu::CpuState& state = machine.pc().processors().boot().cpu.state;
        EXPECT_EQ(state.rip, stop.hit.linear);
        const u64 counted = machine.pc().phys_map().read(kCounter, Width::Dword);
        EXPECT_EQ(counted, hits[kLoop]);
        ++hits[stop.hit.linear];
      });
  EXPECT_EQ(hits, (std::map<u64, u64>{{kLoop, kRounds}, {kFunction, kRounds}, {kReturn, kRounds}}));
}

TEST_P(Debugging, BreakpointsMayComeAndGoWhileItRuns) {
  u64 stops = 0;
  std::optional<u64> other;
  expect_same_run(
      looping_code(), [](Debugger& debugger) { debugger.add(Breakpoint{kFunction}); },
      [&](Machine& machine, const DebugStop&) {
        // Each time one more offset at which blocks of the page have to end: also beyond kDebugGenerations.
        Debugger& debugger = machine.debugger();
        if (other) {
          EXPECT_TRUE(debugger.remove(Breakpoint{*other}));
        }
        other = kFunction + 0x100 + ++stops;
        debugger.add(Breakpoint{*other});
      });
  EXPECT_EQ(stops, kRounds);
}

TEST_P(Debugging, WatchpointsStopBehindWhatTouchesTheirBytes) {
  struct Case {
    Watchpoint watchpoint;
    u64 stops;
  };
  using On = Watchpoint::On;
  using Space = Watchpoint::Space;
  const Case cases[] = {
      {{Space::Linear, On::Write, kCounter, 4}, kRounds},
      {{Space::Linear, On::Read, kCounter, 4}, 2 * kRounds},
      {{Space::Linear, On::Access, kCounter + 3, 1}, 2 * kRounds},
      {{Space::Linear, On::Access, kCounter + 4, 0x800}, 0},
      {{Space::Linear, On::Access, kCounter - 0x1000, 0x1000}, 0},
      {{Space::Linear, On::Access, kCounter - 0x1000, 0x1001}, 2 * kRounds},
      {{Space::Phys, On::Write, kCounter + 1, 1}, kRounds},
      {{Space::Phys, On::Read, kCounter, 8}, 2 * kRounds},
      {{Space::Linear, On::Write, 0x17'fffc, 4}, kRounds},  // the return address
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(fmt::format("{:#x} {}", each.watchpoint.address, static_cast<int>(each.watchpoint.on)));
    u64 stops = 0;
    expect_same_run(
        looping_code(), [&](Debugger& debugger) { debugger.add(each.watchpoint); },
        [&](Machine& machine, const DebugStop& stop) {
          ++stops;
          ASSERT_EQ(stop.reason, DebugStop::Reason::Watchpoint);
          EXPECT_EQ(stop.hit.watchpoint, each.watchpoint);
          EXPECT_FALSE(stop.by_device);
          const u64 rip = machine.pc().processors().boot().cpu.state.rip;
          if (each.watchpoint.address == 0x17'fffc)
            EXPECT_EQ(rip, kFunction);
          else
            EXPECT_TRUE(rip == kCall || rip == kReturn) << rip;
        });
    EXPECT_EQ(stops, each.stops);
  }
}

TEST_P(Debugging, StepsAreInstructions) {
  std::vector<u64> trace;
  expect_same_run(
      looping_code(), [](Debugger& debugger) { debugger.step(0); },
      [&](Machine& machine, const DebugStop& stop) {
        EXPECT_EQ(stop.reason, DebugStop::Reason::Step);
        trace.push_back(machine.pc().processors().boot().cpu.state.rip);
        if (trace.size() < 7) machine.debugger().step(0);
        // Once more into the function.
        if (trace.size() == 7) machine.debugger().step(0, {kLoop, kCall + 5});
      });
  EXPECT_EQ(trace,
            (std::vector<u64>{0x10'0025, kLoop, kCall, kFunction, kReturn, 0x10'0035, 0x10'0036, kFunction}));
}

TEST_P(Debugging, DevicesHitPhysicalWatchpoints) {
  Guest guest(kSpin, config());
  Debugger& debugger = guest.machine->debugger();
  debugger.add(Watchpoint{Watchpoint::Space::Phys, Watchpoint::On::Write, kCounter, 4});
  debugger.add(Watchpoint{Watchpoint::Space::Linear, Watchpoint::On::Access, kCounter + 0x100, 4});
  u8 bytes[4] = {1, 2, 3, 4};
  guest.machine->pc().dma_read(kCounter, bytes);
  guest.machine->pc().dma_write(kCounter + 0x100, bytes);
  EXPECT_FALSE(debugger.due());
  guest.machine->pc().dma_write(kCounter - 2, bytes);
  EXPECT_TRUE(debugger.due());
  bool stopped = false;
  debugger.on_stop([&] {
    stopped = true;
    EXPECT_EQ(debugger.last_stop().reason, DebugStop::Reason::Watchpoint);
    EXPECT_TRUE(debugger.last_stop().by_device);
    EXPECT_EQ(debugger.last_stop().hit.address, kCounter - 2);
    guest.machine->request_end(ExitReason::Quit, 0);
  });
  guest.run();
  EXPECT_TRUE(stopped);
}

/// Pages of 4 MiB: linear 0 and 4 MiB are both physical 0. The function is called by both its addresses, in turns.
Code aliasing_code() {
  constexpr u32 kDirectory = 0x3000;
  Code code = store32(kDirectory, 0x83) + store32(kDirectory + 4, 0x83) +
              Code{0xbc,
                   0,
                   0,
                   0x18,
                   0,  // mov esp, 0x180000
                   0xb8,
                   0,
                   0x30,
                   0,
                   0,  // mov eax, 0x3000
                   0x0f,
                   0x22,
                   0xd8,  // mov cr3, eax
                   0x0f,
                   0x20,
                   0xe0,
                   0x83,
                   0xc8,
                   0x10,
                   0x0f,
                   0x22,
                   0xe0,  // CR4.PSE
                   0x0f,
                   0x20,
                   0xc0,
                   0x0d,
                   0,
                   0,
                   0,
                   0x80,
                   0x0f,
                   0x22,
                   0xc0,  // CR0.PG
                   0xb9,
                   kRounds & 0xff,
                   kRounds >> 8,
                   0,
                   0,  // mov ecx, kRounds
                   0xb8,
                   0,
                   0x10,
                   0x10,
                   0,
                   0xff,
                   0xd0,  // mov eax, 0x101000; call eax
                   0xb8,
                   0,
                   0x10,
                   0x50,
                   0,
                   0xff,
                   0xd0,  // mov eax, 0x501000; call eax
                   0x49,
                   0x75,
                   0xef};  // dec ecx; jnz
  code = code + kPowerOff + kSpin;
  code.resize(kFunction - 0x10'0020, 0x90);
  return code + Code{0xff, 0x05, 0, 0, 0x20, 0, 0xc3};  // inc dword [0x200000]; ret
}

TEST_P(Debugging, ABreakpointIsAtOneLinearAddress) {
  constexpr u64 kAlias = kFunction + 0x40'0000;
  for (const u64 linear : {kFunction, kAlias, kReturn + 0x40'0000}) {
    for (const auto root : {std::optional<u64>(), std::optional<u64>(0x3000), std::optional<u64>(0x5000)}) {
      SCOPED_TRACE(fmt::format("{:#x} {:#x}", linear, root.value_or(0)));
      u64 stops = 0;
      expect_same_run(
          aliasing_code(),
          [&](Debugger& debugger) {
            debugger.add(Breakpoint{linear, root});
          },
          [&](Machine& machine, const DebugStop&) {
            ++stops;
            EXPECT_EQ(machine.pc().processors().boot().cpu.state.rip, linear);
          });
      EXPECT_EQ(stops, root == 0x5000 ? 0 : kRounds);
    }
  }
}

TEST_P(Debugging, PageWalksHitPhysicalWatchpoints) {
  // The directory's entry for 4 MiB: stored by the guest, read by the walk for the first call, which sets its A bit, and
  // nothing else.
  std::vector<std::pair<mmu::Access, u64>> seen;
  expect_same_run(
      aliasing_code(),
      [](Debugger& debugger) {
        debugger.add(Watchpoint{Watchpoint::Space::Phys, Watchpoint::On::Access, 0x3004, 4});
      },
      [&](Machine& machine, const DebugStop& stop) {
        seen.push_back({stop.hit.access, machine.pc().processors().boot().cpu.state.rip});
      });
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].first, mmu::Access::Write);
  EXPECT_EQ(seen[1].first, mmu::Access::Read);
  EXPECT_EQ(seen[1].second, kReturn + 0x40'0000) << "the instruction that was fetched first has run";
}

/// An interrupt waits while `sti` lies before the breakpoint: the shadow is still there behind the stop.
TEST_P(Debugging, AStopLeavesTheShadowOfSti) {
  // IDT at 0x4000: all vectors lead to the handler, which adds up where it came from. IRQ 0 comes as often as it can.
  Code code = {0xbc, 0, 0, 0x18, 0};
  // mov edi, 0x4000; mov ecx, 256; mov dword [edi], ...; mov dword [edi + 4], ...; add edi, 8; loop
  code = code + Code{0xbf, 0,    0x40, 0,    0,    0xb9, 0, 1, 0,
                     0,    0xc7, 0x07, 0,    0x10, 0x08, 0,  // low offset 1000h, the loader's code segment
                     0xc7, 0x47, 0x04, 0,    0x8e, 0x10, 0,  // high offset 10h, present interrupt gate
                     0x83, 0xc7, 0x08, 0xe2, 0xee};
  code = code + store32(0x5000, 0x4000'07ff) + store32(0x5004, 0) + Code{0x0f, 0x01, 0x1d, 0, 0x50, 0, 0};
  code = code + out8(0x43, 0x34) + out8(0x40, 2) + out8(0x40, 0) + out8(0x21, 0xfe);
  code = code + Code{0x31, 0xdb,                                     // xor ebx, ebx
                     0xfb, 0x90, 0x90, 0xfa, 0x43,                   // sti; nop; nop; cli; inc ebx
                     0x81, 0xfb, 0,    0x20, 0,    0, 0x75, 0xf3} +  // cmp ebx, 8192; jne
         kPowerOff +
         kSpin;
  const u64 nop = 0x10'0020 + code.size() - kPowerOff.size() - kSpin.size() - 12;
  code.resize(kFunction - 0x10'0020, 0x90);
  code = code + Code{0x50, 0x8b, 0x44, 0x24, 0x04,         // push eax; mov eax, [esp + 4]
                     0x01, 0x05, 0,    0,    0x20, 0,      // add [0x200000], eax
                     0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf};  // EOI; pop eax; iret
  u64 stops = 0;
  expect_same_run(
      code, [&](Debugger& debugger) { debugger.add(Breakpoint{nop}); },
      [&](Machine&, const DebugStop&) { ++stops; });
  EXPECT_EQ(stops, 8192u);
}

INSTANTIATE_TEST_SUITE_P(Engines, Debugging,
                         testing::Values(EngineKind::Interp, EngineKind::Jit, EngineKind::Lockstep),
                         [](const auto& each) { return std::string(name_of_engine(each.param)); });

}  // namespace
}  // namespace reprise::machine
