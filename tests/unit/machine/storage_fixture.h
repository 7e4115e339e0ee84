// A folder of the test's own, and files in it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "machine/storage/host_fd.h"
#include "machine/storage/host_program.h"

namespace reprise::machine {

class StorageTest : public testing::Test {
 protected:
  StorageTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "reprise-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~StorageTest() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string file(const std::string& name, const std::vector<u8>& content) const {
    std::ofstream out(path(name), std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    return path(name);
  }
  static std::vector<u8> content_of_file(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static HostFd open_fd(const std::string& name, int flags) {
    return HostFd(::open(name.c_str(), flags | O_CLOEXEC));
  }
  static bool have_qemu() {
    return find_program("qemu-nbd", "", "").ok() && find_program("qemu-img", "", "").ok();
  }

  std::string folder_;
};

inline std::vector<u8> pattern(std::size_t bytes, unsigned seed = 1) {
  std::minstd_rand random(seed);
  std::vector<u8> out(bytes);
  for (u8& byte : out) byte = static_cast<u8>(random() >> 8);
  return out;
}

}  // namespace reprise::machine
