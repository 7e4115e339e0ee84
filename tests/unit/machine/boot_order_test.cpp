// In which order firmware tries drives and network cards.
#include "machine/firmware/boot_order.h"

#include <gtest/gtest.h>

#include "machine/firmware/firmware.h"

namespace reprise::machine {
namespace {

using Order = std::vector<std::string>;

Drive drive(DiskBus bus, DiskMedia media, unsigned place, std::string name) {
  return {.disk = {.medium = nullptr, .bus = bus, .media = media, .serial = "", .name = std::move(name)},
          .place = place};
}

const std::vector<Drive>& drives() {
  static const std::vector<Drive> kDrives = {drive(DiskBus::Ide, DiskMedia::Disk, 0, "disk0"),
                                             drive(DiskBus::Ide, DiskMedia::Cdrom, 2, "cdrom0"),
                                             drive(DiskBus::Virtio, DiskMedia::Disk, 0, "disk1"),
                                             drive(DiskBus::Floppy, DiskMedia::Floppy, 1, "floppy0"),
                                             drive(DiskBus::Ahci, DiskMedia::Cdrom, 5, "cdrom1")};
  return kDrives;
}

/// Their paths are their names.
std::vector<BootSource> sources(unsigned network_cards) {
  std::vector<BootSource> all;
  for (const Drive& one : drives()) all.push_back({one.disk.name, kind_name(one.disk.media), one.disk.name});
  for (unsigned i = 0; i < network_cards; ++i) {
    const std::string name = "network" + std::to_string(i);
    all.push_back({name, kNetworkKind, name});
  }
  return all;
}

TEST(BootOrder, IsThatOfTheDrivesUnlessAskedFor) {
  for (const unsigned cards : {0u, 2u}) {
    EXPECT_EQ(boot_order({}, sources(cards)).value(),
              (Order{"disk0", "cdrom0", "disk1", "floppy0", "cdrom1"}));
    EXPECT_EQ(boot_order({"cdrom"}, sources(cards)).value(),
              (Order{"cdrom0", "cdrom1", "disk0", "disk1", "floppy0"}));
    EXPECT_EQ(boot_order({"disk1", "floppy", "disk"}, sources(cards)).value(),
              (Order{"disk1", "floppy0", "disk0", "cdrom0", "cdrom1"}));
    EXPECT_EQ(boot_order({"cdrom1", "cdrom1"}, sources(cards)).value(),
              (Order{"cdrom1", "disk0", "cdrom0", "disk1", "floppy0"}));
  }
}

TEST(BootOrder, HasTheNetworkWhenAskedForAndWhenThereIsNothingElse) {
  EXPECT_EQ(boot_order({"network"}, sources(2)).value(),
            (Order{"network0", "network1", "disk0", "cdrom0", "disk1", "floppy0", "cdrom1"}));
  EXPECT_EQ(boot_order({"disk1", "network1"}, sources(2)).value(),
            (Order{"disk1", "network1", "disk0", "cdrom0", "floppy0", "cdrom1"}));
  const std::vector<BootSource> only = {{"network0", kNetworkKind, "network0"}};
  EXPECT_EQ(boot_order({}, only).value(), (Order{"network0"}));
  EXPECT_EQ(boot_order({"network"}, sources(0)).error().message,
            "--boot network: there is no network card: add --net user.");
}

TEST(BootOrder, NamesOnlyWhatIsThere) {
  const auto missing = boot_order({"disk2"}, sources(0));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message,
            "--boot disk2: there is no such drive or card; there are disk0, cdrom0, disk1, floppy0, cdrom1.");
  EXPECT_EQ(boot_order({"network1"}, {{"network0", kNetworkKind, ""}}).error().message,
            "--boot network1: there is no such drive or card; there is network0.");
  EXPECT_EQ(boot_order({"disk"}, {}).error().message,
            "--boot disk: there is no such drive or card; there are none.");
}

TEST(BootOrder, PathsAreThoseOfFirmware) {
  EXPECT_EQ(firmware_path(drives()[0], 0), "/pci@i0cf8/ide@1,1/drive@0/disk@0");
  EXPECT_EQ(firmware_path(drives()[1], 0), "/pci@i0cf8/ide@1,1/drive@1/disk@0");
  EXPECT_EQ(firmware_path(drive(DiskBus::Ide, DiskMedia::Disk, 3, ""), 0),
            "/pci@i0cf8/ide@1,1/drive@1/disk@1");
  EXPECT_EQ(firmware_path(drives()[2], 12), "/pci@i0cf8/scsi@c/disk@0,0");
  EXPECT_EQ(firmware_path(drives()[3], 0), "/pci@i0cf8/isa@1/fdc@03f0/floppy@1");
  EXPECT_EQ(firmware_path(drives()[4], 3), "/pci@i0cf8/pci8086,2922@3/drive@5/disk@0");
  EXPECT_EQ(firmware_path_of_network(26), "/pci@i0cf8/ethernet@1a/ethernet-phy@0");
}

class NoMemory final : public DmaPort {
 public:
  bool dma_read(u64, std::span<u8>) override { return false; }
  bool dma_write(u64, std::span<const u8>) override { return false; }
};

TEST(BootOrder, TheFileHasALineForEachPathAndEndsWithAZero) {
  NoMemory memory;
  const MemoryMap memory_map(64 * kMiB);
  const AcpiImage acpi =
      build_acpi_image({.apic_ids = {0}, .hpet_block_id = 1, .vga = true, .pci_window_phys = 0x8000'0000});
  const std::vector<std::string> paths = {"/first", "/second"};
  for (const bool any : {false, true}) {
    devices::FwCfg fw_cfg(memory);
    fill_fw_cfg(fw_cfg, {.config = {},
                         .memory = memory_map,
                         .smbios = {},
                         .acpi = acpi,
                         .boot_order = any ? std::span(paths) : std::span<const std::string>()});
    const std::vector<u8>* file = fw_cfg.file("bootorder");
    ASSERT_EQ(file != nullptr, any);
    if (file != nullptr) {
      EXPECT_EQ(std::string(file->begin(), file->end()), std::string("/first\n/second\0", 15));
    }
  }
}

TEST(BootOrder, TheFileIsAnotherFromTheFirstResetOn) {
  NoMemory memory;
  const MemoryMap memory_map(64 * kMiB);
  const AcpiImage acpi = build_acpi_image({.apic_ids = {0}});
  const std::vector<std::string> first = {"/a"}, later = {"/second", "/a"};
  const FirmwareFacts facts{.config = {},
                            .memory = memory_map,
                            .smbios = {},
                            .acpi = acpi,
                            .boot_order = first,
                            .order_after_reset = later};
  devices::FwCfg fw_cfg(memory), same(memory), other(memory);
  fill_fw_cfg(fw_cfg, facts);
  fill_fw_cfg(same, facts);
  fill_fw_cfg(other, {.config = {}, .memory = memory_map, .smbios = {}, .acpi = acpi, .boot_order = first});
  const auto text = [](const devices::FwCfg& of) {
    const std::vector<u8>* file = of.file("bootorder");
    return std::string(file->begin(), file->end());
  };
  // As long as the other one, so that the directory stays.
  const std::string afterwards("/second\n/a\0", 11);
  EXPECT_EQ(text(fw_cfg).substr(0, 3), "/a\n");
  EXPECT_EQ(text(fw_cfg).size(), afterwards.size());
  fw_cfg.reset(devices::ResetKind::PowerOn);
  EXPECT_EQ(text(fw_cfg).substr(0, 3), "/a\n");
  fw_cfg.reset(devices::ResetKind::Warm);
  EXPECT_EQ(text(fw_cfg), afterwards);
  EXPECT_EQ(fw_cfg.content_digest(), same.content_digest()) << "what was set is no state";
  EXPECT_NE(fw_cfg.content_digest(), other.content_digest());
}

}  // namespace
}  // namespace reprise::machine
