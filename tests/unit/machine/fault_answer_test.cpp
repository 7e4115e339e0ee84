// What the guest makes of a page fault: where it is answered, and what is different then. The run that was asked is where it was.
#include <gtest/gtest.h>

#include "machine/monitor/monitor.h"
#include "machine/past/fault_answer.h"
#include "machine/past/questions.h"
#include "tests/unit/machine/travelling_guest.h"

namespace reprise::machine {
namespace {

/// A guest whose handler gives a page of zeros at 4 MiB, copies the one behind it, goes on elsewhere after an access of the third, and
/// never comes back from one of the fourth.
const Code kFaults = {
    // clang-format off
    0xbc, 0x00, 0x00, 0x18, 0x00,  // mov esp, 0x180000
    0x0f, 0x01, 0x15, 0x28, 0x01, 0x10, 0x00,  // lgdt [gdtr]
    0x0f, 0x01, 0x1d, 0x2e, 0x01, 0x10, 0x00,  // lidt [idtr]
    0xea, 0x3a, 0x00, 0x10, 0x00, 0x08, 0x00,  // jmp 8:flat
    0xb8, 0x10, 0x00, 0x00, 0x00,  // mov eax, 0x10
    0x8e, 0xd0,  // mov ss, eax
    0x8e, 0xd8,  // mov ds, eax
    0x8e, 0xc0,  // mov es, eax
    0x0f, 0x20, 0xe0,  // mov eax, cr4
    0x83, 0xc8, 0x10,  // or eax, 0x10
    0x0f, 0x22, 0xe0,  // mov cr4, eax
    0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0x83, 0x00, 0x00, 0x00,  // mov dword [0x3000], 0x83
    0xc7, 0x05, 0x04, 0x30, 0x00, 0x00, 0x07, 0x40, 0x00, 0x00,  // mov dword [0x3004], 0x4007
    0xc7, 0x05, 0x04, 0x40, 0x00, 0x00, 0x05, 0x10, 0x20, 0x00,  // mov dword [0x4004], 0x201005
    0xc7, 0x05, 0xf0, 0x1f, 0x20, 0x00, 0x34, 0x12, 0x00, 0x00,  // mov dword [0x201ff0], 0x1234
    0xb8, 0x00, 0x30, 0x00, 0x00,  // mov eax, 0x3000
    0x0f, 0x22, 0xd8,  // mov cr3, eax
    0x0f, 0x20, 0xc0,  // mov eax, cr0
    0x0d, 0x00, 0x00, 0x01, 0x80,  // or eax, 0x80010000
    0x0f, 0x22, 0xc0,  // mov cr0, eax
    0xbb, 0x05, 0x00, 0x00, 0x00,  // mov ebx, 5
    0x89, 0x1d, 0x10, 0x00, 0x40, 0x00,  // mov [0x400010], ebx
    0x89, 0x1d, 0x20, 0x10, 0x40, 0x00,  // mov [0x401020], ebx
    0xa1, 0x00, 0x20, 0x40, 0x00,  // mov eax, [0x402000]
    0x43,  // inc ebx
    0xb9, 0x64, 0x00, 0x00, 0x00,  // mov ecx, 100
    0xe2, 0xfe,  // loop count
    0xa3, 0x00, 0x30, 0x40, 0x00,  // mov [0x403000], eax
    0xeb, 0xfe,  // jmp spin
    0x60,  // pushad
    0x0f, 0x20, 0xd0,  // mov eax, cr2
    0x3d, 0x00, 0x10, 0x40, 0x00,  // cmp eax, 0x401000
    0x72, 0x0b,  // jb .zero
    0x3d, 0x00, 0x20, 0x40, 0x00,  // cmp eax, 0x402000
    0x72, 0x10,  // jb .copy
    0x74, 0x32,  // je .expected
    0xeb, 0xe8,  // jmp spin
    0xc7, 0x05, 0x00, 0x40, 0x00, 0x00, 0x07, 0x00, 0x20, 0x00,  // mov dword [0x4000], 0x200007
    0xeb, 0x2c,  // jmp .done
    0xbe, 0x00, 0x10, 0x20, 0x00,  // mov esi, 0x201000
    0xbf, 0x00, 0x20, 0x20, 0x00,  // mov edi, 0x202000
    0xb9, 0x00, 0x04, 0x00, 0x00,  // mov ecx, 1024
    0xf3, 0xa5,  // rep movsd
    0xc7, 0x05, 0x04, 0x40, 0x00, 0x00, 0x07, 0x20, 0x20, 0x00,  // mov dword [0x4004], 0x202007
    0x0f, 0x01, 0x3d, 0x00, 0x10, 0x40, 0x00,  // invlpg [0x401000]
    0xeb, 0x08,  // jmp .done
    0xc7, 0x44, 0x24, 0x24, 0xa0, 0x00, 0x10, 0x00,  // mov dword [esp + 36], expected
    0x61,  // popad
    0x83, 0xc4, 0x04,  // add esp, 4
    0xcf,  // iret
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,  // align 16
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00,  // gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
    0x17, 0x00,  // gdtr: dw 23
    0x10, 0x01, 0x10, 0x00,  // dd gdt
    0x77, 0x00,  // idtr: dw 14*8+7
    0xc4, 0x00, 0x10, 0x00,  // dd idt - 14*8
    0xae, 0x00, 0x08, 0x00, 0x00, 0x8e, 0x10, 0x00,  // idt: dw handler - 0x100000, 8, 0x8e00, 0x10
    // clang-format on
};
constexpr u64 kCode = 0x10'0020;
constexpr u64 kHandler = kCode + 0x8e;
constexpr u64 kExpected = kCode + 0x80;

/// What a straight run does.
struct Heard final : cpu::EventObserver {
  struct One {
    u64 linear;
    u64 taken;     // instructions that had retired before it
    u64 returned;  // and behind the return; 0: none
  };
  explicit Heard(Machine& its) : machine(its) {}
  void page_fault_raised(const cpu::Fault& fault) override {
    faults.push_back({fault.linear, machine.retired(), 0});
  }
  void delivered(const cpu::Fault&, u64) override {}
  void passed(cpu::Passage passage, u64) override {
    if (passage == cpu::Passage::Iret) faults.back().returned = machine.retired() + 1;
  }
  Machine& machine;
  std::vector<One> faults;
};

struct FaultAnswers : testing::TestWithParam<EngineKind> {
  static constexpr u64 kEnd = 6'000;
  static MachineConfig config(bool history) {
    MachineConfig config;
    config.engine = GetParam();
    config.jit.threshold = 2;
    config.history = {.on = history, .bytes = 64 << 20, .interval_instructions = 500};
    return config;
  }
  static RunLimits limits() {
    RunLimits limits;
    limits.stop_at_retired = kEnd;
    limits.attended = true;
    return limits;
  }
  const boot::TemporaryFile file{Guest::image(kFaults)};
  std::vector<Heard::One> truth() {
    Guest straight(file, config(false));
    Heard heard(*straight.machine);
    straight.machine->pc().processors().boot().cpu.event_observers.push_back(&heard);
    EXPECT_EQ(straight.machine->run(limits()).reason, ExitReason::StopAt);
    straight.machine->pc().processors().boot().cpu.event_observers.clear();
    EXPECT_EQ(heard.faults.size(), 4u);
    return heard.faults;
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, FaultAnswers, testing::Values(EngineKind::Interp, EngineKind::Jit),
                         [](const auto& engine) {
                           return engine.param == EngineKind::Jit ? "jit" : "interp";
                         });

TEST_P(FaultAnswers, AreThoseOfAStraightRun) {
  const std::vector<Heard::One> faults = truth();
  Guest guest(file, config(true));
  Machine& machine = *guest.machine;
  ASSERT_EQ(machine.run(limits()).reason, ExitReason::StopAt);
  const Position here = machine.position();
  const u64 state = machine.state_hash();
  using End = FaultAnswer::End;
  const End ends[] = {End::Retried, End::Retried, End::Elsewhere, End::TooLong};
  for (std::size_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(i);
    const Heard::One& fault = faults[i];
    const auto look = [&](u64 retired, const auto& then) {
      const auto looked = look_at(machine, {retired, 0, 0}, [&](Excursion& trip) -> Result<Done> {
        const std::optional<FaultAnswer> answer = TRY(follow_fault(trip, 0, 2'000));
        then(answer, machine.position().retired);
        return Done{};
      });
      EXPECT_TRUE(looked.ok());
    };
    look(fault.taken, [&](const std::optional<FaultAnswer>& answer, u64 stands) {
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->at.retired, fault.taken);
      EXPECT_EQ(answer->fault.linear, fault.linear);
      ASSERT_TRUE(answer->delivered);
      EXPECT_EQ(answer->delivered->vector, 14);
      EXPECT_EQ(answer->delivered->handler, kHandler);
      EXPECT_EQ(answer->end, ends[i]);
      EXPECT_EQ(answer->until.retired, fault.returned != 0 ? fault.returned : fault.taken + 2'000);
      EXPECT_EQ(answer->until.retired, stands);
      if (ends[i] == End::Retried || ends[i] == End::Elsewhere) {
        EXPECT_EQ(answer->went_to, ends[i] == End::Retried ? answer->rip : kExpected);
      }
    });
    look(fault.taken - 1, [&](const std::optional<FaultAnswer>& answer, u64) { EXPECT_FALSE(answer); });
    look(fault.taken + 1, [&](const std::optional<FaultAnswer>& answer, u64) { EXPECT_FALSE(answer); });
    EXPECT_EQ(machine.position(), here);
    EXPECT_EQ(machine.state_hash(), state);
    EXPECT_FALSE(machine.in_past());
  }
}

TEST_P(FaultAnswers, AreExplained) {
  const std::vector<Heard::One> faults = truth();
  Guest guest(file, config(true));
  Machine& machine = *guest.machine;
  ASSERT_EQ(machine.run(limits()).reason, ExitReason::StopAt);
  monitor::Monitor monitor(machine, "a test");
  const auto explain = [&](std::size_t fault, u64 linear) {
    const auto outcome =
        monitor.execute_line(fmt::format("explain {:#x} at @{}", linear, faults[fault].taken));
    EXPECT_TRUE(outcome.ok()) << outcome.error().message;
    return outcome.value();
  };
  const monitor::Answer zero = explain(0, 0x40'0000);
  EXPECT_EQ(zero.json["fault"]["position"], fmt::format("@{}", faults[0].taken));
  EXPECT_EQ(zero.json["fault"]["cr2"], "0x400010");
  EXPECT_EQ(zero.json["fault"]["error_code"], 2);
  EXPECT_EQ(zero.json["answer"]["end"], "retried");
  EXPECT_EQ(zero.json["answer"]["kind"], "demand zero");
  EXPECT_EQ(zero.json["answer"]["allowed"], true);
  EXPECT_EQ(zero.json["answer"]["instructions"], faults[0].returned - faults[0].taken);
  ASSERT_EQ(zero.json["answer"]["entries"].size(), 1u) << zero.text;
  EXPECT_EQ(zero.json["answer"]["entries"][0]["before"], "0x0");
  EXPECT_EQ(zero.json["answer"]["entries"][0]["now"], "0x200007");
  EXPECT_EQ(zero.json["answer"]["flushes"]["page"], 0);
  EXPECT_EQ(zero.json["answer"]["disks"]["reads"], 0);
  EXPECT_NE(zero.text.find("vector 14 enters 0x1000ae"), std::string::npos) << zero.text;

  const monitor::Answer copied = explain(1, 0x40'1020);
  EXPECT_EQ(copied.json["answer"]["kind"], "copy on write") << copied.text;
  EXPECT_EQ(copied.json["answer"]["same_content"], true);
  EXPECT_EQ(copied.json["answer"]["flushes"]["page"], 1);
  EXPECT_NE(copied.text.find("TLBs were flushed of one page: 1"), std::string::npos) << copied.text;

  const monitor::Answer expected = explain(2, 0x40'2000);
  EXPECT_EQ(expected.json["answer"]["end"], "elsewhere");
  EXPECT_EQ(expected.json["answer"]["rip"], "0x1000a0");
  EXPECT_EQ(expected.json["answer"]["allowed"], false);

  const monitor::Answer never = explain(3, 0x40'3000);
  EXPECT_EQ(never.json["answer"]["end"], "still to come") << never.text;

  const monitor::Answer other = explain(1, 0x40'0000);
  EXPECT_FALSE(other.json.contains("answer"));
  EXPECT_NE(other.text.find("another page: explain 0x401020"), std::string::npos) << other.text;
  const auto before = monitor.execute_line(fmt::format("explain 0x400010 at @{}", faults[0].taken - 1));
  EXPECT_FALSE(before.value().json.contains("fault"));
}

TEST_P(FaultAnswers, ThatNobodyKnowsAreSaid) {
  const u64 taken = truth()[0].taken;
  RunLimits until = limits();
  until.stop_at_retired = taken;
  for (const bool history : {false, true}) {
    Guest guest(file, config(history));
    ASSERT_EQ(guest.machine->run(until).reason, ExitReason::StopAt);
    monitor::Monitor monitor(*guest.machine, "a test");
    const auto outcome = monitor.execute_line("explain 0x400010");
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.value().json["answer"]["end"], "unknown");
    const std::string_view wanted = history ? "still to come" : "--checkpoints on";
    EXPECT_NE(outcome.value().text.find(wanted), std::string::npos) << outcome.value().text;
    EXPECT_EQ(guest.machine->checkpoints().empty(), !history);
    const auto mapped = monitor.execute_line("explain rip");
    EXPECT_FALSE(mapped.value().json.contains("answer"));
  }
}

}  // namespace
}  // namespace reprise::machine
