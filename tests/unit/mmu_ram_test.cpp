#include <gtest/gtest.h>

#include <vector>

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

std::vector<u64> written_since(const Ram& ram, u64 epoch) {
  std::vector<u64> pages;
  ram.for_each_written_since(epoch, [&](u64 page) { pages.push_back(page); });
  return pages;
}

TEST(Ram, EachReaderSeesWhatWasWrittenSinceItsOwnEpoch) {
  auto ram = Ram::create(130 * kPageBytes).take();
  EXPECT_TRUE(written_since(*ram, 0).empty());
  ram->mark_written(64 * kPageBytes + 17);
  const u64 first = ram->end_epoch();
  EXPECT_EQ(written_since(*ram, first), (std::vector<u64>{}));
  ram->mark_written(129 * kPageBytes);
  ram->mark_written(3 * kPageBytes);
  const u64 second = ram->end_epoch();
  EXPECT_GT(second, first);
  ram->mark_written(64 * kPageBytes);
  EXPECT_EQ(written_since(*ram, 0), (std::vector<u64>{3, 64, 129}));
  EXPECT_EQ(written_since(*ram, first), (std::vector<u64>{3, 64, 129}));
  EXPECT_EQ(written_since(*ram, second), (std::vector<u64>{64}));
  for (u64 page = 0; page < 130; ++page)
    EXPECT_EQ(ram->written_since(second, page * kPageBytes), page == 64) << page;
}

TEST(Ram, WriteTagsEndWithTheEpoch) {
  struct Holder final : WriteTagHolder {
    void drop_write_tags(u64) override {}
    void drop_all_write_tags() override { ++drops; }
    unsigned drops = 0;
  } one, other;
  auto ram = Ram::create(kPageBytes).take();
  ram->add_tag_holder(one);
  ram->add_tag_holder(other);
  ram->end_epoch();
  ram->remove_tag_holder(one);
  ram->end_epoch();
  EXPECT_EQ(one.drops, 1u);
  EXPECT_EQ(other.drops, 2u);
}

}  // namespace
}  // namespace reprise::mmu
