// Functions soldered to bus 0, and what the guest moves by registers of theirs.
#include "machine/board/pc.h"

#include <fmt/format.h>

#include "common/check.h"

namespace reprise::machine {

void Pc::map_pci() {
  attach_pci(kPciDeviceHostBridge, 0, host_bridge_);
  attach_pci(kPciDeviceSouthBridge, 0, isa_bridge_);
  attach_pci(kPciDeviceSouthBridge, 1, ide_);
  attach_pci(kPciDeviceSouthBridge, 3, piix4_pm_);
  attach_pci(kPciDeviceGraphics, 0, vga_card_);
}

bool Pc::map_pci_memory(const std::string& name, u64 phys, const devices::PciBar& bar) {
  constexpr int kAboveRam = 1;
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

void Pc::pci_config_changed(devices::PciFunction& function, devices::ConfigChange change) {
  using devices::HostBridge;
  using devices::Piix4Pm;
  using devices::ide::IdeController;
  namespace pci = devices::pci;
  const bool moves_pm = &function == &piix4_pm_ &&
                        (change.touches(Piix4Pm::kPmBase, 4) || change.touches(Piix4Pm::kPmRegMisc, 1) ||
                         change.touches(Piix4Pm::kDevActB, 4) || change.touches(Piix4Pm::kSmbusBase, 4) ||
                         change.touches(Piix4Pm::kSmbusConfig, 1));
  const bool moves_ide = &function == &ide_ && change.touches(IdeController::kIdeTiming, 4);
  if (moves_pm || moves_ide || change.touches(pci::kCommand, 2) ||
      change.touches(pci::kBar0, 4 * pci::kBars) || change.touches(pci::kRomAddress, 4))
    place_windows();
  if (&function == &host_bridge_ && change.touches(HostBridge::kPam0, HostBridge::kPamBytes) && rom_shadow_ &&
      rom_shadow_->update(host_bridge_))
    memory_map_changed();
  if (&function == &host_bridge_ && change.touches(HostBridge::kSmram, 1)) arrange_smram();
}

Pc::Placement Pc::wanted_placement() const {
  Placement wanted;
  wanted.windows = pci_windows_.wanted();
  if (piix4_pm_.pm_enabled()) wanted.pm_base = piix4_pm_.pm_base();
  if (piix4_pm_.smbus_enabled() && piix4_pm_.smbus_base() != 0) wanted.smbus_base = piix4_pm_.smbus_base();
  for (unsigned i = 0; i < wanted.ide.size(); ++i) wanted.ide[i] = ide_.decodes(i);
  return wanted;
}

/// All of them are placed anew when one moves: which of two in one place answers must not depend on which was
/// there first, which nobody could save. Without an effect when the place is taken: the guest's mistake.
void Pc::place_windows() {
  using devices::ide::IdeController;
  acpi_pm_.enable_apm_smi(piix4_pm_.apm_smi_enabled());
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
    (void)ports_.map({*wanted.pm_base, devices::AcpiPm::kPorts, Width::Dword}, acpi_pm_.pm_ports());
  if (wanted.smbus_base)
    (void)ports_.map({*wanted.smbus_base, devices::SmbusHost::kPorts, Width::Byte}, smbus_);
  pci_windows_.map_all();
  if (wanted.windows != placed_.windows) memory_map_changed();
  video_ram_.find_phys();
  const bool pm_moved = wanted.pm_base != placed_.pm_base;
  placed_ = wanted;
  // Firmware chooses the place, then reads the tables that tell of it.
  if (pm_moved) update_acpi_tables(fw_cfg_, acpi_image());
}

}  // namespace reprise::machine
