#include "machine/plug/device_registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/plug/card_rows.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/display_row.h"
#include "machine/plug/drive_rows.h"
#include "machine/plug/port_row.h"
#include "machine/plug/serial_ports.h"
#include "machine/plug/share_device.h"

namespace reprise::machine {
namespace {

constexpr const DeviceRow* kRows[] = {
    &kAhciRow,         &kIdeDiskRow,        &kIdeCdromRow,       &kFloppyRow,
    &kVirtioBlkRow,    &kDiskRow,           &kVirtioConsoleRow,  &kVirtioRngRow,
    &kI6300EsbRow,     &kDebugExitRow,      &kTestDeviceRow,     &kVgaRow,
    &kVirtioNetRow,    &kE1000Row,          &kVirtioKeyboardRow, &kVirtioMouseRow,
    &kVirtioTabletRow, &kVirtio9pRow,       &kAc97Row,           &kVirtioSerialRow,
    &kVirtConsoleRow,  &kVirtSerialPortRow, &kVirtioScsiRow,     &kScsiDiskRow,
    &kScsiCdromRow,    &kVirtioBalloonRow,  &kRootPortRow};

constexpr const DeviceRow* kNetCards[] = {&kVirtioNetRow, &kE1000Row};

/// A device whose values nobody has looked at, or which was not made of words.
Result<Done> check_values(const DeviceConfig& device, const DeviceRow& row) {
  for (const DeviceProperty& property : device.properties) {
    const PropertySpec* spec = row.find(property.name);
    if (spec == nullptr) return Error{fmt::format("{} has no property {}", row.driver, property.name)};
    if (!is_value_of(*spec, property.value))
      return Error{fmt::format("{}: {}", row.driver, why_not(*spec, property.value))};
  }
  if (device.place &&
      (row.place.name.empty() || *device.place < row.place.first || *device.place > row.place.last))
    return Error{fmt::format("{} cannot be at place {}", row.driver, *device.place)};
  if (!device.bus.empty() && !row.takes_bus()) return Error{fmt::format("{} is no card", row.driver)};
  if (row.is_drive()) {
    const auto disk = disk_config(device);
    if (!disk) return Error{fmt::format("{}: {}", row.driver, disk.error().message)};
  }
  if (&row == &kVgaRow) {
    if (const std::string why = why_not_vga(device); !why.empty())
      return Error{fmt::format("{}: {}", row.driver, why)};
  }
  if (&row == &kVirtio9pRow) {
    const auto share = share_config(device);
    if (!share) return Error{fmt::format("{}: {}", row.driver, share.error().message)};
  }
  return Done{};
}

}  // namespace

std::span<const DeviceRow* const> device_rows() { return kRows; }

const DeviceRow* find_device_row(std::string_view driver) {
  for (const DeviceRow* row : kRows)
    if (row->driver == driver || (!row->qemu_name.empty() && row->qemu_name == driver)) return row;
  return nullptr;
}

bool is_net_card(std::string_view driver) {
  return std::ranges::any_of(kNetCards, [&](const DeviceRow* row) { return row->driver == driver; });
}

std::vector<std::string> net_card_ids(const std::vector<DeviceConfig>& devices) {
  std::vector<std::string> ids;
  for (const DeviceRow* row : kRows)
    for (const DeviceConfig& device : devices)
      if (is_net_card(row->driver) && device.driver == row->driver) ids.push_back(device.id);
  return ids;
}

Result<Done> check_devices(const std::vector<DeviceConfig>& devices) {
  for (const DeviceRow* row : kRows) {
    const auto count = std::ranges::count(devices, row->driver, &DeviceConfig::driver);
    if (count > static_cast<std::ptrdiff_t>(row->most))
      return Error{
          fmt::format("{} devices {} were given: a machine has {} at most", count, row->driver, row->most)};
  }
  for (auto device = devices.begin(); device != devices.end(); ++device) {
    const DeviceRow* row = find_device_row(device->driver);
    if (row == nullptr || row->driver != device->driver)
      return Error{fmt::format("there is no device '{}'", device->driver)};
    TRY(check_values(*device, *row));
    if (!device->id.empty() && std::find_if(devices.begin(), device, [&](const DeviceConfig& other) {
                                 return other.id == device->id;
                               }) != device)
      return Error{fmt::format("two devices have the id '{}'", device->id)};
  }
  if (const auto ports = serial_ports(devices); !ports) return ports.error();
  TRY(check_scsi_cards(devices));
  TRY(check_ports(devices));
  return check_share_tags(devices);
}

}  // namespace reprise::machine
