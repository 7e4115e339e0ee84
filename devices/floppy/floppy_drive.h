// A floppy drive and the disk in it: geometry, head position, change line.
#pragma once

#include <optional>

#include "common/archive.h"
#include "common/types.h"
#include "devices/backend.h"
#include "devices/floppy/floppy_geometry.h"

namespace reprise::devices {

/// Data rates as DSR and CCR select them, bits 1:0.
enum class FloppyRate : u8 { Kbps500 = 0, Kbps300 = 1, Kbps250 = 2, Kbps1000 = 3 };

class FloppyDrive {
 public:
  /// There is no drive.
  FloppyDrive() = default;
  /// A drive; `medium` may be nullptr or empty: no disk is in it. It outlives the drive.
  explicit FloppyDrive(BlockBackend* medium) : FloppyDrive(medium, floppy_geometry(medium)) {}
  /// The same, for a disk whose format is known.
  FloppyDrive(BlockBackend* medium, std::optional<FloppyGeometry> geometry);

  bool present() const { return present_; }
  bool has_disk() const { return geometry_.has_value(); }
  const FloppyGeometry& geometry() const { return *geometry_; }
  /// Of the drive: that of its first disk, or 1.44M. 0: there is none.
  u8 bios_type() const { return present_ ? bios_type_ : 0; }
  bool write_protected() const { return has_disk() && medium_->read_only(); }
  /// Whether the controller's data rate is the disk's. Double density comes at 250 or, in a fast drive, 300
  /// kbit/s.
  bool takes_rate(u8 rate) const;

  /// Puts a disk in or (nullptr) takes it out: the change line rises until the head steps.
  void insert(BlockBackend* medium, std::optional<FloppyGeometry> geometry);
  bool changed() const { return changed_; }

  u8 track() const { return track_; }
  void step_to(u8 track);

  bool has_sector(u8 track, u8 head, u8 sector) const;
  /// A sector of the disk (has_sector). Beyond the end of a short image there are zeros, and writes fail.
  BlockStatus read(u8 head, u8 sector, std::span<u8> into);
  BlockStatus write(u8 head, u8 sector, std::span<const u8> from);
  BlockStatus flush() { return has_disk() ? medium_->flush() : BlockStatus::Ok; }

  void serialize(Archive& archive);

 private:
  u64 offset_of(u8 head, u8 sector) const;

  BlockBackend* medium_ = nullptr;
  std::optional<FloppyGeometry> geometry_;
  bool present_ = false;
  u8 bios_type_ = 0;
  u8 track_ = 0;
  bool changed_ = true;
};

}  // namespace reprise::devices
