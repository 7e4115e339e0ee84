#include "machine/storage/qcow2_header.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

namespace reprise::machine {
namespace {

constexpr u64 kFileBytes = 1 << 20;

template <class T>
void put(std::vector<u8>& head, u64 offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    head[offset + i] = static_cast<u8>(value >> (8 * (sizeof(T) - 1 - i)));
}

/// A version 3 image of 1 GiB with a backing file.
std::vector<u8> good_header() {
  std::vector<u8> head(65536);
  put<u32>(head, 0, 0x514649fb);
  put<u32>(head, 4, 3);
  put<u64>(head, 8, 512);  // name of the backing file
  put<u32>(head, 16, 8);
  put<u32>(head, 20, 16);            // 64 KiB clusters
  put<u64>(head, 24, u64{1} << 30);  // disk size
  put<u32>(head, 36, 2);             // L1 entries
  put<u64>(head, 40, 3 * 65536);     // L1 table
  put<u64>(head, 48, 1 * 65536);     // refcount table
  put<u32>(head, 56, 1);
  put<u32>(head, 96, 4);     // 16-bit reference counts
  put<u32>(head, 100, 112);  // header length
  const std::string name = "base.img";
  std::copy(name.begin(), name.end(), head.begin() + 512);
  return head;
}

TEST(Qcow2Header, ReadsTheFields) {
  std::vector<u8> head = good_header();
  auto header = parse_qcow2_header(head, kFileBytes);
  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header.value().version, 3u);
  EXPECT_EQ(header.value().virtual_bytes, u64{1} << 30);
  EXPECT_EQ(header.value().cluster_bytes, 65536u);
  EXPECT_EQ(header.value().backing_file, "base.img");
  EXPECT_FALSE(header.value().dirty);
  EXPECT_FALSE(header.value().corrupt);
  put<u64>(head, 72, 3);
  header = parse_qcow2_header(head, kFileBytes);
  ASSERT_TRUE(header.ok());
  EXPECT_TRUE(header.value().dirty);
  EXPECT_TRUE(header.value().corrupt);
}

TEST(Qcow2Header, RefusesDamage) {
  const auto refusal = [](const std::function<void(std::vector<u8>&)>& damage) {
    std::vector<u8> head = good_header();
    damage(head);
    const auto header = parse_qcow2_header(head, kFileBytes);
    return header.ok() ? std::string("accepted") : header.error().message;
  };
  EXPECT_NE(refusal([](auto& h) { h.resize(71); }).find("cut off"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { h.resize(100); }).find("cut off"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 4, 9); }).find("version 9"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 20, 63); }).find("cluster size"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 20, 8); }).find("cluster size"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 24, ~u64{0}); }).find("disk size"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 24, u64{1} << 40); }).find("L1 table is too small"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 36, ~u32{0}); }).find("L1 table lies outside"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 40, u64{1} << 40); }).find("L1 table lies outside"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 48, ~u64{65535}); }).find("refcount table lies"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 40, 100); }).find("do not lie on clusters"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 72, u64{1} << 40); }).find("features"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 100, 96); }).find("header length"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u32>(h, 16, 5000); }).find("backing file"), std::string::npos);
  EXPECT_NE(refusal([](auto& h) { put<u64>(h, 8, ~u64{0}); }).find("backing file"), std::string::npos);
}

TEST(Qcow2Header, NoDamageCrashes) {
  std::minstd_rand random(11);
  for (int i = 0; i < 20000; ++i) {
    std::vector<u8> head = good_header();
    for (unsigned n = 1 + random() % 4; n != 0; --n)
      head[4 + random() % 108] = static_cast<u8>(random() >> 7);
    if (random() % 4 == 0) head.resize(random() % 200);
    const auto header = parse_qcow2_header(head, random() % 2 == 0 ? kFileBytes : head.size());
    if (header.ok()) {
      EXPECT_GE(header.value().cluster_bytes, 512u);
      EXPECT_LE(header.value().backing_file.size(), 1023u);
    }
  }
}

}  // namespace
}  // namespace reprise::machine
