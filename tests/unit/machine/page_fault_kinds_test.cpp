#include "machine/page_fault_kinds.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

TEST(PageFaultKinds, NamesTheKindsThatThereAre) {
  cpu::VcpuCounts counts;
  EXPECT_TRUE(page_fault_kinds(counts).empty());
  counts.page_faults[0b00110] = 7;  // U/S, W/R
  counts.page_faults[0b00011] = 5;  // W/R, P
  counts.page_faults[0b10100] = 3;  // I/D, U/S
  counts.page_faults[0b01101] = 1;  // RSVD, U/S, P
  std::vector<std::string> told;
  for (const PageFaultKind& kind : page_fault_kinds(counts))
    told.push_back(kind.name + " " + std::to_string(kind.count));
  EXPECT_EQ(told, (std::vector<std::string>{"kernel write, protected 5", "user write, not present 7",
                                            "user read, reserved bits 1", "user fetch, not present 3"}));
}

}  // namespace
}  // namespace reprise::machine
