#include "machine/storage/drives.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <string_view>

#include "devices/ata/disk.h"
#include "devices/floppy/floppy_controller.h"
#include "devices/scsi/scsi_cdrom.h"

namespace reprise::machine {
namespace {

using devices::ata::Cable;
using devices::ata::Unit;

constexpr unsigned kInOrder[] = {0, 1, 2, 3, 4, 5};
constexpr unsigned kSecondaryFirst[] = {2, 3, 0, 1};

/// A bus whose drives sit at places of their own; virtio disks are cards.
struct Bus {
  DiskBus bus;
  std::string_view name;
  unsigned places;
  std::span<const unsigned> for_cdroms;  // in which order CD-ROM drives take them
  std::string_view instead;
};
constexpr Bus kBuses[] = {
    {DiskBus::Ahci, "AHCI", devices::ahci::AhciController::kPorts, kInOrder, "put some on bus=virtio"},
    {DiskBus::Ide, "IDE", 4, kSecondaryFirst, "put some on bus=virtio or bus=ahci"},
    {DiskBus::Floppy, "floppy", devices::FloppyController::kDrives, kInOrder, "leave some out"},
};

/// Host adapter, id and number of the logical unit.
using ScsiPlace = std::tuple<std::size_t, unsigned, unsigned>;

Result<Done> check_scsi_places(const std::vector<AttachedDisk>& disks) {
  std::set<ScsiPlace> taken;
  for (const AttachedDisk& disk : disks)
    if (disk.bus == DiskBus::Scsi && disk.place && !taken.insert({disk.card, *disk.place, disk.lun}).second)
      return wrong_usage(
          fmt::format("two drives were given for scsi-id={} with lun={}.", *disk.place, disk.lun));
  return Done{};
}

void place_on_scsi(std::vector<Drive>& drives) {
  std::set<ScsiPlace> taken;
  for (const Drive& drive : drives)
    if (drive.disk.bus == DiskBus::Scsi && drive.disk.place)
      taken.insert({drive.disk.card, *drive.disk.place, drive.disk.lun});
  for (Drive& drive : drives) {
    if (drive.disk.bus != DiskBus::Scsi || drive.disk.hotplug) continue;
    drive.place = drive.disk.place.value_or(0);
    if (!drive.disk.place)
      while (!taken.insert({drive.disk.card, drive.place, drive.disk.lun}).second) ++drive.place;
  }
}

std::shared_ptr<devices::scsi::LogicalUnit> make_scsi_unit(Drive& drive) {
  const AttachedDisk& disk = drive.disk;
  if (disk.media != DiskMedia::Cdrom)
    return std::make_shared<devices::scsi::ScsiDisk>(disk.medium, disk.serial);
  auto unit = std::make_shared<devices::scsi::ScsiCdrom>(*disk.medium, disk.serial);
  drive.cdrom = &unit->drive();
  return unit;
}

std::unique_ptr<Unit> make_unit(Drive& drive, Cable cable) {
  const AttachedDisk& disk = drive.disk;
  if (disk.media != DiskMedia::Cdrom)
    return std::make_unique<devices::ata::Disk>(*disk.medium, disk.serial, cable);
  auto unit = std::make_unique<devices::ata::Cdrom>(*disk.medium, disk.serial, cable);
  drive.cdrom = unit.get();
  return unit;
}

template <class Units>
Units make_units(std::vector<Drive>& drives, DiskBus bus, Cable cable) {
  Units units;
  for (Drive& drive : drives)
    if (drive.disk.bus == bus) units.at(drive.place) = make_unit(drive, cable);
  return units;
}

}  // namespace

Result<Done> check_disk_places(const std::vector<AttachedDisk>& disks) {
  for (const Bus& bus : kBuses) {
    std::vector<bool> taken(bus.places);
    for (const AttachedDisk& disk : disks) {
      if (disk.bus != bus.bus || !disk.place) continue;
      if (*disk.place >= bus.places)
        return wrong_usage(fmt::format("unit={} was given for the {} bus, which has units 0 to {}.",
                                       *disk.place, bus.name, bus.places - 1));
      if (taken[*disk.place])
        return wrong_usage(
            fmt::format("two drives were given for unit={} of the {} bus.", *disk.place, bus.name));
      taken[*disk.place] = true;
    }
    const auto count = std::ranges::count(disks, bus.bus, &AttachedDisk::bus);
    if (count > bus.places)
      return wrong_usage(fmt::format("{} drives were given for the {} bus, which takes {}: {}.", count,
                                     bus.name, bus.places, bus.instead));
  }
  return check_scsi_places(disks);
}

std::vector<Drive> place_drives(const std::vector<AttachedDisk>& disks) {
  std::vector<Drive> drives;
  drives.reserve(disks.size());
  for (const AttachedDisk& disk : disks) drives.push_back({.disk = disk});
  for (const Bus& bus : kBuses) {
    std::vector<bool> taken(bus.places);
    for (const AttachedDisk& disk : disks)
      if (disk.bus == bus.bus && disk.place) taken.at(*disk.place) = true;
    for (Drive& drive : drives) {
      if (drive.disk.bus != bus.bus) continue;
      if (drive.disk.place) {
        drive.place = *drive.disk.place;
        continue;
      }
      const std::span<const unsigned> order =
          drive.disk.media == DiskMedia::Cdrom ? bus.for_cdroms : kInOrder;
      drive.place =
          *std::ranges::find_if(order, [&](unsigned place) { return place < bus.places && !taken[place]; });
      taken[drive.place] = true;
    }
  }
  place_on_scsi(drives);
  return drives;
}

devices::ide::IdeController::Units ide_units(std::vector<Drive>& drives) {
  return make_units<devices::ide::IdeController::Units>(drives, DiskBus::Ide, Cable::Parallel);
}

devices::ahci::AhciController::Units ahci_units(std::vector<Drive>& drives) {
  return make_units<devices::ahci::AhciController::Units>(drives, DiskBus::Ahci, Cable::Serial);
}

std::vector<devices::VirtioScsi::UnitPlace> scsi_units(std::vector<Drive>& drives, std::size_t card) {
  std::vector<devices::VirtioScsi::UnitPlace> units;
  for (Drive& drive : drives)
    if (drive.disk.bus == DiskBus::Scsi && !drive.disk.hotplug && drive.disk.card == card) {
      drive.scsi_unit = make_scsi_unit(drive);
      units.push_back({drive.place, drive.disk.lun, drive.scsi_unit});
    }
  return units;
}

void make_waiting_scsi_unit(Drive& drive) {
  if (drive.disk.media != DiskMedia::Cdrom) {
    auto disk = std::make_shared<devices::scsi::ScsiDisk>(nullptr, "");
    drive.waiting_scsi = disk.get();
    drive.scsi_unit = std::move(disk);
  } else {
    drive.scsi_unit = make_scsi_unit(drive);
  }
}

}  // namespace reprise::machine
