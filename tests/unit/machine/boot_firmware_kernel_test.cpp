#include "machine/boot/firmware_kernel.h"

#include <algorithm>
#include <numeric>

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kMagic = 0x1badb002;

/// Loaded whole at `phys`, with 256 bytes of bss, entered at its end.
std::vector<u8> multiboot(u32 phys) {
  std::vector<u8> image(64, 0x90);
  constexpr u32 kByAddresses = 0x10000;
  put<u32>(image, 16, kMagic);
  put<u32>(image, 20, kByAddresses);
  put<u32>(image, 24, 0u - kMagic - kByAddresses);
  for (const auto& [offset, value] : {std::pair{28u, 16u}, {32u, 0u}, {36u, 64u}, {40u, 320u}, {44u, 48u}})
    put<u32>(image, offset, phys + value);
  return image;
}

struct BootFirmwareKernel : BootFixture {
  FirmwareBoot prepare(const std::vector<u8>& image) {
    Result<FirmwareBoot> result = prepare_for_firmware(image, request, memory, 40);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.take();
  }
  static u16 field(const FirmwareBoot& boot, u64 offset) { return *field_at<u16>(boot.rom, offset); }
  /// What lies at `phys` once all requests are answered; nothing when none of them reaches it.
  static std::optional<u8> loaded(const FirmwareBoot& boot, u64 phys) {
    std::optional<u8> found;
    for (u64 i = 0; i < field(boot, 0x0e); ++i) {
      const auto at = std::span(boot.rom).subspan(field(boot, 0x10) + 16 * i, 16);
      const auto key = static_cast<devices::FwCfg::Key>(big_endian(at.first(2)));
      const auto item = std::ranges::find(boot.items, key, &FirmwareBoot::Item::key);
      EXPECT_NE(item, boot.items.end());
      const u64 begin = big_endian(at.subspan(8, 8));
      EXPECT_EQ(big_endian(at.subspan(4, 4)), item->bytes.size());
      if (phys >= begin && phys - begin < item->bytes.size()) found = item->bytes[phys - begin];
    }
    return found;
  }
  static u32 loaded32(const FirmwareBoot& boot, u64 phys) {
    u32 value = 0;
    for (unsigned i = 0; i < 4; ++i) value |= u32{loaded(boot, phys + i).value_or(0xcc)} << (8 * i);
    return value;
  }
};

TEST_F(BootFirmwareKernel, AMultibootKernelsPartsAndRegistersAreHandedOver) {
  const FirmwareBoot boot = prepare(multiboot(0x100000));
  EXPECT_EQ(field(boot, 0x14), 1) << "protected mode";
  const u64 registers = field(boot, 0x16);
  EXPECT_EQ(*field_at<u32>(boot.rom, registers), 0x100030u);
  EXPECT_EQ(*field_at<u32>(boot.rom, registers + 4), 0x2badb002u);
  EXPECT_EQ(loaded32(boot, 0x100010), kMagic);
  EXPECT_EQ(loaded(boot, 0x10013f), 0) << "the end of its bss";
  EXPECT_EQ(loaded(boot, 0x100140), std::nullopt);
  EXPECT_EQ(static_cast<u8>(std::accumulate(boot.rom.begin(), boot.rom.end(), 0)), 0);
}

TEST_F(BootFirmwareKernel, TheMapLeavesFirmwareItsTables) {
  const FirmwareBoot boot = prepare(multiboot(0x100000));
  const u64 info = *field_at<u32>(boot.rom, field(boot, 0x16) + 8u);
  EXPECT_EQ(loaded32(boot, info + 8), (kRamBytes - 2 * kMiB) / kKiB) << "above the first MiB";
}

TEST_F(BootFirmwareKernel, NoPartLiesWhereTheRomWorks) {
  for (const u32 phys : {0x100000u, 0x1000u, 0x1f80u}) {
    const FirmwareBoot boot = prepare(multiboot(phys));
    const u64 scratch = u64{field(boot, 0x12)} << 4;
    EXPECT_GE(scratch, 0x1000u);
    for (u64 i = 0; i < KernelRom::kScratchBytes; ++i) EXPECT_EQ(loaded(boot, scratch + i), std::nullopt);
  }
}

TEST_F(BootFirmwareKernel, WhatIsNoKernelIsRefused) {
  const Result<FirmwareBoot> result = prepare_for_firmware(std::vector<u8>(100), request, memory, 40);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("test-kernel"), std::string::npos);
}

}  // namespace
}  // namespace reprise::machine::boot
