#include "machine/memory_report/fault_log.h"

#include <gtest/gtest.h>

#include "mmu/ram.h"

namespace reprise::machine::memory_report {
namespace {

using mmu::Access;
constexpr u64 kUserPage = mmu::kPteP | mmu::kPteRw | mmu::kPteUs;

class FaultLogTest : public ::testing::Test {
 protected:
  FaultLogTest() : ram(mmu::Ram::create(u64{4} << 20).take()), map(*ram) {
    EXPECT_TRUE(map.add_ram("ram", 0, u64{4} << 20, 0));
    ram->host()[0x9000] = 1;  // a page with content
  }
  void fault(u32 code, u64 entry, unsigned level = 1, u64 linear = 0x7000) {
    log.faulted({.at = {100, 1000}, .space = 3, .linear = linear, .error_code = code, .entry_before = entry},
                {level, 0x5000, entry}, 0);
  }
  void answer(Access access, u64 phys, u64 page_bytes = kPageBytes, bool user = true) {
    mmu::Translation translation{};
    translation.phys = phys;
    translation.page_bytes = page_bytes;
    translation.user = user;
    log.walked(3, 0x7010, access, translation, map, 3000);
  }
  std::unique_ptr<mmu::Ram> ram;
  mmu::PhysMap map;
  FaultLog log;
};

TEST_F(FaultLogTest, TellsWhatWasDone) {
  constexpr u32 kWrite = mmu::kPfW | mmu::kPfU;
  const auto expect_one = [&](FaultKind kind) {
    EXPECT_EQ(log.count(kind), 1u) << row_of(kind).name;
    for (unsigned other = 0; other < kFaultKinds; ++other)
      EXPECT_EQ(log.count(static_cast<FaultKind>(other)), other == static_cast<unsigned>(kind) ? 1u : 0u)
          << other;
    log = FaultLog();
  };
  fault(kWrite, 0);
  answer(Access::Write, 0x8000);
  expect_one(FaultKind::DemandZero);
  fault(kWrite, 0, 2);
  answer(Access::Write, 0x20'0000, u64{2} << 20);
  expect_one(FaultKind::DemandZeroHuge);
  fault(mmu::kPfW, 0);
  answer(Access::Write, 0x8000, kPageBytes, false);
  expect_one(FaultKind::KernelsOwn);
  fault(mmu::kPfU | mmu::kPfI, 0);
  answer(Access::Fetch, 0x9000);
  expect_one(FaultKind::FromFile);
  fault(mmu::kPfU, (~u64{5} << 9 & 0x07ff'ffff'ffff'fe00) & ~mmu::kPteG);
  answer(Access::Read, 0x9000);
  expect_one(FaultKind::SwappedIn);
  fault(mmu::kPfU, 0x8000 | mmu::kPteG);
  answer(Access::Read, 0x8000);
  expect_one(FaultKind::OtherEntry);
  fault(kWrite | mmu::kPfP, (0x8000 | kUserPage) & ~mmu::kPteRw);
  answer(Access::Write, 0x9000);
  expect_one(FaultKind::CopyOnWrite);
  fault(kWrite | mmu::kPfP, (0x8000 | kUserPage) & ~mmu::kPteRw);
  answer(Access::Write, 0x8010);
  expect_one(FaultKind::WriteAllowed);
  fault(kWrite | mmu::kPfP, 0x8000 | kUserPage);
  answer(Access::Write, 0x8010);
  expect_one(FaultKind::Allowed);
  fault(kWrite, 0);
  fault(kWrite, 0, 1, 0x9000);
  log.end(3);
  EXPECT_FALSE(log.waits());
  EXPECT_EQ(log.count(FaultKind::NotAnswered), 2u);
}

TEST_F(FaultLogTest, OnlyTheSameKindOfAccessIsAnAnswer) {
  fault(mmu::kPfW | mmu::kPfU, 0);
  answer(Access::Read, 0x8000);
  EXPECT_TRUE(log.waits());
  answer(Access::Write, 0x8000);
  EXPECT_FALSE(log.waits());
  EXPECT_EQ(log.durations(FaultKind::DemandZero)[10], 1u);  // 2000 ns
  EXPECT_EQ(log.slowest(FaultKind::DemandZero).size(), 1u);
}

TEST_F(FaultLogTest, NeverWaitsForMoreThanItMay) {
  for (u64 i = 0; i < 10'000; ++i) fault(mmu::kPfU, 0, 1, i << kPageShift);
  EXPECT_GE(log.count(FaultKind::NotAnswered), 5'000u);
  log.end_all();
  EXPECT_EQ(log.count(FaultKind::NotAnswered), 10'000u);
}

}  // namespace
}  // namespace reprise::machine::memory_report
