#include "machine/storage/overlay_image.h"

#include <map>

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

/// A file that is written, too.
class MemoryFile final : public devices::BlockBackend {
 public:
  explicit MemoryFile(std::shared_ptr<std::vector<u8>> content) : content_(std::move(content)) {}
  u64 bytes() const override { return content_->size(); }
  bool read_only() const override { return false; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    std::copy_n(content_->begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return BlockStatus::Ok;
  }
  /// A write that fails is carried out by half.
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    if (fails) from = from.first(from.size() / 2);
    std::ranges::copy(from, content_->begin() + static_cast<std::ptrdiff_t>(offset));
    return fails ? BlockStatus::WriteError : BlockStatus::Ok;
  }
  BlockStatus flush() override { return ++flushes, BlockStatus::Ok; }
  BlockStatus discard(u64 offset, u64 bytes) override { return write(offset, std::vector<u8>(bytes)); }

  bool fails = false;
  unsigned flushes = 0;

 private:
  const std::shared_ptr<std::vector<u8>> content_;
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

TEST(StorageOverlay, GoesBackToEarlierGenerations) {
  constexpr u64 kSectors = 4000;
  std::vector<u8> model = pattern(kSectors * 512);
  auto overlay = OverlayImage::create(std::make_unique<MemoryBase>(model));
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  devices::BlockGenerations& generations = *disk.generations();
  std::map<u64, std::vector<u8>> known;
  std::minstd_rand random(3);
  const auto some = [&] {
    auto entry = known.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(random() % known.size()));
    return entry;
  };
  std::vector<u8> buffer;
  for (unsigned i = 0; i < 4000; ++i) {
    const u64 first = random() % (kSectors - 64);
    const u64 count = 1 + random() % 64;
    const auto at = model.begin() + static_cast<std::ptrdiff_t>(first * 512);
    switch (random() % 20) {
      case 0: {
        const u64 ended = generations.begin();
        ASSERT_FALSE(known.contains(ended));
        known[ended] = model;
        break;
      }
      case 1: {
        if (known.empty()) break;
        const auto entry = some();
        ASSERT_TRUE(generations.go_to(entry->first));
        generations.forget_above();
        model = entry->second;
        known.erase(std::next(entry), known.end());
        break;
      }
      case 2: {
        if (known.empty()) break;
        const auto entry = some();
        ASSERT_EQ(generations.forget(entry->first), BlockStatus::Ok);
        known.erase(entry);
        break;
      }
      case 3: {
        if (known.empty()) break;
        const auto entry = some();
        buffer.assign(model.size(), 0xcc);
        ASSERT_EQ(generations.read_as_of(entry->first, 0, buffer), BlockStatus::Ok);
        ASSERT_EQ(buffer, entry->second) << "request " << i;
        break;
      }
      case 4:
        ASSERT_EQ(disk.discard(first * 512, count * 512), BlockStatus::Ok);
        std::fill_n(at, count * 512, u8{0});
        break;
      case 5:
      case 6:
        buffer.assign(count * 512, 0xcc);
        ASSERT_EQ(disk.read(first * 512, buffer), BlockStatus::Ok);
        ASSERT_TRUE(std::equal(buffer.begin(), buffer.end(), at)) << "request " << i;
        break;
      default:
        buffer = pattern(count * 512, i);
        ASSERT_EQ(disk.write(first * 512, buffer), BlockStatus::Ok);
        std::copy(buffer.begin(), buffer.end(), at);
    }
  }
  EXPECT_FALSE(known.empty());
  EXPECT_FALSE(generations.go_to(1'000'000));
  EXPECT_EQ(generations.forget(generations.current()), BlockStatus::OutOfRange);
  generations.clear();
  buffer.assign(model.size(), 0xcc);
  EXPECT_EQ(disk.read(0, buffer), BlockStatus::Ok);
  EXPECT_EQ(buffer, pattern(kSectors * 512));
}

// A run that goes back and forth over its own past: what it writes at step n is always the same. `through`: a file gets it, too,
// and has what the run wrote up to the farthest step.
void run_over_its_past(bool through) {
  constexpr u64 kSectors = 3000;
  constexpr unsigned kSteps = 200;
  const std::vector<u8> base = pattern(kSectors * 512);
  std::vector<std::vector<u8>> content = {base};  // before each step
  const auto file = std::make_shared<std::vector<u8>>(base);
  const auto repeats = std::make_shared<bool>(false);
  auto overlay = through ? OverlayImage::over_written(std::make_unique<MemoryFile>(file), repeats)
                         : OverlayImage::create(std::make_unique<MemoryBase>(base));
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  devices::BlockGenerations& generations = *disk.generations();
  unsigned present = 0;
  const auto range_of = [](unsigned step) {
    std::minstd_rand random(step + 1);
    const u64 first = random() % (kSectors - 40);
    return std::pair(first * 512, (1 + random() % 40) * 512);
  };
  const auto write = [&](unsigned step) {
    const auto [offset, bytes] = range_of(step);
    ASSERT_EQ(disk.write(offset, pattern(bytes, step)), BlockStatus::Ok);
  };
  for (unsigned step = 0; step < kSteps; ++step) {
    const auto [offset, bytes] = range_of(step);
    content.push_back(content.back());
    std::ranges::copy(pattern(bytes, step), content.back().begin() + static_cast<std::ptrdiff_t>(offset));
  }
  std::map<unsigned, u64> known;  // before which step
  unsigned now = 0;
  unsigned over = 0;  // the current generation lies over the one before this step
  std::minstd_rand random(5);
  const auto check = [&](u64 generation, unsigned step) {
    std::vector<u8> read(base.size());
    ASSERT_EQ(generations.read_as_of(generation, 0, read), BlockStatus::Ok);
    ASSERT_EQ(read, content[step]) << step;
  };
  const auto end_generation = [&] {
    if (known.contains(now)) return;
    // The newest that it has come by.
    for (auto it = known.lower_bound(now); it != known.begin();) {
      if ((--it)->first > over) {
        ASSERT_TRUE(generations.rise(it->second));
      }
      break;
    }
    known[now] = generations.begin();
    over = now;
  };
  end_generation();
  for (unsigned i = 0; i < 1500; ++i) {
    switch (random() % 8) {
      case 0: end_generation(); break;
      case 1: {
        auto entry = known.begin();
        std::advance(entry, static_cast<std::ptrdiff_t>(random() % known.size()));
        ASSERT_TRUE(generations.go_to(entry->second));
        now = over = entry->first;
        break;
      }
      case 2: {
        auto entry = known.begin();
        std::advance(entry, static_cast<std::ptrdiff_t>(random() % known.size()));
        if (entry->first == 0 || entry->first == over || std::next(entry) == known.end()) break;
        ASSERT_EQ(generations.forget(entry->second), BlockStatus::Ok);
        known.erase(entry);
        break;
      }
      case 3:
        check(generations.current(), now);
        for (const auto& [step, generation] : known) check(generation, step);
        ASSERT_EQ(*file, content[through ? present : 0]);
        break;
      case 4:
        if (random() % 20 != 0) break;
        *repeats = false;
        ASSERT_EQ(generations.settle(), BlockStatus::Ok);
        present = now;
        ASSERT_EQ(*file, content[through ? present : 0]);
        generations.forget_above();
        known.erase(known.upper_bound(over), known.end());
        break;
      default:
        if (now == kSteps) break;
        *repeats = now < present;
        write(now++);
        present = std::max(present, now);
    }
  }
}

TEST(StorageOverlay, RunsAgainOverItsPast) { run_over_its_past(false); }
TEST(StorageOverlay, RunsAgainOverThePastOfAFile) { run_over_its_past(true); }

TEST(StorageOverlay, WhatAFileDidNotTakeIsNotThere) {
  const auto content = std::make_shared<std::vector<u8>>(pattern(8 * 512));
  auto file = std::make_unique<MemoryFile>(content);
  MemoryFile& host = *file;
  const auto repeats = std::make_shared<bool>(false);
  auto overlay = OverlayImage::over_written(std::move(file), repeats);
  ASSERT_TRUE(overlay.ok());
  host.fails = true;
  EXPECT_EQ(overlay.value()->write(0, pattern(4 * 512, 3)), BlockStatus::WriteError);
  std::vector<u8> read(content->size());
  ASSERT_EQ(overlay.value()->read(0, read), BlockStatus::Ok);
  EXPECT_EQ(read, *content);
  EXPECT_NE(read, pattern(8 * 512));
  EXPECT_EQ(overlay.value()->flush(), BlockStatus::Ok);
  *repeats = true;
  EXPECT_EQ(overlay.value()->flush(), BlockStatus::Ok);
  EXPECT_EQ(host.flushes, 1u) << "in its past a run flushes nothing";
}

TEST(StorageOverlay, TellsWhatIsNotTheBase) {
  constexpr u64 kSectors = 70'000;
  const std::vector<u8> base = pattern(kSectors * 512);
  auto overlay = OverlayImage::create(std::make_unique<MemoryBase>(base));
  ASSERT_TRUE(overlay.ok());
  devices::BlockBackend& disk = *overlay.value();
  devices::BlockGenerations& generations = *disk.generations();
  EXPECT_FALSE(generations.next_written(generations.current(), 0).has_value());
  ASSERT_EQ(disk.write(512 * 10, pattern(512 * 5, 2)), BlockStatus::Ok);
  const u64 ended = generations.begin();
  ASSERT_EQ(disk.write(512 * 12, pattern(512 * 9, 3)), BlockStatus::Ok);
  ASSERT_EQ(disk.discard(512 * 69'998, 512 * 2), BlockStatus::Ok);
  // Copied over the base, the ranges make the content.
  for (const u64 generation : {ended, generations.current()}) {
    std::vector<u8> copy = base, wanted(base.size());
    u64 bytes = 0;
    u64 at = 0;
    while (const auto range = generations.next_written(generation, at)) {
      at = range->offset + range->bytes;
      ASSERT_EQ(generations.read_as_of(generation, range->offset,
                                       std::span(copy).subspan(range->offset, range->bytes)),
                BlockStatus::Ok);
      bytes += range->bytes;
    }
    ASSERT_EQ(generations.read_as_of(generation, 0, wanted), BlockStatus::Ok);
    EXPECT_EQ(copy, wanted);
    EXPECT_EQ(bytes, generation == ended ? 512u * 5 : 512u * 13);
  }
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
  EXPECT_EQ(map.sectors(), 5u + 65536 + 12);
  EXPECT_EQ(map.next(0)->first, 10u);
  EXPECT_EQ(map.next(0)->sectors, 5u);
  EXPECT_EQ(map.next(12)->sectors, 3u);
  EXPECT_EQ(map.next(15)->first, 65530u);
  EXPECT_EQ(map.next(65536)->sectors, 65536u);
  EXPECT_FALSE(map.next(131'078).has_value());
}

}  // namespace
}  // namespace reprise::machine
