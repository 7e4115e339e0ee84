// machine/storage/drives.
#include "machine/storage/drives.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

class NoMedium final : public devices::BlockBackend {
 public:
  u64 bytes() const override { return 0; }
  bool read_only() const override { return true; }
  devices::BlockStatus read(u64, std::span<u8>) override { return devices::BlockStatus::OutOfRange; }
  devices::BlockStatus write(u64, std::span<const u8>) override { return devices::BlockStatus::ReadOnly; }
  devices::BlockStatus flush() override { return devices::BlockStatus::Ok; }
  devices::BlockStatus discard(u64, u64) override { return devices::BlockStatus::ReadOnly; }
};

class Places : public ::testing::Test {
 protected:
  AttachedDisk drive(DiskBus bus, DiskMedia media) {
    return {.medium = &medium_, .bus = bus, .media = media, .serial = "S"};
  }
  AttachedDisk disk() { return drive(DiskBus::Ide, DiskMedia::Disk); }
  AttachedDisk cdrom() { return drive(DiskBus::Ide, DiskMedia::Cdrom); }
  /// A letter per place: disk, cdrom or nothing.
  template <class Units>
  static std::string letters(const Units& units) {
    std::string text;
    for (const auto& unit : units) text += !unit ? '-' : unit->is_packet_device() ? 'c' : 'd';
    return text;
  }
  static devices::ide::IdeController::Units on_ide(const std::vector<AttachedDisk>& disks) {
    std::vector<Drive> drives = place_drives(disks);
    return ide_units(drives);
  }
  NoMedium medium_;
};

TEST_F(Places, CdromsPreferTheSecondaryChannel) {
  EXPECT_EQ(letters(on_ide({})), "----");
  EXPECT_EQ(letters(on_ide({disk()})), "d---");
  EXPECT_EQ(letters(on_ide({cdrom()})), "--c-");
  EXPECT_EQ(letters(on_ide({cdrom(), disk(), cdrom(), disk()})), "ddcc");
  EXPECT_EQ(letters(on_ide({disk(), disk(), disk(), cdrom()})), "dddc");
  EXPECT_EQ(letters(on_ide({cdrom(), cdrom(), cdrom(), disk()})), "cdcc");
  EXPECT_EQ(letters(on_ide({drive(DiskBus::Virtio, DiskMedia::Disk), disk()})), "d---");
}

TEST_F(Places, ScsiIdsAreTheNextFreeOfTheirCard) {
  std::vector<AttachedDisk> disks(5, drive(DiskBus::Scsi, DiskMedia::Disk));
  disks[1].place = 0;
  disks[3].card = 1;
  disks[4].lun = 1;
  std::vector<unsigned> ids;
  for (const Drive& drive : place_drives(disks)) ids.push_back(drive.place);
  EXPECT_EQ(ids, (std::vector<unsigned>{1, 0, 2, 0, 0}));
  EXPECT_TRUE(check_disk_places(disks).ok());
  disks[0].place = 0;
  EXPECT_EQ(check_disk_places(disks).error().message, "two drives were given for scsi-id=0 with lun=0.");
}

TEST_F(Places, AhciFillsPortsInOrder) {
  const std::vector<AttachedDisk> disks = {drive(DiskBus::Ahci, DiskMedia::Cdrom), disk(),
                                           drive(DiskBus::Ahci, DiskMedia::Disk)};
  std::vector<Drive> drives = place_drives(disks);
  EXPECT_EQ(letters(ahci_units(drives)), "cd----");
}

TEST_F(Places, TooManyDrivesAreRefused) {
  EXPECT_TRUE(check_disk_places(std::vector(4, disk())).ok());
  const auto ide = check_disk_places(std::vector(5, disk()));
  ASSERT_FALSE(ide.ok());
  EXPECT_NE(ide.error().message.find("takes 4"), std::string::npos);
  EXPECT_TRUE(check_disk_places(std::vector(6, drive(DiskBus::Ahci, DiskMedia::Disk))).ok());
  EXPECT_FALSE(check_disk_places(std::vector(7, drive(DiskBus::Ahci, DiskMedia::Disk))).ok());
}

TEST_F(Places, ACdromDriveIsFoundAgain) {
  std::vector<Drive> drives = place_drives({disk(), cdrom(), drive(DiskBus::Ahci, DiskMedia::Cdrom)});
  const auto ide = ide_units(drives);
  const auto ahci = ahci_units(drives);
  EXPECT_EQ(drives[0].cdrom, nullptr);
  EXPECT_EQ(drives[1].cdrom, ide[2].get());
  EXPECT_EQ(drives[2].cdrom, ahci[0].get());
}

}  // namespace
}  // namespace reprise::machine
