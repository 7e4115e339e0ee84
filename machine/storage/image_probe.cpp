// Magic numbers: QEMU's docs/interop (qcow2, qed, vhdx, parallels), VMware's "Virtual Disk Format 5.0",
// VirtualBox' VDICore.h, LUKS "On-Disk Format", and file(1). Without formats that only a trailer marks: a
// fixed VHD is a raw image with a sector more.
#include "machine/storage/image_probe.h"

#include <algorithm>
#include <array>

namespace reprise::machine {
namespace {

using namespace std::string_view_literals;

struct Magic {
  ImageKind kind;
  u64 offset;
  std::string_view bytes;
};

constexpr std::array kMagics = {
    Magic{ImageKind::Qcow2, 0, "QFI\xfb\0\0\0\2"sv},
    Magic{ImageKind::Qcow2, 0, "QFI\xfb\0\0\0\3"sv},
    Magic{ImageKind::Qcow1, 0, "QFI\xfb\0\0\0\1"sv},
    Magic{ImageKind::Qcow2, 0, "QFI\xfb"sv},  // of a version that does not exist
    Magic{ImageKind::Qed, 0, "QED\0"sv},
    Magic{ImageKind::Vmdk, 0, "KDMV"sv},
    Magic{ImageKind::Vmdk, 0, "COWD"sv},
    Magic{ImageKind::Vmdk, 0, "# Disk DescriptorFile"sv},
    Magic{ImageKind::Vdi, 64, "\x7f\x10\xda\xbe"sv},
    Magic{ImageKind::Vhdx, 0, "vhdxfile"sv},
    Magic{ImageKind::Vhd, 0, "conectix"sv},
    Magic{ImageKind::Parallels, 0, "WithoutFreeSpace"sv},
    Magic{ImageKind::Parallels, 0, "WithouFreSpacExt"sv},
    Magic{ImageKind::Luks, 0, "LUKS\xba\xbe"sv},
    Magic{ImageKind::Gzip, 0, "\x1f\x8b\x08"sv},
    Magic{ImageKind::Xz, 0, "\xfd\x37zXZ\0"sv},
    Magic{ImageKind::Zstd, 0, "\x28\xb5\x2f\xfd"sv},
    Magic{ImageKind::Bzip2, 0, "BZh"sv},
    Magic{ImageKind::Zip, 0, "PK\3\4"sv},
    Magic{ImageKind::SevenZip, 0, "7z\xbc\xaf\x27\x1c"sv},
};

bool matches(std::span<const u8> head, u64 offset, std::string_view bytes) {
  if (head.size() < offset || head.size() - offset < bytes.size()) return false;
  return std::equal(bytes.begin(), bytes.end(), head.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char want, u8 got) { return static_cast<u8>(want) == got; });
}

}  // namespace

ImageKind probe_image(std::span<const u8> head) {
  for (const Magic& magic : kMagics) {
    if (matches(head, magic.offset, magic.bytes)) return magic.kind;
  }
  return ImageKind::Raw;
}

std::string_view name_of(ImageKind kind) {
  switch (kind) {
    case ImageKind::Raw:
      return "raw";
    case ImageKind::Qcow2:
      return "qcow2";
    case ImageKind::Qcow1:
      return "qcow version 1";
    case ImageKind::Qed:
      return "QED";
    case ImageKind::Vmdk:
      return "VMDK";
    case ImageKind::Vdi:
      return "VDI";
    case ImageKind::Vhdx:
      return "VHDX";
    case ImageKind::Vhd:
      return "VHD";
    case ImageKind::Parallels:
      return "Parallels";
    case ImageKind::Luks:
      return "LUKS";
    case ImageKind::Gzip:
      return "gzip";
    case ImageKind::Xz:
      return "xz";
    case ImageKind::Zstd:
      return "zstd";
    case ImageKind::Bzip2:
      return "bzip2";
    case ImageKind::Zip:
      return "zip";
    case ImageKind::SevenZip:
      return "7z";
  }
  return "unknown";
}

std::string_view qemu_name_of(ImageKind kind) {
  switch (kind) {
    case ImageKind::Raw:
      return "raw";
    case ImageKind::Qcow2:
      return "qcow2";
    case ImageKind::Qcow1:
      return "qcow";
    case ImageKind::Qed:
      return "qed";
    case ImageKind::Vmdk:
      return "vmdk";
    case ImageKind::Vdi:
      return "vdi";
    case ImageKind::Vhdx:
      return "vhdx";
    case ImageKind::Vhd:
      return "vpc";
    case ImageKind::Parallels:
      return "parallels";
    default:
      return "";
  }
}

std::string_view unpacker_of(ImageKind kind) {
  switch (kind) {
    case ImageKind::Gzip:
      return "gunzip";
    case ImageKind::Xz:
      return "unxz";
    case ImageKind::Zstd:
      return "unzstd";
    case ImageKind::Bzip2:
      return "bunzip2";
    case ImageKind::Zip:
      return "unzip";
    case ImageKind::SevenZip:
      return "7z x";
    default:
      return "";
  }
}

bool is_iso9660(std::span<const u8> descriptor) {
  // ECMA-119 8.1: type, "CD001", version.
  return matches(descriptor, 1, "CD001"sv);
}

}  // namespace reprise::machine
