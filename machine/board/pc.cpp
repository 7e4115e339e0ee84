#include "machine/board/pc.h"

#include <fmt/format.h>

#include "devices/virtio/virtio_9p.h"
#include "devices/virtio/virtio_rng.h"
#include "machine/plug/display_row.h"
#include "machine/plug/seeds.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

constexpr auto kLineStatus = devices::Uart16550::LineStatus::Immediate;

devices::GenerationId::Id generation_id_of(u64 seed) {
  devices::GenerationId::Id id;
  for (unsigned i = 0; i < id.size(); i += 8)
    write_unaligned<u64>(&id[i], derive_seed(seed, kGenerationIdSeed + i / 8));
  return id;
}

}  // namespace

Pc::Pc(const MachineConfig& config, mmu::Ram& ram, PcBackends backends, MachineControl& control,
       const Log& log)
    : control_(control),
      log_(log),
      traces_(backends.traces),
      parts_(parts_of(config)),
      memory_(ram.bytes() - vga_properties(config.devices).memory_bytes, config.chipset),
      phys_map_(ram),
      video_ram_(phys_map_, code_pages_, vga_properties(config.devices).memory_bytes,
                 [this](u64 phys, u64 bytes) {
                   const NamedDma::Writer before = std::exchange(dma_writer_, &vga_name_);
                   tell_debugger(phys, bytes, mmu::Access::Write);
                   dma_writer_ = before;
                 }),
      engines_(config, code_pages_, control),
      processors_(config.cpu.topology.count(), config.schedule),
      scheduler_(processors_, [this] { processors_.request_stop(); }),
      debug_log_(log),
      intr_wire_([this](unsigned, bool level) {
        if (processors_.count() != 0) processors_.boot().lapic.set_irq(0, level);
      }),
      smi_wire_([this](unsigned, bool level) {
        // As firmware for QEMU's PC expects: it sets up no other processor for SMM.
        if (level) processors_.boot().smi();
      }),
      a20_wire_([this](unsigned source, bool level) { set_a20(source, level); }),
      rtc_alarm_wire_([this](unsigned, bool level) { acpi_pm_.set_rtc_alarm(level); }),
      power_wire_([this](unsigned, bool) { processors_.request_stop(); }),
      pic_(IrqLine(intr_wire_, 0)),
      ioapic_(apic_bus_),
      irq_router_(pic_, ioapic_),
      // Braces, which give sources their order: that of arguments in parentheses depends on the compiler.
      hpet_{scheduler_, ioapic_, irq_router_.isa_source(kIrqPit), irq_router_.isa_source(kIrqRtc)},
      pit_(scheduler_, IrqLine(hpet_, 0)),
      mixer_(backends.sound != nullptr ? std::optional<SoundMixer>(*backends.sound) : std::nullopt),
      rtc_({.base_unix_seconds = config.rtc_unix_s}, scheduler_, IrqLine(hpet_, 1),
           IrqLine(rtc_alarm_wire_, 0)),
      acpi_pm_({.layout = is_q35() ? devices::AcpiPmLayout::Ich9 : devices::AcpiPmLayout::Piix4,
                .timer_32_bit = false,
                .s5_sleep_type = kSleepTypeSoftOff,
                .s3_sleep_type = kSleepTypeSuspend,
                .acpi_enable = kAcpiEnable,
                .acpi_disable = kAcpiDisable},
               scheduler_, irq_router_.isa_source(kIrqSci), IrqLine(smi_wire_, 0), control,
               IrqLine(power_wire_, 0)),
      generation_id_(generation_id_of(config.seed)),
      com1_("com1", scheduler_, irq_router_.isa_source(kIrqCom1), backends.com1, kLineStatus),
      com2_("com2", scheduler_, irq_router_.isa_source(kIrqCom2), backends.com2, kLineStatus),
      i8042_{scheduler_, irq_router_.isa_source(kIrqKeyboard), irq_router_.isa_source(kIrqMouse),
             IrqLine(a20_wire_, 1), control},
      input_router_(i8042_),
      typist_(scheduler_, input_router_),
      port92_(IrqLine(a20_wire_, 0), control),
      coprocessor_error_(irq_router_.isa_source(kIrqCoprocessor)),
      reset_control_(control),
      dma_(isa_dma_),
      debug_port_(debug_log_),
      pvpanic_(control),
      fw_cfg_(fw_cfg_dma_),
      smram_window_(phys_map_, code_pages_),
      pci_config_(*this, reset_control_),
      config_window_(pci_config_),
      host_bridge_(config.chipset),
      pirq_to_isa_([this](unsigned line, bool level) { pirq_isa_lines_.at(line).set(level); }),
      south_bridge_(make_south_bridge(config.chipset, pirq_to_isa_, smbus_)),
      vga_card_(scheduler_, video_ram_, vga_properties(config.devices).preferred),
      drives_(place_drives(backends.disks)),
      ide_(scheduler_, {irq_router_.isa_source(kIrqIde[0]), irq_router_.isa_source(kIrqIde[1])}, ide_dma_,
           ide_units(drives_)),
      pci_windows_(ports_,
                   {.map = [this](const std::string& name, u64 phys,
                                  const devices::PciBar& bar) { return map_pci_memory(name, phys, bar); },
                    .unmap = [this](const std::string& name) { unmap_pci_memory(name); }}),
      virtio_places_(parts_.virtio_places, parts_.legacy_virtio ? devices::VirtioMmio::Version::Legacy
                                                                : devices::VirtioMmio::Version::Modern),
      takes_things_(config.pci_hotplug),
      scsi_slots_(drives_),
      gate_(backends.gate),
      services_(board_services(config, backends)),
      files_(backends.files != nullptr ? std::move(backends.files) : std::make_shared<RunFiles>()) {
  if (mixer_) pit_.on_speaker(&speaker_.emplace(scheduler_, mixer_->add_input()));
  irq_router_.set_pirq_router(south_bridge_->router());
  for (unsigned line = 0; line < kIsaIrqs; ++line) pirq_isa_lines_[line] = irq_router_.isa_source(line);
  for (unsigned i = 0; i < config.cpu.topology.count(); ++i) {
    processors_.add(std::make_unique<Processor>(processor_socket(), i, config, derive_seed(config.seed, i)));
  }
  apic_bus_.attach(ioapic_);
  if (parts_.second_io_apic) apic_bus_.attach(second_ioapic_.emplace(apic_bus_));
  if (parts_.generic_event_device) generic_event_device_.emplace(irq_router_.isa_source(kIrqSci), control);
  for (const auto& processor : processors_) apic_bus_.attach(processor->lapic);
  map_memory();
  map_ports();
  if (parts_.pc) map_pci();
  if (config.pci_hotplug && chipset() == devices::Chipset::I440fx) add_hotplug();
}

Pc::~Pc() = default;

void Pc::play_sound() {
  if (!mixer_) return;
  speaker_->play();
  u64 until = speaker_->heard_until();
  if (services_.sound_card != nullptr) until = std::min(until, services_.sound_card->heard_until());
  mixer_->pass_on(until);
}

void Pc::renew_seed(u64 seed) {
  u64 index = 0;
  for (const auto& processor : processors_) processor->cpu.state.rng_state = derive_seed(seed, index++);
  for (devices::VirtioDevice* const device : virtio_devices_)
    if (auto* const rng = dynamic_cast<devices::VirtioRng*>(device)) rng->renew();
  if (parts_.pc && generation_id_.renew()) acpi_pm_.raise_event(kGenerationIdEvent);
}

void Pc::press_power_button() {
  if (parts_.pc) acpi_pm_.press_power_button();
  if (generic_event_device_) generic_event_device_->press_power_button();
}

namespace {

void for_each_share(const std::vector<devices::VirtioDevice*>& devices,
                    const std::function<void(devices::p9::Server&)>& part) {
  for (devices::VirtioDevice* const device : devices)
    if (auto* const share = dynamic_cast<devices::Virtio9p*>(device)) part(share->server());
}

}  // namespace

void Pc::serialize_share_handles(Archive& archive) {
  for_each_share(virtio_devices_, [&](devices::p9::Server& server) { server.serialize_handles(archive); });
}

void Pc::lose_share_handles() {
  for_each_share(virtio_devices_, [](devices::p9::Server& server) { server.lose_handles(); });
}

ProcessorSocket Pc::processor_socket() {
  return {.board = *this,
          .scheduler = scheduler_,
          .retired = processors_,
          .apic_bus = apic_bus_,
          .pic = pic_,
          .phys_map = phys_map_,
          .code_pages = code_pages_,
          .engines = engines_,
          .mmio_trace = traces_.mmio,
          .log = log_};
}

bool Pc::x87_error(cpu::X87Error error) {
  if (error == cpu::X87Error::Waits) return coprocessor_error_.ignored();
  coprocessor_error_.begin();
  return false;
}

void Pc::for_each_device(const std::function<void(devices::Device&)>& part) {
  const auto on_pc = [&](auto&... devices) {
    if (parts_.pc) (part(devices), ...);
  };
  part(pic_);
  part(ioapic_);
  if (second_ioapic_) part(*second_ioapic_);
  for (const auto& processor : processors_) part(processor->lapic);
  part(hpet_);  // the PIT's and the RTC's interrupts go through it
  part(pit_);
  part(rtc_);
  on_pc(acpi_pm_, generation_id_);
  if (generic_event_device_) part(*generic_event_device_);
  // These take what comes from outside, also where no guest finds them.
  part(com1_);
  part(com2_);
  part(i8042_);
  on_pc(port92_, coprocessor_error_, reset_control_, dma_);
  if (floppy_) part(*floppy_);
  part(debug_port_);
  part(pvpanic_);
  on_pc(smbus_);
  part(fw_cfg_);
  if (variables_) part(*variables_);
  for (const auto& card : isa_cards_) part(*card);
  on_pc(pci_config_);
  if (hotplug_) part(*hotplug_);
  on_pc(host_bridge_);
  if (parts_.pc)
    for (const SouthBridge::Function& one : south_bridge_->functions()) part(one.function);
  on_pc(vga_card_);
  if (chipset() == devices::Chipset::I440fx) part(ide_);
  for (const auto& card : cards_) part(*card);
  for (const auto& device : placed_virtio_) part(*device);
}

std::vector<const devices::Device*> Pc::devices() {
  std::vector<const devices::Device*> devices;
  for_each_device([&](devices::Device& device) { devices.push_back(&device); });
  return devices;
}

void Pc::serialize(Archive& archive) {
  archive.tag("pc");
  scheduler_.serialize_time(archive);
  processors_.serialize(archive);
  archive.value(a20_);
  irq_router_.serialize(archive);
  input_router_.serialize(archive);
  typist_.serialize(archive);
  serialize_hot_cards(archive);
  if (takes_things_) scsi_slots_.serialize(archive);
  for_each_device([&](devices::Device& device) { device.serialize(archive); });
  if (archive.loading()) {
    place_windows();
    arrange_smram();
    if (rom_shadow_ && parts_.pc) rom_shadow_->update(host_bridge_);
    memory_map_changed();
  }
  // Behind everything that flushes.
  processors_.serialize_mmus(archive);
  scheduler_.serialize_timers(archive);
}

void Pc::state_replaced() {
  keep_variables();
  engines_.state_replaced();
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

}  // namespace reprise::machine
