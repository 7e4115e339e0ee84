// Files in the wrong place, and names that were nearly right.
#include "machine/storage/file_kind.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "machine/storage/near_name.h"

namespace reprise::machine {
namespace {

struct Head {
  std::vector<u8> bytes = std::vector<u8>(kFileKindBytes);
  Head& put(std::size_t offset, std::string_view text) {
    std::copy(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return *this;
  }
};

std::string seen(const Head& head, FileUse use) {
  const FileKind* kind = misplaced_file(head.bytes, use);
  return kind == nullptr ? "fine" : std::string(kind->what);
}

using namespace std::string_view_literals;

Head kernel(std::string_view version) {
  return Head().put(510, "\x55\xaa").put(0x202, "HdrS").put(0x206, version);
}

TEST(FileKind, Kernels) {
  const Head today = kernel("\x0f\x02").put(0, "MZ");
  EXPECT_EQ(seen(today, FileUse::Kernel), "fine");
  for (const FileUse use : {FileUse::Disk, FileUse::Floppy, FileUse::LinuxInitrd, FileUse::Firmware})
    EXPECT_EQ(seen(today, use), "a Linux kernel");
  EXPECT_EQ(seen(kernel("\x03\x02"), FileUse::Floppy), "fine") << "it has a loader of its own";
  EXPECT_EQ(seen(kernel("\x03\x02"), FileUse::Disk), "a Linux kernel");
  EXPECT_EQ(seen(Head().put(0x38, "ARM\x64"), FileUse::Kernel), "a Linux kernel for AArch64");
}

TEST(FileKind, EfiPrograms) {
  Head program = Head().put(0, "MZ").put(0x3c, "\x80").put(0x80, "PE\0\0\x64\x86\2"sv).put(0x80 + 20, "\xf0");
  EXPECT_EQ(seen(program, FileUse::Kernel), "an EFI program");
  EXPECT_EQ(seen(program, FileUse::Disk), "an EFI program");
  program.put(0x80 + 24 + 0xf0 + 40, ".linux");
  EXPECT_EQ(seen(program, FileUse::Kernel), "a unified kernel image");
  EXPECT_EQ(seen(Head().put(0, "MZ").put(0x3c, "\xff\xff\xff\xff"), FileUse::Kernel), "fine") << "no PE";
}

TEST(FileKind, Archives) {
  const Head cpio = Head().put(0, "070701");
  EXPECT_EQ(seen(cpio, FileUse::LinuxInitrd), "fine");
  EXPECT_EQ(seen(cpio, FileUse::Disk), "a cpio archive");
  EXPECT_EQ(seen(cpio, FileUse::Kernel), "a cpio archive");
  EXPECT_EQ(seen(Head().put(0, "vm.ovf").put(257, "ustar"), FileUse::Disk), "an OVA");
  EXPECT_EQ(seen(Head().put(0, "a/b").put(257, "ustar"), FileUse::Disk), "a tar archive");
  EXPECT_EQ(seen(Head().put(0, "\x1f\x8b\x08"), FileUse::Kernel), "packed with gzip");
  EXPECT_EQ(seen(Head().put(0, "\x1f\x8b\x08"), FileUse::LinuxInitrd), "fine");
  EXPECT_EQ(seen(Head().put(0, "\x28\xb5\x2f\xfd"), FileUse::Firmware), "packed with zstd");
}

TEST(FileKind, TheRest) {
  const Head elf = Head().put(0, "\x7f\x45LF");
  EXPECT_EQ(seen(elf, FileUse::Kernel), "fine");
  EXPECT_EQ(seen(elf, FileUse::Disk), "an ELF file");
  const Head qcow2 = Head().put(0, "QFI\xfb\0\0\0\3"sv);
  EXPECT_EQ(seen(qcow2, FileUse::Kernel), "a disk image");
  EXPECT_EQ(seen(qcow2, FileUse::Disk), "fine");
  const Head boot_disk = Head().put(510, "\x55\xaa");
  EXPECT_EQ(seen(boot_disk, FileUse::Kernel), "a disk or its boot sector");
  EXPECT_EQ(seen(boot_disk, FileUse::LinuxInitrd), "fine") << "for memdisk";
  EXPECT_EQ(seen(Head().put(0, "<!DOCTYPE html>"), FileUse::Disk), "a web page");
  for (const FileUse use :
       {FileUse::Disk, FileUse::Floppy, FileUse::Kernel, FileUse::LinuxInitrd, FileUse::Firmware})
    EXPECT_EQ(seen(Head(), use), "fine");
  EXPECT_EQ(misplaced_file({}, FileUse::Disk), nullptr);
}

TEST(NearName, NamesWhatLiesBeside) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "near_name_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "vmlinuz") << "x";
  EXPECT_EQ(near_name((folder / "vmlinz").string()), " (there is '" + (folder / "vmlinuz").string() + "')");
  EXPECT_EQ(near_name((folder / "VMLINUZ").string()), " (there is '" + (folder / "vmlinuz").string() + "')");
  EXPECT_EQ(near_name((folder / "initrd.img").string()), "");
  EXPECT_EQ(near_name((folder / "nowhere" / "vmlinuz").string()), "");
  EXPECT_EQ(near_name(""), "");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace reprise::machine
