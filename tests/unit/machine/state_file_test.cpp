// Saved states as files: how RAM lies in them, what is refused, and that a name is one of a whole file.
#include "machine/snapshot/state_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "machine/snapshot/run_origin.h"
#include "machine/snapshot/zstd_stream.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

constexpr u64 kRamBytes = 8 << 20;

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() : folder_("/tmp/reprise-state-XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) ADD_FAILURE();
  }
  ~StateFileTest() override { fs::remove_all(folder_); }

  std::string path(const char* name = "state") const { return folder_ + "/" + name; }
  static std::unique_ptr<mmu::Ram> make_ram() { return mmu::Ram::create(kRamBytes).take(); }
  static void put(mmu::Ram& ram, u64 page, u8 value) {
    ram.mark_written(page * kPageBytes);
    std::memset(ram.host() + page * kPageBytes + 1, value, 100);
  }
  void save(const mmu::Ram& ram, StateForm form = StateForm::Pages) const {
    fs::remove(path());
    auto file = StateFileWriter::create(path(), form, ram.bytes());
    ASSERT_TRUE(file.ok()) << file.error().message;
    file.value()->ram().save(file.value()->stream(), ram);
    const Result<Done> done = file.value()->commit();
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  /// Empty: loaded. Else the sentence.
  std::string load(mmu::Ram& ram) const {
    auto file = StateFileReader::open(path());
    if (!file.ok()) return file.error().message;
    file.value()->ram().load(file.value()->stream(), ram);
    file.value()->stream().finish();
    const Result<Done> done = file.value()->stream().result();
    return done.ok() ? std::string() : done.error().message;
  }
  void damage(u64 offset, u8 bits) const {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ bits));
  }

 private:
  std::string folder_;
};

/// Pages of all kinds: some alone, neighbours, equal ones (in a row, too), a far one, and the last.
std::unique_ptr<mmu::Ram> some_ram() {
  auto ram = mmu::Ram::create(kRamBytes).take();
  const auto put = [&](u64 page, u8 value) {
    ram->mark_written(page * kPageBytes);
    std::memset(ram->host() + page * kPageBytes + 1, value, 100);
  };
  put(3, 1);
  put(4, 2);
  put(5, 0);  // written, and zero
  put(7, 1);
  put(8, 2);
  put(9, 2);
  put(10, 3);
  put(1500, 4);
  put(2047, 3);
  return ram;
}

TEST_F(StateFileTest, RamComesBack) {
  const auto ram = some_ram();
  for (const StateForm form : {StateForm::Pages, StateForm::Zstd}) {
    if (form == StateForm::Zstd && !zstd_is_offered()) continue;
    save(*ram, form);
    const auto copy = make_ram();
    put(*copy, 5, 9);
    put(*copy, 100, 9);
    const u64 epoch = copy->end_epoch();
    ASSERT_EQ(load(*copy), "");
    EXPECT_EQ(std::memcmp(copy->host(), ram->host(), kRamBytes), 0);
    for (const u64 page : {3, 4, 5, 7, 8, 9, 10, 100, 1500, 2047})
      EXPECT_TRUE(copy->written_since(epoch, page * kPageBytes)) << page;
  }
}

TEST_F(StateFileTest, ZerosAreHolesAndEqualPagesAreStoredOnce) {
  const auto ram = some_ram();
  save(*ram);
  struct stat status = {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_GT(static_cast<u64>(status.st_size), kRamBytes);
  // Pages 3, 4, 10 and 1500, the head and the stream.
  EXPECT_LE(static_cast<u64>(status.st_blocks) * 512, 8 * kPageBytes);
}

TEST_F(StateFileTest, WhatIsWrittenLaterIsNotTheFiles) {
  save(*some_ram());
  const auto one = make_ram();
  ASSERT_EQ(load(*one), "");
  std::memset(one->host(), 0xee, kRamBytes);
  const auto other = make_ram();
  ASSERT_EQ(load(*other), "");
  EXPECT_EQ(std::memcmp(other->host(), some_ram()->host(), kRamBytes), 0);
}

TEST_F(StateFileTest, AnotherStateUnderTheNameLeavesTheLoadedOne) {
  save(*some_ram());
  const auto loaded = make_ram();
  ASSERT_EQ(load(*loaded), "");
  auto other = StateFileWriter::create(path(), StateForm::Pages, kRamBytes);
  ASSERT_TRUE(other.ok());
  other.value()->ram().save(other.value()->stream(), *make_ram());
  ASSERT_TRUE(other.value()->commit().ok());
  EXPECT_EQ(std::memcmp(loaded->host(), some_ram()->host(), kRamBytes), 0);
}

TEST_F(StateFileTest, DamageIsFoundWhereverItIs) {
  save(*some_ram());
  constexpr u64 kRamAt = 2 << 20;
  const u64 bytes = fs::file_size(path());
  const auto ram = make_ram();
  // The head, the first page that there is, a hole between pages, the stream.
  for (const u64 offset : {u64{3}, u64{14}, u64{25}, u64{33}, kRamAt + 3 * kPageBytes + 7,
                           kRamAt + 6 * kPageBytes, kRamAt + kRamBytes + 1, bytes - 1, bytes - 20}) {
    save(*some_ram());
    damage(offset, 0x77);
    EXPECT_NE(load(*ram), "") << offset;
  }
  for (const u64 length :
       {u64{0}, u64{1}, u64{14}, u64{39}, u64{4096}, kRamAt, kRamAt + kRamBytes, bytes - 1}) {
    save(*some_ram());
    fs::resize_file(path(), length);
    EXPECT_NE(load(*ram), "") << length;
  }
}

TEST_F(StateFileTest, DamageOfACompressedOneIsFound) {
  if (!zstd_is_offered()) GTEST_SKIP() << "built without libzstd";
  save(*some_ram(), StateForm::Zstd);
  const u64 bytes = fs::file_size(path());
  const auto ram = make_ram();
  for (u64 offset = 0; offset < bytes; offset += 1 + bytes / 50) {
    save(*some_ram(), StateForm::Zstd);
    damage(offset, 0x77);
    EXPECT_NE(load(*ram), "") << offset;
    fs::resize_file(path(), offset);
    EXPECT_NE(load(*ram), "") << offset;
  }
  // The checksum of the frame, behind all content.
  for (u64 missing = 1; missing <= 4; ++missing) {
    save(*some_ram(), StateForm::Zstd);
    fs::resize_file(path(), fs::file_size(path()) - missing);
    EXPECT_NE(load(*ram), "") << missing;
  }
  save(*some_ram(), StateForm::Zstd);
  fs::resize_file(path(), fs::file_size(path()) + 1);
  EXPECT_NE(load(*ram), "");
}

TEST_F(StateFileTest, SmallerMemoryIsRefused) {
  save(*some_ram());
  const auto small = mmu::Ram::create(kRamBytes / 2).take();
  EXPECT_NE(load(*small), "");
}

TEST_F(StateFileTest, ReplacesAStateAndNothingElse) {
  save(*some_ram());
  {
    auto again = StateFileWriter::create(path(), StateForm::Pages, kRamBytes);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again.value()->commit().ok());
  }
  std::ofstream(path("image")) << "not a state";
  for (const char* name : {"image", "no-folder/state", "."}) {
    const auto file = StateFileWriter::create(path(name), StateForm::Pages, kRamBytes);
    ASSERT_FALSE(file.ok()) << name;
    EXPECT_NE(file.error().message.find(name), std::string::npos);
  }
}

TEST_F(StateFileTest, NothingIsLeftOfOneThatWasGivenUp) {
  { const auto file = StateFileWriter::create(path(), StateForm::Pages, kRamBytes); }
  EXPECT_TRUE(fs::is_empty(fs::path(path()).parent_path()));
}

TEST_F(StateFileTest, AFullDiskIsASentence) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 3 << 20;
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  auto file = StateFileWriter::create(path(), StateForm::Pages, kRamBytes);
  ASSERT_TRUE(file.ok());
  file.value()->ram().save(file.value()->stream(), *some_ram());
  const Result<Done> done = file.value()->commit();
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("cannot be written to its end"), std::string::npos);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(StateFileTest, AMachineGoesOnFromIt) {
  const boot::TemporaryFile image(Guest::image(kSpin));
  MachineConfig config;
  config.origin = {"program", "/folder", {"--memory=64M", "with a space"}};
  Guest first(image, config);
  RunLimits limits = kADay;
  limits.stop_at_retired = 1'000'000;
  first.run(limits);
  ASSERT_TRUE(first.machine->save_file(path(), StateForm::Pages).ok());
  limits.stop_at_retired = 3'000'000;
  const u64 expected = first.run(limits).state_hash;

  Guest second(image, {});
  auto file = StateFileReader::open(path());
  ASSERT_TRUE(file.ok());
  const RunOrigin origin = load_origin(file.value()->stream());
  EXPECT_EQ(origin.folder, "/folder");
  EXPECT_EQ(origin.words, config.origin.words);
  ASSERT_TRUE(second.machine->load(file.value()->stream(), file.value()->ram()).ok());
  EXPECT_EQ(second.run(limits).state_hash, expected);
}

}  // namespace
}  // namespace reprise::machine
