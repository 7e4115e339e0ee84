#include "devices/firmware/pflash.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

class PflashTest : public ::testing::Test {
 protected:
  u8 read(u64 offset) { return static_cast<u8>(flash.mmio_read(offset, Width::Byte)); }
  void write(u64 offset, u8 value) { flash.mmio_write(offset, Width::Byte, value); }

  std::vector<u8> kept = std::vector<u8>(0x4000, 0x5a);
  bool host_fails = false;
  Pflash flash{kept, [this](u64 offset, std::span<const u8> bytes) {
                 if (host_fails) return false;
                 std::copy(bytes.begin(), bytes.end(), kept.begin() + static_cast<std::ptrdiff_t>(offset));
                 return true;
               }};
};

TEST_F(PflashTest, IsFoundAsUefiFirmwareLooksForFlash) {
  const u8 original = read(0x123);
  write(0x123, 0x50);
  EXPECT_EQ(read(0x123), original) << "not RAM";
  write(0x123, 0x70);
  EXPECT_EQ(read(0x123), 0x00) << "flash: the cleared status, neither what was written nor the content";
  write(0x123, 0xff);
  EXPECT_EQ(read(0x123), original);
}

TEST_F(PflashTest, ErasesBlocksAndClearsBits) {
  write(0x1010, 0x20);
  write(0x1010, 0xd0);
  EXPECT_EQ(read(0), 0x80) << "status: ready, no error";
  write(0, 0xff);
  EXPECT_EQ(read(0x0fff), 0x5a);
  EXPECT_EQ(read(0x1000), 0xff);
  EXPECT_EQ(read(0x1fff), 0xff);
  EXPECT_EQ(read(0x2000), 0x5a);
  write(0x1004, 0x10);
  write(0x1004, 0x3c);
  write(0x1004, 0x40);
  write(0x1004, 0xf0);
  write(0, 0xff);
  EXPECT_EQ(read(0x1004), 0x30);
  EXPECT_EQ(kept[0x1004], 0x30);
}

TEST_F(PflashTest, ProgramsThroughTheBuffer) {
  write(0x2000, 0x20);
  write(0x2000, 0xd0);
  write(0x2000, 0xe8);
  EXPECT_EQ(read(0x2000) & 0x80, 0x80);
  write(0x2000, 2);
  for (u8 i = 0; i < 3; ++i) write(0x2000u + i, static_cast<u8>(i + 1));
  write(0x2000, 0xd0);
  write(0, 0xff);
  EXPECT_EQ(flash.mmio_read(0x2000, Width::Dword), 0xff030201u);
}

TEST_F(PflashTest, ErrorsAreInTheStatus) {
  write(0x1000, 0x20);
  write(0x1000, 0x00);
  EXPECT_EQ(read(0), 0xb0) << "an erase that was not confirmed";
  write(0, 0x50);
  write(0, 0xff);
  EXPECT_EQ(read(0x1000), 0x5a);
  host_fails = true;
  write(0x1000, 0x40);
  write(0x1000, 0x00);
  EXPECT_EQ(read(0), 0x90);
  EXPECT_EQ(flash.failed_saves(), 1u);
}

TEST_F(PflashTest, WhatWasLoadedGoesToWhatKeepsIt) {
  Pflash other(std::vector<u8>(0x4000, 0x77), {});
  ASSERT_TRUE(load(flash, saved(other)));
  EXPECT_EQ(kept, std::vector<u8>(0x4000, 0x5a)) << "not before the whole state is known to be good";
  flash.keep_loaded();
  EXPECT_EQ(kept, std::vector<u8>(0x4000, 0x77));
  host_fails = true;
  flash.keep_loaded();
  EXPECT_EQ(flash.failed_saves(), 1u);
}

TEST_F(PflashTest, Noise) {
  Noise noise(3);
  for (int i = 0; i < 20'000; ++i) noise.page(flash, 0x8000);
  const auto state = saved(flash);
  Pflash other(std::vector<u8>(0x4000), {});
  EXPECT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
}

}  // namespace
}  // namespace reprise::devices
