#include "verdict/initramfs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <vector>

namespace reprise::verdict {
namespace {

namespace fs = std::filesystem;

std::string archive_of(const Initramfs& initramfs) {
  std::string bytes;
  const Result<Done> written = initramfs.write([&](std::span<const u8> piece) -> Result<Done> {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return Done{};
  });
  EXPECT_TRUE(written) << written.error().message;
  return bytes;
}

/// "drwxr-xr-x name", as the kernel would read it: fields of eight digits, names and contents padded to four bytes.
std::vector<std::string> list(const std::string& archive) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at + 110 <= archive.size();) {
    EXPECT_EQ(archive.substr(at, 6), "070701");
    const auto field = [&](std::size_t index) {
      u64 value = 0;
      std::from_chars(archive.data() + at + 6 + 8 * index, archive.data() + at + 14 + 8 * index, value, 16);
      return value;
    };
    const u64 mode = field(1), bytes = field(6), major = field(9), minor = field(10), name_bytes = field(11);
    EXPECT_EQ(field(2) + field(3) + field(5), 0U) << "owner and time";
    const std::string name = archive.substr(at + 110, name_bytes - 1);
    at = (at + 110 + name_bytes + 3) / 4 * 4;
    const std::string content = archive.substr(at, bytes);
    at = (at + bytes + 3) / 4 * 4;
    if (name == "TRAILER!!!") {
      EXPECT_EQ(at, archive.size());
      break;
    }
    out.push_back(fmt::format("{:o} {} {}:{} {}", mode, name, major, minor, content));
  }
  return out;
}

TEST(Initramfs, EntriesAreSortedAndTheirFoldersMade) {
  Initramfs initramfs;
  initramfs.add_file("etc/passwd", "root");
  initramfs.add_device("dev/console", 5, 1);
  initramfs.add_link("bin/sh", "busybox");
  initramfs.add_folder("tmp", 01777);
  EXPECT_EQ(list(archive_of(initramfs)),
            (std::vector<std::string>{"40755 bin 0:0 ", "120777 bin/sh 0:0 busybox", "40755 dev 0:0 ",
                                      "20600 dev/console 5:1 ", "40755 etc 0:0 ",
                                      "100644 etc/passwd 0:0 root", "41777 tmp 0:0 "}));
}

TEST(Initramfs, ATreeOfTheHostsIsTheSameWheneverItWasMade) {
  std::string folders[2];
  std::string archives[2];
  for (int i = 0; i < 2; ++i) {
    std::string name = testing::TempDir() + "initramfs-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folders[i] = name;
    fs::create_directories(name + "/a/b");
    // The order in which they are made differs.
    for (int file = 0; file < 20; ++file)
      std::ofstream(fmt::format("{}/a/f{}", name, i == 0 ? file : 19 - file)) << "content";
    std::ofstream(name + "/a/b/program") << "#!";
    chmod((name + "/a/b/program").c_str(), 0755);
    fs::create_symlink("/nowhere", name + "/link");
    ASSERT_EQ(mkfifo((name + "/fifo").c_str(), 0600), 0);
    Initramfs initramfs;
    ASSERT_TRUE(initramfs.add_tree(name));
    EXPECT_FALSE(initramfs.has("fifo"));
    archives[i] = archive_of(initramfs);
  }
  EXPECT_EQ(archives[0], archives[1]);
  const std::vector<std::string> entries = list(archives[0]);
  EXPECT_EQ(entries.size(), 24U);
  EXPECT_EQ(entries.back(), "120777 link 0:0 /nowhere");
  EXPECT_NE(std::find(entries.begin(), entries.end(), "100755 a/b/program 0:0 #!"), entries.end());
  for (const std::string& folder : folders) fs::remove_all(folder);
}

TEST(Initramfs, WhatCannotBeReadIsNamed) {
  Initramfs initramfs;
  EXPECT_NE(initramfs.add_tree("/nowhere/at/all").error().message.find("'/nowhere/at/all'"),
            std::string::npos);
  initramfs.add_host_file("x", "/nowhere/file", 5, 0644);
  const auto written = initramfs.write([](std::span<const u8>) -> Result<Done> { return Done{}; });
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("/nowhere/file"), std::string::npos);
}

}  // namespace
}  // namespace reprise::verdict
