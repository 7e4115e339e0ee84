#include "machine/boot/real_mode.h"

#include <algorithm>
#include <numeric>

#include "machine/boot/linux.h"
#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

using Key = devices::FwCfg::Key;

constexpr u64 kSetupBytes = 2 * 512;

/// Two sectors of real-mode part, then 1000 bytes of 90h.
std::vector<u8> kernel(u16 version, bool high) {
  std::vector<u8> image(kSetupBytes);
  put<u8>(image, 0x1f1, 1);
  put<u16>(image, 0x1fe, 0xaa55);
  put<u32>(image, 0x202, 0x53726448);
  put<u16>(image, 0x206, version);
  put<u8>(image, 0x211, high ? 1 : 0);
  put<u32>(image, 0x22c, 0x7fffff);
  put<u32>(image, 0x238, 300);
  image.resize(kSetupBytes + 1000, 0x90);
  return image;
}

struct Request {
  Key key;
  u64 bytes;
  u64 phys;
  bool operator==(const Request&) const = default;
};

struct BootRealMode : BootFixture {
  FirmwareBoot prepare(const std::vector<u8>& image) {
    EXPECT_TRUE(is_bzimage(image) && needs_real_mode(image));
    Result<FirmwareBoot> result = prepare_real_mode(image, request, memory);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.take();
  }
  static std::vector<Request> requests(const FirmwareBoot& boot) {
    const std::span<const u8> rom = boot.rom;
    std::vector<Request> out;
    for (u64 i = 0; i < *field_at<u16>(rom, 0x0e); ++i) {
      const auto at = rom.subspan(*field_at<u16>(rom, 0x10) + 16 * i, 16);
      EXPECT_EQ(big_endian(at.subspan(2, 2)), 0x0au) << "select and read";
      out.push_back({static_cast<Key>(big_endian(at.first(2))), big_endian(at.subspan(4, 4)),
                     big_endian(at.subspan(8, 8))});
    }
    return out;
  }
  static const std::vector<u8>& item(const FirmwareBoot& boot, Key key) {
    return std::ranges::find(boot.items, key, &FirmwareBoot::Item::key)->bytes;
  }
  void refused(const std::vector<u8>& image, const std::string& fragment) {
    const Result<FirmwareBoot> result = prepare_real_mode(image, request, memory);
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().message.find(fragment), std::string::npos) << result.error().message;
  }
};

TEST_F(BootRealMode, AZImageLiesLow) {
  const FirmwareBoot boot = prepare(kernel(0x0200, false));
  EXPECT_EQ(requests(boot), (std::vector<Request>{{Key::KernelData, 1000, 0x10000},
                                                  {Key::CommandLineData, 14, 0x99000},
                                                  {Key::SetupData, kSetupBytes, 0x90000}}));
  const std::vector<u8>& setup = item(boot, Key::SetupData);
  EXPECT_EQ(*field_at<u16>(setup, 0x20), 0xa33f);
  EXPECT_EQ(*field_at<u16>(setup, 0x22), 0x9000);
  EXPECT_EQ(*field_at<u16>(setup, 0x224), 0u) << "no heap before 2.01";
  EXPECT_EQ(*field_at<u16>(boot.rom, 0x08), 0x9020);
  EXPECT_EQ(*field_at<u16>(boot.rom, 0x0a), 0x9000);
}

TEST_F(BootRealMode, ABzImageOf203LiesHigh) {
  const TemporaryFile initrd("initrd");
  request.initrd_path = initrd.path();
  const FirmwareBoot boot = prepare(kernel(0x0203, true));
  EXPECT_EQ(requests(boot), (std::vector<Request>{{Key::InitrdData, 6, 0x7ff000},
                                                  {Key::KernelData, 1000, 0x100000},
                                                  {Key::CommandLineData, 14, 0x20000},
                                                  {Key::SetupData, kSetupBytes, 0x10000}}));
  const std::vector<u8>& setup = item(boot, Key::SetupData);
  EXPECT_EQ(*field_at<u32>(setup, 0x228), 0x20000u);
  EXPECT_EQ(*field_at<u32>(setup, 0x218), 0x7ff000u);
  EXPECT_EQ(*field_at<u32>(setup, 0x21c), 6u);
  EXPECT_EQ(*field_at<u8>(setup, 0x210), 0xff);
  EXPECT_EQ(*field_at<u8>(setup, 0x211), 0x81);
  EXPECT_EQ(*field_at<u16>(setup, 0x224), 0xfe00);
  const std::vector<u8>& line = item(boot, Key::CommandLineData);
  EXPECT_EQ(std::string(line.begin(), line.end() - 1), "console=ttyS0");
}

TEST_F(BootRealMode, TheRomIsOneThatFirmwareTakes) {
  const FirmwareBoot boot = prepare(kernel(0x0206, true));
  const std::span<const u8> rom = boot.rom;
  EXPECT_EQ(*field_at<u16>(rom, 0), 0xaa55);
  EXPECT_EQ(rom[2] * 512u, rom.size());
  EXPECT_EQ(static_cast<u8>(std::accumulate(rom.begin(), rom.end(), 0)), 0);
  const auto header = rom.subspan(*field_at<u16>(rom, 0x1a), 32);
  EXPECT_EQ(std::string(header.begin(), header.begin() + 4), "$PnP");
  EXPECT_EQ(static_cast<u8>(std::accumulate(header.begin(), header.end(), 0)), 0);
}

TEST_F(BootRealMode, WhatCannotBeIsASentence) {
  std::vector<u8> image = kernel(0x0203, true);
  image.resize(kSetupBytes);
  refused(image, "truncated");
  refused(kernel(0x0100, true), "no Linux boot protocol 1.00");
  image = kernel(0x0203, false);
  image.resize(kSetupBytes + 0x80001);
  refused(image, "zImage of more than 512 KiB");
  image = kernel(0x0203, true);
  image.resize(kRamBytes);
  refused(image, "--memory");
  request.command_line = std::string(256, 'x');
  refused(kernel(0x0203, true), "at most 255");
  EXPECT_TRUE(prepare_real_mode(kernel(0x0206, true), request, memory).ok()) << "it says 300";
}

}  // namespace
}  // namespace reprise::machine::boot
