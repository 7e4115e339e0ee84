// How the machine starts: a loaded kernel, or firmware at the reset vector; RESET#; sleeping (S3) and waking up.
#include "machine/board/pc.h"

#include <algorithm>

#include "common/check.h"
#include "machine/boot/entry.h"
#include "machine/firmware/boot_order.h"

namespace reprise::machine {
namespace {

/// HPET general capabilities, low half: vendor 8086h, legacy replacement, 64-bit counter, 3 timers,
/// revision 1.
constexpr u32 kHpetBlockId = 0x8086'a201;

}  // namespace

AcpiImage Pc::acpi_image(Suspend suspend) const {
  AcpiConfig acpi{.apic_ids = {},
                  .hpet_block_id = kHpetBlockId,
                  .vga = true,
                  .floppy = floppy_.has_value(),
                  .suspend = suspend == Suspend::Yes,
                  .pci_window_phys = memory_.pci_window_phys()};
  for (const auto& processor : processors_)
    acpi.apic_ids.push_back(static_cast<u8>(processor->lapic.apic_id()));
  return build_acpi_image(acpi);
}

Result<Done> Pc::boot(const boot::BootRequest& request) {
  const AcpiTables tables = place_acpi_tables(acpi_image(Suspend::Yes), kAcpiTablesPhys);
  facs_phys_ = tables.facs_phys;
  phys_map_.write_bytes(tables.phys, tables.bytes);

  const boot::BootTarget target = {phys_map_, memory_, tables.rsdp_phys(),
                                   processors_.boot().cpu.profile.physical_address_bits};
  const boot::EntryState entry = TRY(boot::load(request, target));
  cpu::Cpu& cpu = processors_.boot().cpu;
  boot::enter(entry, target, cpu.state);
  cpu.state_replaced();
  enter_virtual_wire_mode();
  configure_chipset();
  vga_.enter_text_mode();
  dma_.enter_cascade_mode();
  return Done{};
}

void Pc::configure_chipset() {
  using devices::HostBridge;
  constexpr u8 kAllRam = 0x33;
  host_bridge_.config_write(HostBridge::kPam0, Width::Byte, kAllRam & 0xf0);
  for (u8 i = 1; i < HostBridge::kPamBytes; ++i)
    host_bridge_.config_write(static_cast<u8>(HostBridge::kPam0 + i), Width::Byte, kAllRam);
  u32 level_triggered = 0;
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    const auto route = static_cast<u8>(devices::IsaBridge::kPirqRoute + pirq);
    isa_bridge_.config_write(route, Width::Byte, kPirqIsaLines[pirq]);
    level_triggered |= 1u << kPirqIsaLines[pirq];
  }
  pic_.elcr_ports().pio_write(0, Width::Byte, level_triggered & 0xff);
  pic_.elcr_ports().pio_write(1, Width::Byte, level_triggered >> 8);
}

/// As firmware leaves the boot processor's local APIC: the 8259 pair through LINT0, NMI through LINT1.
/// MultiProcessor Specification 1.4, 3.6.2.2.
void Pc::enter_virtual_wire_mode() {
  constexpr u64 kSvr = 0x0f0;
  constexpr u64 kLvtLint0 = 0x350;
  constexpr u64 kLvtLint1 = 0x360;
  constexpr u64 kApicEnabledSpuriousFf = 0x1ff;
  constexpr u64 kExtInt = 0x700;
  constexpr u64 kNmi = 0x400;
  devices::Lapic& lapic = processors_.boot().lapic;
  lapic.mmio_write(kSvr, Width::Dword, kApicEnabledSpuriousFf);
  lapic.mmio_write(kLvtLint0, Width::Dword, kExtInt);
  lapic.mmio_write(kLvtLint1, Width::Dword, kNmi);
}

Result<Done> Pc::boot_firmware(const FirmwareConfig& config) {
  FirmwareImage image = TRY(load_firmware(config));
  std::vector<u8> vga_bios;
  if (!image.uefi) vga_bios = TRY(load_vga_bios());
  rom_shadow_.emplace(phys_map_, code_pages_, std::move(image.rom));
  rom_shadow_->update(host_bridge_);
  if (!image.variables.empty()) {
    constexpr int kAboveRam = 1;
    variables_.emplace(std::move(image.variables), std::move(image.save_variables));
    const u64 phys = rom_shadow_->rom_phys() - variables_->bytes();
    CHECK(map_mmio("variables", phys, variables_->bytes(), *variables_, kAboveRam));
  }
  memory_map_changed();
  const std::vector<std::string> order = TRY(firmware_order(config.boot_order));
  fill_fw_cfg(fw_cfg_, {.config = config,
                        .memory = memory_,
                        .cpus = processors_.count(),
                        // OVMF would have to save what it needs for a resume, and is not told to.
                        .acpi = acpi_image(image.uefi ? Suspend::No : Suspend::Yes),
                        .vga_bios = std::move(vga_bios),
                        .boot_order = order});
  return Done{};
}

Result<std::vector<std::string>> Pc::firmware_order(const std::vector<std::string>& wanted) const {
  std::vector<std::string> paths;
  for (const std::size_t index : TRY(boot_order(wanted, drives_))) {
    const Drive& drive = drives_[index];
    paths.push_back(firmware_path(drive, drive.slot));
  }
  return paths;
}

void Pc::reset_devices(std::initializer_list<const devices::Device*> kept) {
  for_each_device([&](devices::Device& device) {
    if (std::ranges::find(kept, &device) == kept.end()) device.reset(devices::ResetKind::Warm);
  });
}

void Pc::reset_processors() {
  for (const auto& processor : processors_) {
    processor->reset(processor->cpu.state.rng_state);
    processor->place_lapic();
  }
}

bool Pc::reset() {
  if (!rom_shadow_) return false;
  reset_devices({});
  reset_processors();
  place_windows();
  arrange_smram();
  rom_shadow_->update(host_bridge_);
  memory_map_changed();
  return true;
}

void Pc::change_power() {
  using Power = devices::AcpiPm::Power;
  if (acpi_pm_.power() == Power::FallsAsleep) fall_asleep();
  if (acpi_pm_.power() == Power::WakesUp) wake_up();
}

// The RTC and the wake logic live on; the bridges keep what firmware would have to put back: shadowed memory, and the
// interrupt routes.
void Pc::fall_asleep() {
  constexpr u8 kShutdownStatus = 0x0f;
  constexpr u8 kResume = 0xfe;  // by the convention of firmware for virtual machines
  reset_devices({&rtc_, &acpi_pm_, &host_bridge_, &isa_bridge_});
  reset_processors();
  place_windows();
  memory_map_changed();
  if (rom_shadow_) rtc_.set_memory(kShutdownStatus, kResume);
  acpi_pm_.fall_asleep();
}

void Pc::wake_up() {
  acpi_pm_.wake_up();
  if (!facs_phys_) return;  // firmware is at the reset vector
  // ACPI 5.2.10, "Firmware Waking Vector": entered in real mode.
  constexpr u64 kWakingVector = 12;
  const u32 vector = static_cast<u32>(phys_map_.read(*facs_phys_ + kWakingVector, Width::Dword));
  if (vector == 0 || vector >= kHighMemoryPhys) return control_.request(MachineRequest::Reset);
  cpu::Cpu& cpu = processors_.boot().cpu;
  boot::enter_real_mode(vector, cpu.profile.physical_address_bits, cpu.state);
  cpu.state_replaced();
  enter_virtual_wire_mode();
  configure_chipset();
  vga_.enter_text_mode();
  dma_.enter_cascade_mode();
}

}  // namespace reprise::machine
