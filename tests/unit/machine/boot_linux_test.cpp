#include "machine/boot/linux.h"

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

constexpr u64 kSetupBytes = 2 * 512;
constexpr u64 kPref = 0x200000;

/// A bzImage whose protected-mode part is 4096 bytes of 90h.
std::vector<u8> bzimage() {
  std::vector<u8> image(kSetupBytes);
  put<u8>(image, 0x1f1, 1);
  put<u32>(image, 0x1f4, 4096 / 16);
  put<u16>(image, 0x1fe, 0xaa55);
  put<u8>(image, 0x201, 0x6a);
  put<u32>(image, 0x202, 0x53726448);
  put<u16>(image, 0x206, 0x020f);
  put<u8>(image, 0x211, 1);
  put<u32>(image, 0x22c, 0x7fffffff);
  put<u32>(image, 0x230, 0x200000);
  put<u8>(image, 0x234, 1);
  put<u16>(image, 0x236, 1);
  put<u32>(image, 0x238, 255);
  put<u64>(image, 0x258, kPref);
  put<u32>(image, 0x260, 0x10000);
  image.resize(kSetupBytes + 4096, 0x90);
  return image;
}

struct BootLinux : BootFixture {};

TEST_F(BootLinux, LoadsAndFillsTheZeroPage) {
  const Result<EntryState> result = load_image(bzimage(), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const EntryState& entry = result.value();
  EXPECT_EQ(entry.mode, EntryMode::Long64);
  EXPECT_EQ(entry.rip, kPref + 0x200);
  EXPECT_EQ(read32(kPref), 0x90909090u);

  EXPECT_EQ(entry.code_selector, 0x10) << "__BOOT_CS";

  const u64 zero_page = entry.rsi;
  EXPECT_EQ(read32(zero_page + 0x202), 0x53726448u);
  EXPECT_EQ(read(zero_page + 0x210, Width::Byte), 0xffu);
  EXPECT_EQ(read64(zero_page + 0x070), kAcpiTablesPhys);
  EXPECT_EQ(read_string(read32(zero_page + 0x228)), "console=ttyS0");
  const auto e820 = memory.e820();
  EXPECT_EQ(read(zero_page + 0x1e8, Width::Byte), e820.size());
  for (std::size_t i = 0; i < e820.size(); ++i) {
    EXPECT_EQ(read64(zero_page + 0x2d0 + 20 * i), e820[i].phys);
    EXPECT_EQ(read64(zero_page + 0x2d8 + 20 * i), e820[i].bytes);
  }
}

TEST_F(BootLinux, InitrdLiesHighAndPageAligned) {
  const TemporaryFile initrd("initrd contents");
  request.initrd_path = initrd.path();
  const Result<EntryState> result = load_image(bzimage(), request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const u64 phys = read32(result.value().rsi + 0x218);
  EXPECT_EQ(phys, kRamBytes - kPageBytes);
  EXPECT_EQ(read32(result.value().rsi + 0x21c), 15u);
  EXPECT_EQ(read_string(phys).substr(0, 15), "initrd contents");
}

TEST_F(BootLinux, InitrdStaysBelowItsLimit) {
  const TemporaryFile initrd("x");
  request.initrd_path = initrd.path();
  std::vector<u8> image = bzimage();
  put<u32>(image, 0x22c, 0x7fffff);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(read32(result.value().rsi + 0x218), 0x800000u - kPageBytes);
}

TEST_F(BootLinux, ARelocatableKernelMovesDownWhenItMust) {
  std::vector<u8> image = bzimage();
  put<u64>(image, 0x258, 0x1000000);  // its preferred address is the end of memory
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().rip, 0x200000u + 0x200);
}

TEST_F(BootLinux, A32BitKernelStartsInProtectedMode) {
  std::vector<u8> image = bzimage();
  put<u16>(image, 0x236, 0);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().mode, EntryMode::Flat32);
  EXPECT_EQ(result.value().rip, kPref);
}

TEST_F(BootLinux, RefusesWhatItCannotBoot) {
  std::vector<u8> image = bzimage();
  put<u16>(image, 0x206, 0x0204);
  expect_refused(image, "starts in real mode");
  image = bzimage();
  put<u8>(image, 0x211, 0);
  expect_refused(image, "starts in real mode");
  image = bzimage();
  put<u32>(image, 0x260, 0x40000000);
  expect_refused(image, "--memory 10");
  image = bzimage();
  image.resize(image.size() - 1024);
  expect_refused(image, "truncated");
  image.resize(600);
  expect_refused(image, "truncated");
  expect_refused({}, "none of");
  expect_refused(std::vector<u8>(5000, 0x41), "none of");
}

TEST_F(BootLinux, FieldsThatLeadNowhereAreSeenBeforeTheStart) {
  std::vector<u8> good = bzimage();
  put<u32>(good, 0x248, 0x100);  // a gzip payload that unpacks to 8000h bytes
  put<u32>(good, 0x24c, 0x200);
  put<u16>(good, kSetupBytes + 0x100, 0x8b1f);
  put<u32>(good, kSetupBytes + 0x2fc, 0x8000);
  EXPECT_TRUE(load_image(good, request, target).ok());
  std::vector<u8> image = good;
  put<u8>(image, 0x1f1, 2);
  put<u32>(image, 0x1f4, 3584 / 16);
  expect_refused(image, "its payload is not where its header says");
  image = good;
  put<u32>(image, 0x24c, 0x10000);
  expect_refused(image, "its payload is not where its header says");
  image = good;
  put<u32>(image, 0x260, 0x7fff);
  expect_refused(image, "leaves room for 32767");
  image = good;
  put<u8>(image, 0x201, 0x20);
  expect_refused(image, "its header ends before");
}

TEST_F(BootLinux, FieldsThatAreTheLoadersAreWritten) {
  std::vector<u8> image = bzimage();
  put<u8>(image, 0x201, 0xff);
  put<u8>(image, 0x227, 7);
  put<u32>(image, 0x23c, 3);
  put<u64>(image, 0x250, 0x123456789abc);
  put<u32>(image, 0x2a0, 0xffffffff);
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const u64 zero_page = result.value().rsi;
  EXPECT_EQ(read(zero_page + 0x227, Width::Byte), 0u);
  EXPECT_EQ(read32(zero_page + 0x23c), 0u);
  EXPECT_EQ(read64(zero_page + 0x250), 0u);
  EXPECT_EQ(read32(zero_page + 0x2a0), 0u) << "behind the header's room";
}

TEST_F(BootLinux, RefusesALongCommandLine) {
  request.command_line = std::string(256, 'x');
  const Result<EntryState> result = load_image(bzimage(), request, target);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("at most 255"), std::string::npos);
}

TEST_F(BootLinux, RefusesBadInitrds) {
  const auto message = [&] {
    const Result<EntryState> result = load_image(bzimage(), request, target);
    return result.ok() ? std::string("loaded") : result.error().message;
  };
  request.initrd_path = "/nonexistent/initrd";
  EXPECT_NE(message().find("'/nonexistent/initrd' does not exist"), std::string::npos);
  request.initrd_path = "/tmp";
  EXPECT_NE(message().find("is a folder"), std::string::npos);
  const TemporaryFile empty("");
  request.initrd_path = empty.path();
  EXPECT_NE(message().find("is empty"), std::string::npos);
  const TemporaryFile big(std::string(15 * kMiB, 'x'));
  request.initrd_path = big.path();
  EXPECT_NE(message().find("give at least --memory"), std::string::npos);
}

TEST_F(BootLinux, SurvivesDamagedHeaders) { fuzz(bzimage(), 0x270); }

TEST_F(BootLinux, KernelFileErrorsNameTheFile) {
  request.kernel_path = "/nonexistent/vmlinuz";
  const Result<std::vector<u8>> missing = read_kernel(request, memory);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message, "kernel '/nonexistent/vmlinuz' does not exist.");
  request.kernel_path = "/dev/zero";
  EXPECT_FALSE(read_kernel(request, memory).ok());
}

}  // namespace
}  // namespace reprise::machine::boot
