// A device of the configuration: what --device and its kin say. Rows check it: machine/plug/device_registry.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise::machine {

struct DeviceProperty {
  std::string name;
  std::string value;
  bool operator==(const DeviceProperty&) const = default;
};

struct DeviceConfig {
  std::string driver;   // of a row: "virtio-rng"
  std::string id = {};  // unique; empty: it has none
  /// What that is says the row: a PCI slot, a drive's unit; nullopt: the next free.
  std::optional<unsigned> place = {};
  std::string bus = {};  // of a card: the id of the pcie-root-port that it is in; empty: bus 0
  std::vector<DeviceProperty> properties = {};  // those that were given; the row has defaults for others

  /// nullptr: it was not given.
  const std::string* find(std::string_view property) const {
    for (const DeviceProperty& one : properties)
      if (one.name == property) return &one.value;
    return nullptr;
  }
  void set(std::string_view property, std::string_view value) {
    for (DeviceProperty& one : properties) {
      if (one.name != property) continue;
      one.value = value;
      return;
    }
    properties.push_back({std::string(property), std::string(value)});
  }
  bool operator==(const DeviceConfig&) const = default;
};

}  // namespace reprise::machine
