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

struct KindFacts {
  ImageKind kind;
  std::string_view name;
  std::string_view qemu_name;  // empty: qemu-img cannot read it
  std::string_view unpacker;   // empty: it is no compressed file
};

constexpr std::array kKinds = {
    KindFacts{ImageKind::Raw, "raw", "raw", ""},
    KindFacts{ImageKind::Qcow2, "qcow2", "qcow2", ""},
    KindFacts{ImageKind::Qcow1, "qcow version 1", "qcow", ""},
    KindFacts{ImageKind::Qed, "QED", "qed", ""},
    KindFacts{ImageKind::Vmdk, "VMDK", "vmdk", ""},
    KindFacts{ImageKind::Vdi, "VDI", "vdi", ""},
    KindFacts{ImageKind::Vhdx, "VHDX", "vhdx", ""},
    KindFacts{ImageKind::Vhd, "VHD", "vpc", ""},
    KindFacts{ImageKind::Parallels, "Parallels", "parallels", ""},
    KindFacts{ImageKind::Luks, "LUKS", "", ""},
    KindFacts{ImageKind::Gzip, "gzip", "", "gunzip"},
    KindFacts{ImageKind::Xz, "xz", "", "unxz"},
    KindFacts{ImageKind::Zstd, "zstd", "", "unzstd"},
    KindFacts{ImageKind::Bzip2, "bzip2", "", "bunzip2"},
    KindFacts{ImageKind::Zip, "zip", "", "unzip"},
    KindFacts{ImageKind::SevenZip, "7z", "", "7z x"},
};

constexpr bool in_order_of_kinds() {
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    if (kKinds[i].kind != static_cast<ImageKind>(i)) return false;
  return true;
}
static_assert(in_order_of_kinds());

const KindFacts& facts_of(ImageKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

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

std::string_view name_of(ImageKind kind) { return facts_of(kind).name; }
std::string_view qemu_name_of(ImageKind kind) { return facts_of(kind).qemu_name; }
bool is_disk_format(ImageKind kind) { return kind != ImageKind::Raw && !qemu_name_of(kind).empty(); }
std::string_view unpacker_of(ImageKind kind) { return facts_of(kind).unpacker; }

bool is_iso9660(std::span<const u8> descriptor) {
  // ECMA-119 8.1: type, "CD001", version.
  return matches(descriptor, 1, "CD001"sv);
}

}  // namespace reprise::machine
