#include "machine/storage/overlay_image.h"

#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;

/// A base in memory; nothing may write it.
class MemoryBase final : public devices::BlockBackend {
 public:
  explicit MemoryBase(std::vector<u8> content) : content_(std::move(content)) {}
  u64 bytes() const override { return content_.size(); }
  bool read_only() const override { return true; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    ++reads;
    std::copy_n(content_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return fails ? BlockStatus::ReadError : BlockStatus::Ok;
  }
  BlockStatus write(u64, std::span<const u8>) override { return ADD_FAILURE(), BlockStatus::ReadOnly; }
  BlockStatus flush() override { return ADD_FAILURE(), BlockStatus::Ok; }
  BlockStatus discard(u64, u64) override { return ADD_FAILURE(), BlockStatus::ReadOnly; }

  unsigned reads = 0;
  bool fails = false;

 private:
  std::vector<u8> content_;
};

/// An enormous disk of zeros.
class EmptyBase final : public devices::BlockBackend {
 public:
  u64 bytes() const override { return u64{1} << 50; }
  bool read_only() const override { return true; }
  BlockStatus read(u64, std::span<u8> into) override {
    return std::ranges::fill(into, u8{9}), BlockStatus::Ok;
  }
  BlockStatus write(u64, std::span<const u8>) override { return BlockStatus::ReadOnly; }
  BlockStatus flush() override { return BlockStatus::Ok; }
  BlockStatus discard(u64, u64) override { return BlockStatus::ReadOnly; }
};

TEST(StorageOverlay, BehavesAsADiskWithTheBaseUnderneath) {
  constexpr u64 kSectors = 140'000;  // more than two leaves of the map
  std::vector<u8> model = pattern(kSectors * 512);
  auto overlay = OverlayImage::create(std::make_unique<MemoryBase>(model));
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  EXPECT_FALSE(disk.read_only());
  EXPECT_EQ(disk.bytes(), model.size());
  std::minstd_rand random(7);
  std::vector<u8> buffer;
  for (int i = 0; i < 3000; ++i) {
    // Half of the requests near the border of the leaves.
    const u64 first = random() % 2 == 0 ? 65536 - 64 + random() % 128 : random() % (kSectors - 64);
    const u64 count = 1 + random() % 64;
    const auto at = model.begin() + static_cast<std::ptrdiff_t>(first * 512);
    switch (random() % 4) {
      case 0:
        buffer = pattern(count * 512, static_cast<unsigned>(i));
        ASSERT_EQ(disk.write(first * 512, buffer), BlockStatus::Ok);
        std::copy(buffer.begin(), buffer.end(), at);
        break;
      case 1:
        ASSERT_EQ(disk.discard(first * 512, count * 512), BlockStatus::Ok);
        std::fill_n(at, count * 512, u8{0});
        break;
      default:
        buffer.assign(count * 512, 0xcc);
        ASSERT_EQ(disk.read(first * 512, buffer), BlockStatus::Ok);
        ASSERT_TRUE(std::equal(buffer.begin(), buffer.end(), at)) << "request " << i;
    }
  }
  buffer.assign(model.size(), 0xcc);
  EXPECT_EQ(disk.read(0, buffer), BlockStatus::Ok);
  EXPECT_EQ(buffer, model);
}

TEST(StorageOverlay, DiscardsOfAnyLengthTakeLittleMemoryAndTime) {
  auto overlay = OverlayImage::create(std::make_unique<EmptyBase>());
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  constexpr u64 kTerabyte = u64{1} << 40;
  std::vector<u8> got(1024, 0xcc);
  if (disk.discard(512, kTerabyte) == BlockStatus::Ok) {
    EXPECT_EQ(disk.read(kTerabyte, got), BlockStatus::Ok);
    EXPECT_EQ(got[0], 0) << "the last discarded sector";
    EXPECT_EQ(got[512], 9) << "the base behind it";
    EXPECT_EQ(disk.read(0, got), BlockStatus::Ok);
    EXPECT_EQ(got[0], 9);
    EXPECT_EQ(got[512], 0);
  }
  EXPECT_EQ(disk.discard(0, u64{1} << 51), BlockStatus::OutOfRange);
}

TEST(StorageOverlay, ErrorsOfTheBaseReachTheGuestOnlyWhereItsContentIsNeeded) {
  auto base = std::make_unique<MemoryBase>(pattern(8192));
  MemoryBase& underneath = *base;
  auto overlay = OverlayImage::create(std::move(base));
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  ASSERT_EQ(disk.write(512, pattern(1024, 2)), BlockStatus::Ok);
  underneath.fails = true;
  std::vector<u8> got(1024);
  underneath.reads = 0;
  EXPECT_EQ(disk.read(512, got), BlockStatus::Ok);
  EXPECT_EQ(got, pattern(1024, 2));
  EXPECT_EQ(underneath.reads, 0u);
  EXPECT_EQ(disk.read(1024, got), BlockStatus::ReadError);
  EXPECT_EQ(disk.read(8192, got), BlockStatus::OutOfRange);
  EXPECT_EQ(disk.write(100, got), BlockStatus::OutOfRange);
  EXPECT_EQ(disk.flush(), BlockStatus::Ok);
}

TEST(StorageOverlay, WithoutAFolderForItsFileItIsRefused) {
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", "/does/not/exist", 1);
  const auto overlay = OverlayImage::create(std::make_unique<MemoryBase>(pattern(512)));
  if (before != nullptr) {
    setenv("TMPDIR", kept.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
  ASSERT_FALSE(overlay.ok());
  EXPECT_NE(overlay.error().message.find("TMPDIR"), std::string::npos);
}

TEST(SectorMap, FindsRuns) {
  SectorMap map;
  bool in_map = true;
  EXPECT_EQ(map.run(5, 1000, in_map), 1000u);
  EXPECT_FALSE(in_map);
  map.set(10, 5);
  map.set(65530, 65536 + 12);  // a whole leaf and parts of two
  EXPECT_EQ(map.run(0, 1000, in_map), 10u);
  EXPECT_FALSE(in_map);
  EXPECT_EQ(map.run(12, 1000, in_map), 3u);
  EXPECT_TRUE(in_map);
  EXPECT_EQ(map.run(65000, 1000, in_map), 530u);
  EXPECT_EQ(map.run(65530, 1'000'000, in_map), 65536u + 12);
  EXPECT_TRUE(in_map);
  EXPECT_EQ(map.run(131'078, 1'000'000, in_map), 1'000'000u);
  EXPECT_FALSE(in_map);
}

}  // namespace
}  // namespace reprise::machine
