// The drives of the board: which goes where on the IDE cables, the AHCI ports, the floppy cable, the SCSI buses and among the
// cards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "devices/ahci/ahci_controller.h"
#include "devices/ata/cdrom.h"
#include "devices/ata/identify.h"
#include "devices/ide/ide_controller.h"
#include "devices/scsi/scsi_disk.h"
#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_scsi.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

struct Drive {
  AttachedDisk disk;
  /// IDE: 0 primary master, 1 primary slave, 2 and 3 secondary; AHCI: the port; floppy: A or B; SCSI: its id.
  unsigned place = 0;
  /// Of its card, on AHCI, SCSI and virtio, and which of the functions there it is.
  unsigned slot = 0;
  unsigned function = 0;
  std::string behind = {};  // the way of firmware to its card, if that is in a port: "/pci-bridge@2,1"
  bool removable() const { return disk.media != DiskMedia::Disk; }
  /// What it holds may change, by whomever.
  bool takes_media() const { return removable() || disk.hotplug; }
  devices::ata::Cdrom* cdrom = nullptr;   // the device, when it is a CD-ROM drive and has been built
  devices::VirtioBlk* waiting = nullptr;  // the same of a disk that waits to be plugged in
  // The same of a drive on SCSI, and of a disk that waits to be plugged in there.
  std::shared_ptr<devices::scsi::LogicalUnit> scsi_unit = {};
  devices::scsi::ScsiDisk* waiting_scsi = nullptr;
};

/// Error: more drives for a bus than it has places, or two at one of them.
Result<Done> check_disk_places(const std::vector<AttachedDisk>& disks);

/// In the order of `disks`, which passed the check. On IDE, disks go from the primary master on, CD-ROM
/// drives from the secondary master on, either where the other left room; elsewhere drives are in order. Those whose
/// place was chosen are there, the others around them.
std::vector<Drive> place_drives(const std::vector<AttachedDisk>& disks);

/// The devices of the drives with DiskBus::Ide or DiskBus::Ahci.
devices::ide::IdeController::Units ide_units(std::vector<Drive>& drives);
devices::ahci::AhciController::Units ahci_units(std::vector<Drive>& drives);
/// Those of one SCSI host adapter, but for those that wait to be plugged in.
std::vector<devices::VirtioScsi::UnitPlace> scsi_units(std::vector<Drive>& drives, std::size_t card);
/// Makes the device of a drive with DiskBus::Scsi that waits to be plugged in.
void make_waiting_scsi_unit(Drive& drive);

}  // namespace reprise::machine
