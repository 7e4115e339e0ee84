#include "machine/storage/raw_image.h"

#include <sys/resource.h>

#include <csignal>

#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;
using Access = RawImage::Access;
using FirstSector = RawImage::FirstSector;

class StorageRaw : public StorageTest {
 protected:
  RawImage image(const std::string& name, Access access = Access::ReadWrite, u64 multiple_bytes = 512,
                 FirstSector first_sector = FirstSector::Free) {
    return {open_fd(name, access == Access::ReadWrite ? O_RDWR : O_RDONLY), std::filesystem::file_size(name),
            multiple_bytes, access, first_sector};
  }
};

TEST_F(StorageRaw, ReadsAndWritesTheFile) {
  const std::vector<u8> before = pattern(8192);
  const std::string name = file("a.img", before);
  RawImage raw = image(name);
  EXPECT_EQ(raw.bytes(), 8192u);
  std::vector<u8> got(1024);
  EXPECT_EQ(raw.read(4096, got), BlockStatus::Ok);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), before.begin() + 4096));
  const std::vector<u8> fresh = pattern(512, 2);
  EXPECT_EQ(raw.write(7680, fresh), BlockStatus::Ok);
  EXPECT_EQ(raw.flush(), BlockStatus::Ok);
  std::vector<u8> expected = before;
  std::copy(fresh.begin(), fresh.end(), expected.begin() + 7680);
  EXPECT_EQ(content_of_file(name), expected);
  EXPECT_EQ(raw.discard(0, 4096), BlockStatus::Ok);
  std::fill_n(expected.begin(), 4096, u8{0});
  EXPECT_EQ(content_of_file(name), expected);
}

TEST_F(StorageRaw, RefusesWhatLiesOutsideOrIsMisaligned) {
  RawImage raw = image(file("a.img", pattern(4096)));
  std::vector<u8> sector(512, 7);
  EXPECT_EQ(raw.read(4096, sector), BlockStatus::OutOfRange);
  EXPECT_EQ(sector, std::vector<u8>(512)) << "nothing of the host's memory is left in the buffer";
  EXPECT_EQ(raw.read(100, sector), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.read(~u64{511}, sector), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.write(4096, sector), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.write(0, std::span(sector).first(511)), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.discard(512, 4096), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.discard(512, ~u64{511}), BlockStatus::OutOfRange);
  EXPECT_EQ(raw.read(4096, {}), BlockStatus::Ok);
}

TEST_F(StorageRaw, ReadOnlyRefusesWrites) {
  const std::string name = file("a.img", pattern(4096));
  RawImage raw = image(name, Access::ReadOnly);
  const std::vector<u8> sector(512);
  EXPECT_EQ(raw.write(0, sector), BlockStatus::ReadOnly);
  EXPECT_EQ(raw.discard(0, 512), BlockStatus::ReadOnly);
  EXPECT_EQ(raw.flush(), BlockStatus::Ok);
  EXPECT_EQ(content_of_file(name), pattern(4096));
}

TEST_F(StorageRaw, PadsAnOddSizeWithZeros) {
  const std::vector<u8> content = pattern(1300);
  const std::string name = file("a.img", content);
  RawImage raw = image(name);
  EXPECT_EQ(raw.bytes(), 1536u);
  std::vector<u8> got(1536, 0xff);
  EXPECT_EQ(raw.read(0, got), BlockStatus::Ok);
  std::vector<u8> expected = content;
  expected.resize(1536);
  EXPECT_EQ(got, expected);
  EXPECT_EQ(raw.discard(1024, 512), BlockStatus::Ok);
  EXPECT_EQ(std::filesystem::file_size(name), 1300u);
  EXPECT_EQ(raw.write(1024, pattern(512, 3)), BlockStatus::Ok);
  EXPECT_EQ(raw.read(1024, std::span(got).first(512)), BlockStatus::Ok);
  EXPECT_TRUE(std::equal(got.begin(), got.begin() + 512, pattern(512, 3).begin()));
  EXPECT_EQ(image(name, Access::ReadOnly, 2048).bytes(), 2048u) << "a CD-ROM's sectors";
}

TEST_F(StorageRaw, AFileThatShrinksGivesErrors) {
  const std::string name = file("a.img", pattern(8192));
  RawImage raw = image(name, Access::ReadOnly);
  ASSERT_EQ(truncate(name.c_str(), 4608), 0);
  std::vector<u8> got(1024, 0xff);
  EXPECT_EQ(raw.read(0, got), BlockStatus::Ok);
  EXPECT_EQ(raw.read(4096, got), BlockStatus::ReadError);
  EXPECT_EQ(got[511], pattern(8192)[4607]);
  EXPECT_EQ(got[512], 0);
  EXPECT_EQ(raw.read(7168, got), BlockStatus::ReadError);
  EXPECT_EQ(got, std::vector<u8>(1024));
}

TEST_F(StorageRaw, AFullDiskIsNoSpace) {
  RawImage full(open_fd("/dev/full", O_RDWR), 4096, 512, Access::ReadWrite, FirstSector::Free);
  EXPECT_EQ(full.write(0, std::vector<u8>(512, 1)), BlockStatus::NoSpace);
}

TEST_F(StorageRaw, ALimitOfTheFileSizeIsNoFullDisk) {
  const std::string name = file("a.img", {1});
  ASSERT_EQ(truncate(name.c_str(), 1 << 20), 0);
  RawImage raw = image(name);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{65536, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const BlockStatus status = raw.write(524288, std::vector<u8>(512, 1));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status, BlockStatus::TooLarge);
  EXPECT_NE(describe(status).find("ulimit -f"), std::string_view::npos);
}

TEST_F(StorageRaw, TheGuestCannotMakeItLookLikeAnotherFormat) {
  const std::string name = file("a.img", pattern(4096));
  RawImage guarded = image(name, Access::ReadWrite, 512, FirstSector::Guarded);
  std::vector<u8> sector(1024);
  sector[0] = 'Q', sector[1] = 'F', sector[2] = 'I', sector[3] = 0xfb;
  EXPECT_EQ(guarded.write(0, sector), BlockStatus::Refused);
  EXPECT_EQ(content_of_file(name), pattern(4096));
  EXPECT_EQ(guarded.write(512, sector), BlockStatus::Ok);
  EXPECT_EQ(guarded.write(0, pattern(512, 5)), BlockStatus::Ok);
  // What no later start takes for a disk of another kind: an encrypted disk, an archive.
  for (const std::string_view magic : {"LUKS\xba\xbe", "\x1f\x8b\x08", "PK\3\4"}) {
    std::vector<u8> other(512);
    std::ranges::copy(magic, other.begin());
    EXPECT_EQ(guarded.write(0, other), BlockStatus::Ok) << magic;
  }
  EXPECT_EQ(image(name).write(0, sector), BlockStatus::Ok) << "the user said format=raw";
}

TEST_F(StorageRaw, WhatCannotBeReadIsAnErrorAndZeros) {
  // Reading a directory's descriptor fails as a broken disk does.
  RawImage broken(open_fd(folder_, O_RDONLY | O_DIRECTORY), 4096, 512, Access::ReadOnly, FirstSector::Free);
  std::vector<u8> got(512, 0xff);
  EXPECT_EQ(broken.read(0, got), BlockStatus::ReadError);
  EXPECT_EQ(got, std::vector<u8>(512));
}

}  // namespace
}  // namespace reprise::machine
