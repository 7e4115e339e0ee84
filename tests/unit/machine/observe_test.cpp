// Traces and coverage of whole machines: exact, the same on every engine, and without a trace in the run.
#include <gtest/gtest.h>

#include "machine/begins_at.h"
#include "machine/observe/coverage.h"
#include "machine/observe/syscall_names.h"
#include "machine/observe/trace_text.h"
#include "machine/observe/tracer.h"
#include "machine/past/questions.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

using Ranges = std::vector<ExecutedBytes::Range>;

constexpr EngineKind kEngines[] = {EngineKind::Interp, EngineKind::Jit};
constexpr u64 kCode = 0x100020;

MachineConfig run_by(EngineKind engine) {
  MachineConfig config;
  config.engine = engine;
  return config;
}

RunLimits until(u64 instructions) {
  RunLimits limits = kADay;
  limits.stop_at_retired = instructions;
  return limits;
}

// A thousand turns, in the 990th of which there is more to do; then what raises, and what is never reached.
const Code kTurns = {0xb9, 0xe8, 0x03, 0x00, 0x00,        // 00 mov ecx, 1000
                     0x81, 0xf9, 0x0a, 0x00, 0x00, 0x00,  // 05 l: cmp ecx, 10
                     0x75, 0x02,                          // 0b jne n
                     0x40,                                // 0d inc eax
                     0x90,                                // 0e nop
                     0xe2, 0xf4,                          // 0f n: loop l
                     0x0f, 0x0b,                          // 11 ud2
                     0x90, 0x90};                         // 13

TEST(ExecutedBytes, RangesAreAsLongAsPossible) {
  ExecutedBytes executed;
  executed.add(0x1ffe, 4);
  executed.add(0x2002, 1);
  executed.add(0x3000, 2);
  executed.add(~u64{0}, 2);
  EXPECT_EQ(executed.ranges(),
            (Ranges{{0, 1}, {0x1ffe, 0x2003}, {0x3000, 0x3002}, {0xffff'ffff'ffff'ffff, 0}}));
  EXPECT_TRUE(executed.has_all(0x1fff, 4));
  EXPECT_FALSE(executed.has_all(0x1fff, 5));
  EXPECT_FALSE(executed.has_all(0x1ffd, 2));
}

TEST(Coverage, IsExactWhereGeneratedCodeRuns) {
  for (const EngineKind engine : kEngines) {
    const boot::TemporaryFile file(Guest::image(kTurns));
    Guest plain(file, run_by(engine));
    const RunResult wanted = plain.run(kADay);
    ASSERT_EQ(wanted.reason, ExitReason::TripleFault) << wanted.message;

    Guest guest(file, run_by(engine));
    Coverage coverage;
    coverage.begin(*guest.machine);
    guest.run(until(2900));
    const ExecutedBytes& executed = coverage.executed(CodeOf::Kernel);
    EXPECT_EQ(executed.ranges(), (Ranges{{kCode, kCode + 0x0d}, {kCode + 0x0f, kCode + 0x11}}));
    const RunResult result = guest.run(kADay);
    EXPECT_EQ(executed.ranges(), (Ranges{{kCode, kCode + 0x13}}));
    EXPECT_EQ(coverage.executed(CodeOf::User).ranges(), Ranges());
    EXPECT_EQ(result.state_hash, wanted.state_hash);
    EXPECT_EQ(result.retired, wanted.retired);
    EXPECT_NE(coverage.text().find("kernel 0000000000100020 0000000000100033\n"), std::string::npos);
  }
}

/// Code that was translated before coverage begins is told of, too.
TEST(Coverage, BeginsAtAPosition) {
  for (const EngineKind engine : kEngines) {
    Guest guest(kTurns, run_by(engine));
    Coverage coverage;
    const BeginsAt begins(*guest.machine, {2000}, [&] { coverage.begin(*guest.machine); });
    guest.run(until(1999));
    EXPECT_EQ(coverage.executed(CodeOf::Kernel).ranges(), Ranges());
    guest.run(kADay);
    EXPECT_EQ(coverage.executed(CodeOf::Kernel).ranges(), (Ranges{{kCode + 0x05, kCode + 0x13}}));
  }
}

/// A question goes over the past untold; code that is translated on its way is told of when the run gets there.
TEST(Coverage, AQuestionHidesNothing) {
  MachineConfig config = run_by(EngineKind::Jit);
  config.jit.threshold = 1;
  config.history = {.on = true, .bytes = 16 << 20, .interval_instructions = 500};
  Guest guest(kTurns, config);
  guest.run(until(2000));
  Coverage coverage;
  coverage.begin(*guest.machine);
  const auto answer = last_execution(*guest.machine, kCode + 0x0f, std::nullopt);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_TRUE(answer.value().event.has_value());
  guest.run(until(2900));
  EXPECT_EQ(coverage.executed(CodeOf::Kernel).ranges(),
            (Ranges{{kCode + 0x05, kCode + 0x0d}, {kCode + 0x0f, kCode + 0x11}}));
}

struct Lines final : TraceSink {
  void line(std::string_view text) override { all.emplace_back(text); }
  std::vector<std::string> all;
};

TraceKinds kinds(std::initializer_list<TraceKind> list) {
  TraceKinds kinds;
  for (const TraceKind kind : list) kinds.add(kind);
  return kinds;
}

TEST(Tracer, TellsInstructionsAndBranches) {
  for (const EngineKind engine : kEngines) {
    Guest guest(kTurns, run_by(engine));
    Lines lines;
    Tracer tracer(kinds({TraceKind::Insn, TraceKind::Branch, TraceKind::Irq}), lines);
    const BeginsAt begins(*guest.machine, {2970}, [&] { tracer.begin(*guest.machine); });
    guest.run(kADay);
    ASSERT_GT(lines.all.size(), 10u);
    EXPECT_EQ(std::vector(lines.all.begin(), lines.all.begin() + 8),
              (std::vector<std::string>{
                  "@2970 cpu0 000000000010002f insn loop 0x00100025",
                  "@2970 cpu0 000000000010002f branch conditional taken -> 0000000000100025",
                  "@2971 cpu0 0000000000100025 insn cmp ecx, 0x0A",
                  "@2972 cpu0 000000000010002b insn jnz 0x0010002F",
                  "@2972 cpu0 000000000010002b branch conditional not taken",
                  "@2973 cpu0 000000000010002d insn inc eax", "@2974 cpu0 000000000010002e insn nop",
                  "@2975 cpu0 000000000010002f insn loop 0x00100025"}))
        << lines.all[0];
    EXPECT_EQ(std::vector(lines.all.end() - 2, lines.all.end()),
              (std::vector<std::string>{"@3003 cpu0 0000000000100031 insn ud2",
                                        "@3003 cpu0 0000000000100031 irq shutdown -> 0000000000100031"}));
  }
}

/// However often a budget ends amid its iterations, which nobody may see.
TEST(Tracer, TellsARepeatedInstructionOnce) {
  const Code code = {0xb9, 0xe8, 0x03, 0x00, 0x00,  // mov ecx, 1000
                     0xbf, 0x00, 0x00, 0x20, 0x00,  // mov edi, 200000h
                     0xf3, 0xaa,                    // rep stosb
                     0xeb, 0xfe};                   // jmp $
  for (const EngineKind engine : kEngines) {
    Guest guest(code, run_by(engine));
    Lines lines;
    Tracer tracer(kinds({TraceKind::Insn}), lines);
    tracer.begin(*guest.machine);
    for (u64 at = 7; at < 1003; at += 7) guest.run(until(at));
    guest.run(until(1003));
    EXPECT_EQ(lines.all, (std::vector<std::string>{"@0 cpu0 0000000000100020 insn mov ecx, 0x3E8",
                                                   "@1 cpu0 0000000000100025 insn mov edi, 0x200000",
                                                   "@2 cpu0 000000000010002a insn rep stosb",
                                                   "@1002 cpu0 000000000010002c insn jmp 0x0010002C"}));
  }
}

TEST(TraceText, SaysWhatAnErrorCodeMeans) {
  EXPECT_EQ(page_fault_text(0), "supervisor read not-present");
  EXPECT_EQ(page_fault_text(7), "user write protection");
  EXPECT_EQ(page_fault_text(0x14), "user execute not-present");
  EXPECT_EQ(page_fault_text(9), "supervisor read protection reserved-bit");
}

TEST(TraceText, NamesDeliveries) {
  using cpu::EventKind;
  EXPECT_EQ(delivery_text({.vector = 14, .has_error_code = true, .error_code = 6}),
            "exception 14 #PF error 0x6");
  EXPECT_EQ(delivery_text({.vector = 0xec, .kind = EventKind::ExternalInterrupt}), "external 0xec");
  EXPECT_EQ(delivery_text({.vector = 2, .kind = EventKind::ExternalInterrupt}), "nmi 2");
  EXPECT_EQ(delivery_text({.vector = 0x80, .kind = EventKind::SoftwareInterrupt}), "software 0x80");
  EXPECT_EQ(delivery_text({.kind = EventKind::Smi}), "smi");
}

TEST(TraceText, SystemCalls) {
  EXPECT_EQ(linux_syscall_name(0), "read");
  EXPECT_EQ(linux_syscall_name(257), "openat");
  EXPECT_EQ(linux_syscall_name(462), "mseal");
  EXPECT_EQ(linux_syscall_name(400), "");
  EXPECT_EQ(syscall_result_text(0x340), "0x340");
  EXPECT_EQ(syscall_result_text(static_cast<u64>(-2)), "-2 ENOENT");
  EXPECT_EQ(syscall_result_text(static_cast<u64>(-5000)), "0xffffffffffffec78");
}

}  // namespace
}  // namespace reprise::machine
