#include "machine/storage/ide_units.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/ata/cdrom.h"
#include "devices/ata/disk.h"

namespace reprise::machine {
namespace {

constexpr unsigned kIdePlaces = 4;

}  // namespace

Result<Done> check_disk_places(const std::vector<AttachedDisk>& disks) {
  constexpr unsigned kAhciPorts = devices::ahci::AhciController::kPorts;
  if (const auto drives = std::ranges::count(disks, DiskBus::Ahci, &AttachedDisk::bus); drives > kAhciPorts) {
    return Error{fmt::format("{} drives were given for the AHCI bus, which takes {}: put some on bus=virtio.",
                             drives, kAhciPorts)};
  }
  const auto count = std::ranges::count(disks, DiskBus::Ide, &AttachedDisk::bus);
  if (count > kIdePlaces) {
    return Error{fmt::format(
        "{} drives were given for the IDE bus, which takes {}: put some on bus=virtio or bus=ahci.", count,
        kIdePlaces)};
  }
  return Done{};
}

devices::ahci::AhciController::Units ahci_units(const std::vector<AttachedDisk>& disks) {
  devices::ahci::AhciController::Units units;
  std::size_t next = 0;
  for (const AttachedDisk& disk : disks) {
    if (disk.bus == DiskBus::Ahci && next < units.size())
      units[next++] = make_ata_unit(disk, devices::ata::Cable::Serial);
  }
  return units;
}

std::unique_ptr<devices::ata::Unit> make_ata_unit(const AttachedDisk& disk, devices::ata::Cable cable) {
  if (disk.media == DiskMedia::Cdrom)
    return std::make_unique<devices::ata::Cdrom>(*disk.medium, disk.serial, cable);
  return std::make_unique<devices::ata::Disk>(*disk.medium, disk.serial, cable);
}

devices::ide::IdeController::Units ide_units(const std::vector<AttachedDisk>& disks) {
  constexpr std::array<unsigned, kIdePlaces> kForDisks = {0, 1, 2, 3};
  constexpr std::array<unsigned, kIdePlaces> kForCdroms = {2, 3, 0, 1};
  devices::ide::IdeController::Units units;
  for (const AttachedDisk& disk : disks) {
    if (disk.bus != DiskBus::Ide) continue;
    const auto& places = disk.media == DiskMedia::Cdrom ? kForCdroms : kForDisks;
    const auto place = std::ranges::find_if(places, [&](unsigned index) { return !units[index]; });
    if (place != places.end()) units[*place] = make_ata_unit(disk, devices::ata::Cable::Parallel);
  }
  return units;
}

}  // namespace reprise::machine
