#include "devices/floppy/floppy_drive.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr u64 kSectorBytes = BlockBackend::kSectorBytes;

/// Where heads stop.
constexpr u8 kLastStep = 83;

}  // namespace

FloppyDrive::FloppyDrive(BlockBackend* medium, std::optional<FloppyGeometry> geometry) : present_(true) {
  insert(medium, geometry);
  constexpr u8 k1440K = 4;
  bios_type_ = has_disk() ? geometry_->bios_type() : k1440K;
}

void FloppyDrive::insert(BlockBackend* medium, std::optional<FloppyGeometry> geometry) {
  medium_ = medium;
  geometry_ = geometry;
  changed_ = true;
}

bool FloppyDrive::takes_rate(u8 rate) const {
  const auto is = [rate](FloppyRate wanted) { return rate == static_cast<u8>(wanted); };
  switch (geometry_->density()) {
    case FloppyDensity::Double: return is(FloppyRate::Kbps250) || is(FloppyRate::Kbps300);
    case FloppyDensity::High: return is(FloppyRate::Kbps500);
    case FloppyDensity::Extra: return is(FloppyRate::Kbps1000);
  }
  return false;
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
