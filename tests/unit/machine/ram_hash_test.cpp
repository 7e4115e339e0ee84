#include "machine/ram_hash.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

void store(mmu::Ram& ram, u64 offset, u8 value) {
  ram.host()[offset] = value;
  ram.mark_written(offset);
}

TEST(RamHash, DependsOnContentsNotOnHistory) {
  auto a = mmu::Ram::create(1 << 20).take();
  auto b = mmu::Ram::create(1 << 20).take();
  RamHash hash_a(*a), hash_b(*b);
  const u64 empty = hash_a.update();
  EXPECT_EQ(hash_b.update(), empty);
  store(*a, 5000, 1);
  const u64 one = hash_a.update();
  EXPECT_NE(one, empty);
  store(*b, 9000, 7);
  hash_b.update();
  store(*b, 9000, 0);
  store(*b, 5000, 1);
  EXPECT_EQ(hash_b.update(), one);
}

TEST(RamHash, TheSameByteElsewhereIsAnotherDigest) {
  auto a = mmu::Ram::create(1 << 20).take();
  auto b = mmu::Ram::create(1 << 20).take();
  store(*a, 0, 1);
  store(*b, kPageBytes, 1);
  EXPECT_NE(RamHash(*a).update(), RamHash(*b).update());
}

TEST(RamHash, CostsWhatWasWritten) {
  auto ram = mmu::Ram::create(64 << 20).take();
  RamHash hash(*ram);
  store(*ram, 0, 1);
  store(*ram, 40 << 20, 1);
  hash.update();
  EXPECT_EQ(hash.pages_hashed(), 2u);
  hash.update();
  EXPECT_EQ(hash.pages_hashed(), 2u) << "nothing was written since";
  store(*ram, 0, 2);
  hash.update();
  EXPECT_EQ(hash.pages_hashed(), 3u);
}

TEST(RamHash, ReadersOfMemoryDoNotCollide) {
  auto ram = mmu::Ram::create(1 << 20).take();
  RamHash one(*ram), other(*ram);
  one.update();
  store(*ram, 5000, 1);
  const u64 digest = other.update();
  ram->end_epoch();
  EXPECT_EQ(one.update(), digest);
}

}  // namespace
}  // namespace reprise::machine
