#include "machine/board/pc.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "machine/board/engine_factory.h"
#include "machine/boot/entry.h"
#include "machine/firmware/boot_order.h"
#include "machine/tables/acpi_tables.h"

namespace reprise::machine {
namespace {

using devices::PioRange;
using devices::ResetKind;

/// HPET general capabilities, low half: vendor 8086h, legacy replacement, 64-bit counter, 3 timers,
/// revision 1.
constexpr u32 kHpetBlockId = 0x8086'a201;

constexpr u16 kFirmwareDebugPort = 0x402;

/// A cycle of the ISA bus. Firmware and boot loaders wait by reading ports: they would execute thousands of
/// instructions for what takes a few accesses on a PC.
constexpr u64 kPortAccessNs = 1000;

constexpr auto kLineStatus = devices::Uart16550::LineStatus::Immediate;
constexpr auto kHostInput = devices::Uart16550::HostInput::WhenRead;

/// splitmix64: makes one seed per processor out of the machine's.
u64 derive_seed(u64 seed, u64 index) {
  u64 z = seed + (index + 1) * 0x9e37'79b9'7f4a'7c15;
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
  return z ^ (z >> 31);
}

/// A layout mistake of ours: the board has no such conflict.
void must(bool ok) { CHECK(ok); }

}  // namespace

Pc::Processor::Processor(Pc& pc, unsigned index, const MachineConfig& config, u64 rng_seed)
    : pc_(pc),
      index_(index),
      region_name_(fmt::format("lapic {}", index)),
      lapic({.apic_id = index, .bootstrap = index == 0, .phys_bits = config.cpu.physical_address_bits},
            pc.scheduler_, pc.apic_bus_, *this, pc.pic_),
      tap(config.engine == EngineKind::Lockstep ? std::make_unique<LockstepTap>(pc, lapic) : nullptr),
      cpu(tap ? tap->tap : static_cast<cpu::CpuBus&>(pc),
          tap ? tap->tap : static_cast<InterruptSource&>(lapic), pc.phys_map_, pc.code_pages_, config.cpu,
          pc.log_),
      engine(pc.new_engine(config, cpu, tap.get())),
      vcpu(cpu, *engine) {
  cpu.apic_id = index;
  vcpu.reset(rng_seed);
  if (index != 0) vcpu.init(cpu::Activity::WaitForSipi);
}

std::unique_ptr<cpu::Engine> Pc::new_engine(const MachineConfig& config, cpu::Cpu& cpu, LockstepTap* tap) {
  const auto make = [this, kind = config.engine, &profile = config.cpu](const jit::JitOptions& options) {
    return make_engine(kind, options, profile, code_pages_);
  };
  if (tap == nullptr) return make(config.jit);
  return std::make_unique<LockstepEngine>(make, config.jit, cpu, *tap, control_);
}

void Pc::Processor::init() {
  lapic.init_reset();
  vcpu.init(index_ == 0 ? cpu::Activity::Running : cpu::Activity::WaitForSipi);
}

void Pc::Processor::apic_base_changed(u64 phys, bool mmio_enabled) {
  // The register page is private to its processor; with one address map only that of the boot processor is
  // there.
  if (index_ != 0) return;
  if (lapic_mapped_) pc_.phys_map_.remove(region_name_);
  constexpr int kAboveEverything = 8;
  lapic_mapped_ = mmio_enabled && pc_.map_mmio(region_name_, phys, kPageBytes, lapic, kAboveEverything);
  cpu.mmu.flush_all();
}

Pc::Pc(const MachineConfig& config, mmu::Ram& ram, PcBackends backends, MachineControl& control,
       const Log& log)
    : control_(control),
      log_(log),
      trace_ports_(log.enabled("pio", LogLevel::Trace)),
      trace_mmio_(log.enabled("mmio", LogLevel::Trace)),
      memory_(ram.bytes()),
      phys_map_(ram),
      scheduler_(*this,
                 [this] {
                   if (!processors_.empty()) running().vcpu.request_stop();
                 }),
      debug_log_(log),
      intr_wire_([this](unsigned, bool level) {
        if (!processors_.empty()) processors_[0]->lapic.set_irq(0, level);
      }),
      smi_wire_([this](unsigned, bool level) {
        if (!level) return;
        for (const auto& processor : processors_) processor->smi();
      }),
      a20_wire_([this](unsigned source, bool level) { set_a20(source, level); }),
      pic_(IrqLine(intr_wire_, 0)),
      ioapic_(apic_bus_),
      irq_router_(pic_, ioapic_),
      // Braces, which give sources their order: that of arguments in parentheses depends on the compiler.
      hpet_{scheduler_, ioapic_, irq_router_.isa_source(kIrqPit), irq_router_.isa_source(kIrqRtc)},
      pit_(scheduler_, IrqLine(hpet_, 0)),
      rtc_({.base_unix_seconds = config.rtc_unix_s}, scheduler_, IrqLine(hpet_, 1)),
      acpi_pm_({.timer_32_bit = false,
                .s5_sleep_type = kSleepTypeSoftOff,
                .acpi_enable = kAcpiEnable,
                .acpi_disable = kAcpiDisable},
               scheduler_, irq_router_.isa_source(kIrqSci), IrqLine(smi_wire_, 0), control),
      com1_("com1", scheduler_, irq_router_.isa_source(kIrqCom1), backends.com1, kLineStatus, kHostInput),
      com2_("com2", scheduler_, irq_router_.isa_source(kIrqCom2), backends.com2, kLineStatus, kHostInput),
      i8042_{scheduler_, irq_router_.isa_source(kIrqKeyboard), irq_router_.isa_source(kIrqMouse),
             IrqLine(a20_wire_, 1), control},
      port92_(IrqLine(a20_wire_, 0), control),
      coprocessor_error_(irq_router_.isa_source(kIrqCoprocessor)),
      reset_control_(control),
      dma_(*this),
      debug_port_(debug_log_),
      pvpanic_(control),
      vga_(scheduler_),
      fw_cfg_(*this),
      smram_window_(phys_map_, code_pages_),
      pci_config_(*this, reset_control_),
      pirq_to_isa_([this](unsigned line, bool level) { pirq_isa_lines_.at(line).set(level); }),
      isa_bridge_(pirq_to_isa_),
      piix4_pm_(kPmBasePort),
      drives_(place_drives(backends.disks)),
      ide_(scheduler_, {irq_router_.isa_source(kIrqIde[0]), irq_router_.isa_source(kIrqIde[1])}, *this,
           ide_units(drives_)),
      pci_windows_(ports_, {.map =
                                [this](const std::string& name, u64 phys, u64 bytes, MmioHandler& handler) {
                                  constexpr int kAboveRam = 1;
                                  return map_mmio(name, phys, bytes, handler, kAboveRam);
                                },
                            .unmap = [this](const std::string& name) { phys_map_.remove(name); }}),
      watchdog_action_(config.watchdog_action) {
  irq_router_.set_pirq_router(isa_bridge_);
  for (unsigned line = 0; line < kIsaIrqs; ++line) pirq_isa_lines_[line] = irq_router_.isa_source(line);
  for (unsigned i = 0; i < config.cpus; ++i) {
    processors_.push_back(std::make_unique<Processor>(*this, i, config, derive_seed(config.seed, i)));
  }
  apic_bus_.attach(ioapic_);
  for (const auto& processor : processors_) apic_bus_.attach(processor->lapic);
  map_memory();
  map_ports();
  map_pci();
  plug_in_ahci();
  fill_cmos(rtc_, {.memory = memory_, .cpus = config.cpus, .floppies = add_floppies()});
  plug_in_disks();
  plug_in_extras(config, backends.console);
  for_each_device([](devices::Device& device) { device.reset(ResetKind::PowerOn); });
  place_windows();
  for (const auto& processor : processors_) {
    processor->apic_base_changed(processor->lapic.base_phys(), processor->lapic.mmio_enabled());
  }
}

Pc::~Pc() = default;

cpu::Vcpu& Pc::vcpu(unsigned index) { return processors_.at(index)->vcpu; }
const cpu::Engine& Pc::engine(unsigned index) const { return *processors_.at(index)->engine; }

void Pc::map_memory() {
  for (const RamRange& range : memory_.ram_ranges()) {
    must(phys_map_.add_ram(range.name, range.phys, range.bytes, range.ram_offset).ok());
  }
  constexpr int kAboveRam = 1;
  must(map_mmio("ioapic", kIoApicPhys, kPageBytes, ioapic_, kAboveRam));
  must(map_mmio("hpet", kHpetPhys, 0x400, hpet_, kAboveRam));
  must(map_mmio("vga", kVgaWindowPhys, devices::Vga::kRangeBytes, vga_, kAboveRam));
}

bool Pc::map_mmio(const std::string& name, u64 phys, u64 bytes, MmioHandler& device, int priority) {
  if (!trace_mmio_) return phys_map_.add_mmio(name, phys, bytes, device, priority).ok();
  std::unique_ptr<TracedMmio>& traced = traced_[name];
  if (!traced) traced = std::make_unique<TracedMmio>(name, device, *this, log_);
  return phys_map_.add_mmio(name, phys, bytes, *traced, priority).ok();
}

void Pc::map_ports() {
  const auto map = [&](u16 first, u32 count, Width widest, PioHandler& handler) {
    must(ports_.map(PioRange{first, count, widest}, handler).ok());
  };
  map(0x20, 2, Width::Byte, pic_.master_ports());
  map(0xa0, 2, Width::Byte, pic_.slave_ports());
  map(0x4d0, 2, Width::Byte, pic_.elcr_ports());
  map(0x40, 4, Width::Byte, pit_.counter_ports());
  map(0x61, 1, Width::Byte, pit_.port61());
  map(0x60, 1, Width::Byte, i8042_.data_port());
  map(0x64, 1, Width::Byte, i8042_.command_port());
  map(0x70, 2, Width::Byte, rtc_.ports());
  map(0x00, devices::Dma8237Pair::kBytePorts, Width::Byte, dma_.byte_ports());
  map(0xc0, devices::Dma8237Pair::kWordPorts, Width::Byte, dma_.word_ports());
  map(0x80, devices::Dma8237Pair::kPagePorts, Width::Byte, dma_.page_ports());
  map(kPort92, 1, Width::Byte, port92_);
  map(kCoprocessorErrorPort, 1, Width::Byte, coprocessor_error_);
  map(kSmiCommandPort, 2, Width::Byte, acpi_pm_.smi_ports());
  map(kCom1Port, 8, Width::Byte, com1_);
  map(kCom2Port, 8, Width::Byte, com2_);
  map(devices::Vga::kFirstPort, devices::Vga::kPorts, Width::Byte, vga_.ports());
  map(0xcf8, 8, Width::Dword, pci_config_);
  constexpr u16 kBochsDebugPort = 0xe9;
  map(kBochsDebugPort, 1, Width::Byte, debug_port_);
  map(kFirmwareDebugPort, 1, Width::Byte, debug_port_);
  map(kPvpanicPort, 1, Width::Byte, pvpanic_);
  map(0x510, 2, Width::Word, fw_cfg_.selector_ports());
  map(0x514, 8, Width::Dword, fw_cfg_.dma_ports());
}

std::array<FloppyType, 2> Pc::add_floppies() {
  std::array<devices::FloppyDrive, devices::FloppyController::kDrives> drives;
  std::array<FloppyType, 2> types{};
  bool any = false;
  for (const Drive& drive : drives_) {
    if (drive.disk.bus != DiskBus::Floppy) continue;
    drives.at(drive.place) = devices::FloppyDrive(drive.disk.medium);
    types.at(drive.place) = static_cast<FloppyType>(drives[drive.place].bios_type());
    any = true;
  }
  if (!any) return types;
  floppy_.emplace(scheduler_, irq_router_.isa_source(kIrqFloppy), devices::IsaDmaChannel(dma_, kDmaFloppy),
                  drives);
  must(ports_.map({kFloppyPort, kFloppyPorts, Width::Byte}, floppy_->ports()).ok());
  must(ports_.map({kFloppyPort7, 1, Width::Byte}, floppy_->port7()).ok());
  return types;
}

void Pc::request_eject(std::size_t drive) {
  if (drives_.at(drive).cdrom != nullptr) drives_[drive].cdrom->request_eject();
}

void Pc::eject(std::size_t drive) {
  Drive& one = drives_.at(drive);
  CHECK(one.removable());
  one.disk.medium = nullptr;
  if (one.cdrom != nullptr)
    one.cdrom->eject();
  else
    floppy_->insert(one.place, nullptr);
}

void Pc::insert(std::size_t drive, devices::BlockBackend& medium) {
  Drive& one = drives_.at(drive);
  CHECK(one.removable());
  one.disk.medium = &medium;
  if (one.cdrom != nullptr)
    one.cdrom->insert(medium);
  else
    floppy_->insert(one.place, &medium);
}

Result<Done> Pc::add_debug_exit(u16 port) {
  constexpr u32 kDebugExitPorts = 4;
  debug_exit_.emplace(control_);
  const auto mapped = ports_.map({port, kDebugExitPorts, Width::Dword}, *debug_exit_);
  if (!mapped) {
    return Error{fmt::format("--debug-exit {:#x}: {}; 0xf4 and 0x501 are free.", port,
                             devices::describe(mapped.error()))};
  }
  return Done{};
}

/// Its register takes the place of the debug port at E9h; the one at 402h stays.
void Pc::add_test_device() {
  devices::TestDevice::Lines lines;
  for (unsigned i = 0; i < lines.size(); ++i) {
    lines[i] = i < kIsaIrqs            ? irq_router_.isa_source(i)
               : i < kIsaIrqs + kPirqs ? irq_router_.pirq_source(i - kIsaIrqs)
                                       : IrqLine(ioapic_, i);
  }
  devices::TestDevice& device = test_device_.emplace(lines);
  ports_.unmap(debug_port_);
  must(ports_.map({kFirmwareDebugPort, 1, Width::Byte}, debug_port_).ok());
  must(ports_.map({0xe0, 4, Width::Dword}, device.data_ports()).ok());
  must(ports_.map({0xe4, 4, Width::Dword}, device.flush_ports()).ok());
  must(ports_.map({0xe8, 4, Width::Byte}, device.byte_ports()).ok());
  must(ports_.map({0x2000, devices::TestDevice::kIrqLines, Width::Byte}, device.irq_ports()).ok());
  constexpr u64 kTestMemoryPhys = 0xff00'0000;
  constexpr int kAboveRam = 1;
  must(map_mmio("test device", kTestMemoryPhys, devices::TestDevice::kMemoryBytes, device, kAboveRam));
}

void Pc::map_pci() {
  attach_pci(kPciDeviceHostBridge, 0, host_bridge_);
  attach_pci(kPciDeviceSouthBridge, 0, isa_bridge_);
  attach_pci(kPciDeviceSouthBridge, 1, ide_);
  attach_pci(kPciDeviceSouthBridge, 3, piix4_pm_);
}

void Pc::plug_in_disks() {
  first_virtio_slot_ = next_card_slot_;
  for (const Drive& drive : drives_) {
    if (drive.disk.bus != DiskBus::Virtio) continue;
    plug_in([&](IrqLine interrupt) {
      return std::make_unique<devices::VirtioBlk>(*drive.disk.medium, drive.disk.serial,
                                                  virtio_board(interrupt));
    });
  }
}

void Pc::plug_in_extras(const MachineConfig& config, devices::CharBackend* console) {
  if (console != nullptr) {
    plug_in([&](IrqLine interrupt) {
      auto card = std::make_unique<devices::VirtioConsole>(*console, virtio_board(interrupt));
      console_ = card.get();
      return card;
    });
  }
  if (config.virtio_rng) {
    constexpr u64 kSeedIndex = 0x1000;  // beyond those of the processors
    plug_in([&](IrqLine interrupt) {
      return std::make_unique<devices::VirtioRng>(derive_seed(config.seed, kSeedIndex),
                                                  virtio_board(interrupt));
    });
  }
  if (config.watchdog) {
    plug_in([&](IrqLine) {
      auto card = std::make_unique<devices::I6300Esb>(scheduler_, [this] { watchdog_expired(); });
      watchdog_ = card.get();
      return card;
    });
  }
}

void Pc::watchdog_expired() {
  log_.write("watchdog", LogLevel::Warn, "the watchdog expired after instruction {}", retired_now());
  switch (watchdog_action_) {
    case WatchdogAction::Reset: return control_.request(MachineRequest::WatchdogReset);
    case WatchdogAction::Shutdown: return acpi_pm_.press_power_button();
    case WatchdogAction::PowerOff: return control_.request(MachineRequest::PowerOff);
    case WatchdogAction::InjectNmi:
      for (const auto& processor : processors_) processor->nmi();
      return;
    case WatchdogAction::Debug:
    case WatchdogAction::None: return;
  }
}

void Pc::plug_in_ahci() {
  ahci_slot_ = next_card_slot_;
  if (std::ranges::none_of(drives_, [](const Drive& drive) { return drive.disk.bus == DiskBus::Ahci; }))
    return;
  plug_in([&](IrqLine interrupt) {
    return std::make_unique<devices::ahci::AhciController>(scheduler_, interrupt, *this, *this,
                                                           ahci_units(drives_));
  });
}

void Pc::attach_pci(unsigned device, unsigned function_number, devices::PciFunction& function) {
  must(pci_config_.attach(device, function_number, function).ok());
  pci_windows_.add(function, fmt::format("00:{:02x}.{}", device, function_number));
}

void Pc::memory_map_changed() {
  for (const auto& processor : processors_) processor->cpu.mmu.flush_all();
}

void Pc::pci_config_changed(devices::PciFunction& function, devices::ConfigChange change) {
  using devices::HostBridge;
  using devices::Piix4Pm;
  using devices::ide::IdeController;
  namespace pci = devices::pci;
  const bool moves_pm = &function == &piix4_pm_ &&
                        (change.touches(Piix4Pm::kPmBase, 4) || change.touches(Piix4Pm::kPmRegMisc, 1) ||
                         change.touches(Piix4Pm::kDevActB, 4));
  const bool moves_ide = &function == &ide_ && change.touches(IdeController::kIdeTiming, 4);
  if (moves_pm || moves_ide || change.touches(pci::kCommand, 2) || change.touches(pci::kBar0, 4 * pci::kBars))
    place_windows();
  if (&function == &host_bridge_ && change.touches(HostBridge::kPam0, HostBridge::kPamBytes) && rom_shadow_ &&
      rom_shadow_->update(host_bridge_))
    memory_map_changed();
  if (&function == &host_bridge_ && change.touches(HostBridge::kSmram, 1)) arrange_smram();
}

void Pc::arrange_smram() {
  if (!smram_window_.update(host_bridge_)) return;
  for (const auto& processor : processors_) processor->cpu.mmu.set_smram(smram_window_.in_smm());
  memory_map_changed();
}

Pc::Placement Pc::wanted_placement() const {
  Placement wanted;
  wanted.windows = pci_windows_.wanted();
  if (piix4_pm_.pm_enabled()) wanted.pm_base = piix4_pm_.pm_base();
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
  pci_windows_.map_all();
  if (wanted.windows != placed_.windows) memory_map_changed();
  placed_ = wanted;
}

void Pc::set_a20(unsigned source, bool enabled) {
  a20_[source] = enabled;
  for (const auto& processor : processors_) processor->cpu.mmu.set_a20(a20_[0] || a20_[1]);
}

AcpiImage Pc::acpi_image() const {
  AcpiConfig acpi{.apic_ids = {},
                  .hpet_block_id = kHpetBlockId,
                  .vga = true,
                  .floppy = floppy_.has_value(),
                  .pci_window_phys = memory_.pci_window_phys()};
  for (const auto& processor : processors_)
    acpi.apic_ids.push_back(static_cast<u8>(processor->lapic.apic_id()));
  return build_acpi_image(acpi);
}

Result<Done> Pc::boot(const boot::BootRequest& request) {
  const AcpiTables tables = place_acpi_tables(acpi_image(), kAcpiTablesPhys);
  phys_map_.write_bytes(tables.phys, tables.bytes);

  const boot::BootTarget target = {phys_map_, memory_, tables.rsdp_phys(),
                                   processors_[0]->cpu.profile.physical_address_bits};
  const boot::EntryState entry = TRY(boot::load(request, target));
  cpu::Cpu& cpu = processors_[0]->cpu;
  boot::enter(entry, target, cpu.state);
  cpu.state_replaced();
  enter_virtual_wire_mode();
  configure_chipset();
  vga_.enter_text_mode();
  dma_.enter_cascade_mode();
  return Done{};
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
    must(map_mmio("variables", phys, variables_->bytes(), *variables_, kAboveRam));
  }
  memory_map_changed();
  const std::vector<std::string> order = TRY(firmware_order(config.boot_order));
  fill_fw_cfg(fw_cfg_, {.config = config,
                        .memory = memory_,
                        .cpus = processors(),
                        .acpi = acpi_image(),
                        .vga_bios = std::move(vga_bios),
                        .boot_order = order});
  return Done{};
}

Result<std::vector<std::string>> Pc::firmware_order(const std::vector<std::string>& wanted) const {
  std::vector<std::string> paths;
  for (const std::size_t index : TRY(boot_order(wanted, drives_))) {
    const Drive& drive = drives_[index];
    paths.push_back(firmware_path(
        drive, drive.disk.bus == DiskBus::Ahci ? ahci_slot_ : first_virtio_slot_ + drive.place));
  }
  return paths;
}

bool Pc::reset() {
  if (!rom_shadow_) return false;
  for_each_device([](devices::Device& device) { device.reset(ResetKind::Warm); });
  for (unsigned i = 0; i < processors_.size(); ++i) {
    Processor& processor = *processors_[i];
    processor.vcpu.reset(processor.cpu.state.rng_state);
    if (i != 0) processor.vcpu.init(cpu::Activity::WaitForSipi);
    processor.apic_base_changed(processor.lapic.base_phys(), processor.lapic.mmio_enabled());
  }
  place_windows();
  arrange_smram();
  rom_shadow_->update(host_bridge_);
  memory_map_changed();
  return true;
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
  devices::Lapic& lapic = processors_[0]->lapic;
  lapic.mmio_write(kSvr, Width::Dword, kApicEnabledSpuriousFf);
  lapic.mmio_write(kLvtLint0, Width::Dword, kExtInt);
  lapic.mmio_write(kLvtLint1, Width::Dword, kNmi);
}

u32 Pc::port_read(u16 port, Width width) {
  ++counters_.port_reads;
  if (!ports_.streams(port)) scheduler_.stall(kPortAccessNs);
  const u32 value = ports_.read(port, width);
  if (trace_ports_) [[unlikely]] {
    log_.write("pio", LogLevel::Trace, "{} in  {:04x}.{} = {:x}", retired_now(), port, width_bytes(width),
               value);
  }
  return value;
}

void Pc::port_write(u16 port, Width width, u32 value) {
  ++counters_.port_writes;
  if (!ports_.streams(port)) scheduler_.stall(kPortAccessNs);
  if (trace_ports_) [[unlikely]] {
    log_.write("pio", LogLevel::Trace, "{} out {:04x}.{} = {:x}", retired_now(), port, width_bytes(width),
               value);
  }
  ports_.write(port, width, value);
}

std::size_t Pc::port_read_ahead(u16 port, Width width, std::span<u8> into) {
  if (trace_ports_) [[unlikely]]
    return 0;
  const std::size_t bytes = ports_.read_ahead(port, width, into);
  counters_.port_reads += bytes / width_bytes(width);
  return bytes;
}

std::size_t Pc::port_write_ahead(u16 port, Width width, std::span<const u8> from) {
  if (trace_ports_) [[unlikely]]
    return 0;
  const std::size_t bytes = ports_.write_ahead(port, width, from);
  counters_.port_writes += bytes / width_bytes(width);
  return bytes;
}

bool Pc::apic_msr_read(u32 msr, u64& value) { return running().lapic.msr_read(msr, value); }
bool Pc::x87_error(cpu::X87Error error) {
  if (error == cpu::X87Error::Waits) return coprocessor_error_.ignored();
  coprocessor_error_.begin();
  return false;
}
bool Pc::apic_msr_write(u32 msr, u64 value) { return running().lapic.msr_write(msr, value); }

bool Pc::dma_read(u64 phys, std::span<u8> into) { return phys_map_.read_bytes(phys, into); }

bool Pc::dma_write(u64 phys, std::span<const u8> from) {
  const bool all_ram = phys_map_.write_bytes(phys, from);
  code_pages_.written(phys, from.size());
  return all_ram;
}

/// SDM 3A 11.11: where and how, from the address; what, from the data.
void Pc::send_msi(u64 phys, u32 data) {
  constexpr u64 kMessageArea = 0xfee;
  if (phys >> 20 != kMessageArea) {
    const u8 bytes[] = {static_cast<u8>(data), static_cast<u8>(data >> 8), static_cast<u8>(data >> 16),
                        static_cast<u8>(data >> 24)};
    dma_write(phys, bytes);
    return;
  }
  using namespace devices;
  apic_bus_.deliver({
      .destination = widen_apic_destination(static_cast<u8>(phys >> 12)),
      .destination_mode = phys & 4 ? DestinationMode::Logical : DestinationMode::Physical,
      .delivery_mode = static_cast<DeliveryMode>(data >> 8 & 7),
      .trigger_mode = data >> 15 & 1 ? TriggerMode::Level : TriggerMode::Edge,
      .vector = static_cast<u8>(data),
  });
}

u64 Pc::retired_now() const {
  u64 total = 0;
  for (const auto& processor : processors_) total += processor->cpu.retired_now();
  return total;
}

template <class Part>
void Pc::for_each_device(Part&& part) {
  part(pic_);
  part(ioapic_);
  for (const auto& processor : processors_) part(processor->lapic);
  part(hpet_);
  part(pit_);
  part(rtc_);
  part(acpi_pm_);
  part(com1_);
  part(com2_);
  part(i8042_);
  part(port92_);
  part(coprocessor_error_);
  part(reset_control_);
  part(dma_);
  if (floppy_) part(*floppy_);
  part(debug_port_);
  part(pvpanic_);
  part(vga_);
  part(fw_cfg_);
  if (variables_) part(*variables_);
  if (debug_exit_) part(*debug_exit_);
  if (test_device_) part(*test_device_);
  part(pci_config_);
  part(host_bridge_);
  part(isa_bridge_);
  part(piix4_pm_);
  part(ide_);
  for (const auto& card : cards_) part(*card);
}

std::vector<const devices::Device*> Pc::devices() {
  std::vector<const devices::Device*> devices;
  for_each_device([&](const devices::Device& device) { devices.push_back(&device); });
  return devices;
}

void Pc::serialize(Archive& archive) {
  archive.tag("pc");
  scheduler_.serialize_time(archive);
  for (const auto& processor : processors_) {
    processor->cpu.state.serialize(archive);
    if (archive.loading()) processor->cpu.state_replaced();
    processor->cpu.mmu.serialize(archive);
  }
  archive.value(a20_);
  irq_router_.serialize(archive);
  for_each_device([&](devices::Device& device) { device.serialize(archive); });
  if (archive.loading()) {
    place_windows();
    arrange_smram();
    if (rom_shadow_) rom_shadow_->update(host_bridge_);
    memory_map_changed();
  }
  scheduler_.serialize_timers(archive);
}

std::string Pc::dump() {
  std::string text;
  for (const auto& processor : processors_) text += processor->cpu.dump();
  text += scheduler_.dump();
  for_each_device([&](devices::Device& device) {
    const std::string lines = device.debug_dump();
    if (!lines.empty()) text += fmt::format("{}: {}\n", device.name(), lines);
  });
  return text;
}

void Pc::DebugLog::write(std::span<const u8> bytes) {
  constexpr std::size_t kMaxLine = 4096;
  for (const u8 byte : bytes) {
    if (byte != '\n' && line_.size() < kMaxLine) {
      line_.push_back(static_cast<char>(byte));
      continue;
    }
    log_.write("guest", LogLevel::Info, "{}", line_);
    line_.clear();
  }
}

}  // namespace reprise::machine
