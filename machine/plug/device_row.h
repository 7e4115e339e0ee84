// DeviceRow: all that is known of a driver. The rows are in plug/*_rows.cpp, their list in device_registry.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "common/result.h"
#include "devices/device.h"
#include "devices/pci/pci_device.h"
#include "devices/virtio/virtio_device.h"
#include "machine/plug/board_services.h"
#include "machine/plug/device_config.h"
#include "machine/plug/property.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

struct DeviceRow;

/// One device on its way to the board.
struct DeviceSite {
  BoardServices& board;
  const DeviceRow& row;
  const DeviceConfig& config;
  const AttachedDisk* disk;  // of a disk; else nullptr
  unsigned nth;              // how many of this row are plugged in already

  /// The value that was given, or the row's default. `property` is one of the row's.
  std::string_view text(std::string_view property) const;
  u64 number(std::string_view property) const;
};

/// A card for a PCI slot. `interrupt` is its INTA#.
using CardFactory = std::unique_ptr<devices::PciFunction> (*)(const DeviceSite& site, IrqLine interrupt);
/// A virtio device, which the board puts on its bus for them.
using VirtioFactory = std::unique_ptr<devices::VirtioDevice> (*)(const DeviceSite& site);
/// A device at fixed ports, which it takes. Error: they are taken.
using IsaFactory = Result<std::unique_ptr<devices::Device>> (*)(const DeviceSite& site);

/// Where one of several like devices goes, when the user says so.
struct PlaceSpec {
  std::string_view name = {};  // of the property; empty: nobody can say
  unsigned first = 0;
  unsigned last = 0;
  std::string_view help = {};
};

/// As many as there are places.
inline constexpr unsigned kAnyNumber = ~0u;

struct DeviceRow {
  std::string_view driver;
  std::string_view qemu_name;  // empty: QEMU has none
  std::string_view help;
  std::span<const PropertySpec> properties;
  PlaceSpec place;
  unsigned most;  // how many a machine can have
  // One of them; neither for a drive, whose controller is on the board or on a card: storage/drives.h makes it; and
  // neither for what is soldered to the board, which asks for the properties.
  CardFactory card = nullptr;
  VirtioFactory virtio = nullptr;
  IsaFactory isa = nullptr;

  /// On the bus for cards.
  bool is_card() const { return card != nullptr || virtio != nullptr; }
  bool is_drive() const { return !properties.empty() && properties.front().name == "file"; }
  /// A card that may be in a port, by bus=.
  bool takes_bus() const { return is_card() && place.name == "addr" && find("function") == nullptr; }
  const PropertySpec* find(std::string_view property) const;
};

}  // namespace reprise::machine
