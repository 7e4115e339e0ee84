#include "machine/storage/open_image.h"

#include <sys/stat.h>

#include "common/log.h"
#include "machine/storage/disk_set.h"
#include "machine/storage/image_tool.h"
#include "machine/storage/nbd_image.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;

class StorageOpen : public StorageTest {
 protected:
  static DiskConfig config(const std::string& name) {
    DiskConfig disk;
    disk.path = name;
    return disk;
  }
  static std::string refusal(const DiskConfig& disk) {
    const auto image = open_image(disk);
    if (image.ok()) return "accepted";
    EXPECT_EQ(image.error().message.find('\n'), std::string::npos) << image.error().message;
    EXPECT_NE(image.error().message.find(disk.path), std::string::npos) << image.error().message;
    return image.error().message;
  }
  std::string iso() {
    std::vector<u8> content(40960);
    const std::string magic = "\1CD001\1";
    std::copy(magic.begin(), magic.end(), content.begin() + 32768);
    return file("a.iso", content);
  }
  std::string with_magic(const std::string& name, const std::string& magic) {
    std::vector<u8> content(4096);
    std::copy(magic.begin(), magic.end(), content.begin());
    return file(name, content);
  }
};

TEST_F(StorageOpen, WritesOfARawImageAreGoneWithTheRun) {
  const std::string name = file("a.img", pattern(4096));
  {
    auto image = open_image(config(name));
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image.value().format, "raw");
    EXPECT_EQ(image.value().medium->write(0, pattern(512, 2)), BlockStatus::Ok);
    std::vector<u8> got(512);
    EXPECT_EQ(image.value().medium->read(0, got), BlockStatus::Ok);
    EXPECT_EQ(got, pattern(512, 2));
  }
  EXPECT_EQ(content_of_file(name), pattern(4096));
}

TEST_F(StorageOpen, WritesReachTheImageWhenAskedFor) {
  const std::string name = file("a.img", pattern(4096));
  DiskConfig disk = config(name);
  disk.write_through = true;
  auto image = open_image(disk);
  ASSERT_TRUE(image.ok()) << image.error().message;
  EXPECT_EQ(image.value().medium->write(512, pattern(512, 2)), BlockStatus::Ok);
  std::vector<u8> expected = pattern(4096);
  const std::vector<u8> fresh = pattern(512, 2);
  std::copy(fresh.begin(), fresh.end(), expected.begin() + 512);
  EXPECT_EQ(content_of_file(name), expected);
}

TEST_F(StorageOpen, RefusesWhatIsNoDisk) {
  EXPECT_NE(refusal(config(path("missing"))).find("does not exist"), std::string::npos);
  EXPECT_NE(refusal(config(folder_)).find("is a folder"), std::string::npos);
  EXPECT_NE(refusal(config(file("empty", {}))).find("is empty"), std::string::npos);
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_NE(refusal(config(path("pipe"))).find("neither a regular file"), std::string::npos);
  EXPECT_NE(refusal(config("/dev/null")).find("neither a regular file"), std::string::npos);
}

TEST_F(StorageOpen, RefusesOtherFormatsWithWhatToDo) {
  EXPECT_NE(refusal(config(with_magic("a.vmdk", "KDMV"))).find("qemu-img convert -f vmdk"),
            std::string::npos);
  EXPECT_NE(refusal(config(with_magic("a.vhdx", "vhdxfile"))).find("qemu-img convert -f vhdx"),
            std::string::npos);
  EXPECT_NE(refusal(config(with_magic("a.gz", "\x1f\x8b\x08"))).find("gunzip"), std::string::npos);
  EXPECT_EQ(refusal(config(with_magic("a.luks", "LUKS\xba\xbe"))), "accepted") << "a guest's own encryption";
  DiskConfig as_raw = config(path("a.vmdk"));
  as_raw.format = DiskFormat::Raw;
  EXPECT_EQ(refusal(as_raw), "accepted");
  DiskConfig as_qcow2 = config(file("a.img", pattern(4096)));
  as_qcow2.format = DiskFormat::Qcow2;
  EXPECT_NE(refusal(as_qcow2).find("not a qcow2 image"), std::string::npos);
}

TEST_F(StorageOpen, RefusesADamagedQcow2) {
  EXPECT_NE(refusal(config(with_magic("a.qcow2", "QFI\xfb"))).find("damaged qcow2 image"), std::string::npos);
}

TEST_F(StorageOpen, AnImageThatIsWrittenIsLocked) {
  const std::string name = file("a.img", pattern(4096));
  DiskConfig disk = config(name);
  disk.write_through = true;
  const auto first = open_image(disk);
  ASSERT_TRUE(first.ok());
  EXPECT_NE(refusal(config(name)).find("being written by another process"), std::string::npos);
}

TEST_F(StorageOpen, AnIsoIsACdrom) {
  auto image = open_image(config(iso()));
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value().media, DiskMedia::Cdrom);
  EXPECT_TRUE(image.value().medium->read_only());
  DiskConfig disk = config(iso());
  disk.media = DiskMedia::Disk;
  image = open_image(disk);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value().media, DiskMedia::Disk);
  EXPECT_FALSE(image.value().medium->read_only());
}

TEST_F(StorageOpen, AnEmptyDriveHasNoMedium) {
  DiskConfig drive;
  drive.media = DiskMedia::Cdrom;
  const auto image = open_image(drive);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value().medium->bytes(), 0u);
}

TEST_F(StorageOpen, AKeptOverlayIsMadeUsedAgainAndCommitted) {
  if (!NbdImage::offered()) GTEST_SKIP() << "built without libnbd";
  if (!have_qemu()) GTEST_SKIP() << "no qemu-nbd";
  const std::string base = file("a.img", pattern(1 << 20));
  DiskConfig disk = config(base);
  disk.overlay_path = path("o.qcow2");
  {
    auto image = open_image(disk);
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image.value().medium->bytes(), u64{1} << 20);
    EXPECT_EQ(image.value().medium->write(4096, pattern(512, 2)), BlockStatus::Ok);
    EXPECT_EQ(image.value().medium->flush(), BlockStatus::Ok);
  }
  EXPECT_EQ(content_of_file(base), pattern(1 << 20));
  {
    auto image = open_image(disk);
    ASSERT_TRUE(image.ok()) << image.error().message;
    std::vector<u8> got(512);
    EXPECT_EQ(image.value().medium->read(4096, got), BlockStatus::Ok);
    EXPECT_EQ(got, pattern(512, 2));
  }
  const auto chain = describe_image(disk.overlay_path);
  ASSERT_TRUE(chain.ok());
  ASSERT_EQ(chain.value().size(), 2u);
  EXPECT_EQ(chain.value()[0].format, "qcow2");
  EXPECT_EQ(chain.value()[1].format, "raw");
  const auto committed = commit_image(disk.overlay_path, Progress::Silent);
  ASSERT_TRUE(committed.ok()) << committed.error().message;
  std::vector<u8> expected = pattern(1 << 20);
  const std::vector<u8> fresh = pattern(512, 2);
  std::copy(fresh.begin(), fresh.end(), expected.begin() + 4096);
  EXPECT_EQ(content_of_file(base), expected);

  disk.path = file("b.img", pattern(1 << 20));
  const auto foreign = open_image(disk);
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().message.find("does not lie over"), std::string::npos) << foreign.error().message;
  disk.overlay_path = disk.path;
  EXPECT_NE(refusal(disk).find("the disk image itself"), std::string::npos);
}

TEST_F(StorageOpen, RefusesBackingFilesThatAreNotThere) {
  if (!have_qemu()) GTEST_SKIP() << "no qemu-nbd";
  const std::string base = file("a.img", pattern(1 << 20));
  ASSERT_TRUE(
      create_qcow2({.path = path("o.qcow2"), .backing_path = base, .backing_format = "raw", .bytes = {}})
          .ok());
  std::filesystem::remove(base);
  EXPECT_NE(refusal(config(path("o.qcow2"))).find("a.img' does not exist"), std::string::npos);
  EXPECT_FALSE(commit_image(path("o.qcow2"), Progress::Silent).ok());
}

TEST_F(StorageOpen, RefusesBackingFilesOfTheNetworkAndLoops) {
  if (!have_qemu()) GTEST_SKIP() << "no qemu-img";
  const std::string name = path("a.qcow2");
  ASSERT_TRUE(create_qcow2({.path = name, .backing_path = {}, .backing_format = {}, .bytes = 1 << 20}).ok());
  std::vector<u8> content = content_of_file(name);
  const auto set_backing = [&](const std::string& backing) {
    content[14] = 0x10, content[15] = 0, content[19] = static_cast<u8>(backing.size());
    std::copy(backing.begin(), backing.end(), content.begin() + 4096);
    file("a.qcow2", content);
  };
  set_backing("nbd://example.org/secret");
  EXPECT_NE(refusal(config(name)).find("no local file"), std::string::npos);
  set_backing("a.qcow2");
  EXPECT_NE(refusal(config(name)).find("or is its own"), std::string::npos);
}

TEST_F(StorageOpen, NoDamageOfAQcow2ImageCrashesOrHangs) {
  if (!have_qemu()) GTEST_SKIP() << "no qemu-nbd";
  const std::string name = path("a.qcow2");
  ASSERT_TRUE(create_qcow2({.path = name, .backing_path = {}, .backing_format = {}, .bytes = 1 << 20}).ok());
  const std::vector<u8> good = content_of_file(name);
  std::minstd_rand random(5);
  for (int i = 0; i < 40; ++i) {
    std::vector<u8> bad = good;
    for (unsigned n = 1 + random() % 3; n != 0; --n) {
      // In the header, or anywhere.
      const std::size_t at = random() % 2 == 0 ? 4 + random() % 108 : random() % bad.size();
      bad[at] = static_cast<u8>(random() >> 7);
    }
    file("a.qcow2", bad);
    auto image = open_image(config(name));
    if (!image.ok()) {
      EXPECT_EQ(image.error().message.find('\n'), std::string::npos) << image.error().message;
      continue;
    }
    std::vector<u8> got(65536);
    const u64 bytes = std::min<u64>(got.size(), image.value().medium->bytes());
    static_cast<void>(image.value().medium->read(0, std::span(got).first(bytes)));
  }
}

TEST_F(StorageOpen, ImagesAreNeverReplaced) {
  const std::string name = file("a.img", pattern(512));
  EXPECT_FALSE(create_raw(name, 4096).ok());
  EXPECT_FALSE(create_qcow2({.path = name, .backing_path = {}, .backing_format = {}, .bytes = 4096}).ok());
  EXPECT_EQ(content_of_file(name), pattern(512));
  ASSERT_TRUE(create_raw(path("b.img"), u64{1} << 40).ok());
  const auto info = describe_image(path("b.img"));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info.value().at(0).virtual_bytes, u64{1} << 40);
  EXPECT_LT(info.value().at(0).allocated_bytes, u64{1} << 20);
}

TEST_F(StorageOpen, BusesAreChosenAndHaveLimits) {
  const std::string blank = file("blank.img", std::vector<u8>(4096));
  std::vector<u8> boot_sector(4096, 1);
  boot_sector[510] = 0x55, boot_sector[511] = 0xaa;
  const std::string other = file("other.img", boot_sector);
  boot_sector[450] = 0x83;
  const std::string linux_disk = file("linux.img", boot_sector);
  DiskConfig floppy = config(blank);
  floppy.media = DiskMedia::Floppy;
  floppy.bus = DiskBus::Floppy;
  DiskConfig ahci = config(other);
  ahci.bus = DiskBus::Ahci;
  ahci.serial = "MINE";
  const Log log;
  auto set = DiskSet::open({config(blank), config(other), config(linux_disk), config(iso()), floppy, ahci},
                           BootBy::Firmware, log);
  ASSERT_TRUE(set.ok()) << set.error().message;
  const auto& disks = set.value().attached();
  ASSERT_EQ(disks.size(), 6u);
  EXPECT_EQ(disks[0].bus, DiskBus::Virtio);
  EXPECT_EQ(disks[1].bus, DiskBus::Ide);
  EXPECT_EQ(disks[2].bus, DiskBus::Virtio);
  EXPECT_EQ(disks[3].bus, DiskBus::Ide);
  EXPECT_EQ(disks[3].media, DiskMedia::Cdrom);
  EXPECT_EQ(disks[4].bus, DiskBus::Floppy);
  EXPECT_EQ(disks[5].bus, DiskBus::Ahci);
  EXPECT_EQ(disks[5].serial, "MINE");
  EXPECT_EQ(disks[1].serial, "RP00002");
  EXPECT_EQ(disks[0].medium->bytes(), 4096u);

  set = DiskSet::open({config(other)}, BootBy::Kernel, log);
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set.value().attached()[0].bus, DiskBus::Virtio);

  const auto full = DiskSet::open(std::vector<DiskConfig>(5, config(other)), BootBy::Firmware, log);
  ASSERT_FALSE(full.ok());
  EXPECT_NE(full.error().message.find("bus ide takes 4 drives"), std::string::npos) << full.error().message;
}

}  // namespace
}  // namespace reprise::machine
