// Which drive goes where on the IDE cables and the AHCI ports.
#pragma once

#include <vector>

#include "common/result.h"
#include "devices/ahci/ahci_controller.h"
#include "devices/ata/identify.h"
#include "devices/ide/ide_controller.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

/// Error: more drives for a bus than it has places.
Result<Done> check_disk_places(const std::vector<AttachedDisk>& disks);

/// The drives with DiskBus::Ide, in order: disks from the primary master on, CD-ROM drives from the secondary
/// master on, either where the other left room. Drives beyond the fourth are left out.
devices::ide::IdeController::Units ide_units(const std::vector<AttachedDisk>& disks);

/// The drives with DiskBus::Ahci, in order of ports.
devices::ahci::AhciController::Units ahci_units(const std::vector<AttachedDisk>& disks);

/// An ATA disk or an ATAPI CD-ROM drive for `disk`.
std::unique_ptr<devices::ata::Unit> make_ata_unit(const AttachedDisk& disk, devices::ata::Cable cable);

}  // namespace reprise::machine
