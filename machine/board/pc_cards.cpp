// Devices that are plugged in: each into the slot or the ports that it asks for.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/check.h"
#include "devices/virtio/virtio_pci.h"
#include "machine/board/pc.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/drive_rows.h"
#include "machine/plug/port_row.h"
#include "machine/plug/serial_ports.h"

namespace reprise::machine {
namespace {

const DeviceConfig& no_config() {
  static const DeviceConfig kNone;
  return kNone;
}

/// The adapter that comes with the first drive on it, and that of ICH9.
const DeviceConfig& implied_ahci() {
  static const DeviceConfig kAhci = {.driver = std::string(kAhciRow.driver)};
  return kAhci;
}

/// The card that comes with the first port on it.
const DeviceConfig& implied_serial() {
  static const DeviceConfig kSerial = {.driver = std::string(kVirtioSerialRow.driver)};
  return kSerial;
}

/// "plugged watchdog action=reset".
std::string line_of(const DeviceConfig& device) {
  std::string line = fmt::format("plugged {}", device.driver);
  if (device.place) line += fmt::format(" at {}", *device.place);
  if (!device.bus.empty()) line += fmt::format(" in {}", device.bus);
  // Where its files are is the host's affair.
  const DeviceRow* const row = find_device_row(device.driver);
  for (const DeviceProperty& property : device.properties)
    if (!names_file(*row->find(property.name))) line += fmt::format(" {}={}", property.name, property.value);
  return line;
}

/// The adapter that comes with the first SCSI drive.
const DeviceConfig& implied_scsi() {
  static const DeviceConfig kScsi = {.driver = std::string(kVirtioScsiRow.driver)};
  return kScsi;
}

bool is_on_scsi(const Drive& drive) { return drive.disk.bus == DiskBus::Scsi && !drive.disk.hotplug; }
bool is_on_ahci(const Drive& drive) { return drive.disk.bus == DiskBus::Ahci; }

}  // namespace

IrqLine Pc::interrupt_line(unsigned line) {
  constexpr unsigned kPins = devices::IoApic::kPins;
  if (line < kIsaIrqs) return irq_router_.isa_source(line);
  if (parts_.pc && line < kIsaIrqs + kPirqs) return irq_router_.pirq_source(line - kIsaIrqs);
  return line < kPins ? IrqLine(ioapic_, line) : IrqLine(*second_ioapic_, line - kPins);
}

BoardServices Pc::board_services(const MachineConfig& config, const PcBackends& backends) {
  // Those that nobody could place are told of by check_devices().
  std::vector<SerialPort> ports;
  if (auto placed = machine::serial_ports(config.devices)) ports = placed.take();
  std::vector<devices::CharBackend*> outputs = backends.ports;
  outputs.resize(ports.size(), &no_listener_);
  return {.clock = scheduler_,
          .memory = *this,
          .messages = *this,
          .control = control_,
          .retired = processors_,
          .log = log_,
          .ports = ports_,
          .debug_port = debug_port_,
          .drives = drives_,
          .seed = config.seed,
          .console = backends.console,
          .serial_ports = std::move(ports),
          .port_outputs = std::move(outputs),
          .network = backends.network != nullptr ? *backends.network : no_network_,
          .sound = mixer_ ? &mixer_->add_input() : nullptr,
          .shares = backends.shares,
          .interrupt_line = [this](unsigned line) { return interrupt_line(line); },
          .map_memory =
              [this](const std::string& name, u64 phys, u64 bytes, MmioHandler& handler) {
                constexpr int kAboveRam = 1;
                return map_mmio(name, phys, bytes, handler, kAboveRam);
              },
          .press_power_button = [this] { press_power_button(); },
          .raise_nmi =
              [this] {
                for (const auto& processor : processors_) processor->nmi();
              },
          .watchdog_expired =
              [this](std::string_view action) {
                if (watchdog_listener_) watchdog_listener_(action);
              }};
}

Result<Done> Pc::plug_in(const std::vector<DeviceConfig>& devices) {
  const std::vector<Arrival> all = arrivals(devices);
  TRY(reserve_slots(all));
  std::array<FloppyType, 2> floppies{};
  // Ports first, in which others are; then in the order of the rows: machine/plug/device_registry.h.
  std::vector<const DeviceRow*> rows = {&kRootPortRow};
  std::ranges::copy_if(device_rows(), std::back_inserter(rows),
                       [](const DeviceRow* row) { return row != &kRootPortRow; });
  for (const DeviceRow* row : rows) {
    if (row == &kFloppyRow) floppies = add_floppies();
    unsigned nth = 0;
    for (const Arrival& arrival : all)
      if (arrival.row == row) TRY(plug_in_one(arrival, nth++));
  }
  add_waiting_cards();
  scsi_slots_.add_drives();
  input_router_.attach_keyboard(services_.keyboard);
  input_router_.attach_mouse(services_.mouse);
  input_router_.attach_tablet(services_.tablet);
  fill_cmos(rtc_, {.memory = memory_, .cpus = processors_.count(), .floppies = floppies, .ps2_mouse = true});
  for_each_device([](devices::Device& device) { device.reset(devices::ResetKind::PowerOn); });
  place_windows();
  for (const auto& processor : processors_) processor->place_lapic();
  return Done{};
}

std::vector<Pc::Arrival> Pc::arrivals(const std::vector<DeviceConfig>& devices) {
  std::vector<Arrival> all;
  for (Drive& drive : drives_)
    if (!drive.disk.hotplug) all.push_back({find_device_row(driver_of(drive.disk)), &no_config(), &drive});
  for (const DeviceConfig& device : devices) {
    const DeviceRow* row = find_device_row(device.driver);
    CHECK(row != nullptr);
    if (row->is_drive()) continue;
    all.push_back({row, &device, nullptr});
    plugged_.push_back(line_of(device));
  }
  if (!services_.serial_ports.empty() &&
      std::ranges::find(all, &kVirtioSerialRow, &Arrival::row) == all.end())
    all.push_back({&kVirtioSerialRow, &implied_serial(), nullptr});
  if (std::ranges::any_of(drives_, is_on_scsi) &&
      std::ranges::find(all, &kVirtioScsiRow, &Arrival::row) == all.end())
    all.push_back({&kVirtioScsiRow, &implied_scsi(), nullptr});
  if ((is_q35() || std::ranges::any_of(drives_, is_on_ahci)) &&
      std::ranges::find(all, &kAhciRow, &Arrival::row) == all.end())
    all.push_back({&kAhciRow, &implied_ahci(), nullptr});
  return all;
}

Result<Done> Pc::reserve_slots(const std::vector<Arrival>& arrivals) {
  if (const unsigned graphics = pci_device_graphics(chipset()); std::ranges::any_of(
          arrivals, [&](const Arrival& one) { return one.row->is_card() && one.place() == graphics; }))
    return wrong_usage(fmt::format("addr={} is the place of the graphics card.", graphics));
  for (const Arrival& arrival : arrivals) {
    if (!arrival.row->is_card() || !arrival.place()) continue;
    u8& taken = functions_taken_.at(*arrival.place());
    // A port leaves the other functions to ports.
    const u8 wanted =
        arrival.row == &kRootPortRow ? static_cast<u8>(1u << function_of_port(*arrival.config)) : u8{0xff};
    if (taken & wanted)
      return wrong_usage(fmt::format("two cards were given for addr={}.", *arrival.place()));
    taken |= wanted;
  }
  return Done{};
}

Result<unsigned> Pc::slot_for(const Arrival& arrival) {
  if (arrival.place()) return *arrival.place();
  for (unsigned slot = pci_first_card_device(chipset()); slot < functions_taken_.size(); ++slot) {
    if (functions_taken_[slot] != 0) continue;
    functions_taken_[slot] = 0xff;
    return slot;
  }
  return wrong_usage(fmt::format("there is no PCI slot left for {}.", arrival.row->driver));
}

Result<Pc::Seat> Pc::seat_for(const Arrival& arrival) {
  for (unsigned slot = 0; !arrival.bus().empty() && slot < root_ports_.size(); ++slot) {
    const RootPort& port = root_ports_[slot];
    if (port.id != arrival.bus()) continue;
    const std::string function = port.function != 0 ? fmt::format(",{:x}", port.function) : "";
    return Seat{.bus = port.port->secondary(),
                .device = 0,
                .function = 0,
                .root_device = port.device,
                .slot = port.port->takes_cards() ? std::optional(slot) : std::nullopt,
                .name = fmt::format("{}:00.0", port.id),
                .behind = fmt::format("/pci-bridge@{:x}{}", port.device, function)};
  }
  const bool on_board = is_q35() && arrival.row == &kAhciRow;
  const unsigned device = on_board ? kPciDeviceIch9 : TRY(slot_for(arrival));
  const unsigned function = on_board                       ? kPciFunctionIch9Ahci
                            : arrival.row == &kRootPortRow ? function_of_port(*arrival.config)
                                                           : 0;
  return Seat{.bus = pci_config_.root(),
              .device = device,
              .function = function,
              .root_device = device,
              .slot = is_q35() ? std::nullopt : std::optional(device),
              .name = fmt::format("00:{:02x}.{}", device, function),
              .behind = {}};
}

std::unique_ptr<devices::PciFunction> Pc::make_card(const DeviceSite& site, IrqLine interrupt, bool express) {
  if (site.row.card != nullptr) return site.row.card(site, interrupt);
  return put_on_pci(site.row.virtio(site), interrupt, express);
}

std::unique_ptr<devices::PciFunction> Pc::put_on_pci(std::unique_ptr<devices::VirtioDevice> device,
                                                     IrqLine interrupt, bool express) {
  virtio_devices_.push_back(device.get());
  return std::make_unique<devices::VirtioPci>(
      std::move(device), devices::VirtioPciBoard{services_.memory, *this, interrupt, express});
}

Result<Done> Pc::plug_in_one(const Arrival& arrival, unsigned nth) {
  std::string name(arrival.row->driver);
  if (arrival.drive != nullptr) name += fmt::format(" ({})", arrival.drive->disk.name);
  card_dma_.push_back(std::make_unique<NamedDma>(*this, dma_writer_, name));
  services_.memory = *card_dma_.back();
  const DeviceSite site = {services_, *arrival.row, *arrival.config,
                           arrival.drive != nullptr ? &arrival.drive->disk : nullptr, nth};
  if (arrival.row->isa != nullptr) {
    isa_cards_.push_back(TRY(arrival.row->isa(site)));
    return Done{};
  }
  if (!arrival.row->is_card()) return Done{};
  if (parts_.pc)
    TRY(plug_in_card(arrival, site, name));
  else
    TRY(place_virtio(arrival.row->virtio(site)));
  if (!parts_.pc) {
    const unsigned place = virtio_places().back();
    if (arrival.drive != nullptr) arrival.drive->slot = place;
    for (Drive& drive : drives_)
      if (arrival.row == &kVirtioScsiRow && is_on_scsi(drive) && drive.disk.card == nth) drive.slot = place;
  }
  if (arrival.row == &kVirtioScsiRow) scsi_slots_.add_card(*services_.scsi_cards.back(), arrival.config->id);
  return Done{};
}

Result<Done> Pc::plug_in_card(const Arrival& arrival, const DeviceSite& site, const std::string& name) {
  const Seat seat = TRY(seat_for(arrival));
  card_dma_.back()->rename(fmt::format("{} at {}", name, seat.name));
  cards_.push_back(make_card(site, pci_interrupt(seat.root_device, 1), !seat.behind.empty()));
  devices::PciFunction& card = *cards_.back();
  attach_pci(seat, card);
  if (arrival.row == &kRootPortRow) {
    root_ports_.push_back({static_cast<devices::PcieRootPort*>(card.as_bridge()), arrival.config->id,
                           seat.device, seat.function});
    return Done{};
  }
  const bool is_net = is_net_card(arrival.row->driver);
  if (takes_things_ && seat.slot)
    hot_cards_.push_back({.driver = arrival.row->driver,
                          .function = &card,
                          .home = seat.slot,
                          .slot = seat.slot,
                          .id = arrival.drive != nullptr ? arrival.drive->disk.id : arrival.config->id,
                          .net = is_net ? services_.net_cards.back() : nullptr});
  if (is_net)
    net_slots_.push_back({&card, seat.device, std::string(site.text(kRomFileProperty)),
                          arrival.config->find(kRomFileProperty) != nullptr, seat.behind});
  const auto sits_here = [&](Drive& drive) {
    drive.slot = seat.device;
    drive.function = seat.function;
    drive.behind = seat.behind;
  };
  if (arrival.drive != nullptr) sits_here(*arrival.drive);
  for (Drive& drive : drives_)
    if ((arrival.row == &kVirtioScsiRow && is_on_scsi(drive) && drive.disk.card == site.nth) ||
        (arrival.row == &kAhciRow && is_on_ahci(drive)))
      sits_here(drive);
  return Done{};
}

// From the last place downwards, as QEMU fills them.
Result<Done> Pc::place_virtio(std::unique_ptr<devices::VirtioDevice> device) {
  using devices::VirtioMmio;
  if (placed_virtio_.size() == virtio_places_.size())
    return wrong_usage(fmt::format("this microvm has {} places for virtio devices, and more were given.",
                                   virtio_places_.size()));
  const auto place = static_cast<unsigned>(virtio_places_.size() - 1 - placed_virtio_.size());
  card_dma_.back()->rename(fmt::format("{} at virtio-mmio {}", card_dma_.back()->name(), place));
  virtio_devices_.push_back(device.get());
  placed_virtio_.push_back(
      std::make_unique<VirtioMmio>(std::move(device), virtio_places_.version(), services_.memory.get(),
                                   interrupt_line(parts_.first_virtio_interrupt + place)));
  virtio_places_.put(place, *placed_virtio_.back());
  return Done{};
}

std::vector<unsigned> Pc::virtio_places() const {
  std::vector<unsigned> places;
  for (std::size_t i = 0; i < placed_virtio_.size(); ++i)
    places.push_back(static_cast<unsigned>(virtio_places_.size() - 1 - i));
  return places;
}

}  // namespace reprise::machine
