// Magic numbers: file(1); Linux, Documentation/arch/x86/boot.rst (bzImage); Microsoft, "PE Format"; POSIX pax (ustar, cpio);
// UEFI PI 1.8, volume 3, 3.2.1 (firmware volume); "Unified Kernel Image" (uapi-group.org).
#include "machine/storage/file_kind.h"

#include <algorithm>

#include "machine/storage/image_probe.h"

namespace reprise::machine {
namespace {

using namespace std::string_view_literals;
using Head = std::span<const u8>;

bool has(Head head, u64 offset, std::string_view bytes) {
  if (head.size() < offset || head.size() - offset < bytes.size()) return false;
  return std::equal(bytes.begin(), bytes.end(), head.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char want, u8 got) { return static_cast<u8>(want) == got; });
}

u64 number(Head head, u64 offset, unsigned bytes) {
  u64 value = 0;
  for (unsigned i = 0; i < bytes && offset + i < head.size(); ++i) value |= u64{head[offset + i]} << (8 * i);
  return value;
}

bool is_bzimage(Head head) { return has(head, 0x202, "HdrS") && has(head, 510, "\x55\xaa"); }
/// Kernels of such an age begin with a loader for floppies.
bool is_floppy_kernel(Head head) { return is_bzimage(head) && number(head, 0x206, 2) < 0x204; }

/// A PE program for x86-64 is one for UEFI here: nobody boots others.
bool is_efi_program(Head head) {
  return has(head, 0, "MZ") && number(head, 0x3c, 4) < head.size() &&
         has(head, number(head, 0x3c, 4), "PE\0\0"sv);
}
/// Its sections, or their table, are not all there: kernels begin as EFI programs do. Only a file that `head` holds whole
/// can be told to be cut.
bool is_cut_efi_program(Head head) {
  if (!is_efi_program(head) || head.size() >= kFileKindBytes) return false;
  const u64 pe = number(head, 0x3c, 4);
  const u64 table = pe + 24 + number(head, pe + 20, 2);
  const u64 sections = number(head, pe + 6, 2);
  constexpr u64 kSectionBytes = 40, kRawBytes = 16, kRawOffset = 20;
  if (table + sections * kSectionBytes > head.size()) return true;
  for (u64 at = table; at < table + sections * kSectionBytes; at += kSectionBytes)
    if (number(head, at + kRawOffset, 4) + number(head, at + kRawBytes, 4) > head.size()) return true;
  return false;
}
bool is_unified_kernel(Head head) {
  if (!is_efi_program(head)) return false;
  const u64 pe = number(head, 0x3c, 4);
  const u64 table = pe + 24 + number(head, pe + 20, 2);
  constexpr u64 kSectionBytes = 40;
  for (u64 i = 0; i < number(head, pe + 6, 2); ++i)
    if (has(head, table + i * kSectionBytes, ".linux\0"sv)) return true;
  return false;
}

bool is_tar(Head head) { return has(head, 257, "ustar"); }
/// Its first member is its description.
bool is_ova(Head head) {
  const Head name = head.first(std::min<std::size_t>(head.size(), 100));
  const auto end = static_cast<u64>(std::ranges::find(name, u8{0}) - name.begin());
  return is_tar(head) && end > 4 && has(head, end - 4, ".ovf");
}

bool is_foreign_disk(Head head) { return is_disk_format(probe_image(head)); }
bool is_boot_disk(Head head) { return has(head, 510, "\x55\xaa") && !is_bzimage(head); }
bool is_web_page(Head head) {
  return has(head, 0, "<!DOCTYPE") || has(head, 0, "<!doctype") || has(head, 0, "<html");
}
bool is_cpio(Head head) { return has(head, 0, "070701") || has(head, 0, "070702") || has(head, 0, "070707"); }

constexpr unsigned bit(FileUse use) { return 1u << static_cast<unsigned>(use); }
constexpr unsigned kDisks = bit(FileUse::Disk) | bit(FileUse::Floppy);
constexpr unsigned kNowhere = 0;

struct Row {
  FileKind kind;
  unsigned right_for;  // bits of FileUse; not "made for": what nobody can tell there is right, too
  bool (*is)(Head head);
};

constexpr Row kRows[] = {
    {{"a Linux kernel", "give it as --kernel"},
     bit(FileUse::Kernel) | bit(FileUse::Floppy),
     is_floppy_kernel},
    {{"a Linux kernel", "give it as --kernel"}, bit(FileUse::Kernel), is_bzimage},
    {{"a Linux kernel for AArch64", "give one for x86"},
     kNowhere,
     [](Head head) { return has(head, 0x38, "ARM\x64"); }},
    {{"only the beginning of a kernel or another EFI program", "copy or download it again"},
     kNowhere,
     is_cut_efi_program},
    {{"a unified kernel image",
      "take kernel and initrd out of it (objcopy -O binary -j .linux, -j .initrd), or boot the disk that has "
      "it by "
      "--bios ovmf"},
     kNowhere,
     is_unified_kernel},
    {{"an EFI program", "put it on a FAT disk as EFI/BOOT/BOOTX64.EFI and boot that by --bios ovmf"},
     kNowhere,
     is_efi_program},
    {{"an ELF file", "give it as --kernel if it is one"},
     bit(FileUse::Kernel),
     [](Head head) { return has(head, 0, "\x7f\x45LF"); }},
    {{"a cpio archive", "give it as --initrd"}, bit(FileUse::LinuxInitrd), is_cpio},
    {{"an OVA", "unpack it (tar xf) and convert the disk in it with 'qemu-img convert -O qcow2'"},
     kNowhere,
     is_ova},
    {{"a tar archive", "unpack it first (tar xf)"}, kNowhere, is_tar},
    // Disk images say themselves what to do about these.
    {{"packed with gzip", "unpack it first (gunzip)"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return probe_image(head) == ImageKind::Gzip; }},
    {{"packed with xz", "unpack it first (unxz)"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return probe_image(head) == ImageKind::Xz; }},
    {{"packed with zstd", "unpack it first (unzstd)"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return probe_image(head) == ImageKind::Zstd; }},
    {{"packed with bzip2", "unpack it first (bunzip2)"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return probe_image(head) == ImageKind::Bzip2; }},
    {{"packed with lz4", "unpack it first (unlz4)"},
     bit(FileUse::LinuxInitrd),
     [](Head head) { return has(head, 0, "\x04\x22\x4d\x18") || has(head, 0, "\x02\x21\x4c\x18"); }},
    {{"packed with lzop", "unpack it first (lzop -d)"},
     bit(FileUse::LinuxInitrd),
     [](Head head) { return has(head, 0, "\x89LZO"); }},
    {{"a zip archive", "unpack it first (unzip)"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return probe_image(head) == ImageKind::Zip; }},
    {{"a 7z archive", "unpack it first (7z x)"},
     kDisks,
     [](Head head) { return probe_image(head) == ImageKind::SevenZip; }},
    {{"a disk image", "give it as --disk"}, kDisks, is_foreign_disk},
    {{"a Debian package or another ar archive", "unpack it first (dpkg-deb -x)"},
     kNowhere,
     [](Head head) { return has(head, 0, "!<arch>\n"); }},
    {{"an RPM package", "unpack it first (rpm2cpio)"},
     kNowhere,
     [](Head head) { return has(head, 0, "\xed\xab\xee\xdb"); }},
    {{"UEFI firmware", "give it as --bios"},
     bit(FileUse::Firmware),
     [](Head head) { return has(head, 40, "_FVH"); }},
    {{"a U-Boot image", "give what is in it"},
     kNowhere,
     [](Head head) { return has(head, 0, "\x27\x05\x19\x56"); }},
    {{"an Android boot image", "give what is in it"},
     kNowhere,
     [](Head head) { return has(head, 0, "ANDROID!"); }},
    {{"a web page", "download the file itself"}, kNowhere, is_web_page},
    {{"an ISO 9660 image", "give it as --cdrom"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return has(head, kIsoDescriptorOffset + 1, "CD001"); }},
    {{"a squashfs file system", "give it as --disk"},
     kDisks | bit(FileUse::LinuxInitrd),
     [](Head head) { return has(head, 0, "hsqs"); }},
    {{"a disk or its boot sector", "give it as --disk"}, kDisks | bit(FileUse::LinuxInitrd), is_boot_disk},
};

}  // namespace

const FileKind* misplaced_file(std::span<const u8> head, FileUse use) {
  for (const Row& row : kRows)
    if (row.is(head)) return (row.right_for & bit(use)) != 0 ? nullptr : &row.kind;
  return nullptr;
}

}  // namespace reprise::machine
