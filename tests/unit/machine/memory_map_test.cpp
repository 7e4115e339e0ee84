#include "machine/layout/memory_map.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace reprise::machine {
namespace {

u64 ram_bytes_of(const std::vector<E820Entry>& entries) {
  u64 total = 0;
  for (const E820Entry& entry : entries) total += entry.type == E820Type::Ram ? entry.bytes : 0;
  return total;
}

TEST(MemoryMap, BelowThreeGigabytesThereIsNoHighPart) {
  const MemoryMap map(512 * kMiB);
  EXPECT_EQ(map.low_ram_end_phys(), 512 * kMiB);
  EXPECT_EQ(map.high_ram_end_phys(), kAbove4GPhys);
  EXPECT_EQ(map.ram_ranges().size(), 2u);
  EXPECT_EQ(ram_bytes_of(map.e820()), 512 * kMiB - kMiB + kEbdaPhys);
}

TEST(MemoryMap, TheRestLiesAboveFourGigabytes) {
  const MemoryMap map(5 * kGiB);
  EXPECT_EQ(map.low_ram_end_phys(), 3 * kGiB);
  EXPECT_EQ(map.high_ram_end_phys(), 6 * kGiB);
  const auto ranges = map.ram_ranges();
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[2].phys, 4 * kGiB);
  EXPECT_EQ(ranges[2].ram_offset, 3 * kGiB);
  EXPECT_EQ(ranges[2].bytes, 2 * kGiB);
}

TEST(MemoryMap, E820EntriesAscendWithoutOverlap) {
  for (const u64 ram : {2 * kMiB, 3 * kGiB, 8 * kGiB}) {
    const auto entries = MemoryMap(ram).e820();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_TRUE(entries[i].phys >= entries[j].phys + entries[j].bytes ||
                    entries[j].phys >= entries[i].phys + entries[i].bytes);
      }
    }
  }
}

TEST(MemoryMap, OnAQ35ConfigurationSpaceHasItsPlace) {
  using devices::Chipset;
  EXPECT_EQ(MemoryMap(2816 * kMiB - 4096, Chipset::Q35).low_ram_end_phys(), 2816 * kMiB - 4096);
  for (const u64 ram : {2816 * kMiB, 4 * kGiB}) {
    const MemoryMap map(ram, Chipset::Q35);
    EXPECT_EQ(map.low_ram_end_phys(), 2 * kGiB);
    EXPECT_EQ(map.high_ram_end_phys(), ram + 2 * kGiB);
    EXPECT_EQ(map.ram_ranges().at(2).ram_offset, 2 * kGiB);
    EXPECT_EQ(map.pci_window_phys(), 0xc000'0000u);
    const auto entries = map.e820();
    EXPECT_TRUE(std::ranges::any_of(entries, [](const E820Entry& entry) {
      return entry.phys == 0xb000'0000 && entry.bytes == 256 * kMiB && entry.type == E820Type::Reserved;
    }));
  }
}

TEST(MemoryMap, OnAMicrovmRamGoesThrough) {
  const MemoryMap map(4 * kGiB, devices::Chipset::Microvm);
  const auto ranges = map.ram_ranges();
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].phys, 0u);
  EXPECT_EQ(ranges[0].bytes, 3 * kGiB);
  EXPECT_EQ(ranges[1].ram_offset, 3 * kGiB);
  const auto entries = map.e820();
  EXPECT_TRUE(
      std::ranges::none_of(entries, [](const E820Entry& entry) { return entry.phys == kGenerationIdPhys; }));
}

}  // namespace
}  // namespace reprise::machine
