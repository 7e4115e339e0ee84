// How the machine starts: a loaded kernel, or firmware at the reset vector; RESET#; sleeping (S3) and waking up.
#include "machine/board/pc.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "machine/boot/entry.h"
#include "machine/boot/firmware_kernel.h"
#include "machine/boot/linux.h"
#include "machine/boot/pci_setup.h"
#include "machine/boot/real_mode.h"
#include "machine/firmware/option_rom.h"
#include "machine/outside/output_gate.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

/// HPET general capabilities, low half: vendor 8086h, legacy replacement, 64-bit counter, 3 timers,
/// revision 1.
constexpr u32 kHpetBlockId = 0x8086'a201;

/// By which firmware knows a drive on virtio-mmio, whose slot is its place there.
std::string firmware_path_in_memory(const Drive& drive) {
  const std::string card =
      fmt::format("/virtio-mmio@{:016x}", kVirtioMmioPhys + drive.slot * devices::VirtioMmio::kBytes);
  if (drive.disk.bus != DiskBus::Scsi) return card + "/disk@0,0";
  return fmt::format("{}/channel@0/disk@{:x},{:x}", card, drive.place, drive.disk.lun);
}

/// Of the firmware's ROM, below 1 MiB.
constexpr std::size_t kMaxLowRomBytes = 128 * kKiB;

/// At interrupts 08h and 70h, with these lines closed.
void initialize_pics(devices::Pic8259Pair& pics, u8 master_closed, u8 slave_closed) {
  constexpr u8 kEdgeCascadedIcw4 = 0x11;
  constexpr u8 k8086 = 0x01;
  const auto initialize = [](PioHandler& ports, u8 vector, u8 cascade, u8 closed) {
    ports.pio_write(0, Width::Byte, kEdgeCascadedIcw4);
    for (const u8 word : {vector, cascade, k8086, closed}) ports.pio_write(1, Width::Byte, word);
  };
  initialize(pics.master_ports(), 0x08, 1 << 2, master_closed);
  initialize(pics.slave_ports(), 0x70, 2, slave_closed);
}

}  // namespace

/// Firmware may put configuration space into what would be the window for cards, which then begins behind it.
u32 Pc::pci_window_phys(const std::optional<devices::HostBridge::Window>& config_window) const {
  const u32 usual = memory_.pci_window_phys();
  if (!config_window || config_window->phys + config_window->bytes >= kIoApicPhys) return usual;
  return std::max(usual, static_cast<u32>(config_window->phys + config_window->bytes));
}

AcpiImage Pc::acpi_image() const {
  if (!parts_.acpi) return {};
  // Direct boot makes the tables before it has placed anything.
  const std::optional<devices::HostBridge::Window> window =
      is_q35() && !placed_.config_window ? devices::HostBridge::Window{kConfigWindowPhys, kConfigWindowBytes}
                                         : placed_.config_window;
  AcpiConfig acpi{.apic_ids = {},
                  .chipset = chipset(),
                  .pm_base = placed_.pm_base.value_or(kPmBasePort),
                  .hpet_block_id = parts_.hpet ? kHpetBlockId : 0,
                  .vga = true,
                  .floppy = floppy_.has_value(),
                  .ps2_mouse = true,
                  .pci_hotplug = hotplug_.has_value(),
                  .pci_window_phys = pci_window_phys(window),
                  .config_window = window};
  for (const auto& processor : processors_)
    acpi.apic_ids.push_back(static_cast<u8>(processor->lapic.apic_id()));
  if (parts_.generic_event_device) {
    acpi.reduced = {
        .pic = parts_.pic, .rtc = parts_.rtc, .com1 = parts_.com1, .second_io_apic = parts_.second_io_apic};
    for (const unsigned place : virtio_places())
      acpi.reduced->virtio.push_back({place, parts_.first_virtio_interrupt + place});
  }
  return build_acpi_image(acpi);
}

const std::vector<FileRead>& Pc::files_read() const { return files_->files_read(); }

Result<Done> Pc::boot(const boot::BootRequest& given, const FirmwareConfig& firmware) {
  boot::BootRequest request = given;
  if (parts_.virtio_on_command_line) request.command_line += virtio_command_line(parts_, virtio_places());
  const std::vector<u8> image = TRY(boot::read_kernel(request, memory_, files_.get()));
  const unsigned physical_address_bits = processors_.boot().cpu.profile.physical_address_bits;
  if (!firmware.bios.empty() || (boot::is_bzimage(image) && boot::needs_real_mode(image)))
    return boot_by_firmware(
        TRY(boot::prepare_for_firmware(image, request, memory_, physical_address_bits, files_.get())),
        firmware);

  const AcpiImage acpi = acpi_image();
  boot::Rsdp rsdp;
  if (parts_.acpi) {
    const AcpiTables tables = place_acpi_tables(acpi, kAcpiTablesPhys);
    facs_phys_ = tables.facs_phys;
    phys_map_.write_bytes(tables.phys, tables.bytes);
    rsdp = {tables.rsdp_phys(), tables.rsdp()};
  }
  boot::write_bios_area(phys_map_, bios_facts(firmware));
  boot::GuestMemory space(phys_map_);
  const boot::BootTarget target = {space, memory_, std::move(rsdp), physical_address_bits, files_.get()};
  const boot::EntryState entry = TRY(boot::load_image(image, request, target));
  if (!entry.remark.empty()) log_.write("guest", LogLevel::Warn, "{}", entry.remark);
  cpu::Cpu& cpu = processors_.boot().cpu;
  boot::enter(entry, phys_map_, memory_, physical_address_bits, cpu.state);
  cpu.state_replaced();
  // Firmware sets up all processors alike, which INIT leaves. SDM 3A 11.11.5
  for (const auto& processor : processors_) {
    cpu::CpuState& state = processor->cpu.state;
    state.mtrr_def_type = cpu.state.mtrr_def_type;
    std::ranges::copy(cpu.state.mtrr_fixed, state.mtrr_fixed);
    std::ranges::copy(cpu.state.mtrr_phys, state.mtrr_phys);
  }
  enter_virtual_wire_mode();
  configure_chipset();
  fill_fw_cfg(fw_cfg_,
              {.config = firmware, .memory = memory_, .smbios = smbios_config(firmware), .acpi = acpi});
  TRY(add_files_of_user(fw_cfg_, firmware, *files_));
  if (!parts_.pc) return Done{};
  text_font_ = load_text_font(*files_);
  vga_card_.vga().enter_text_mode(text_font_);
  dma_.enter_cascade_mode();
  return Done{};
}

Result<Done> Pc::boot_by_firmware(boot::FirmwareBoot kernel, const FirmwareConfig& firmware) {
  constexpr const char* kRomFile = "genroms/kernel.bin";
  TRY(start_firmware(firmware, fmt::format("/rom@{}", kRomFile)));
  for (boot::FirmwareBoot::Item& item : kernel.items) fw_cfg_.set(item.key, std::move(item.bytes));
  fw_cfg_.set_file(kRomFile, std::move(kernel.rom));
  if (!kernel.remark.empty()) log_.write("guest", LogLevel::Warn, "{}", kernel.remark);
  return Done{};
}

SmbiosConfig Pc::smbios_config(const FirmwareConfig& firmware) {
  const cpu::Cpu& cpu = processors_.boot().cpu;
  const cpu::CpuidResult identity = cpu::cpuid(cpu.profile, cpu.state, {}, 1, 0);
  return {.ram_bytes = memory_.ram_bytes(),
          .topology = cpu.profile.topology,
          .cpu_signature = identity.eax,
          .cpu_features = identity.edx,
          .words = firmware.words};
}

u8 Pc::cmos_byte(u8 index) {
  rtc_.ports().pio_write(0, Width::Byte, index);
  return static_cast<u8>(rtc_.ports().pio_read(1, Width::Byte));
}

boot::BiosFacts Pc::bios_facts(const FirmwareConfig& firmware) {
  constexpr u8 kSeconds = 0x00, kMinutes = 0x02, kHours = 0x04;
  constexpr u8 kEquipment = 0x14;
  const auto decimal = [this](u8 index) {
    const u8 digits = cmos_byte(index);
    return (digits >> 4) * 10u + (digits & 15);
  };
  const SmbiosConfig smbios = smbios_config(firmware);
  boot::BiosFacts facts{.memory = memory_,
                        .processors = {.apic_ids = {},
                                       .cpu_signature = smbios.cpu_signature,
                                       .cpu_features = smbios.cpu_features,
                                       .chipset = chipset()},
                        .smbios = smbios,
                        .cmos_equipment = cmos_byte(kEquipment),
                        .serial_ports = parts_.pc     ? 2U
                                        : parts_.com1 ? 1U
                                                      : 0U,
                        .screen = parts_.pc,
                        .hard_disks = 0,
                        .second_of_day = (decimal(kHours) * 60 + decimal(kMinutes)) * 60 + decimal(kSeconds)};
  for (const auto& processor : processors_) facts.processors.apic_ids.push_back(processor->lapic.apic_id());
  for (const Drive& drive : drives_)
    facts.hard_disks += drive.disk.media == DiskMedia::Disk && !drive.disk.hotplug ? 1 : 0;
  return facts;
}

void Pc::configure_chipset() {
  if (parts_.pc) {
    configure_bridges();
    start_timer_interrupt();
  } else if (parts_.pic) {
    // A kernel for reduced hardware asks for no interrupts of theirs, and leaves them as they are.
    initialize_pics(pic_, 0xff, 0xff);
  }
}

void Pc::configure_bridges() {
  using devices::HostBridge;
  constexpr u8 kAllRam = 0x33;
  host_bridge_.config_write(host_bridge_.pam0(), Width::Byte, kAllRam & 0xf0);
  for (u8 i = 1; i < HostBridge::kPamBytes; ++i)
    host_bridge_.config_write(static_cast<u8>(host_bridge_.pam0() + i), Width::Byte, kAllRam);
  if (is_q35()) host_bridge_.config_write(HostBridge::kPciExBar, Width::Dword, kConfigWindowPhys | 1);
  u32 level_triggered = 0;
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    const auto route = static_cast<u8>(devices::PirqRouter::kPirqRoute + pirq);
    south_bridge_->router().config_write(route, Width::Byte, kPirqIsaLines[pirq]);
    level_triggered |= 1u << kPirqIsaLines[pirq];
  }
  pic_.elcr_ports().pio_write(0, Width::Byte, level_triggered & 0xff);
  pic_.elcr_ports().pio_write(1, Width::Byte, level_triggered >> 8);
  boot::set_up_pci(pci_config_.root(), chipset());
  south_bridge_->set_up();
  place_windows();
}

void Pc::show_rom() {
  if (parts_.pc) {
    rom_shadow_->update(host_bridge_);
    return;
  }
  // There is RAM at the end of the first MiB, and what the ROM ends in is copied to it.
  const std::span<const u8> rom = rom_shadow_->rom();
  const std::span<const u8> end = rom.last(std::min<std::size_t>(rom.size(), kMaxLowRomBytes));
  phys_map_.write_bytes(kHighMemoryPhys - end.size(), end);
  code_pages_.written(kHighMemoryPhys - end.size(), end.size());
}

/// The 8259 pair and the timer of a PC that has started: interrupts at 08h and 70h, 18.2 ticks a second, and the lines
/// open that the BIOS uses.
void Pc::start_timer_interrupt() {
  constexpr u8 kMasterClosed = 0xb8;  // all but 0, 1, 2 and 6
  constexpr u8 kSlaveClosed = 0x8e;   // all but 8, 12, 13 and 14
  initialize_pics(pic_, kMasterClosed, kSlaveClosed);
  constexpr u8 kCounter0Mode2 = 0x34;
  pit_.counter_ports().pio_write(3, Width::Byte, kCounter0Mode2);
  for (unsigned i = 0; i < 2; ++i) pit_.counter_ports().pio_write(0, Width::Byte, 0);  // 65536
}

/// As firmware leaves the boot processor's local APIC: the 8259 pair through LINT0, NMI through LINT1.
/// MultiProcessor Specification 1.4, 3.6.2.2.
void Pc::enter_virtual_wire_mode() {
  constexpr u64 kSvr = 0x0f0;
  constexpr u64 kLvtLint0 = 0x350;
  constexpr u64 kLvtLint1 = 0x360;
  constexpr u64 kApicEnabledSpuriousFf = 0x1ff;
  constexpr u64 kExtInt = 0x8700;  // both level-triggered
  constexpr u64 kNmi = 0x8400;
  devices::Lapic& lapic = processors_.boot().lapic;
  lapic.mmio_write(kSvr, Width::Dword, kApicEnabledSpuriousFf);
  lapic.mmio_write(kLvtLint0, Width::Dword, kExtInt);
  lapic.mmio_write(kLvtLint1, Width::Dword, kNmi);
}

Result<Done> Pc::boot_firmware(const FirmwareConfig& config) { return start_firmware(config, {}); }

Result<Done> Pc::start_firmware(const FirmwareConfig& config, const std::string& first) {
  FirmwareImage image = TRY(load_firmware(config, chipset(), *files_));
  if (parts_.pc && !image.uefi) vga_card_.set_rom(TRY(load_vga_bios(*files_)));
  std::vector<std::string> first_order = config.first_boot_order;
  first_order.insert(first_order.end(), config.boot_order.begin(), config.boot_order.end());
  TRY(plug_in_option_roms(first_order));
  rom_shadow_.emplace(phys_map_, code_pages_, std::move(image.rom));
  show_rom();
  if (!image.variables.empty()) {
    constexpr int kAboveRam = 1;
    if (gate_ != nullptr && image.save_variables)
      image.save_variables = [save = std::move(image.save_variables), gate = gate_](
                                 u64 offset, std::span<const u8> bytes) {
        return !gate->open() || save(offset, bytes);
      };
    variables_.emplace(std::move(image.variables), std::move(image.save_variables));
    const u64 phys = rom_shadow_->rom_phys() - variables_->bytes();
    CHECK(map_mmio("variables", phys, variables_->bytes(), *variables_, kAboveRam));
  }
  memory_map_changed();
  const std::vector<BootSource> sources = boot_sources();
  const auto order_of = [&](const std::vector<std::string>& wanted) -> Result<std::vector<std::string>> {
    std::vector<std::string> order = TRY(boot_order(wanted, sources));
    if (!image.uefi && order.size() < sources.size()) order.emplace_back(kNothingBehindThis);
    if (!first.empty()) order.insert(order.begin(), first);
    return order;
  };
  const std::vector<std::string> order = TRY(order_of(first_order));
  std::vector<std::string> later;
  if (!config.first_boot_order.empty()) later = TRY(order_of(config.boot_order));
  fill_fw_cfg(fw_cfg_, {.config = config,
                        .memory = memory_,
                        .smbios = smbios_config(config),
                        .acpi = acpi_image(),
                        .boot_order = order,
                        .order_after_reset = later});
  TRY(add_files_of_user(fw_cfg_, config, *files_));
  return Done{};
}

Result<Done> Pc::plug_in_option_roms(const std::vector<std::string>& boot_order) {
  const bool from_network =
      std::ranges::any_of(boot_order, [](const std::string& word) { return word.starts_with(kNetworkKind); });
  for (const NetSlot& net : net_slots_) {
    if (net.rom_file.empty()) continue;
    Result<std::vector<u8>> rom = load_option_rom(net.rom_file, *files_);
    if (rom) {
      name_card(rom.value(), static_cast<u16>(net.card->config_peek(devices::pci::kVendorId, Width::Word)),
                static_cast<u16>(net.card->config_peek(devices::pci::kDeviceId, Width::Word)));
      net.card->set_rom(rom.take());
    } else if (net.rom_was_given || from_network) {
      return rom.error();
    } else {
      // As a PC whose card has an empty socket: all but booting from it works.
      log_.write("guest", LogLevel::Info, "a network card has no option ROM: {}", rom.error().message);
    }
  }
  return Done{};
}

std::vector<BootSource> Pc::boot_sources() const {
  std::vector<BootSource> sources;
  for (const Drive& drive : drives_) {
    if (drive.disk.hotplug) continue;
    sources.push_back({drive.disk.name, kind_name(drive.disk.media),
                       parts_.pc ? firmware_path(drive, drive.slot) : firmware_path_in_memory(drive)});
  }
  for (const NetSlot& net : net_slots_)
    sources.push_back({fmt::format("{}{}", kNetworkKind, &net - net_slots_.data()), kNetworkKind,
                       firmware_path_of_network(net.slot, net.behind)});
  return sources;
}

void Pc::reset_devices(std::initializer_list<const devices::Device*> kept) {
  debug_log_.reset();
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
  for (unsigned slot = 0; slot < root_ports_.size(); ++slot)
    if (root_ports_[slot].port->was_asked()) eject_card(slot);
  reset_devices({});
  reset_processors();
  place_windows();
  arrange_smram();
  show_rom();
  memory_map_changed();
  return true;
}

bool Pc::change_power() {
  using Power = devices::AcpiPm::Power;
  const Power before = acpi_pm_.power();
  if (acpi_pm_.power() == Power::FallsAsleep) fall_asleep();
  if (acpi_pm_.power() == Power::WakesUp) wake_up();
  return acpi_pm_.power() != before;
}

// The RTC and the wake logic live on; the bridges keep what firmware would have to put back: shadowed memory, and the
// interrupt routes.
void Pc::fall_asleep() {
  constexpr u8 kShutdownStatus = 0x0f;
  constexpr u8 kResume = 0xfe;  // by the convention of firmware for virtual machines
  reset_devices({&rtc_, &acpi_pm_, &host_bridge_, &south_bridge_->router()});
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
  boot::enter_real_mode(vector, memory_, cpu.profile.physical_address_bits, cpu.state);
  cpu.state_replaced();
  enter_virtual_wire_mode();
  configure_chipset();
  vga_card_.vga().enter_text_mode(text_font_);
  dma_.enter_cascade_mode();
}

}  // namespace reprise::machine
