#include "machine/plug/disk_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/numbers.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/drive_rows.h"

namespace reprise::machine {
namespace {

constexpr std::pair<std::string_view, DiskBus> kBuses[] = {
    {"ide", DiskBus::Ide}, {"ahci", DiskBus::Ahci}, {"virtio", DiskBus::Virtio}};
constexpr std::pair<std::string_view, DiskFormat> kFormats[] = {{"raw", DiskFormat::Raw},
                                                                {"qcow2", DiskFormat::Qcow2}};
constexpr std::pair<std::string_view, DiskMedia> kMedia[] = {{"disk", DiskMedia::Disk},
                                                             {"cdrom", DiskMedia::Cdrom}};

template <class Value, std::size_t N>
std::optional<Value> named(const std::pair<std::string_view, Value> (&table)[N], const std::string* name) {
  if (name == nullptr) return std::nullopt;
  for (const auto& [word, value] : table)
    if (word == *name) return value;
  return std::nullopt;
}

/// Of `driver`, where no property says otherwise.
DiskConfig defaults_of(std::string_view driver) {
  DiskConfig disk;
  if (driver == kIdeDiskRow.driver) disk.bus = DiskBus::Ide;
  if (driver == kVirtioBlkRow.driver) disk.bus = DiskBus::Virtio;
  if (driver == kFloppyRow.driver) disk.bus = DiskBus::Floppy;
  if (is_scsi_drive(driver)) disk.bus = DiskBus::Scsi;
  if (driver == kIdeCdromRow.driver || driver == kScsiCdromRow.driver)
    disk.media = DiskMedia::Cdrom;
  else if (driver == kFloppyRow.driver)
    disk.media = DiskMedia::Floppy;
  else if (driver != kDiskRow.driver)
    disk.media = DiskMedia::Disk;
  return disk;
}

/// Which of the virtio-scsi among `devices` it is on; nothing: there is none of that name.
std::optional<std::size_t> scsi_card_of(const DeviceConfig& device,
                                        const std::vector<DeviceConfig>& devices) {
  const std::string* const bus = device.find("bus");
  if (bus == nullptr) return 0;
  std::size_t card = 0;
  for (const DeviceConfig& other : devices) {
    if (other.driver != kVirtioScsiRow.driver) continue;
    if (other.id == *bus) return card;
    ++card;
  }
  return std::nullopt;
}

bool is_yes(const std::string* value) { return value != nullptr && (*value == "yes" || *value == "on"); }

}  // namespace

bool is_scsi_drive(std::string_view driver) {
  return driver == kScsiDiskRow.driver || driver == kScsiCdromRow.driver;
}

Result<DiskConfig> disk_config(const DeviceConfig& device) {
  DiskConfig disk = defaults_of(device.driver);
  disk.place = device.place;
  disk.id = device.id;
  disk.pci_bus = device.bus;
  if (const std::string* file = device.find("file")) disk.path = *file;
  if (disk.bus != DiskBus::Scsi)
    if (const auto bus = named(kBuses, device.find("bus"))) disk.bus = *bus;
  if (const std::string* lun = device.find("lun"))
    disk.lun = static_cast<unsigned>(parse_number(*lun).value_or(0));
  if (const auto format = named(kFormats, device.find("format"))) disk.format = *format;
  if (const auto media = named(kMedia, device.find("media"))) disk.media = *media;
  disk.write_through = is_yes(device.find("write"));
  if (const std::string* overlay = device.find("overlay")) disk.overlay_path = *overlay;
  if (const std::string* serial = device.find("serial")) disk.serial = *serial;
  if (disk.write_through && !disk.overlay_path.empty())
    return Error{"write=yes and overlay= exclude each other"};
  const bool may_be_empty = device.driver == kIdeCdromRow.driver || device.driver == kScsiCdromRow.driver ||
                            device.driver == kFloppyRow.driver;
  if (disk.path.empty() && !may_be_empty) return Error{"it names no file"};
  if (disk.media == DiskMedia::Cdrom && (disk.write_through || !disk.overlay_path.empty()))
    return Error{"a CD-ROM cannot be written"};
  if (disk.media == DiskMedia::Cdrom && disk.bus == DiskBus::Virtio)
    return Error{"a CD-ROM is on ide or ahci"};
  return disk;
}

std::vector<DiskConfig> disk_configs(const std::vector<DeviceConfig>& devices, devices::Chipset chipset) {
  std::vector<DiskConfig> disks;
  for (const DeviceConfig& device : devices) {
    const DeviceRow* row = find_device_row(device.driver);
    CHECK(row != nullptr);
    if (!row->is_drive()) continue;
    Result<DiskConfig> disk = disk_config(device);
    CHECK(disk.ok());
    disks.push_back(disk.take());
    if (disks.back().bus == DiskBus::Scsi) disks.back().card = scsi_card_of(device, devices).value_or(0);
    if (chipset == devices::Chipset::Microvm) disks.back().ata_bus = DiskBus::Scsi;
    if (chipset != devices::Chipset::Q35) continue;
    disks.back().ata_bus = DiskBus::Ahci;
    if (disks.back().bus == DiskBus::Ide) disks.back().bus = DiskBus::Ahci;
  }
  return disks;
}

std::vector<DiskConfig> waiting_disks(const std::vector<DeviceConfig>& devices) {
  constexpr std::size_t kCards = 8, kScsiDisks = 8, kScsiCdroms = 2;
  std::vector<DiskConfig> waiting;
  const auto add = [&](std::size_t count, DiskBus bus, DiskMedia media) {
    DiskConfig disk;
    disk.bus = bus;
    disk.media = media;
    disk.hotplug = true;
    waiting.insert(waiting.end(), count, disk);
  };
  add(kCards, DiskBus::Virtio, DiskMedia::Disk);
  const auto has_scsi = [](const DeviceConfig& device) {
    return device.driver == kVirtioScsiRow.driver || is_scsi_drive(device.driver);
  };
  if (!std::ranges::any_of(devices, has_scsi)) return waiting;
  add(kScsiDisks, DiskBus::Scsi, DiskMedia::Disk);
  add(kScsiCdroms, DiskBus::Scsi, DiskMedia::Cdrom);
  return waiting;
}

Result<Done> check_scsi_cards(const std::vector<DeviceConfig>& devices) {
  for (const DeviceConfig& device : devices)
    if (is_scsi_drive(device.driver) && !scsi_card_of(device, devices))
      return Error{fmt::format("{}: no virtio-scsi has id={}", device.driver, *device.find("bus"))};
  return Done{};
}

std::string_view driver_of(const AttachedDisk& disk) {
  switch (disk.bus) {
    case DiskBus::Auto: break;
    case DiskBus::Ide:
    case DiskBus::Ahci: return disk.media == DiskMedia::Cdrom ? kIdeCdromRow.driver : kIdeDiskRow.driver;
    case DiskBus::Virtio: return kVirtioBlkRow.driver;
    case DiskBus::Floppy: return kFloppyRow.driver;
    case DiskBus::Scsi: return disk.media == DiskMedia::Cdrom ? kScsiCdromRow.driver : kScsiDiskRow.driver;
  }
  return {};
}

}  // namespace reprise::machine
