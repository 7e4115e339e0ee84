#include "machine/boot/pvh.h"

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kLoadPhys = 0x100000;
constexpr u32 kEntryPhys = 0x100040;

/// A 64-bit ELF file with one segment of 16 bytes (64 in memory) and, if asked, the PVH note.
std::vector<u8> elf64(bool with_note) {
  std::vector<u8> image;
  put<u32>(image, 0, 0x464c457f);
  put<u8>(image, 4, 2);
  put<u8>(image, 5, 1);
  put<u16>(image, 18, kElfMachineX86_64);
  put<u64>(image, 24, 0xffffffff81000000);
  put<u64>(image, 32, 64);
  put<u16>(image, 54, 56);
  put<u16>(image, 56, 2);
  const std::size_t load = 64, note = 64 + 56;
  put<u32>(image, load, 1);
  put<u64>(image, load + 8, 0x200);
  put<u64>(image, load + 24, kLoadPhys);
  put<u64>(image, load + 32, 16);
  put<u64>(image, load + 40, 64);
  put<u32>(image, note, 4);
  put<u64>(image, note + 8, 0x100);
  put<u64>(image, note + 32, 20);
  put<u32>(image, 0x100, 4);
  put<u32>(image, 0x104, 4);
  put<u32>(image, 0x108, with_note ? 18 : 17);
  put<u32>(image, 0x10c, 0x006e6558);  // "Xen"
  put<u32>(image, 0x110, kEntryPhys);
  put<u64>(image, 0x200, 0x1122334455667788);
  put<u64>(image, 0x208, 0x99);
  return image;
}

struct BootPvh : BootFixture {};

TEST_F(BootPvh, LoadsSegmentsAndStartInfo) {
  const TemporaryFile initrd("modul");
  request.initrd_path = initrd.path();
  phys_map.write(kLoadPhys + 16, Width::Dword, 0xffffffff);  // must be cleared
  const Result<EntryState> result = load_image(elf64(true), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const EntryState& entry = result.value();
  EXPECT_EQ(entry.mode, EntryMode::Flat32);
  EXPECT_EQ(entry.rip, kEntryPhys);
  EXPECT_EQ(read64(kLoadPhys), 0x1122334455667788u);
  EXPECT_EQ(read32(kLoadPhys + 16), 0u);

  const u64 info = entry.rbx;
  EXPECT_EQ(read32(info), 0x336ec578u);
  EXPECT_EQ(read32(info + 4), 1u);
  EXPECT_EQ(read32(info + 12), 1u);
  EXPECT_EQ(read_string(read64(info + 24)), "console=ttyS0");
  EXPECT_EQ(read64(info + 32), kAcpiTablesPhys);
  const u64 module = read64(info + 16);
  EXPECT_EQ(read64(module + 8), 5u);
  EXPECT_EQ(read_string(read64(module)), "modul");
  EXPECT_EQ(read32(info + 48), memory.e820().size());
  EXPECT_EQ(read64(read64(info + 40) + 8), memory.e820()[0].bytes);
}

TEST_F(BootPvh, AKernelWithoutTheNoteIsRefused) { expect_refused(elf64(false), "without a PVH entry note"); }

TEST_F(BootPvh, RefusesDamage) {
  std::vector<u8> image = elf64(true);
  put<u16>(image, 18, 183);
  expect_refused(image, "another processor");
  image = elf64(true);
  put<u64>(image, 64 + 24, 0x80000000);
  expect_refused(image, "does not fit into memory");
  image = elf64(true);
  put<u64>(image, 64 + 40, ~u64{0});
  expect_refused(image, "does not fit into memory");
  image = elf64(true);
  put<u64>(image, 64 + 32, 0x10000);
  expect_refused(image, "truncated");
  image = elf64(true);
  put<u32>(image, 64 + 56, 1);  // the note becomes a second segment at physical 0
  expect_refused(image, "");
  image = elf64(true);
  image.resize(100);
  expect_refused(image, "damaged or truncated");
  image.resize(6);
  expect_refused(image, "");
}

TEST_F(BootPvh, RefusesOverlappingSegments) {
  std::vector<u8> image = elf64(true);
  const std::size_t second = 64 + 56;
  put<u32>(image, second, 1);
  put<u64>(image, second + 24, kLoadPhys + 63);
  put<u64>(image, second + 32, 4);
  put<u64>(image, second + 40, 4);
  // The note moves to a third header.
  put<u16>(image, 56, 3);
  put<u32>(image, second + 56, 4);
  put<u64>(image, second + 56 + 8, 0x100);
  put<u64>(image, second + 56 + 32, 20);
  expect_refused(image, "overlap");
}

TEST_F(BootPvh, SurvivesDamagedHeaders) { fuzz(elf64(true), 0x120); }

}  // namespace
}  // namespace reprise::machine::boot
