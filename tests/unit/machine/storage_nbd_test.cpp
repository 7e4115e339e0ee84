#include "machine/storage/nbd_image.h"

#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "machine/storage/image_lock.h"
#include "machine/storage/image_tool.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;
using namespace std::chrono_literals;

/// The process that serves `name`: qemu-nbd with that argument. -1: none.
pid_t server_of(const std::string& name) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    const std::string line{std::istreambuf_iterator<char>(in), {}};
    if (line.find("qemu-nbd") != std::string::npos && line.find(name) != std::string::npos)
      return std::stoi(pid);
  }
  return -1;
}

bool gone_soon(const std::string& name) {
  for (int i = 0; i < 200; ++i) {
    if (server_of(name) < 0) return true;
    std::this_thread::sleep_for(50ms);
  }
  return false;
}

class StorageNbd : public StorageTest {
 protected:
  void SetUp() override {
    if (!NbdImage::offered()) GTEST_SKIP() << "built without libnbd";
    if (!have_qemu()) GTEST_SKIP() << "no qemu-nbd";
    name_ = path("a.qcow2");
    const auto made =
        create_qcow2({.path = name_, .backing_path = {}, .backing_format = {}, .bytes = 64 << 20});
    ASSERT_TRUE(made.ok()) << made.error().message;
  }
  Result<std::unique_ptr<NbdImage>> open(NbdImage::Access access = NbdImage::Access::ReadWrite) {
    return NbdImage::open(name_, "qcow2", access);
  }
  std::string name_;
};

TEST_F(StorageNbd, KeepsWhatIsWritten) {
  const std::vector<u8> content = pattern(5 << 20);
  {
    auto image = open();
    ASSERT_TRUE(image.ok()) << image.error().message;
    NbdImage& disk = *image.value();
    EXPECT_EQ(disk.bytes(), u64{64} << 20);
    EXPECT_FALSE(disk.read_only());
    EXPECT_EQ(disk.write(1 << 20, content), BlockStatus::Ok);
    EXPECT_EQ(disk.flush(), BlockStatus::Ok);
    EXPECT_EQ(disk.discard(2 << 20, 1 << 20), BlockStatus::Ok);
    std::vector<u8> got(512, 1);
    EXPECT_EQ(disk.read(64 << 20, got), BlockStatus::OutOfRange);
    EXPECT_EQ(got, std::vector<u8>(512));
    EXPECT_EQ(disk.write((64 << 20) - 512, content), BlockStatus::OutOfRange);
    EXPECT_EQ(disk.write(1, std::span(content).first(512)), BlockStatus::OutOfRange);
  }
  EXPECT_LT(server_of(name_), 0) << "it has ended when the image is closed";
  auto image = open(NbdImage::Access::ReadOnly);
  ASSERT_TRUE(image.ok()) << image.error().message;
  std::vector<u8> expected = content;
  std::fill_n(expected.begin() + (1 << 20), 1 << 20, u8{0});
  std::vector<u8> got(content.size());
  EXPECT_EQ(image.value()->read(1 << 20, got), BlockStatus::Ok);
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(image.value()->read_only());
  EXPECT_EQ(image.value()->write(0, content), BlockStatus::ReadOnly);
  EXPECT_EQ(image.value()->discard(0, 512), BlockStatus::ReadOnly);
}

TEST_F(StorageNbd, ADeadServerGivesErrors) {
  auto image = open();
  ASSERT_TRUE(image.ok()) << image.error().message;
  const pid_t server = server_of(name_);
  ASSERT_GT(server, 0);
  kill(server, SIGKILL);
  std::vector<u8> got(4096, 0xff);
  EXPECT_EQ(image.value()->read(0, got), BlockStatus::ReadError);
  EXPECT_EQ(got, std::vector<u8>(4096));
  EXPECT_EQ(image.value()->write(0, got), BlockStatus::WriteError);
  EXPECT_EQ(image.value()->flush(), BlockStatus::WriteError);
  EXPECT_EQ(image.value()->discard(0, 512), BlockStatus::WriteError);
}

TEST_F(StorageNbd, TheServerEndsWithAProcessThatIsKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto image = open();
    const char answer = image.ok() && image.value()->write(0, pattern(512)) == BlockStatus::Ok ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char answer = '?';
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_GT(server_of(name_), 0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  EXPECT_TRUE(gone_soon(name_));
  HostFd fd = open_fd(name_, O_RDWR);
  EXPECT_EQ(lock_image(fd.get(), ImageUse::Write), LockResult::Locked);
  fd.close();
  auto again = open(NbdImage::Access::ReadOnly);
  ASSERT_TRUE(again.ok());
  std::vector<u8> got(512);
  EXPECT_EQ(again.value()->read(0, got), BlockStatus::Ok);
  EXPECT_EQ(got, pattern(512)) << "what it was told before";
}

TEST_F(StorageNbd, LeavesNoFilesBehind) {
  const auto image = open();
  ASSERT_TRUE(image.ok());
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::temp_directory_path()))
    EXPECT_FALSE(std::filesystem::is_socket(entry.path() / "nbd")) << entry.path();
}

TEST_F(StorageNbd, OneMayWrite) {
  const auto first = open();
  ASSERT_TRUE(first.ok());
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("in use by another process"), std::string::npos)
      << second.error().message;
}

TEST_F(StorageNbd, WithoutQemuNbdOneSentenceNamesThePackage) {
  const std::string before = std::getenv("PATH");
  setenv("PATH", folder_.c_str(), 1);
  const auto image = open();
  setenv("PATH", before.c_str(), 1);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.error().message.find("Debian's package qemu-utils"), std::string::npos)
      << image.error().message;
}

TEST_F(StorageNbd, WhatQemuNbdRefusesIsOneSentence) {
  file("a.qcow2", pattern(65536));
  const auto image = open();
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.error().message.find("a.qcow2' cannot be opened: "), std::string::npos)
      << image.error().message;
  EXPECT_EQ(image.error().message.find('\n'), std::string::npos) << image.error().message;
  EXPECT_TRUE(gone_soon(name_));
}

}  // namespace
}  // namespace reprise::machine
