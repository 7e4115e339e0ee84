#include "machine/storage/image_probe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/backend.h"
#include "machine/storage/partitions.h"

namespace reprise::machine {
namespace {

using namespace std::string_literals;

std::vector<u8> head_with(const std::string& magic, std::size_t offset = 0) {
  std::vector<u8> head(512);
  std::copy(magic.begin(), magic.end(), head.begin() + static_cast<std::ptrdiff_t>(offset));
  return head;
}

TEST(StorageProbe, KnowsFormatsByTheirFirstBytes) {
  EXPECT_EQ(probe_image(head_with("QFI\xfb\0\0\0\3"s)), ImageKind::Qcow2);
  EXPECT_EQ(probe_image(head_with("QFI\xfb\0\0\0\2"s)), ImageKind::Qcow2);
  EXPECT_EQ(probe_image(head_with("QFI\xfb\0\0\0\1"s)), ImageKind::Qcow1);
  EXPECT_EQ(probe_image(head_with("QFI\xfb\0\0\0\x63"s)), ImageKind::Qcow2) << "to be refused as such";
  EXPECT_EQ(probe_image(head_with("KDMV")), ImageKind::Vmdk);
  EXPECT_EQ(probe_image(head_with("# Disk DescriptorFile\n")), ImageKind::Vmdk);
  EXPECT_EQ(probe_image(head_with("\x7f\x10\xda\xbe", 64)), ImageKind::Vdi);
  EXPECT_EQ(probe_image(head_with("vhdxfile")), ImageKind::Vhdx);
  EXPECT_EQ(probe_image(head_with("conectix")), ImageKind::Vhd);
  EXPECT_EQ(probe_image(head_with("\xfd\x37zXZ\0"s)), ImageKind::Xz);
  EXPECT_EQ(probe_image(head_with("\x1f\x8b\x08")), ImageKind::Gzip);
  EXPECT_EQ(probe_image(head_with("\x28\xb5\x2f\xfd")), ImageKind::Zstd);
}

TEST(StorageProbe, EverythingElseIsRaw) {
  EXPECT_EQ(probe_image({}), ImageKind::Raw);
  EXPECT_EQ(probe_image(std::vector<u8>(512)), ImageKind::Raw);
  EXPECT_EQ(probe_image(head_with("\xeb\x3c\x90mkfs.fat")), ImageKind::Raw);
  const std::vector<u8> cut = {'Q', 'F', 'I'};
  EXPECT_EQ(probe_image(cut), ImageKind::Raw);
}

TEST(StorageProbe, KnowsIso9660) {
  const std::string descriptor = "\1CD001\1\0"s;
  EXPECT_TRUE(is_iso9660(std::vector<u8>(descriptor.begin(), descriptor.end())));
  EXPECT_FALSE(is_iso9660(std::vector<u8>(8)));
  EXPECT_FALSE(is_iso9660({}));
}

/// A disk of zeros with some bytes in it.
class SmallDisk final : public devices::BlockBackend {
 public:
  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return true; }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override {
    if (offset > content.size() || into.size() > content.size() - offset)
      return devices::BlockStatus::OutOfRange;
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return devices::BlockStatus::Ok;
  }
  devices::BlockStatus write(u64, std::span<const u8>) override { return devices::BlockStatus::ReadOnly; }
  devices::BlockStatus flush() override { return devices::BlockStatus::Ok; }
  devices::BlockStatus discard(u64, u64) override { return devices::BlockStatus::ReadOnly; }

  SmallDisk& boot_sector() {
    content[510] = 0x55;
    content[511] = 0xaa;
    return *this;
  }
  SmallDisk& partition(unsigned index, u8 type) {
    content[446 + 16 * index + 4] = type;
    return boot_sector();
  }
  SmallDisk& gpt_entry(unsigned index, const std::string& type) {
    std::copy(type.begin(), type.end(), content.begin() + 1024 + 128 * index);
    return *this;
  }

  std::vector<u8> content = std::vector<u8>(65536);
};

TEST(StoragePartitions, TellWhoseDiskItIs) {
  const std::string windows = "\xa2\xa0\xd0\xeb\xe5\xb9\x33\x44\x87\xc0\x68\xb6\xb7\x26\x99\xc7"s;
  const std::string linux_data = "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4"s;
  const auto owner = [](SmallDisk disk) { return owner_of(disk); };
  EXPECT_EQ(owner(SmallDisk()), DiskOwner::Blank);
  EXPECT_EQ(owner(SmallDisk().boot_sector()), DiskOwner::Other);
  EXPECT_EQ(owner(SmallDisk().partition(0, 0x07)), DiskOwner::Other);
  EXPECT_EQ(owner(SmallDisk().partition(0, 0x0c).partition(3, 0x83)), DiskOwner::Unix);
  EXPECT_EQ(owner(SmallDisk().partition(1, 0xa5)), DiskOwner::Unix);
  EXPECT_EQ(owner(SmallDisk().partition(0, 0xee).gpt_entry(1, linux_data)), DiskOwner::Unix);
  EXPECT_EQ(owner(SmallDisk().partition(0, 0xee).gpt_entry(127, windows)), DiskOwner::Other);
  SmallDisk tiny = SmallDisk().partition(0, 0xee);
  tiny.content.resize(512);
  EXPECT_EQ(owner_of(tiny), DiskOwner::Other);
  SmallDisk without_signature;
  without_signature.content[0] = 1;
  EXPECT_EQ(owner_of(without_signature), DiskOwner::Other);
}

}  // namespace
}  // namespace reprise::machine
