// Media changed by a person: what is refused, and the way through the inbox. Counters of disks.
#include "machine/media_changes.h"

#include "machine/monitor/monitor.h"
#include "tests/unit/machine/small_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

constexpr u64 kFloppyBytes = 1440 * kKiB;

class MediaChangesTest : public StorageTest {
 protected:
  MediaChangesTest() {
    MachineConfig config;
    config.devices = {drive("ide-hd", file("disk.img", pattern(64 * kKiB))),
                      drive("ide-cd", file("first.iso", pattern(16 * 2048))),
                      drive("floppy", file("first.flp", pattern(kFloppyBytes)))};
    guest.emplace(kSpin, config);
    monitor.emplace(*guest->machine, "reprise test");
  }
  static DeviceConfig drive(std::string driver, std::string path) {
    return {.driver = std::move(driver), .properties = {{"file", std::move(path)}}};
  }
  std::string refused(std::string_view line) {
    const auto outcome = monitor->execute_line(line);
    return outcome.ok() ? "accepted" : outcome.error().message;
  }
  void run() {
    RunLimits limits;
    limits.stop_at_retired = guest->machine->retired() + 1000;
    guest->run(limits);
  }
  DiskInfo info(std::size_t index) { return guest->machine->disks().info().at(index); }
  devices::ata::Cdrom& cdrom() { return *guest->machine->pc().drives().at(1).cdrom; }
  std::string last_input() {
    const LoggedEvent last = guest->machine->recorder().events().back();
    return last.sink + ": " + std::get<MediumEvent>(last.event).change;
  }

  std::optional<Guest> guest;
  std::optional<monitor::Monitor> monitor;
};

TEST_F(MediaChangesTest, ADiscIsTakenOutAndAnotherPutInThroughTheInbox) {
  ASSERT_EQ(refused("eject cdrom0"), "accepted");
  EXPECT_EQ(info(1).file, path("first.iso")) << "not before the inbox is read";
  run();
  EXPECT_EQ(info(1).file, "");
  EXPECT_TRUE(cdrom().tray_open());
  EXPECT_EQ(last_input(), "cdrom0: eject");

  const std::string other = file("another disc.iso", pattern(8 * 2048));
  ASSERT_EQ(refused("change cdrom0 \"" + other + "\""), "accepted");
  run();
  EXPECT_EQ(info(1).file, other);
  EXPECT_EQ(info(1).bytes, 8u * 2048);
  EXPECT_TRUE(cdrom().has_disc());
  EXPECT_FALSE(cdrom().tray_open());
  EXPECT_EQ(last_input(), "cdrom0: insert " + other);
  EXPECT_EQ(guest->machine->recorder().events().size(), 2u);
}

TEST_F(MediaChangesTest, AMediumThatTheRunUsesOtherwiseIsRefused) {
  guest->machine->media_changes().check_with([](const DiskConfig& medium) -> Result<Done> {
    if (medium.write_through) return Error{"it is the report."};
    return Done{};
  });
  const std::string other = file("other.flp", pattern(720 * kKiB));
  EXPECT_EQ(refused("change floppy0 " + other + " write"), "it is the report.");
  EXPECT_EQ(refused("change floppy0 " + other), "accepted");
}

TEST_F(MediaChangesTest, SeveralChangesBeforeTheInboxIsRead) {
  const std::string second = file("second.iso", pattern(4 * 2048));
  const std::string third = file("third.flp", pattern(720 * kKiB));
  ASSERT_EQ(refused("change cdrom0 " + second), "accepted");
  ASSERT_EQ(refused("change floppy0 " + third), "accepted");
  ASSERT_EQ(refused("eject cdrom0"), "accepted");
  run();
  EXPECT_EQ(info(1).file, "");
  EXPECT_EQ(info(2).file, third);
  EXPECT_EQ(info(2).bytes, 720 * kKiB);
}

TEST_F(MediaChangesTest, WhatCannotBeIsOneSentenceAndChangesNothing) {
  const std::string packed = file("packed.iso", {0x1f, 0x8b, 0x08, 0, 1, 2});
  const std::string large = file("large.flp", pattern(3 * kMiB));
  EXPECT_EQ(refused("change cdrom0 " + path("missing.iso")),
            "CD-ROM image '" + path("missing.iso") + "' does not exist.");
  EXPECT_NE(refused("change cdrom0 " + packed).find("is packed with gzip"), std::string::npos);
  EXPECT_NE(refused("change cdrom0 " + folder_).find("is a folder."), std::string::npos);
  EXPECT_NE(refused("change floppy0 " + large).find("which no floppy has"), std::string::npos);
  EXPECT_EQ(refused("eject disk0"), "The medium of disk0 cannot be removed.");
  EXPECT_EQ(refused("eject cdrom1"), "There is no drive 'cdrom1'; removable media are in cdrom0, floppy0.");
  EXPECT_EQ(refused("eject cdrom0 gently"), "'options' is none of force.");
  EXPECT_EQ(refused("change cdrom0"), "'file' is missing: change drive file [options].");
  EXPECT_EQ(refused("change cdrom0 \"\""), "'file' is empty: 'eject' takes a medium out.");
  run();
  EXPECT_TRUE(guest->machine->recorder().events().empty());
  EXPECT_EQ(info(1).file, path("first.iso"));
  EXPECT_EQ(info(2).file, path("first.flp"));
}

TEST_F(MediaChangesTest, AnImageInUseIsRefused) {
  const std::string written = file("written.flp", pattern(kFloppyBytes));
  ASSERT_EQ(refused("change floppy0 " + written + " write"), "accepted");
  run();
  EXPECT_EQ(info(2).writes, "written through");
  EXPECT_EQ(
      refused("change cdrom0 " + written),
      "'" + written +
          "' is open in this run already, as floppy0, which is written: eject it there first, or give a "
          "copy of it.");
  EXPECT_NE(refused("change floppy0 " + path("disk.img") + " write").find("as disk0, and would be written"),
            std::string::npos);
  ASSERT_EQ(refused("eject floppy0"), "accepted");
  run();
  EXPECT_EQ(refused("change cdrom0 " + written), "accepted") << "it was let go";
}

TEST_F(MediaChangesTest, ALockedTrayOpensByForceOnly) {
  (void)cdrom().begin_packet(std::array<u8, 12>{0x00}, false);  // takes the attention of power-on
  (void)cdrom().begin_packet(std::array<u8, 12>{0x1e, 0, 0, 0, 1}, false);
  ASSERT_TRUE(cdrom().locked());
  EXPECT_NE(refused("eject cdrom0").find("The guest has locked the tray of cdrom0"), std::string::npos);
  run();
  EXPECT_EQ(info(1).file, path("first.iso"));
  EXPECT_EQ(last_input(), "cdrom0: request-eject");
  EXPECT_EQ(refused("eject cdrom0 force"), "accepted");
  run();
  EXPECT_EQ(info(1).file, "");
}

TEST_F(MediaChangesTest, AccessesAreCountedByDriveAndNoPartOfTheState) {
  const u64 before = guest->machine->state_hash();
  devices::BlockBackend& medium = *guest->machine->pc().drives().at(0).disk.medium;
  std::vector<u8> bytes(4096);
  EXPECT_EQ(medium.read(0, bytes), devices::BlockStatus::Ok);
  EXPECT_EQ(medium.write(4096, bytes), devices::BlockStatus::Ok);
  EXPECT_EQ(medium.flush(), devices::BlockStatus::Ok);
  EXPECT_EQ(medium.discard(0, 8192), devices::BlockStatus::Ok);
  EXPECT_NE(medium.read(64 * kKiB, bytes), devices::BlockStatus::Ok);
  const DiskCounters counters = info(0).counters;
  EXPECT_EQ(counters.reads, 2u);
  EXPECT_EQ(counters.bytes_read, 8192u);
  EXPECT_EQ(counters.writes, 1u);
  EXPECT_EQ(counters.bytes_written, 4096u);
  EXPECT_EQ(counters.flushes, 1u);
  EXPECT_EQ(counters.discards, 1u);
  EXPECT_EQ(counters.bytes_discarded, 8192u);
  EXPECT_EQ(counters.errors, 1u);
  EXPECT_EQ(info(2).counters.reads, 0u);
  EXPECT_EQ(guest->machine->state_hash(), before);
  const auto told = monitor->execute_line("info disks");
  EXPECT_EQ(told.value().json.at("disks").at(0).at("counters").at("bytes_read"), 8192);
  EXPECT_NE(
      told.value().text.find("2 reads (8 KiB), 1 writes (4 KiB), 1 flushes, 1 discards (8 KiB), 1 errors"),
      std::string::npos)
      << told.value().text;
}

}  // namespace
}  // namespace reprise::machine
