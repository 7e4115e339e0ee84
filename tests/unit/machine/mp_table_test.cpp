#include "machine/tables/mp_table.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <span>

#include "common/bits.h"
#include "devices/pci/isa_bridge.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {
namespace {

constexpr u64 kPhys = 0xf1230;

u8 sum(std::span<const u8> bytes) { return static_cast<u8>(std::accumulate(bytes.begin(), bytes.end(), 0)); }

/// Follows the table as a guest does.
struct Parsed {
  explicit Parsed(const MpConfig& config) : bytes(build_mp_table(config, kPhys)) {
    const std::span<const u8> all(bytes);
    pointer = all.first(16);
    table = all.subspan(read_unaligned<u32>(&pointer[4]) - kPhys);
    EXPECT_EQ(read_unaligned<u16>(&table[4]), table.size()) << "nothing behind the table";
    unsigned count = 0;
    for (std::size_t at = 44; at < table.size(); ++count) {
      const std::size_t size = table[at] == 0 ? 20 : 8;
      entries[table[at]].push_back(table.subspan(at, size));
      at += size;
    }
    EXPECT_EQ(count, read_unaligned<u16>(&table[34]));
  }
  /// The IOAPIC's input for an interrupt of a bus, or -1.
  int input(u8 bus, u8 source) const {
    for (const auto& entry : entries.at(3))
      if (entry[1] == 0 && entry[4] == bus && entry[5] == source) return entry[7];
    return -1;
  }
  std::vector<u8> bytes;
  std::span<const u8> pointer, table;
  std::map<u8, std::vector<std::span<const u8>>> entries;
};

TEST(MpTable, PointerAndTableAddUp) {
  const Parsed parsed({.apic_ids = {0}});
  EXPECT_EQ(std::string(parsed.pointer.begin(), parsed.pointer.begin() + 4), "_MP_");
  EXPECT_EQ(parsed.pointer[8], 1);
  EXPECT_EQ(parsed.pointer[11], 0) << "no default configuration";
  EXPECT_EQ(sum(parsed.pointer), 0);
  EXPECT_EQ(std::string(parsed.table.begin(), parsed.table.begin() + 4), "PCMP");
  EXPECT_EQ(sum(parsed.table), 0);
  EXPECT_EQ(read_unaligned<u32>(&parsed.table[36]), kLapicPhys);
}

TEST(MpTable, ListsProcessorsByTheirApicIds) {
  const Parsed parsed({.apic_ids = {0, 1, 4, 255, 300}, .cpu_signature = 0x663, .cpu_features = 0x201});
  const auto& processors = parsed.entries.at(0);
  ASSERT_EQ(processors.size(), 3u) << "ids of 255 and more have no place";
  const u8 ids[] = {0, 1, 4};
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(processors[i][1], ids[i]);
    EXPECT_EQ(processors[i][3], i == 0 ? 3 : 1) << "enabled, and the first is the boot processor";
    EXPECT_EQ(read_unaligned<u32>(&processors[i][4]), 0x663u);
    EXPECT_EQ(read_unaligned<u32>(&processors[i][8]), 0x201u);
  }
}

TEST(MpTable, InterruptsArriveWhereAcpiSaysToo) {
  const Parsed parsed({.apic_ids = {0, 1}});
  for (u8 device = 0; device < 32; ++device)
    for (u8 pin = 0; pin < 4; ++pin)
      EXPECT_EQ(parsed.input(0, static_cast<u8>(device << 2 | pin)),
                static_cast<int>(16 + devices::pirq_of(device, pin + 1u)));
  EXPECT_EQ(parsed.input(1, 0), 2);
  for (const u8 line : {1, 3, 4, 6, 8, 9, 12, 14, 15}) EXPECT_EQ(parsed.input(1, line), line);
  for (const u8 line : {2, 10, 11})
    EXPECT_EQ(parsed.input(1, line), -1) << "no ISA device has line " << int{line};
  ASSERT_EQ(parsed.entries.at(2).size(), 1u);
  EXPECT_EQ(parsed.entries.at(2)[0][1], kIoApicId);
  EXPECT_EQ(read_unaligned<u32>(&parsed.entries.at(2)[0][4]), kIoApicPhys);
}

}  // namespace
}  // namespace reprise::machine
