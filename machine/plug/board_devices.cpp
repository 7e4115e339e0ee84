#include "machine/plug/board_devices.h"

#include <fmt/format.h>

#include "machine/plug/device_registry.h"
#include "machine/plug/drive_rows.h"
#include "machine/plug/port_row.h"

namespace reprise::machine {
namespace {

Result<Done> check_on_q35(const DeviceConfig& device) {
  if (const std::string* bus = device.find("bus"); bus != nullptr && *bus == "ide")
    return Error{fmt::format("{}: a q35 has no IDE: give bus=ahci, or leave bus= out", device.driver)};
  if (device.driver == kAhciRow.driver && device.place)
    return Error{"ahci: the adapter of a q35 is in its place: leave addr= out"};
  return Done{};
}

/// What a device's place, if the user may choose it, is in a slot for cards.
bool is_in_slot(const DeviceRow& row) { return row.place.name == "addr"; }

Result<Done> check_on_microvm(const DeviceConfig& device) {
  const DeviceRow& row = *find_device_row(device.driver);
  if (is_in_slot(row) && row.virtio == nullptr)
    return Error{fmt::format("{}: a microvm has no PCI: it takes virtio devices only", device.driver)};
  if (is_in_slot(row) && device.place)
    return Error{fmt::format("{}: a microvm has no PCI slots: leave addr= out", device.driver)};
  if (device.driver == "VGA") return Error{"VGA: a microvm has none: leave it out"};
  const std::string* const bus = device.find("bus");
  if (row.is_drive() && bus != nullptr && (*bus == "ide" || *bus == "ahci"))
    return Error{fmt::format("{}: a microvm has no bus={}: give bus=virtio, or scsi-hd or scsi-cd",
                             device.driver, *bus)};
  if (&row == &kIdeDiskRow || &row == &kIdeCdromRow || &row == &kFloppyRow)
    return Error{fmt::format("{}: a microvm has no {}: give virtio-blk, scsi-hd or scsi-cd", device.driver,
                             &row == &kFloppyRow ? "floppy drives" : "IDE and no AHCI")};
  return Done{};
}

}  // namespace

Result<Done> check_devices_of_board(const std::vector<DeviceConfig>& devices, devices::Chipset chipset) {
  for (const DeviceConfig& device : devices) {
    if (chipset != devices::Chipset::Q35 && device.driver == kRootPortRow.driver)
      return Error{fmt::format("{}: only a q35 has PCI Express: give --machine q35", device.driver)};
    if (chipset == devices::Chipset::Q35) TRY(check_on_q35(device));
    if (chipset == devices::Chipset::Microvm) TRY(check_on_microvm(device));
  }
  return Done{};
}

}  // namespace reprise::machine
