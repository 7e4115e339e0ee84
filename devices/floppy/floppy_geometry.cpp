// Parameter block: Microsoft, "FAT32 File System Specification" 1.03, "Boot Sector and BPB". Sizes: those of Linux's
// drivers/block/floppy.c and of fdformat's and VGACOPY's users.
#include "devices/floppy/floppy_geometry.h"

#include <algorithm>
#include <array>

namespace reprise::devices {
namespace {

constexpr u64 kSectorBytes = BlockBackend::kSectorBytes;
/// Heads stop at track 83.
constexpr u64 kMostTracks = 84;
constexpr u64 kMostSectors = 48;

/// No two of the same size.
constexpr FloppyGeometry kFormats[] = {
    {40, 1, 8},   // 160K
    {40, 1, 9},   // 180K
    {40, 2, 8},   // 320K
    {40, 2, 9},   // 360K
    {41, 2, 10},  // 410K
    {42, 2, 10},  // 420K
    {80, 2, 8},   // 640K
    {80, 2, 9},   // 720K
    {80, 2, 10},  // 800K
    {82, 2, 10},  // 820K
    {83, 2, 10},  // 830K
    {80, 2, 11},  // 880K
    {80, 2, 13},  // 1040K
    {80, 2, 14},  // 1120K
    {80, 2, 15},  // 1200K
    {80, 2, 18},  // 1440K
    {82, 2, 18},  // 1476K
    {83, 2, 18},  // 1494K
    {80, 2, 19},  // 1520K
    {80, 2, 20},  // 1600K
    {80, 2, 21},  // 1680K
    {82, 2, 21},  // 1722K
    {83, 2, 21},  // 1743K
    {80, 2, 22},  // 1760K
    {80, 2, 23},  // 1840K
    {80, 2, 24},  // 1920K
    {80, 2, 36},  // 2880K
    {80, 2, 39},  // 3120K
    {80, 2, 40},  // 3200K
    {80, 2, 44},  // 3520K
    {80, 2, 48},  // 3840K
};
constexpr FloppyGeometry k1440K = {80, 2, 18};

u32 le(std::span<const u8> bytes, std::size_t offset, unsigned count) {
  u32 value = 0;
  for (unsigned i = 0; i < count; ++i) value |= u32{bytes[offset + i]} << (8 * i);
  return value;
}

/// What the file system on the disk says, if it can be a floppy's.
std::optional<FloppyGeometry> by_parameter_block(u64 image_bytes, std::span<const u8> sector) {
  if (sector.size() < kSectorBytes) return std::nullopt;
  const u64 per_track = le(sector, 24, 2), heads = le(sector, 26, 2);
  const u64 file_system_sectors = le(sector, 19, 2) != 0 ? le(sector, 19, 2) : le(sector, 32, 4);
  if (le(sector, 11, 2) != kSectorBytes || per_track < 8 || per_track > kMostSectors || heads == 0 ||
      heads > 2 || file_system_sectors == 0)
    return std::nullopt;
  const u64 sectors = std::max(file_system_sectors, (image_bytes + kSectorBytes - 1) / kSectorBytes);
  const u64 tracks = (sectors + per_track * heads - 1) / (per_track * heads);
  if (tracks < 40 || tracks > kMostTracks) return std::nullopt;
  return FloppyGeometry{static_cast<u8>(tracks), static_cast<u8>(heads), static_cast<u8>(per_track)};
}

}  // namespace

FloppyDensity FloppyGeometry::density() const {
  return sectors < 15 ? FloppyDensity::Double : sectors <= 24 ? FloppyDensity::High : FloppyDensity::Extra;
}

u8 FloppyGeometry::bios_type() const {
  constexpr u8 k360K = 1, k1200K = 2, k720K = 3, k1440K = 4, k2880K = 5;
  // The tracks of a 40-track disk are twice as far apart.
  if (tracks <= 42) return k360K;
  if (sectors <= 9) return k720K;
  if (sectors == 15) return k1200K;
  return sectors <= 18 ? k1440K : k2880K;
}

std::optional<FloppyGeometry> floppy_geometry(u64 image_bytes, std::span<const u8> boot_sector) {
  if (image_bytes == 0) return std::nullopt;
  if (const auto said = by_parameter_block(image_bytes, boot_sector)) return said;
  const auto* format = std::ranges::find(kFormats, image_bytes, &FloppyGeometry::bytes);
  if (format != std::end(kFormats)) return *format;
  if (image_bytes < k1440K.bytes()) return k1440K;
  return std::nullopt;
}

std::optional<FloppyGeometry> floppy_geometry(BlockBackend* medium) {
  if (medium == nullptr || medium->bytes() == 0) return std::nullopt;
  std::array<u8, kSectorBytes> boot_sector{};
  const bool read = medium->bytes() >= kSectorBytes && medium->read(0, boot_sector) == BlockStatus::Ok;
  return floppy_geometry(medium->bytes(), std::span(boot_sector).first(read ? kSectorBytes : 0));
}

}  // namespace reprise::devices
