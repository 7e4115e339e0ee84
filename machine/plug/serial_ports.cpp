#include "machine/plug/serial_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/words.h"
#include "devices/virtio/virtio_console.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxName = 64;
constexpr PropertySpec target(std::string_view by_default) {
  return {"target", PropertyType::Target, "stdio, null, file:PATH, unix:PATH, tcp:PORT, pipe:PATH, pty",
          by_default, "where its output goes and its input comes from"};
}
constexpr PropertySpec kName = {.name = "name",
                                .type = PropertyType::Serial,
                                .values = "up to 64 letters, digits, '-', '.' and '_'",
                                .by_default = {},
                                .help = "what the guest knows it by",
                                .max = kMaxName,
                                .otherwise = "none"};
constexpr PropertySpec kBus = {.name = "bus",
                               .type = PropertyType::Serial,
                               .values = "the id of a virtio-serial",
                               .by_default = {},
                               .help = "which card it is on",
                               .max = kMaxName,
                               .otherwise = "the first one"};
constexpr PropertySpec kConsole[] = {target("stdio"), kName, kBus};
constexpr PropertySpec kPort[] = {target("null"), kName, kBus};
constexpr unsigned kLastPort = devices::VirtioConsole::kMaxPorts - 1;

std::string text_of(const DeviceConfig& device, std::string_view property) {
  const std::string* const given = device.find(property);
  return given != nullptr ? *given : std::string();
}

bool is_socket(std::string_view target) { return target.starts_with("unix:") || target.starts_with("tcp:"); }

std::unique_ptr<devices::VirtioDevice> make_serial(const DeviceSite& site) {
  std::vector<devices::VirtioConsole::PortSpec> specs;
  const std::vector<SerialPort>& ports = site.board.serial_ports;
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (ports[i].card == site.nth)
      specs.push_back(
          {site.board.port_outputs[i], ports[i].number, ports[i].console, ports[i].name, ports[i].has_plug});
  auto card = std::make_unique<devices::VirtioConsole>(std::move(specs), site.board.clock);
  site.board.serial_cards.push_back(card.get());
  return card;
}

/// Numbers that are taken on a card.
using Taken = std::array<bool, devices::VirtioConsole::kMaxPorts>;

/// Where `port` goes, which says nothing of it.
Result<unsigned> free_number(const SerialPort& port, const Taken& taken) {
  if (port.console && !taken[0]) return 0U;
  const auto* const found = std::find(taken.begin() + 1, taken.end(), false);
  if (found == taken.end()) return Error{fmt::format("a virtio-serial has {} ports", kLastPort + 1)};
  return static_cast<unsigned>(found - taken.begin());
}

Result<std::size_t> card_of(const DeviceConfig& device, const std::vector<const DeviceConfig*>& cards) {
  const std::string bus = text_of(device, kBus.name);
  if (bus.empty()) return std::size_t{0};
  const auto found = std::ranges::find(cards, bus, &DeviceConfig::id);
  if (found == cards.end()) return Error{fmt::format("{}: no virtio-serial has id={}", device.driver, bus)};
  return static_cast<std::size_t>(found - cards.begin());
}

}  // namespace

std::string SerialPort::sink() const { return fmt::format("vport{}p{}", card, number); }

bool is_serial_port(const DeviceConfig& device) {
  return device.driver == kVirtConsoleRow.driver || device.driver == kVirtSerialPortRow.driver;
}

Result<std::vector<SerialPort>> serial_ports(const std::vector<DeviceConfig>& devices) {
  std::vector<const DeviceConfig*> cards;
  for (const DeviceConfig& device : devices)
    if (device.driver == kVirtioSerialRow.driver) cards.push_back(&device);
  // One comes with the first port.
  std::vector<Taken> taken(std::max(cards.size(), std::size_t{1}));
  std::vector<SerialPort> ports;
  std::vector<std::optional<unsigned>> asked_for;
  for (const DeviceConfig& device : devices) {
    if (!is_serial_port(device)) continue;
    SerialPort port;
    port.card = TRY(card_of(device, cards));
    port.console = device.driver == kVirtConsoleRow.driver;
    port.name = text_of(device, kName.name);
    port.target = text_of(device, "target");
    port.has_plug = is_socket(port.target);
    if (device.place) {
      if (!port.console && *device.place == 0)
        return Error{fmt::format("{} cannot be nr=0, which is a console's", device.driver)};
      if (std::exchange(taken[port.card].at(*device.place), true))
        return Error{fmt::format("two ports of a virtio-serial have nr={}", *device.place)};
    }
    if (!port.name.empty() && std::ranges::any_of(ports, [&](const SerialPort& other) {
          return other.card == port.card && other.name == port.name;
        }))
      return Error{fmt::format("two ports of a virtio-serial have name={}", port.name)};
    asked_for.push_back(device.place);
    ports.push_back(std::move(port));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    Taken& on_card = taken[ports[i].card];
    ports[i].number = asked_for[i] ? *asked_for[i] : TRY(free_number(ports[i], on_card));
    on_card[ports[i].number] = true;
  }
  return ports;
}

constinit const DeviceRow kVirtioSerialRow = {
    .driver = "virtio-serial",
    .qemu_name = "virtio-serial-pci",
    .help = "card for up to 31 ports; comes by itself with the first virtconsole or virtserialport",
    .properties = {},
    .place = kPciSlot,
    .most = kAnyNumber,
    .virtio = make_serial};
constinit const DeviceRow kVirtConsoleRow = {.driver = "virtconsole",
                                             .qemu_name = "virtconsole",
                                             .help = "console (hvc0, hvc1, ...) on a virtio-serial",
                                             .properties = kConsole,
                                             .place = {"nr", 0, kLastPort, "number of the port"},
                                             .most = kAnyNumber};
constinit const DeviceRow kVirtSerialPortRow = {
    .driver = "virtserialport",
    .qemu_name = "virtserialport",
    .help = "port on a virtio-serial, by its name below /dev/virtio-ports",
    .properties = kPort,
    .place = {"nr", 0, kLastPort, "number of the port"},
    .most = kAnyNumber};

}  // namespace reprise::machine
