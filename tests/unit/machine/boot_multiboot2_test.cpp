#include "machine/boot/multiboot2.h"

#include <map>

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

struct Tag {
  u16 type;
  u16 flags;
  std::vector<u32> words;
};

/// An image with its header at 16, loaded whole at 1 MiB.
std::vector<u8> image_with(const std::vector<Tag>& tags) {
  std::vector<u8> image(16, 0x90);
  std::vector<u8> body;
  for (const Tag& tag : tags) {
    const std::size_t at = body.size();
    put<u16>(body, at, tag.type);
    put<u16>(body, at + 2, tag.flags);
    put<u32>(body, at + 4, static_cast<u32>(8 + 4 * tag.words.size()));
    for (const u32 word : tag.words) put<u32>(body, body.size(), word);
    body.resize((body.size() + 7) / 8 * 8);
  }
  constexpr u32 kMagic = 0xe85250d6;
  const auto bytes = static_cast<u32>(16 + body.size());
  put<u32>(image, 16, kMagic);
  put<u32>(image, 20, 0);
  put<u32>(image, 24, bytes);
  put<u32>(image, 28, 0u - kMagic - bytes);
  image.insert(image.end(), body.begin(), body.end());
  image.resize(256, 0x90);
  return image;
}
const Tag kEnd = {0, 0, {}};
const Tag kAddresses = {2, 0, {0x100010, 0x100000, 0, 0x100200}};
const Tag kEntry = {3, 0, {0x100080}};

struct BootMultiboot2 : BootFixture {
  /// Tags of what the kernel is told, by type.
  std::map<u32, u64> tags_at(u64 info) {
    std::map<u32, u64> tags;
    u64 at = info + 8;
    for (;;) {
      const u32 type = read32(at);
      tags[type] = at;
      if (type == 0) break;
      at += (read32(at + 4) + 7) / 8 * 8;
    }
    EXPECT_EQ(read32(info), at + 8 - info);
    return tags;
  }
};

TEST_F(BootMultiboot2, AWishForGraphicsIsRemarkedUpon) {
  const auto remark = [&](u32 depth) {
    const Result<EntryState> result =
        load_image(image_with({kAddresses, kEntry, {5, 0, {800, 600, depth}}, kEnd}), request, target);
    return result.ok() ? result.value().remark : result.error().message;
  };
  EXPECT_NE(remark(32).find("asks for graphics (800 by 600 pixels, 32 bits)"), std::string::npos)
      << remark(32);
  EXPECT_EQ(remark(0), "");
}

TEST_F(BootMultiboot2, LoadsByAddressesAndTellsWhatThereIs) {
  const TemporaryFile module("module");
  request.initrd_path = module.path() + " args";
  const auto image =
      image_with({{1, 0, {1, 3, 4, 6, 8, 15}}, kAddresses, kEntry, {5, 1, {1024, 768, 32}}, kEnd});
  const Result<EntryState> result = load_image(image, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().mode, EntryMode::Flat32);
  EXPECT_EQ(result.value().rip, 0x100080u);
  EXPECT_EQ(result.value().rax, 0x36d76289u);
  EXPECT_EQ(read32(0x100010), 0xe85250d6u);
  const u64 info = result.value().rbx;
  EXPECT_EQ(info % 8, 0u);
  auto tags = tags_at(info);
  EXPECT_EQ(read_string(tags.at(1) + 8), "test-kernel console=ttyS0");
  EXPECT_EQ(read_string(tags.at(2) + 8), "reprise");
  EXPECT_EQ(read32(tags.at(3) + 8), 0x101000u);
  EXPECT_EQ(read_string(read32(tags.at(3) + 8)), "module");
  EXPECT_EQ(read_string(tags.at(3) + 16), module.path() + " args");
  EXPECT_EQ(read32(tags.at(4) + 8), 639u);
  EXPECT_EQ(read32(tags.at(4) + 12), 15u * 1024);
  EXPECT_EQ(read32(tags.at(6) + 4), 16 + 24 * memory.e820().size());
  EXPECT_EQ(read64(tags.at(6) + 16 + 8), memory.e820()[0].bytes);
  EXPECT_EQ(read64(tags.at(8) + 8), 0xb8000u);
  EXPECT_EQ(read(tags.at(8) + 29, Width::Byte), 2u) << "text";
  EXPECT_TRUE(tags.contains(15)) << "RSDP";
}

TEST_F(BootMultiboot2, Loads64BitElf) {
  std::vector<u8> image = image_with({kEnd});
  std::vector<u8> elf(0x200);
  std::copy(image.begin() + 16, image.begin() + 64, elf.begin() + 0x100);
  put<u32>(elf, 0, 0x464c457f);
  put<u8>(elf, 4, 2);
  put<u8>(elf, 5, 1);
  put<u16>(elf, 18, kElfMachineX86_64);
  put<u64>(elf, 24, 0xffffffff80100010);
  put<u64>(elf, 32, 64);
  put<u16>(elf, 54, 56);
  put<u16>(elf, 56, 1);
  put<u32>(elf, 64, 1);
  put<u64>(elf, 64 + 16, 0xffffffff80100000);
  put<u64>(elf, 64 + 24, 0x100000);
  put<u64>(elf, 64 + 32, 0x200);
  put<u64>(elf, 64 + 40, 0x200);
  const Result<EntryState> result = load_image(elf, request, target);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().rip, 0x100010u);
}

TEST_F(BootMultiboot2, RefusesWhatItCannotHonour) {
  expect_refused(image_with({{1, 0, {99}}, kAddresses, kEntry, kEnd}),
                 "information that is not there (tag 99)");
  expect_refused(image_with({{7, 0, {}}, kAddresses, kEntry, kEnd}), "features that are not there (tag 7)");
  EXPECT_TRUE(
      load_image(image_with({{7, 1, {}}, {1, 1, {99}}, kAddresses, kEntry, kEnd}), request, target).ok());
  expect_refused(image_with({kAddresses, kEnd}), "no entry");
  expect_refused(image_with({kEntry, kEnd}), "neither load addresses nor an ELF header");
  expect_refused(image_with({kAddresses, kEntry}), "damaged");
}

TEST_F(BootMultiboot2, SurvivesDamagedHeaders) {
  fuzz(image_with({{1, 0, {1, 3}}, kAddresses, kEntry, {10, 0, {1, 2, 3, 4}}, kEnd}), 120);
}

}  // namespace
}  // namespace reprise::machine::boot
