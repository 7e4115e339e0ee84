// How a floppy disk is formatted, by what its image says: the parameter block of its boot sector, else its size.
#pragma once

#include <optional>
#include <span>

#include "common/types.h"
#include "devices/backend.h"

namespace reprise::devices {

/// How much fits on a track, which follows from the data rate.
enum class FloppyDensity : u8 { Double, High, Extra };

struct FloppyGeometry {
  u8 tracks = 0;
  u8 heads = 0;
  u8 sectors = 0;  // a track, of 512 bytes

  u64 bytes() const { return u64{tracks} * heads * sectors * BlockBackend::kSectorBytes; }
  FloppyDensity density() const;
  /// Of a drive that takes it and of which firmware knows so many sectors: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M.
  u8 bios_type() const;
  bool operator==(const FloppyGeometry&) const = default;
};

/// The format of an image of `image_bytes` that begins with `boot_sector` (fewer than 512 bytes: those that there are).
/// A short image is that of a disk whose end nobody wrote. Nothing when nothing says what it is, or it is empty.
std::optional<FloppyGeometry> floppy_geometry(u64 image_bytes, std::span<const u8> boot_sector);
/// Reads the boot sector of `medium`; nullptr is no disk.
std::optional<FloppyGeometry> floppy_geometry(BlockBackend* medium);

}  // namespace reprise::devices
