// What an image is, by its first bytes.
#pragma once

#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise::machine {

enum class ImageKind : u8 {
  Raw,  // nothing that is known
  Qcow2,
  Qcow1,
  Qed,
  Vmdk,
  Vdi,
  Vhdx,
  Vhd,
  Parallels,
  Luks,
  Gzip,
  Xz,
  Zstd,
  Bzip2,
  Zip,
  SevenZip,
};

/// How many bytes probe_image wants to see; fewer are fine when the file is shorter.
constexpr u64 kProbeBytes = 512;

ImageKind probe_image(std::span<const u8> head);
/// "qcow2", "VMDK", ...
std::string_view name_of(ImageKind kind);
/// qemu-img's name for it; empty when qemu-img cannot read it.
std::string_view qemu_name_of(ImageKind kind);
/// Whether it is a format of disk images, whose header says what the disk holds and which other files belong to it.
bool is_disk_format(ImageKind kind);
/// The command that unpacks it; empty when it is no compressed file.
std::string_view unpacker_of(ImageKind kind);

/// Where ISO 9660 keeps its first volume descriptor, and how many bytes is_iso9660 wants from there.
constexpr u64 kIsoDescriptorOffset = 32768;
constexpr u64 kIsoProbeBytes = 8;
bool is_iso9660(std::span<const u8> descriptor);

}  // namespace reprise::machine
