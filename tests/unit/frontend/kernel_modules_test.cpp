#include "frontend/test/kernel_modules.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

class KernelModules : public testing::Test {
 protected:
  KernelModules() {
    std::string name = testing::TempDir() + "modules-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~KernelModules() override { fs::remove_all(folder_); }

  void module(const std::string& file, const std::string& depends) {
    fs::create_directories(fs::path(folder_ + "/" + file).parent_path());
    std::ofstream(folder_ + "/" + file, std::ios::binary)
        << "\x7f"
        << "ELF" << '\0' << "license=GPL" << '\0' << "depends=" << depends << '\0' << "name=x" << '\0';
  }
  std::string names(std::initializer_list<std::string_view> wanted) {
    const auto modules = modules_for("/no/kernel", folder_, {wanted.begin(), wanted.size()});
    if (!modules) return modules.error().message;
    std::string out;
    for (const KernelModule& module : modules.value()) out += module.name + ' ';
    return out;
  }

  std::string folder_;
};

TEST_F(KernelModules, WhatIsNeededComesFirst) {
  module("kernel/fs/9p/9p.ko", "9pnet,netfs,fscache");
  module("kernel/net/9p/9pnet.ko", "");
  module("kernel/net/9p/9pnet_virtio.ko", "virtio-ring,9pnet,virtio");
  module("kernel/fs/netfs/netfs.ko", "");
  module("kernel/fs/fscache/fscache.ko", "netfs");
  module("kernel/drivers/virtio/virtio_ring.ko", "virtio");
  module("kernel/drivers/virtio/virtio.ko", "");
  EXPECT_EQ(names({"9p"}), "9pnet.ko netfs.ko fscache.ko 9p.ko ");
  EXPECT_EQ(names({"9pnet_virtio", "9p", "not_there"}),
            "virtio.ko virtio_ring.ko 9pnet.ko 9pnet_virtio.ko netfs.ko fscache.ko 9p.ko ");
}

TEST_F(KernelModules, AsDepmodHasItWhereItWas) {
  for (const char* name : {"a", "b", "c"}) module(std::string("kernel/") + name + ".ko.xz", "");
  std::ofstream(folder_ + "/modules.dep")
      << "kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz\nkernel/b.ko.xz: kernel/c.ko.xz\nkernel/c.ko.xz:\n";
  EXPECT_EQ(names({"a"}), "c.ko.xz b.ko.xz a.ko.xz ");
  EXPECT_EQ(names({"c", "b"}), "c.ko.xz b.ko.xz ");
}

TEST_F(KernelModules, ThoseThatNeedEachOtherEnd) {
  module("a.ko", "b");
  module("b.ko", "a");
  EXPECT_EQ(names({"a"}), "b.ko a.ko ");
}

TEST_F(KernelModules, AFolderThatIsNotThereIsNamed) {
  EXPECT_NE(modules_for("/no/kernel", folder_ + "/no", {}).error().message.find("/no"), std::string::npos);
}

TEST(KernelVersion, IsInTheHeadOfABzImage) {
  std::vector<u8> head(0x400);
  EXPECT_EQ(kernel_version(head), "");
  const std::string magic = "HdrS", version = "6.1.0-9-amd64 (debian-kernel@lists.debian.org)";
  std::copy(magic.begin(), magic.end(), head.begin() + 0x202);
  head[0x20e] = 0x10;
  std::copy(version.begin(), version.end(), head.begin() + 0x210);
  EXPECT_EQ(kernel_version(head), "6.1.0-9-amd64");
  head[0x20f] = 0xff;
  EXPECT_EQ(kernel_version(head), "");
  EXPECT_EQ(kernel_version({}), "");
}

}  // namespace
}  // namespace reprise::frontend
