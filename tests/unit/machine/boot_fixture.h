// Guest memory to load into, images to load, and a way to damage them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <random>

#include "machine/boot/boot.h"

namespace reprise::machine::boot {

struct BootFixture : testing::Test {
  static constexpr u64 kRamBytes = 16 * kMiB;
  std::unique_ptr<mmu::Ram> ram = mmu::Ram::create(kRamBytes).take();
  mmu::PhysMap phys_map{*ram};
  MemoryMap memory{kRamBytes};
  GuestMemory space{phys_map};
  BootTarget target{space, memory, {kAcpiTablesPhys, std::vector<u8>(36, 0x5a)}, 40};
  BootRequest request{.kernel_path = "test-kernel", .initrd_path = {}, .command_line = "console=ttyS0"};

  BootFixture() {
    for (const RamRange& range : memory.ram_ranges()) {
      EXPECT_TRUE(phys_map.add_ram(range.name, range.phys, range.bytes, range.ram_offset).ok());
    }
  }

  u64 read(u64 phys, Width width) { return phys_map.read(phys, width); }
  u32 read32(u64 phys) { return static_cast<u32>(read(phys, Width::Dword)); }
  u64 read64(u64 phys) { return read(phys, Width::Qword); }
  std::string read_string(u64 phys) {
    std::string text;
    for (char c; text.size() < 4096 && (c = static_cast<char>(read(phys++, Width::Byte))) != 0;) text += c;
    return text;
  }

  static u64 big_endian(std::span<const u8> bytes) {
    u64 value = 0;
    for (const u8 byte : bytes) value = value << 8 | byte;
    return value;
  }

  /// Loads `image` and expects an error that holds `fragment` and names the kernel.
  void expect_refused(const std::vector<u8>& image, const std::string& fragment) {
    const Result<EntryState> result = load_image(image, request, target);
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().message.find(fragment), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("test-kernel"), std::string::npos) << result.error().message;
  }

  /// Thousands of damaged copies: any answer will do, as long as there is one and errors are sentences.
  void fuzz(const std::vector<u8>& good, std::size_t header_bytes) {
    std::mt19937_64 random(20240229);
    for (int round = 0; round < 4000; ++round) {
      std::vector<u8> image = good;
      const unsigned changes = 1 + random() % 4;
      for (unsigned i = 0; i < changes; ++i) {
        static constexpr u8 kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        const std::size_t at = random() % std::min(header_bytes, image.size());
        image[at] = random() % 2 ? kEdges[random() % 5] : static_cast<u8>(random());
      }
      if (random() % 4 == 0) image.resize(random() % (image.size() + 1));
      const Result<EntryState> result = load_image(image, request, target);
      if (!result) {
        EXPECT_TRUE(result.error().message.ends_with('.') || result.error().message.ends_with(")."))
            << result.error().message;
      }
    }
  }
};

/// A file that is gone when the test ends.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& contents) {
    char name[] = "/tmp/reprise-test-XXXXXX";
    const int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << contents;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class T>
void put(std::vector<u8>& image, std::size_t offset, T value) {
  if (image.size() < offset + sizeof(T)) image.resize(offset + sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i) image[offset + i] = static_cast<u8>(u64{value} >> (8 * i));
}

}  // namespace reprise::machine::boot
