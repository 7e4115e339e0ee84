// Reports of whole machines: where they begin and end.
#include "machine/memory_report/report_span.h"

#include <gtest/gtest.h>

#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::memory_report {
namespace {

// Adds to a word of one page 100 times, then to one of the next page, for ever.
const Code kTwoPages = {0xbb, 0x00, 0x00, 0x20, 0x00,        // mov ebx, 200000h
                        0xb9, 0x64, 0x00, 0x00, 0x00,        // l: mov ecx, 100
                        0xff, 0x03,                          // n: inc dword [ebx]
                        0xe2, 0xfc,                          // loop n
                        0x81, 0xf3, 0x00, 0x10, 0x00, 0x00,  // xor ebx, 1000h
                        0xeb, 0xef};                         // jmp l

RunLimits until(u64 instructions) {
  RunLimits limits;
  limits.stop_at_retired = instructions;
  return limits;
}

TEST(ReportSpan, BeginsAndEndsWhereItShould) {
  const boot::TemporaryFile file(Guest::image(kTwoPages));
  Guest plain(file, {});
  const RunResult wanted = plain.run(until(5'500'000));
  Guest guest(file, {});
  ReportSpan span(*guest.machine, {2'000'123});
  const RunResult result = guest.run(until(5'500'000));
  EXPECT_EQ(result.state_hash, wanted.state_hash);
  const MemoryReport& report = span.finish();
  EXPECT_EQ(report.begin().retired, 2'000'123u);
  EXPECT_EQ(report.end().retired, 5'500'000u);
  EXPECT_FALSE(report.cut_off());
  u64 instructions = 0;
  for (const u64 one : report.measure(Measure::Instructions).values()) instructions += one;
  EXPECT_EQ(instructions, 5'500'000u - 2'000'123u);
  // The code's page and two of data, in each of the four windows.
  const auto& set = report.working_set(Spaces::kUnpaged);
  ASSERT_EQ(set.size(), 4u);
  for (const WorkingSets::Count& count : set) EXPECT_EQ(count.pages, 3u);
  EXPECT_EQ(report.pages_touched(Spaces::kUnpaged), 3u);
}

TEST(ReportSpan, OfARunThatDoesNotGetThereHasNothing) {
  Guest guest(kTwoPages);
  ReportSpan span(*guest.machine, {9'000'000});
  guest.run(until(1'000'000));
  const MemoryReport& report = span.finish();
  EXPECT_EQ(report.begin().retired, 1'000'000u);
  EXPECT_EQ(report.end().retired, 1'000'000u);
  EXPECT_EQ(report.pages_touched(Spaces::kUnpaged), 0u);
}

TEST(ReportSpan, EndsWhenTheMachineGoesBack) {
  Guest guest(kTwoPages);
  guest.run(until(1'000'000));
  StateMemorySink sink;
  StateWriter writer(sink);
  ASSERT_TRUE(guest.machine->save(writer).ok());
  ReportSpan span(*guest.machine, {});
  guest.run(until(3'000'000));
  StateMemorySource source(sink.bytes);
  StateReader reader(source);
  ASSERT_TRUE(guest.machine->load(reader).ok());
  guest.run(until(5'000'000));
  const MemoryReport& report = span.finish();
  EXPECT_TRUE(report.cut_off());
  EXPECT_EQ(report.end().retired, 3'000'000u);
  EXPECT_LE(report.scale().current(), 2u);
}

}  // namespace
}  // namespace reprise::machine::memory_report
