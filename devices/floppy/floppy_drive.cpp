#include "devices/floppy/floppy_drive.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr u64 kSectorBytes = BlockBackend::kSectorBytes;

/// By size.
constexpr FloppyGeometry kFormats[] = {
    {40, 1, 8, 1},   // 160K
    {40, 1, 9, 1},   // 180K
    {40, 2, 8, 1},   // 320K
    {40, 2, 9, 1},   // 360K
    {80, 2, 8, 3},   // 640K
    {80, 2, 9, 3},   // 720K
    {80, 2, 10, 3},  // 800K
    {80, 2, 15, 2},  // 1.2M
    {80, 2, 18, 4},  // 1.44M
    {80, 2, 21, 4},  // 1.68M
    {82, 2, 21, 4},  // 1.72M
    {80, 2, 36, 5},  // 2.88M
};

constexpr u8 kDoubleDensity360 = 1, kDoubleDensity720 = 3, kHighDensity1440 = 4, kExtraDensity2880 = 5;
/// Where heads stop.
constexpr u8 kLastStep = 83;

}  // namespace

std::optional<FloppyGeometry> floppy_geometry(u64 image_bytes) {
  if (image_bytes == 0) return std::nullopt;
  for (const FloppyGeometry& format : kFormats)
    if (image_bytes == format.bytes()) return format;
  // A short image is that of a 3.5-inch disk whose end nobody wrote.
  for (const FloppyGeometry& format : kFormats)
    if (format.bios_type == kHighDensity1440 && image_bytes < format.bytes()) return format;
  if (image_bytes < kFormats[std::size(kFormats) - 1].bytes()) return kFormats[std::size(kFormats) - 1];
  return std::nullopt;
}

FloppyDrive::FloppyDrive(BlockBackend* medium) : present_(true) {
  insert(medium);
  bios_type_ = has_disk() ? geometry_->bios_type : kHighDensity1440;
}

void FloppyDrive::insert(BlockBackend* medium) {
  medium_ = medium;
  geometry_ = medium ? floppy_geometry(medium->bytes()) : std::nullopt;
  changed_ = true;
}

bool FloppyDrive::takes_rate(u8 rate) const {
  const auto is = [rate](FloppyRate wanted) { return rate == static_cast<u8>(wanted); };
  switch (geometry_->bios_type) {
    case kDoubleDensity360:
    case kDoubleDensity720: return is(FloppyRate::Kbps250) || is(FloppyRate::Kbps300);
    case kExtraDensity2880: return is(FloppyRate::Kbps1000);
    default: return is(FloppyRate::Kbps500);
  }
}

void FloppyDrive::step_to(u8 track) {
  const u8 target = std::min(track, kLastStep);
  if (target == track_) return;
  track_ = target;
  if (has_disk()) changed_ = false;
}

bool FloppyDrive::has_sector(u8 track, u8 head, u8 sector) const {
  return has_disk() && track < geometry_->tracks && head < geometry_->heads && sector >= 1 &&
         sector <= geometry_->sectors;
}

u64 FloppyDrive::offset_of(u8 head, u8 sector) const {
  const FloppyGeometry& g = *geometry_;
  return ((u64{track_} * g.heads + head) * g.sectors + sector - 1) * kSectorBytes;
}

BlockStatus FloppyDrive::read(u8 head, u8 sector, std::span<u8> into) {
  const u64 offset = offset_of(head, sector);
  std::fill(into.begin(), into.end(), u8{0});
  return offset + kSectorBytes <= medium_->bytes() ? medium_->read(offset, into) : BlockStatus::Ok;
}

BlockStatus FloppyDrive::write(u8 head, u8 sector, std::span<const u8> from) {
  if (medium_->read_only()) return BlockStatus::ReadOnly;
  const u64 offset = offset_of(head, sector);
  return offset + kSectorBytes <= medium_->bytes() ? medium_->write(offset, from) : BlockStatus::OutOfRange;
}

void FloppyDrive::serialize(Archive& archive) {
  archive.value(track_);
  archive.value(changed_);
  track_ = std::min(track_, kLastStep);
}

}  // namespace reprise::devices
