// Functions soldered to bus 0, and what the guest moves by registers of theirs.
#include "machine/board/pc.h"

#include <fmt/format.h>

#include "common/check.h"

namespace reprise::machine {
namespace {

constexpr const char* kConfigWindowName = "pci configuration";
constexpr int kAboveRam = 1;

}  // namespace

void Pc::map_pci() {
  attach_pci(kPciDeviceHostBridge, 0, host_bridge_);
  for (const SouthBridge::Function& one : south_bridge_->functions())
    attach_pci(one.device, one.number, one.function);
  if (!is_q35()) attach_pci(kPciDeviceSouthBridge, 1, ide_);
  attach_pci(pci_device_graphics(chipset()), 0, vga_card_);
  // Their other functions are no places for cards.
  for (const SouthBridge::Function& one : south_bridge_->functions()) functions_taken_.at(one.device) = 0xff;
  functions_taken_[kPciDeviceHostBridge] = functions_taken_[pci_device_graphics(chipset())] = 0xff;
}

bool Pc::map_pci_memory(const std::string& name, u64 phys, const devices::PciBar& bar) {
  if (bar.memory != nullptr) return map_mmio(name, phys, bar.bytes, *bar.memory, kAboveRam);
  // What lay there may have been code, and what lies there now may be.
  code_pages_.written(phys, bar.bytes);
  if (bar.ram == nullptr) return phys_map_.add_rom(name, phys, bar.bytes, bar.rom.data(), kAboveRam).ok();
  const u64 ram_offset = static_cast<u64>(bar.ram->bytes().data() - phys_map_.ram().host());
  return phys_map_.add_ram(name, phys, bar.bytes, ram_offset, kAboveRam).ok();
}

void Pc::unmap_pci_memory(const std::string& name) {
  for (const mmu::PhysMap::Range& range : phys_map_.ranges())
    if (range.name == name && range.kind != mmu::PhysMap::Kind::Mmio)
      code_pages_.written(range.first_phys, range.last_phys - range.first_phys + 1);
  phys_map_.remove(name);
}

void Pc::attach_pci(unsigned device, unsigned function_number, devices::PciFunction& function) {
  CHECK(pci_config_.attach(device, function_number, function).ok());
  pci_windows_.add(function, fmt::format("00:{:02x}.{}", device, function_number));
}

void Pc::attach_pci(const Seat& seat, devices::PciFunction& function) {
  CHECK(seat.bus.attach(seat.device, seat.function, function).ok());
  pci_windows_.add(function, seat.name);
}

void Pc::pci_config_changed(devices::PciFunction& function, devices::ConfigChange change) {
  using devices::HostBridge;
  using devices::ide::IdeController;
  namespace pci = devices::pci;
  const bool moves_pm = south_bridge_->concerns(function, change);
  const bool moves_config =
      is_q35() && &function == &host_bridge_ && change.touches(HostBridge::kPciExBar, 8);
  const bool moves_ide = &function == &ide_ && change.touches(IdeController::kIdeTiming, 4);
  devices::PciBridge* const bridge = function.as_bridge();
  if (bridge != nullptr || moves_pm || moves_ide || moves_config || change.touches(pci::kCommand, 2) ||
      change.touches(pci::kBar0, 4 * pci::kBars) || change.touches(pci::kRomAddress, 4))
    place_windows();
  for (unsigned slot = 0; bridge != nullptr && slot < root_ports_.size(); ++slot)
    if (root_ports_[slot].port == bridge && root_ports_[slot].port->lets_go()) eject_card(slot);
  if (&function == &host_bridge_ && change.touches(host_bridge_.pam0(), HostBridge::kPamBytes) &&
      rom_shadow_ && rom_shadow_->update(host_bridge_))
    memory_map_changed();
  if (&function == &host_bridge_ && change.touches(host_bridge_.smram_register(), 1)) arrange_smram();
}

Pc::Placement Pc::wanted_placement() const {
  Placement wanted;
  wanted.windows = pci_windows_.wanted();
  wanted.pm_base = south_bridge_->pm_base();
  wanted.smbus_base = south_bridge_->smbus_base();
  wanted.config_window = host_bridge_.config_window();
  for (unsigned i = 0; i < wanted.ide.size(); ++i) wanted.ide[i] = ide_.decodes(i);
  return wanted;
}

/// All of them are placed anew when one moves: which of two in one place answers must not depend on which was
/// there first, which nobody could save. Without an effect when the place is taken: the guest's mistake.
void Pc::place_windows() {
  using devices::ide::IdeController;
  acpi_pm_.enable_apm_smi(south_bridge_->apm_smi_enabled());
  const Placement wanted = wanted_placement();
  if (wanted == placed_) return;
  pci_windows_.unmap_all();
  ports_.unmap(acpi_pm_.pm_ports());
  ports_.unmap(smbus_);
  for (unsigned i = 0; i < IdeController::kChannels; ++i) {
    ports_.unmap(ide_.channel(i));
    ports_.unmap(ide_.channel(i).control_port());
  }
  for (unsigned i = 0; i < IdeController::kChannels; ++i) {
    if (!wanted.ide[i]) continue;
    devices::ide::IdeChannel& channel = ide_.channel(i);
    (void)ports_.map({.first = IdeController::kCommandPort[i],
                      .count = devices::ide::IdeChannel::kCommandPorts,
                      .widest = Width::Dword,
                      .streams = true},
                     channel);
    (void)ports_.map({IdeController::kControlPort[i], 1, Width::Byte}, channel.control_port());
  }
  if (wanted.pm_base)
    (void)ports_.map({*wanted.pm_base, acpi_pm_.ports(), Width::Dword}, acpi_pm_.pm_ports());
  if (wanted.smbus_base)
    (void)ports_.map({*wanted.smbus_base, devices::SmbusHost::kPorts, Width::Byte}, smbus_);
  if (placed_.config_window) phys_map_.remove(kConfigWindowName);
  pci_windows_.map_all();
  // Behind them all: a window of a card's that lies there answers first.
  if (wanted.config_window)
    (void)map_mmio(kConfigWindowName, wanted.config_window->phys, wanted.config_window->bytes, config_window_,
                   kAboveRam);
  if (wanted.windows != placed_.windows || wanted.config_window != placed_.config_window)
    memory_map_changed();
  video_ram_.find_phys();
  const bool tables_change =
      wanted.pm_base != placed_.pm_base || wanted.config_window != placed_.config_window;
  placed_ = wanted;
  // Firmware chooses the place, then reads the tables that tell of it.
  if (tables_change) update_acpi_tables(fw_cfg_, acpi_image());
}

}  // namespace reprise::machine
