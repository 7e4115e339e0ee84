#include <gtest/gtest.h>

#include "mmu/ram.h"

namespace reprise::mmu {
namespace {

TEST(Ram, RefusesOddSizes) {
  EXPECT_FALSE(Ram::create(0));
  EXPECT_FALSE(Ram::create(4095));
  EXPECT_FALSE(Ram::create(4097));
  EXPECT_FALSE(Ram::create(~u64{0} & kPageMask));
}

TEST(Ram, IsZeroAlignedAndWritableToTheLastByte) {
  auto ram = Ram::create(3 * kPageBytes).take();
  EXPECT_EQ(reinterpret_cast<u64>(ram->host()) % (2u << 20), 0u);
  EXPECT_EQ(ram->bytes(), 3 * kPageBytes);
  for (u64 i = 0; i < ram->bytes(); ++i) ASSERT_EQ(ram->host()[i], 0);
  ram->host()[ram->bytes() - 1] = 1;
  EXPECT_EQ(ram->host()[ram->bytes() - 1], 1);
}

TEST(Ram, DirtyBitIsPerPage) {
  auto ram = Ram::create(130 * kPageBytes).take();
  EXPECT_EQ(ram->dirty_words().size(), 3u);
  ram->mark_dirty(64 * kPageBytes + 17);
  for (u64 page = 0; page < 130; ++page) EXPECT_EQ(ram->dirty(page * kPageBytes), page == 64) << page;
  EXPECT_EQ(ram->dirty_words()[1], 1u);
}

}  // namespace
}  // namespace reprise::mmu
