#include "machine/storage/drives.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "devices/ata/disk.h"

namespace reprise::machine {
namespace {

using devices::ata::Cable;
using devices::ata::Unit;

constexpr unsigned kIdePlaces = 4;

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

std::vector<Drive> place_drives(const std::vector<AttachedDisk>& disks) {
  constexpr std::array<unsigned, kIdePlaces> kForDisks = {0, 1, 2, 3};
  constexpr std::array<unsigned, kIdePlaces> kForCdroms = {2, 3, 0, 1};
  std::vector<Drive> drives;
  std::array<bool, kIdePlaces> ide_taken{};
  std::array<unsigned, 5> next{};  // by bus
  for (const AttachedDisk& disk : disks) {
    unsigned place = next.at(static_cast<unsigned>(disk.bus))++;
    if (disk.bus == DiskBus::Ide) {
      const auto& places = disk.media == DiskMedia::Cdrom ? kForCdroms : kForDisks;
      place = *std::ranges::find_if(places, [&](unsigned index) { return !ide_taken[index]; });
      ide_taken[place] = true;
    }
    drives.push_back({.disk = disk, .place = place});
  }
  return drives;
}

devices::ide::IdeController::Units ide_units(std::vector<Drive>& drives) {
  return make_units<devices::ide::IdeController::Units>(drives, DiskBus::Ide, Cable::Parallel);
}

devices::ahci::AhciController::Units ahci_units(std::vector<Drive>& drives) {
  return make_units<devices::ahci::AhciController::Units>(drives, DiskBus::Ahci, Cable::Serial);
}

}  // namespace reprise::machine
