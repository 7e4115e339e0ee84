#include "machine/plug/port_row.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "devices/pci/pcie_root_port.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kProperties[] = {
    {.name = "function",
     .type = PropertyType::Number,
     .values = "0 to 7",
     .by_default = "0",
     .help = "which function of the device addr= it is",
     .max = 7},
    {.name = "multifunction",
     .type = PropertyType::Switch,
     .values = "yes, no",
     .by_default = "no",
     .help = "there are more functions; of function 0"},
    {.name = "hotplug",
     .type = PropertyType::Switch,
     .values = "yes, no",
     .by_default = "yes",
     .help = "cards come and go"},
    {.name = "port",
     .type = PropertyType::Number,
     .values = "0 to 255",
     .by_default = "0",
     .help = "number of the port",
     .max = 255},
    {.name = "slot",
     .type = PropertyType::Number,
     .values = "0 to 8191",
     .by_default = "0",
     .help = "number of its slot",
     .max = 8191},
    {.name = "chassis",
     .type = PropertyType::Number,
     .values = "0 to 255",
     .by_default = "0",
     .help = "number of the chassis that the slot is in, which the guest does not see",
     .max = 255},
};

bool is_on(std::string_view value) { return value == "yes" || value == "on"; }

std::unique_ptr<devices::PciFunction> make_port(const DeviceSite& site, IrqLine interrupt) {
  const devices::PcieRootPort::Setup setup = {.port = static_cast<u8>(site.number("port")),
                                              .slot = static_cast<u16>(site.number("slot")),
                                              .multi_function = is_on(site.text("multifunction")),
                                              .hotplug = is_on(site.text("hotplug"))};
  return std::make_unique<devices::PcieRootPort>(setup, site.board.messages, interrupt);
}

bool is_port(const DeviceConfig& device) { return device.driver == kRootPortRow.driver; }

Result<Done> check_function(const DeviceConfig& port, const std::vector<DeviceConfig>& devices) {
  const unsigned function = function_of_port(port);
  if (function == 0) return Done{};
  if (!port.place) return Error{fmt::format("{}: function={} needs addr=", port.driver, function)};
  const auto first = std::ranges::find_if(devices, [&](const DeviceConfig& other) {
    return is_port(other) && other.place == port.place && function_of_port(other) == 0 &&
           is_multi_function(other);
  });
  if (first != devices.end()) return Done{};
  return Error{fmt::format("{}: addr={},function={} needs one with multifunction=yes as function 0 there",
                           port.driver, *port.place, function)};
}

Result<Done> check_card(const DeviceConfig& card, const std::vector<DeviceConfig>& devices) {
  if (is_port(card)) return Error{fmt::format("{}: a port is on bus 0: leave bus= out", card.driver)};
  if (card.place) return Error{fmt::format("{}: a port has one place: leave addr= out", card.driver)};
  const auto port = std::ranges::find_if(
      devices, [&](const DeviceConfig& other) { return is_port(other) && other.id == card.bus; });
  if (port == devices.end())
    return Error{fmt::format("{}: no pcie-root-port has id={}", card.driver, card.bus)};
  const auto first = std::ranges::find(devices, card.bus, &DeviceConfig::bus);
  if (&*first != &card)
    return Error{fmt::format("{}: the port '{}' has a card already", card.driver, card.bus)};
  return Done{};
}

}  // namespace

unsigned function_of_port(const DeviceConfig& device) {
  const std::string* const function = device.find("function");
  return function != nullptr ? static_cast<unsigned>(parse_number(*function).value_or(0)) : 0;
}

bool is_multi_function(const DeviceConfig& device) {
  const std::string* const value = device.find("multifunction");
  return value != nullptr && is_on(*value);
}

Result<Done> check_ports(const std::vector<DeviceConfig>& devices) {
  for (const DeviceConfig& device : devices) {
    if (!device.bus.empty()) TRY(check_card(device, devices));
    if (is_port(device)) TRY(check_function(device, devices));
  }
  return Done{};
}

constinit const DeviceRow kRootPortRow = {.driver = "pcie-root-port",
                                          .qemu_name = "pcie-root-port",
                                          .help = "PCI Express port of a q35, with a slot for one card",
                                          .properties = kProperties,
                                          .place = kPciSlot,
                                          .most = kAnyNumber,
                                          .card = make_port};

}  // namespace reprise::machine
