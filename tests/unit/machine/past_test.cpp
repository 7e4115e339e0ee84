// Questions about the past of a run: their answers are what a run that went straight through was stopped at, and the run that was
// asked is where it was.
#include <gtest/gtest.h>

#include <map>

#include "machine/monitor/monitor.h"
#include "machine/past/questions.h"
#include "tests/unit/machine/travelling_guest.h"

namespace reprise::machine {
namespace {

/// A guest that writes in many ways, round after round: ebx counts them. Linear 4 MiB is physical 0, too, whose entry of the
/// directory (3004h) it cleans in some rounds, so that the walker sets its bits again. In round 50 a device writes.
const Code kWriter = {
    // clang-format off
    0xbc, 0x00, 0x00, 0x18, 0x00,  // mov esp, 0x180000
    0x0f, 0x01, 0x15, 0x68, 0x01, 0x10, 0x00,  // lgdt [gdtr]
    0x0f, 0x01, 0x1d, 0x6e, 0x01, 0x10, 0x00,  // lidt [idtr]
    0xea, 0x3a, 0x00, 0x10, 0x00, 0x08, 0x00,  // jmp 8:flat
    0xb8, 0x10, 0x00, 0x00, 0x00,  // mov eax, 0x10
    0x8e, 0xd0,  // mov ss, eax
    0x8e, 0xd8,  // mov ds, eax
    0x8e, 0xc0,  // mov es, eax
    0x0f, 0x20, 0xe0,  // mov eax, cr4
    0x0d, 0x10, 0x02, 0x04, 0x00,  // or eax, 0x40210
    0x0f, 0x22, 0xe0,  // mov cr4, eax
    0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0x83, 0x00, 0x00, 0x00,  // mov dword [0x3000], 0x83
    0xc7, 0x05, 0x04, 0x30, 0x00, 0x00, 0x83, 0x00, 0x00, 0x00,  // mov dword [0x3004], 0x83
    0xc7, 0x05, 0x08, 0x30, 0x00, 0x00, 0x83, 0x00, 0x40, 0x00,  // mov dword [0x3008], 0x400083
    0xb8, 0x00, 0x30, 0x00, 0x00,  // mov eax, 0x3000
    0x0f, 0x22, 0xd8,  // mov cr3, eax
    0x0f, 0x20, 0xc0,  // mov eax, cr0
    0x0d, 0x00, 0x00, 0x00, 0x80,  // or eax, 0x80000000
    0x0f, 0x22, 0xc0,  // mov cr0, eax
    0x31, 0xdb,  // xor ebx, ebx
    0xff, 0x05, 0x00, 0x00, 0x20, 0x00,  // inc dword [0x200000]
    0x89, 0x1d, 0xfe, 0x0f, 0x20, 0x00,  // mov [0x200ffe], ebx
    0xbc, 0x10, 0x20, 0x20, 0x00,  // mov esp, 0x202010
    0x53,  // push ebx
    0x5a,  // pop edx
    0x89, 0xd8,  // mov eax, ebx
    0xbf, 0x00, 0x30, 0x20, 0x00,  // mov edi, 0x203000
    0xb9, 0x05, 0x00, 0x00, 0x00,  // mov ecx, 5
    0xf3, 0xab,  // rep stosd
    0xbe, 0x01, 0x30, 0x20, 0x00,  // mov esi, 0x203001
    0xbf, 0x02, 0x31, 0x20, 0x00,  // mov edi, 0x203102
    0xb9, 0x07, 0x00, 0x00, 0x00,  // mov ecx, 7
    0xf3, 0xa4,  // rep movsb
    0xb8, 0x03, 0x00, 0x00, 0x00,  // mov eax, 3
    0x31, 0xd2,  // xor edx, edx
    0x0f, 0xae, 0x25, 0x00, 0x40, 0x20, 0x00,  // xsave [0x204000]
    0x89, 0x1d, 0x00, 0x01, 0x60, 0x00,  // mov [0x600100], ebx
    0xf6, 0xc3, 0x0f,  // test bl, 15
    0x75, 0x17,  // jnz .some
    0x83, 0x25, 0x04, 0x30, 0x00, 0x00, 0x9f,  // and dword [0x3004], ~0x60
    0x0f, 0x20, 0xd8,  // mov eax, cr3
    0x0f, 0x22, 0xd8,  // mov cr3, eax
    0xc7, 0x05, 0x00, 0x50, 0x20, 0x00, 0x07, 0x00, 0x00, 0x00,  // mov dword [0x205000], 7
    0xbc, 0x00, 0x61, 0x20, 0x00,  // mov esp, 0x206100
    0xcd, 0x40,  // int 0x40
    0xf0, 0x0f, 0xb1, 0x1d, 0x10, 0x50, 0x20, 0x00,  // lock cmpxchg [0x205010], ebx
    0x83, 0xfb, 0x32,  // cmp ebx, 50
    0x75, 0x3b,  // jne .none
    0xc7, 0x05, 0x40, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x0a,  // mov dword [dma], 0x0a000000
    0xc7, 0x05, 0x44, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x04,  // mov dword [dma + 4], 0x04000000
    0xc7, 0x05, 0x48, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [dma + 8], 0
    0xc7, 0x05, 0x4c, 0x01, 0x10, 0x00, 0x00, 0x20, 0x70, 0x00,  // mov dword [dma + 12], 0x00702000
    0x66, 0xba, 0x14, 0x05,  // mov dx, 0x514
    0x31, 0xc0,  // xor eax, eax
    0xef,  // out dx, eax
    0x66, 0xba, 0x18, 0x05,  // mov dx, 0x518
    0xb8, 0x40, 0x01, 0x10, 0x00,  // mov eax, dma
    0x0f, 0xc8,  // bswap eax
    0xef,  // out dx, eax
    0x43,  // inc ebx
    0xe9, 0x49, 0xff, 0xff, 0xff,  // jmp round
    0xcf,  // iret
    0x90, 0x90, 0x90, 0x90, 0x90,  // align 16
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // dma: dd 0,0,0,0
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00,  // gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
    0x17, 0x00,  // gdtr: dw 23
    0x50, 0x01, 0x10, 0x00,  // dd gdt
    0x07, 0x02,  // idtr: dw 0x40*8+7
    0x74, 0xff, 0x0f, 0x00,  // dd idt - 0x40*8
    0x3a, 0x01, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00,  // idt: dw handler - 0x100000, 8, 0x8e00, 0x10
    // clang-format on
};

constexpr u64 kEnd = 30'000;

struct Place {
  u64 phys;
  u64 bytes;
};
constexpr Place kPlaces[] = {
    {0x20'0000, 4},  // by every round
    {0x20'0002, 4},  // half of it
    {0x20'0ffe, 2},  // the first half of a store over two pages, the second, both
    {0x20'1000, 2},   {0x20'0ff8, 16}, {0x20'200c, 4},  // pushed
    {0x20'3008, 4},                                     // REP STOS, several of its iterations
    {0x20'3002, 9},   {0x20'3105, 1},                   // REP MOVS
    {0x20'3100, 16},  {0x20'4000, 8},                   // XSAVE: x87, and its header
    {0x20'4200, 8},   {0x20'0100, 4},                   // by another linear address
    {0x3004, 4},                                        // by the walker, and by the guest
    {0x20'5000, 4},                                     // the same value again
    {0x20'60f4, 12},                                    // the frame of an event
    {0x20'5010, 8},                                     // a locked exchange that fails
    {0x20'7000, 8},                                     // by a device
    {0x10'0140, 16},                                    // the same: the request's words, by the guest too
    {0x3000, 0x1000},                                   // much
};

using Bytes = std::vector<u8>;

/// One stop of a straight run.
struct Truth {
  u64 retired;  // before
  Bytes before, after;
};

struct Past : testing::TestWithParam<EngineKind> {
  static MachineConfig config(bool history) {
    MachineConfig config;
    config.engine = GetParam();
    config.jit.threshold = 2;
    config.history = {.on = history, .bytes = 64 << 20, .interval_instructions = 3'000};
    return config;
  }
  static RunLimits until(u64 retired) {
    RunLimits limits;
    limits.stop_at_retired = retired;
    limits.attended = true;
    return limits;
  }
  static Bytes content(Machine& machine, const Place& place) {
    const u8* const host = machine.ram().host() + place.phys;
    return {host, host + place.bytes};
  }
  std::vector<Truth> truth_of(const Place& place) {
    Guest guest(file_, config(false));
    Debugger& debugger = guest.machine->debugger();
    debugger.add(cpu::Watchpoint{.space = cpu::Watchpoint::Space::Phys,
                                 .on = cpu::Watchpoint::On::Write,
                                 .address = place.phys,
                                 .bytes = place.bytes});
    std::vector<Truth> list;
    Bytes before = content(*guest.machine, place);
    debugger.on_stop([&] {
      Bytes after = content(*guest.machine, place);
      list.push_back({guest.machine->retired() - 1, std::exchange(before, after), after});
      guest.machine->resume();
    });
    EXPECT_EQ(guest.machine->run(until(kEnd)).reason, ExitReason::StopAt);
    return list;
  }
  /// Has checkpoints on its way.
  void run(Guest& guest) {
    for (u64 at = 500; at <= kEnd; at += 500)
      EXPECT_EQ(guest.machine->run(until(at)).reason, ExitReason::StopAt);
    EXPECT_GT(guest.machine->checkpoints().count(), 5u);
  }
  static RamPieces pieces(Machine& machine, const Place& place) {
    Result<RamPieces> pieces = pieces_of(machine, 0, place.phys, place.bytes, false);
    EXPECT_TRUE(pieces.ok());
    return pieces.take();
  }
  static void expect_same(const Result<Answered<Write>>& answer, const Truth* truth) {
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    ASSERT_EQ(answer.value().event.has_value(), truth != nullptr);
    if (truth == nullptr) return;
    const Write& write = *answer.value().event;
    EXPECT_EQ(write.at.retired, truth->retired);
    EXPECT_EQ(write.after, truth->after);
    // A walk and a store of one instruction are two.
    if (write.by != cpu::DebugHit::By::Walk) {
      EXPECT_EQ(write.before, truth->before);
    }
  }

  const boot::TemporaryFile file_{Guest::image(kWriter)};
};
INSTANTIATE_TEST_SUITE_P(Engines, Past, testing::Values(EngineKind::Interp, EngineKind::Jit),
                         [](const auto& engine) {
                           return engine.param == EngineKind::Jit ? "jit" : "interp";
                         });

TEST_P(Past, TheLastAndTheFirstWriteAreThoseOfAStraightRun) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  const Position here = machine.position();
  const u64 state = machine.state_hash();
  for (const Place& place : kPlaces) {
    SCOPED_TRACE(fmt::format("{:#x}, {} bytes", place.phys, place.bytes));
    const std::vector<Truth> truth = truth_of(place);
    ASSERT_FALSE(truth.empty());
    const RamPieces of = pieces(machine, place);
    expect_same(last_write(machine, of), &truth.back());
    expect_same(first_write(machine, of), &truth.front());
    // Between, at, and behind some of them.
    for (const std::size_t i : {truth.size() / 3, truth.size() / 2, truth.size() - 1}) {
      for (const u64 at : {truth[i].retired, truth[i].retired + 1}) {
        const Truth* last = nullptr;
        const Truth* first = nullptr;
        for (const Truth& one : truth) {
          if (one.retired < at) last = &one;
          if (one.retired >= at && first == nullptr) first = &one;
        }
        expect_same(last_write(machine, of, Position{at, 0, 0}), last);
        expect_same(first_write(machine, of, Position{at, 0, 0}), first);
      }
    }
    EXPECT_EQ(machine.position(), here);
    EXPECT_EQ(machine.state_hash(), state);
    EXPECT_FALSE(machine.in_past());
  }
  // It goes on as if nothing had been asked.
  EXPECT_EQ(machine.run(until(kEnd + 5000)).reason, ExitReason::StopAt);
  Guest straight(file_, config(false));
  straight.machine->run(until(kEnd + 5000));
  EXPECT_EQ(machine.state_hash(), straight.machine->state_hash());
}

TEST_P(Past, SideBySideTheSameIsFound) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  const u64 state = machine.state_hash();
  const auto ask = [&](const Place& place, unsigned jobs) {
    machine.set_question_jobs(jobs);
    const RamPieces of = pieces(machine, place);
    std::string text;
    const auto add = [&](const Result<Answered<Write>>& answer) {
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      if (!answer.value().event) return;
      const Write& write = *answer.value().event;
      text += fmt::format("{} {:#x} {} {:#x}+{} ", position_text(write.at), write.rip, write.device,
                          write.phys, write.bytes);
      for (const u8 byte : write.before) text += fmt::format("{:02x}", byte);
      for (const u8 byte : write.after) text += fmt::format("{:02x}", byte);
    };
    add(last_write(machine, of));
    add(first_write(machine, of));
    add(last_write(machine, of, Position{20'000, 0, 0}));
    add(first_write(machine, of, Position{2'500, 0, 0}));
    return text;
  };
  for (const Place& place : {Place{0x20'7000, 8}, Place{0x3004, 4}, Place{0x20'1000, 2}, Place{0x10'0140, 16},
                             Place{0x20'0020, 4}}) {
    SCOPED_TRACE(fmt::format("{:#x}", place.phys));
    const std::string alone = ask(place, 1);
    EXPECT_EQ(ask(place, 3), alone);
    EXPECT_EQ(machine.state_hash(), state);
  }
}

TEST_P(Past, WhoWroteIsSaid) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  const auto last = [&](u64 phys, u64 bytes) {
    const Result<Answered<Write>> answer = last_write(machine, pieces(machine, {phys, bytes}));
    EXPECT_TRUE(answer.ok() && answer.value().event);
    return *answer.value().event;
  };
  const auto code_at = [&](u64 rip) { return machine.ram().host()[rip]; };
  const Write pushed = last(0x20'200c, 4);
  EXPECT_EQ(pushed.by, cpu::DebugHit::By::Cpu);
  EXPECT_TRUE(pushed.amid_instruction);
  EXPECT_EQ(code_at(pushed.rip), 0x53);
  const Write walked = last(0x3004, 4);
  EXPECT_EQ(walked.by, cpu::DebugHit::By::Walk);
  EXPECT_EQ(code_at(walked.rip), 0x89) << "the store through 4 MiB";
  EXPECT_EQ(walked.before[0] | 0x60, walked.after[0]);
  const Write transferred = last(0x20'7000, 8);
  EXPECT_EQ(transferred.by, cpu::DebugHit::By::Device);
  EXPECT_EQ(transferred.device, "fw-cfg");
  EXPECT_EQ(transferred.bytes, 4u);
  EXPECT_EQ(code_at(transferred.rip), 0xef) << "OUT made it do so";
  const Write frame = last(0x20'60fc, 4);
  EXPECT_EQ(frame.by, cpu::DebugHit::By::Cpu);
  EXPECT_EQ(code_at(frame.rip), 0xcd) << "INT 40h";
  const Write crossing = last(0x20'0ff8, 16);
  EXPECT_EQ(crossing.phys, 0x20'0ffe);
  EXPECT_EQ(crossing.bytes, 4u);
}

TEST_P(Past, WhatNobodyWroteIsWhatWasLoaded) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  for (const u64 phys : {u64{0x10'0020}, u64{0x21'0000}}) {
    const Result<Answered<Write>> answer = last_write(machine, pieces(machine, {phys, 8}));
    ASSERT_TRUE(answer.ok());
    EXPECT_FALSE(answer.value().event);
    EXPECT_EQ(answer.value().from, Position{});
    EXPECT_EQ(answer.value().content, content(machine, {phys, 8}));
  }
  monitor::Monitor monitor(machine, "a test");
  const auto said = [&](std::string_view line) {
    const monitor::Outcome outcome = monitor.execute_line(line);
    return outcome ? outcome.value().text : outcome.error().message;
  };
  EXPECT_NE(said("last-write 0x100020,4 phys").find("loaded before the run began"), std::string::npos);
  EXPECT_NE(said("last-write 0x210000 phys").find("zero, as memory is"), std::string::npos);
  EXPECT_NE(said("last-write 0x207000,4 phys before @29000").find("device fw-cfg, which processor 0 at"),
            std::string::npos);
  EXPECT_NE(said("last-write 0x3004,4").find("page walker"), std::string::npos);
  EXPECT_NE(said("first-write 0x205000,4 phys after @40000").find("still to come"), std::string::npos);
  EXPECT_NE(said("last-write 0x205000,4 phys before").find("missing behind 'before'"), std::string::npos);
  EXPECT_NE(said("last-write 0x500000 phys").find("is not RAM"), std::string::npos);
  EXPECT_NE(said("last-write 0xd00000").find("mapped to nothing"), std::string::npos);
  EXPECT_NE(said("last-write 0x205000,0 phys").find("between 1 and"), std::string::npos);
}

TEST_P(Past, WhatHoldsIsFoundWhereItBegins) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  const u64 state = machine.state_hash();
  // The counter, behind each of its stores.
  std::map<u32, u64> counted;
  for (const Truth& one : truth_of({0x20'0000, 4}))
    counted.emplace(read_unaligned<u32>(one.after.data()), one.retired + 1);
  monitor::Monitor monitor(machine, "a test");
  const auto ask = [&](std::string_view line) {
    const monitor::Outcome outcome = monitor.execute_line(line);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return outcome ? outcome.value().json : monitor::Json();
  };
  const auto at = [](u64 retired) { return fmt::format("@{}", retired); };
  const u32 last = counted.rbegin()->first;
  ASSERT_GT(last, 300u);
  for (const u32 value : {2u, 100u, last - 3}) {
    // Memory alone, by a linear address and by a physical one; ebx is one less when it is counted, until the round is over.
    EXPECT_EQ(ask(fmt::format("bisect u32[0x200000]=={}", value))["position"], at(counted[value]));
    EXPECT_EQ(ask(fmt::format("bisect 'p32[0x600000 - 0x400000] >= {}'", value))["position"],
              at(counted[value]));
    EXPECT_EQ(ask(fmt::format("when p16[0x200000]=={}", value))["position"], at(counted[value]));
    EXPECT_EQ(ask(fmt::format("bisect 'rbx>={} && u32[0x200000]>={}'", value - 1, value))["position"],
              at(counted[value]));
    EXPECT_EQ(ask(fmt::format("when 'u32[0x200000] + 0*rax == {}'", value))["position"], at(counted[value]));
  }
  const monitor::Json held = ask(fmt::format("bisect u32[0x200000]=={}", last - 1));
  EXPECT_EQ(held["write"]["position"], at(counted[last - 1] - 1));
  EXPECT_EQ(held["write"]["new"], fmt::format("{:#010x}", last - 1));
  // From an instant on; one at which it holds already; what never holds.
  EXPECT_EQ(
      ask(fmt::format("bisect u32[0x200000]>3 from {} to {}", at(counted[50]), at(counted[60])))["position"],
      at(counted[50]));
  EXPECT_EQ(ask("bisect u32[0x200000]>3 from @5000")["from_the_beginning"], true);
  EXPECT_EQ(ask("bisect u32[0x200000]==0xffffffff")["found"], false);
  EXPECT_EQ(ask(fmt::format("bisect u32[0x200000]==60 to {}", at(counted[60] - 1)))["found"], false);
  EXPECT_EQ(ask("when u32[0x200000]==0xffffffff")["found"], false);
  EXPECT_EQ(ask("bisect rbx==0xffffffff")["found"], false);
  EXPECT_EQ(ask("when")["position"], position_text(machine.position()));
  for (const std::string_view wrong :
       {"bisect", "bisect u33[5]==1", "bisect u32[5==1", "bisect ==", "bisect 'rax =='", "bisect foo==1",
        "bisect u32[0xd00000]==1", "bisect rax==1 from", "bisect rax==1 from x"})
    EXPECT_FALSE(monitor.execute_line(wrong).ok()) << wrong;
  EXPECT_EQ(machine.state_hash(), state);
}

TEST_P(Past, ExecutionIsFoundWhereBreakpointsStop) {
  Guest guest(file_, config(true));
  Machine& machine = *guest.machine;
  run(guest);
  const u64 state = machine.state_hash();
  // `mov dword [205000h], 7`, which only some rounds reach, and the first of each round.
  for (const u64 linear : {u64{0x10'0020 + 0xbb}, u64{0x10'0020 + 0x63}, u64{0x10'0020}}) {
    std::vector<u64> truth;
    Guest straight(file_, config(false));
    straight.machine->debugger().add(cpu::Breakpoint{linear});
    straight.machine->debugger().on_stop([&] {
      truth.push_back(straight.machine->retired());
      straight.machine->resume();
    });
    straight.machine->run(until(kEnd));
    ASSERT_FALSE(truth.empty());
    const auto last = last_execution(machine, linear);
    ASSERT_TRUE(last.ok() && last.value().event);
    EXPECT_EQ(last.value().event->at.retired, truth.back());
    EXPECT_EQ(last.value().event->rip, linear);
    const auto before = last_execution(machine, linear, Position{truth.back(), 0, 0});
    ASSERT_TRUE(before.ok());
    EXPECT_EQ(before.value().event.has_value(), truth.size() > 1);
    if (truth.size() > 1) {
      EXPECT_EQ(before.value().event->at.retired, truth[truth.size() - 2]);
    }
    const auto next = next_execution(machine, linear);
    ASSERT_TRUE(next.ok());
    EXPECT_FALSE(next.value().event) << "it is still to come";
  }
  EXPECT_EQ(machine.state_hash(), state);
}

/// Questions between journeys, stops and steps of the user's.
TEST_P(Past, NothingOfTheUsersIsTouched) {
  Runs run(kWriter, GetParam());
  const auto end = run.step(30'000);
  const auto ask = [&] {
    run.on([&] {
      const auto answer = last_write(run.machine(), pieces(run.machine(), {0x20'5000, 4}));
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      EXPECT_TRUE(answer.value().event.has_value());
    });
  };
  const auto there = run.to({12'345, 0, 0});
  ask();
  run.on([&] {
    EXPECT_EQ(run.machine().position(), there.first);
    EXPECT_EQ(run.machine().state_hash(), there.second);
    EXPECT_TRUE(run.machine().in_past());
    const auto next = next_execution(run.machine(), 0x10'0020 + 0x63);
    ASSERT_TRUE(next.ok() && next.value().event);
    EXPECT_GT(next.value().event->at.retired, 12'345u);
    EXPECT_LT(next.value().event->at.retired, 12'345u + 100);
    run.machine().debugger().add(cpu::Breakpoint{0x10'0020 + 0x63});
    run.machine().debugger().add(cpu::Watchpoint{.address = 0x20'5000, .bytes = 4});
  });
  ask();
  const auto stopped = run.go([&] { run.machine().resume(); });
  EXPECT_LT(stopped.first.retired, 12'345u + 100);
  ask();
  run.on([&] {
    EXPECT_EQ(run.machine().debugger().last_stop().reason, DebugStop::Reason::Breakpoint);
    run.machine().debugger().clear();
  });
  EXPECT_EQ(run.to(end.first), end);
  run.on([&] { EXPECT_FALSE(run.machine().in_past()); });
  ask();
  EXPECT_EQ(run.step(10).first.retired, end.first.retired + 10);
}

TEST(PastTest, WhoWantsToGoToBeforeTheHistoryIsTold) {
  Guest guest(kSpin);
  guest.machine->run(Past::until(100));
  guest.machine->begin_to_keep_history();
  guest.machine->run(Past::until(200));
  monitor::Monitor monitor(*guest.machine, "a test");
  const monitor::Outcome before = monitor.execute_line("run @5");
  ASSERT_TRUE(before.ok());
  EXPECT_NE(before.value().text.find("begins at @100, behind @5"), std::string::npos) << before.value().text;
  EXPECT_EQ(before.value().json["history_begins"], "@100");
  for (const char* const within : {"run @100", "run @150"})
    EXPECT_EQ(monitor.execute_line(within).value().text, "");
}

TEST(PastTest, WithoutAHistoryItIsSaid) {
  Guest guest(kSpin);
  guest.machine->run(Past::until(100));
  const auto answer = last_write(*guest.machine, {{0x20'0000, 4, 0x20'0000}});
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.error().message.find("--checkpoints on"), std::string::npos);
}

}  // namespace
}  // namespace reprise::machine
