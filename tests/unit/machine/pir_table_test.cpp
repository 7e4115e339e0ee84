#include "machine/tables/pir_table.h"

#include <gtest/gtest.h>

#include <numeric>

#include "common/bits.h"
#include "devices/pci/isa_bridge.h"

namespace reprise::machine {
namespace {

TEST(PirTable, NamesTheRouterAndItsRegisterForEachPin) {
  const std::vector<u8> table = build_pir_table(devices::Chipset::I440fx);
  EXPECT_EQ(std::string(table.begin(), table.begin() + 4), "$PIR");
  EXPECT_EQ(read_unaligned<u16>(&table[6]), table.size());
  EXPECT_EQ(static_cast<u8>(std::accumulate(table.begin(), table.end(), 0)), 0);
  EXPECT_EQ(table[9], 1 << 3) << "the ISA bridge is 00:01.0";
  unsigned slots = 0;
  for (std::size_t at = 32; at < table.size(); at += 16, ++slots) {
    const unsigned device = table[at + 1] >> 3;
    for (unsigned pin = 0; pin < 4; ++pin) {
      EXPECT_EQ(table[at + 2 + 3 * pin], 0x60 + devices::pirq_of(device, pin + 1));
      EXPECT_EQ(read_unaligned<u16>(&table[at + 3 + 3 * pin]), 0xdef8);
    }
  }
  EXPECT_EQ(slots, 31u);
}

}  // namespace
}  // namespace reprise::machine
