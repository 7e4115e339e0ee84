#include "mmu/code_pages.h"

#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

class CountingHolder final : public WriteTagHolder {
 public:
  void drop_write_tags(u64 phys_page) override { dropped.push_back(phys_page); }
  void drop_all_write_tags() override {}
  std::vector<u64> dropped;
};

struct CodePagesTest : ::testing::Test {
  CodePagesTest() {
    pages.add_listener(listener);
    pages.add_tag_holder(holder);
  }
  CodePages pages;
  RecordingListener listener;
  CountingHolder holder;
};

TEST_F(CodePagesTest, OnlyTheFirstCodeOfAPageDropsTags) {
  EXPECT_FALSE(pages.has_code(0x5000));
  pages.add_code(0x5010, 20);
  pages.add_code(0x5800, 64);
  EXPECT_TRUE(pages.has_code(0x5fff));
  EXPECT_FALSE(pages.has_code(0x4fff));
  EXPECT_FALSE(pages.has_code(0x6000));
  EXPECT_EQ(holder.dropped, std::vector<u64>{0x5000});
}

TEST_F(CodePagesTest, StoresHitByLine) {
  pages.add_code(0x5040, 65);  // lines 1 and 2
  EXPECT_FALSE(pages.written(0x5000, 64));
  EXPECT_FALSE(pages.written(0x50c0, 1));
  EXPECT_TRUE(listener.writes.empty());
  EXPECT_TRUE(pages.written(0x503f, 2));
  EXPECT_TRUE(pages.written(0x50bf, 1));
  const std::vector<RecordingListener::Write> expected = {{0x503f, 2}, {0x50bf, 1}};
  EXPECT_EQ(listener.writes, expected);
}

TEST_F(CodePagesTest, AStoreOverSeveralPagesTellsOfEachPageWithCode) {
  pages.add_code(0x5fc0, 64);
  pages.add_code(0x7000, 1);
  EXPECT_TRUE(pages.written(0x5ff0, 0x2000));
  const std::vector<RecordingListener::Write> expected = {{0x5ff0, 0x10}, {0x7000, 0xff0}};
  EXPECT_EQ(listener.writes, expected);
}

TEST_F(CodePagesTest, RemovingAPageForgetsIt) {
  pages.add_code(0x5000, 4096);
  pages.refresh(0x5000);
  EXPECT_FALSE(pages.has_code(0x5000));
  EXPECT_FALSE(pages.written(0x5000, 8));
  pages.add_code(0x5000, 1);
  EXPECT_EQ(holder.dropped.size(), 2u) << "tags may have been granted in between";
}

// One listener without blocks does not speak for the others.
TEST_F(CodePagesTest, WithTwoListenersThePageStays) {
  RecordingListener second;
  second.code_bytes = 16;
  pages.add_listener(second);
  pages.add_code(0x5000, 16);
  pages.refresh(0x5000);
  EXPECT_TRUE(pages.written(0x5000, 1));
  EXPECT_EQ(second.writes.size(), 1u);
}

TEST_F(CodePagesTest, AStoreThatHitsNothingMakesBytesCount) {
  listener.hits = false;
  listener.code_first = 0x10;
  listener.code_bytes = 4;
  pages.add_code(0x5010, 4);
  EXPECT_FALSE(pages.is_written(0x5000));
  EXPECT_TRUE(pages.may_hit_code(0x5000, 4)) << "the line has code";
  EXPECT_FALSE(pages.written(0x5000, 4));
  EXPECT_TRUE(pages.is_written(0x5000));
  EXPECT_FALSE(pages.may_hit_code(0x5000, 16));
  EXPECT_TRUE(pages.may_hit_code(0x500f, 2));
  EXPECT_TRUE(pages.may_hit_code(0x5013, 100));
  EXPECT_FALSE(pages.may_hit_code(0x5014, 100));
  EXPECT_FALSE(pages.written(0x5000, 4));
  EXPECT_EQ(listener.writes.size(), 1u);
  pages.add_code(0x5020, 1);
  EXPECT_TRUE(pages.may_hit_code(0x5018, 9));
}

TEST_F(CodePagesTest, CodeThatIsOverwrittenForGoodIsForgotten) {
  listener.hits = false;
  pages.add_code(0x5000, 4);
  pages.add_code(0x5100, 4);
  EXPECT_FALSE(pages.written(0x5000, 4));
  listener.code_first = 0x100;
  listener.code_bytes = 4;
  pages.add_code(0x5100, 4);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(pages.written(0x5100, 4));
  listener.code_bytes = 0;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(pages.written(0x5100, 4));
  EXPECT_FALSE(pages.has_code(0x5000));
}

TEST_F(CodePagesTest, OddArgumentsAreHarmless) {
  pages.add_code(~u64{0}, 4);
  pages.add_code(CodePages::kPhysLimit, 4);
  pages.add_code(0x1000, 0);
  pages.add_code(0x1fff, 100);  // clipped to the page
  EXPECT_FALSE(pages.has_code(~u64{0}));
  EXPECT_FALSE(pages.has_code(0x2000));
  EXPECT_TRUE(pages.has_code(0x1000));
  EXPECT_FALSE(pages.written(~u64{0}, 1));
  EXPECT_FALSE(pages.written(0x1fff, 0));
  pages.refresh(~u64{0} & kPageMask);
  pages.clear();
  EXPECT_FALSE(pages.has_code(0x1000));
}

}  // namespace
}  // namespace reprise::mmu
