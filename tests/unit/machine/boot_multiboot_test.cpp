#include "machine/boot/multiboot.h"

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kMagic = 0x1badb002;

void put_header(std::vector<u8>& image, std::size_t offset, u32 flags) {
  put<u32>(image, offset, kMagic);
  put<u32>(image, offset + 4, flags);
  put<u32>(image, offset + 8, 0u - kMagic - flags);
}

/// An image with the address fields: header at 16, loaded whole at 1 MiB, 256 bytes of bss.
std::vector<u8> kludge() {
  std::vector<u8> image(64, 0x90);
  put_header(image, 16, 0x10003);
  put<u32>(image, 28, 0x100010);
  put<u32>(image, 32, 0x100000);
  put<u32>(image, 36, 0x100040);
  put<u32>(image, 40, 0x100140);
  put<u32>(image, 44, 0x100030);
  return image;
}

std::vector<u8> elf32() {
  std::vector<u8> image;
  put<u32>(image, 0, 0x464c457f);
  put<u8>(image, 4, 1);
  put<u8>(image, 5, 1);
  put<u16>(image, 18, kElfMachine386);
  put<u32>(image, 24, 0x10000c);
  put<u32>(image, 28, 52);
  put<u16>(image, 42, 32);
  put<u16>(image, 44, 1);
  put<u32>(image, 52, 1);
  put<u32>(image, 52 + 4, 0x80);
  put<u32>(image, 52 + 12, 0x100000);
  put<u32>(image, 52 + 16, 32);
  put<u32>(image, 52 + 20, 48);
  put_header(image, 0x80, 3);
  image.resize(0x80 + 32, 0xf4);
  return image;
}

struct BootMultiboot : BootFixture {};

TEST_F(BootMultiboot, LoadsElf) {
  const Result<EntryState> result = load_image(elf32(), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().mode, EntryMode::Flat32);
  EXPECT_EQ(result.value().rip, 0x10000cu);
  EXPECT_EQ(result.value().rax, 0x2badb002u);
  EXPECT_EQ(result.value().code_selector, 0x08);
  EXPECT_EQ(read32(0x100000), kMagic);
  EXPECT_EQ(read32(0x100020), 0u);

  const u64 info = result.value().rbx;
  const u32 flags = read32(info);
  EXPECT_EQ(flags, 1u | 1u << 2 | 1u << 6 | 1u << 9);
  EXPECT_EQ(read32(info + 4), 639u);
  EXPECT_EQ(read32(info + 8), 15u * 1024);
  EXPECT_EQ(read_string(read32(info + 16)), "test-kernel console=ttyS0");
  EXPECT_EQ(read_string(read32(info + 64)), "reprise");
  const u64 map = read32(info + 48);
  EXPECT_EQ(read32(map), 20u);
  EXPECT_EQ(read64(map + 12), memory.e820()[0].bytes);
  EXPECT_EQ(read32(info + 44), 24 * memory.e820().size());
}

TEST_F(BootMultiboot, LoadsByAddressFields) {
  phys_map.write(0x100040, Width::Dword, 0xffffffff);
  const Result<EntryState> result = load_image(kludge(), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().rip, 0x100030u);
  EXPECT_EQ(read32(0x100010), kMagic);
  EXPECT_EQ(read32(0x100040), 0u) << "bss is cleared";
}

TEST_F(BootMultiboot, PassesModulesWithTheirArguments) {
  const TemporaryFile one("first"), two("second");
  request.initrd_path = one.path() + " a=1,," + "b," + two.path();
  const Result<EntryState> result = load_image(elf32(), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const u64 info = result.value().rbx;
  ASSERT_EQ(read32(info + 20), 2u);
  const u64 modules = read32(info + 24);
  EXPECT_EQ(read32(modules) % kPageBytes, 0u);
  EXPECT_EQ(read32(modules + 4) - read32(modules), 5u);
  EXPECT_EQ(read_string(read32(modules)), "first");
  EXPECT_EQ(read_string(read32(modules + 8)), one.path() + " a=1,b");
  EXPECT_EQ(read_string(read32(modules + 16)), "second");
  EXPECT_EQ(read_string(read32(modules + 24)), two.path());
}

TEST_F(BootMultiboot, SegmentsBelow1MiBLoadAndWhatIsToldKeepsClear) {
  std::vector<u8> image = elf32();
  put<u32>(image, 52 + 12, 0x8000);
  put<u32>(image, 52 + 20, 0x2800);
  const TemporaryFile module("module");
  request.initrd_path = module.path();
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(read32(0x8000), kMagic);
  const u64 info = result.value().rbx;
  EXPECT_EQ(info, 0xb000u);
  EXPECT_EQ(read32(read32(info + 24)), kHighMemoryPhys);
}

TEST_F(BootMultiboot, SegmentsStayOutOfTheBiosDataAreas) {
  for (const u32 phys : {0x0u, 0x4ffu, 0x9fc00u, 0xa0000u, 0xf0000u}) {
    std::vector<u8> image = elf32();
    put<u32>(image, 52 + 12, phys);
    expect_refused(image, "below 1 MiB a kernel's parts can lie from 0x500 to 0x9fc00");
  }
}

TEST_F(BootMultiboot, TheEntryOfAKernelThatIsLinkedHighIsWhereItWasLoaded) {
  std::vector<u8> image = elf32();
  put<u32>(image, 24, 0xc010000c);
  put<u32>(image, 52 + 8, 0xc0100000);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().rip, 0x10000cu);
}

TEST_F(BootMultiboot, AKernelThatAsksForAModeIsToldOfTheTextScreen) {
  std::vector<u8> image = elf32();
  put_header(image, 0x80, 7);
  put<u32>(image, 0x80 + 32, 1);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const u64 info = result.value().rbx;
  EXPECT_EQ(read32(info) >> 12 & 1, 1u);
  EXPECT_EQ(read64(info + 88), 0xb8000u);
  EXPECT_EQ(read32(info + 96), 160u);
  EXPECT_EQ(read32(info + 100), 80u);
  EXPECT_EQ(read32(info + 104), 25u);
  EXPECT_EQ(read(info + 109, Width::Byte), 2u) << "text";
  EXPECT_EQ(result.value().remark, "");
}

TEST_F(BootMultiboot, AKernelThatAsksForGraphicsStartsWithARemark) {
  std::vector<u8> image = elf32();
  put_header(image, 0x80, 7);
  put<u32>(image, 0x80 + 32, 0);
  put<u32>(image, 0x80 + 36, 1024);
  put<u32>(image, 0x80 + 40, 768);
  put<u32>(image, 0x80 + 44, 0);
  put<u32>(image, 52 + 16, 48);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_NE(result.value().remark.find("asks for graphics (1024 by 768 pixels, any bits)"), std::string::npos)
      << result.value().remark;
}

TEST_F(BootMultiboot, RefusesWhatItCannotBoot) {
  std::vector<u8> image = elf32();
  put_header(image, 0x80, 0x8);
  expect_refused(image, "features that are not there");
  image = elf32();
  put<u8>(image, 4, 2);
  expect_refused(image, "");
  image = kludge();
  put<u32>(image, 36, 0x200000);
  expect_refused(image, "truncated");
  image = kludge();
  put<u32>(image, 32, 0x200000);
  expect_refused(image, "damaged Multiboot header");
  image = kludge();
  put<u32>(image, 40, 0xfffffff0);
  expect_refused(image, "does not fit into memory");
  image = kludge();
  image[16 + 8] ^= 1;
  expect_refused(image, "none of");
}

TEST_F(BootMultiboot, AMissingModuleIsNamed) {
  request.initrd_path = "/nonexistent/module args";
  const Result<EntryState> result = load_image(elf32(), request, target);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("module '/nonexistent/module'"), std::string::npos);
}

TEST_F(BootMultiboot, SurvivesDamagedHeaders) {
  fuzz(elf32(), 0xa0);
  fuzz(kludge(), 64);
}

}  // namespace
}  // namespace reprise::machine::boot
