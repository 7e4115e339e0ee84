#include "machine/plug/drive_rows.h"

#include "devices/ahci/ahci_controller.h"
#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_scsi.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kFile = {"file", PropertyType::File, "a file's name", "", "the image"};
constexpr PropertySpec kMedium = {"file", PropertyType::File, "a file's name", "", "the image",
                                  0,      "an empty drive"};
constexpr PropertySpec kAnyBus = {"bus", PropertyType::Choice, "ide, ahci, virtio", "", "where it is",
                                  0,     "by what it holds"};
constexpr PropertySpec kAtaBus = {"bus", PropertyType::Choice, "ide, ahci", "ide", "where it is"};
constexpr PropertySpec kFormat = {"format", PropertyType::Choice, "raw, qcow2", "", "of the image",
                                  0,        "by its first bytes"};
constexpr PropertySpec kWrite = {"write", PropertyType::Switch, "yes, no", "no",
                                 "the guest's writes go to the image"};
constexpr PropertySpec kOverlay = {"overlay", PropertyType::File, "a file's name", "",
                                   "keeps the guest's writes, a qcow2 image over the image"};
constexpr PropertySpec kSerial = {"serial",
                                  PropertyType::Serial,
                                  "up to 20 letters, digits, '-', '.' and '_'",
                                  "",
                                  "number that the guest sees",
                                  20,
                                  "RP00001, RP00002, ... by position"};
constexpr PropertySpec kMedia = {"media", PropertyType::Choice, "disk, cdrom", "", "what it is",
                                 0,       "by what it holds"};

constexpr PropertySpec kScsiCard = {.name = "bus",
                                    .type = PropertyType::Serial,
                                    .values = "the id of a virtio-scsi",
                                    .by_default = {},
                                    .help = "which card it is on",
                                    .max = 64,
                                    .otherwise = "the first one"};
constexpr PropertySpec kLun = {.name = "lun",
                               .type = PropertyType::Number,
                               .values = "0 to 255",
                               .by_default = "0",
                               .help = "number of the logical unit",
                               .max = devices::scsi::Target::kMaxLun};

constexpr PropertySpec kAnyDisk[] = {kFile, kAnyBus, kFormat, kWrite, kOverlay, kSerial, kMedia};
constexpr PropertySpec kAtaDisk[] = {kFile, kAtaBus, kFormat, kWrite, kOverlay, kSerial};
constexpr PropertySpec kVirtioDisk[] = {kFile, kFormat, kWrite, kOverlay, kSerial};
constexpr PropertySpec kCdrom[] = {kMedium, kAtaBus, kSerial};
constexpr PropertySpec kScsiDisk[] = {kFile, kFormat, kWrite, kOverlay, kSerial, kScsiCard, kLun};
constexpr PropertySpec kScsiCdrom[] = {kMedium, kSerial, kScsiCard, kLun};
constexpr PropertySpec kFloppy[] = {kMedium, kWrite};

constexpr PlaceSpec kAtaUnit = {"unit", 0, 5,
                                "IDE: 0 primary master to 3 secondary slave; AHCI: port 0 to 5"};
constexpr PlaceSpec kScsiId = {"scsi-id", 0, devices::VirtioScsi::kMaxTarget, "its id on the bus"};
constexpr PlaceSpec kFloppyUnit = {"unit", 0, 1, "drive A or B"};

std::unique_ptr<devices::PciFunction> make_ahci(const DeviceSite& site, IrqLine interrupt) {
  return std::make_unique<devices::ahci::AhciController>(site.board.clock, interrupt, site.board.messages,
                                                         site.board.memory, ahci_units(site.board.drives));
}

std::unique_ptr<devices::VirtioDevice> make_virtio_scsi(const DeviceSite& site) {
  auto card =
      std::make_unique<devices::VirtioScsi>(scsi_units(site.board.drives, site.nth), site.board.clock);
  site.board.scsi_cards.push_back(card.get());
  return card;
}

std::unique_ptr<devices::VirtioDevice> make_virtio_blk(const DeviceSite& site) {
  return std::make_unique<devices::VirtioBlk>(*site.disk->medium, site.disk->serial, site.board.clock);
}

}  // namespace

constinit const DeviceRow kAhciRow = {
    .driver = "ahci",
    .qemu_name = "ich9-ahci",
    .help = "AHCI adapter for 6 drives; comes by itself with the first drive on bus=ahci",
    .properties = {},
    .place = kPciSlot,
    .most = 1,
    .card = make_ahci};
constinit const DeviceRow kIdeDiskRow = {.driver = "ide-hd",
                                         .qemu_name = "ide-hd",
                                         .help = "disk on IDE or AHCI",
                                         .properties = kAtaDisk,
                                         .place = kAtaUnit,
                                         .most = kAnyNumber};
constinit const DeviceRow kIdeCdromRow = {.driver = "ide-cd",
                                          .qemu_name = "ide-cd",
                                          .help = "CD-ROM drive on IDE or AHCI",
                                          .properties = kCdrom,
                                          .place = kAtaUnit,
                                          .most = kAnyNumber};
constinit const DeviceRow kFloppyRow = {.driver = "floppy",
                                        .qemu_name = "floppy",
                                        .help = "floppy drive",
                                        .properties = kFloppy,
                                        .place = kFloppyUnit,
                                        .most = kAnyNumber};
constinit const DeviceRow kVirtioBlkRow = {.driver = "virtio-blk",
                                           .qemu_name = "virtio-blk-pci",
                                           .help = "disk on virtio",
                                           .properties = kVirtioDisk,
                                           .place = kPciSlot,
                                           .most = kAnyNumber,
                                           .virtio = make_virtio_blk};
constinit const DeviceRow kVirtioScsiRow = {
    .driver = "virtio-scsi",
    .qemu_name = "virtio-scsi-pci",
    .help = "SCSI host adapter; comes by itself with the first scsi-hd or scsi-cd",
    .properties = {},
    .place = kPciSlot,
    .most = kAnyNumber,
    .virtio = make_virtio_scsi};
constinit const DeviceRow kScsiDiskRow = {.driver = "scsi-hd",
                                          .qemu_name = "scsi-hd",
                                          .help = "disk on a virtio-scsi",
                                          .properties = kScsiDisk,
                                          .place = kScsiId,
                                          .most = kAnyNumber};
constinit const DeviceRow kScsiCdromRow = {.driver = "scsi-cd",
                                           .qemu_name = "scsi-cd",
                                           .help = "CD-ROM drive on a virtio-scsi",
                                           .properties = kScsiCdrom,
                                           .place = kScsiId,
                                           .most = kAnyNumber};
constinit const DeviceRow kDiskRow = {
    .driver = "disk",
    .qemu_name = "",
    .help = "virtio-blk, ide-hd or ide-cd, by what the image holds: as --disk",
    .properties = kAnyDisk,
    .place = {},
    .most = kAnyNumber};

}  // namespace reprise::machine
