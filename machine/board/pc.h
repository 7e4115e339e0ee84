// Pc: the board. The only list of devices, addresses and wires.
//
//     Processors --- BoardBus --- PioBus: ports      PIT, RTC, UARTs, i8042 ... --- IrqRouter
//       |    |                                                                         |  |
//       |  local APICs --- LINT0 of the boot processor --------------- 8259 pair ------+  |
//       |    +------------ ApicBus ------------------------------------ IOAPIC -----------+
//       +--- Mmu: local APIC --- PhysMap: RAM, IOAPIC, HPET ...
//
// Everything is a member, constructed in a fixed order, so timers and interrupts are the same in every run.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/log.h"
#include "cpu/core/cpu.h"
#include "devices/bus.h"
#include "devices/display/vga_card.h"
#include "devices/dma/dma8237.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/floppy/floppy_controller.h"
#include "devices/ide/ide_controller.h"
#include "devices/input/i8042.h"
#include "devices/irq/apic_bus.h"
#include "devices/irq/ioapic.h"
#include "devices/irq/pic8259.h"
#include "devices/misc/coprocessor_error.h"
#include "devices/misc/debug_port.h"
#include "devices/misc/generation_id.h"
#include "devices/misc/generic_event_device.h"
#include "devices/misc/port92.h"
#include "devices/misc/pvpanic.h"
#include "devices/misc/reset_control.h"
#include "devices/misc/smbus_host.h"
#include "devices/pci/config_mechanism1.h"
#include "devices/pci/config_window.h"
#include "devices/pci/host_bridge.h"
#include "devices/pci/pci_hotplug.h"
#include "devices/pci/pcie_root_port.h"
#include "devices/serial/uart16550.h"
#include "devices/sound/pc_speaker.h"
#include "devices/timer/acpi_pm.h"
#include "devices/timer/cmos_rtc.h"
#include "devices/timer/hpet.h"
#include "devices/timer/pit8254.h"
#include "devices/virtio/virtio_mmio.h"
#include "machine/board/board_parts.h"
#include "machine/board/board_video_ram.h"
#include "machine/board/config.h"
#include "machine/board/debug_log.h"
#include "machine/board/hot_card.h"
#include "machine/board/input_router.h"
#include "machine/board/irq_router.h"
#include "machine/board/named_dma.h"
#include "machine/board/pci_windows.h"
#include "machine/board/processors.h"
#include "machine/board/scsi_slots.h"
#include "machine/board/smram_window.h"
#include "machine/board/south_bridge.h"
#include "machine/board/traced_mmio.h"
#include "machine/board/typist.h"
#include "machine/board/wire.h"
#include "machine/boot/bios_area.h"
#include "machine/boot/kernel_rom.h"
#include "machine/clock/scheduler.h"
#include "machine/firmware/boot_order.h"
#include "machine/firmware/rom_shadow.h"
#include "machine/layout/cmos_layout.h"
#include "machine/layout/memory_map.h"
#include "machine/plug/board_services.h"
#include "machine/plug/device_row.h"
#include "machine/sound/sound_mixer.h"
#include "machine/storage/drives.h"
#include "machine/storage/host_file.h"
#include "machine/tables/acpi_tables.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

class Outside;
class OutputGate;

/// Where the guest's output goes, and what is plugged in. All of it outlives the Pc.
struct PcBackends {
  devices::CharBackend& com1;
  devices::CharBackend& com2;
  std::vector<AttachedDisk> disks = {};
  devices::CharBackend* console = nullptr;          // if there is a virtio console
  devices::NetBackend* network = nullptr;           // nullptr: the cards' cables end nowhere
  devices::AudioSink* sound = nullptr;              // nullptr: nobody listens
  std::vector<devices::ShareBackend*> shares = {};  // in the order of their devices
  devices::CharBackend* capture = nullptr;          // gets the frames of the network; nullptr: nobody does
  std::shared_ptr<RunFiles> files = {};             // nullptr: those of a run of its own
  const OutputGate* gate = nullptr;                 // of what is kept outside; nullptr: it is open
  AccessTraces traces = {};                         // of accesses to devices
  std::vector<devices::CharBackend*> ports =
      {};  // of virtio-serial cards, in the order of their devices; of those that are
           // missing nobody hears anything
};

/// Where characters go that nobody hears.
struct NoListener final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

/// Where frames go that have nowhere to go.
struct NoNetwork final : devices::NetBackend {
  void send(devices::NetCard&, std::span<const u8>) override {}
  bool takes_large_frames() const override { return true; }
};

struct PcCounters {
  u64 port_reads = 0;
  u64 port_writes = 0;
};

/// Thread: the one that runs the machine.
class Pc final : public BoardBus, public DmaPort, public MsiSink, private devices::PciConfigListener {
 public:
  /// `ram` has as many bytes as total_ram_bytes() says, or fewer: then the guest's own memory is smaller.
  Pc(const MachineConfig& config, mmu::Ram& ram, PcBackends backends, MachineControl& control,
     const Log& log);
  ~Pc() override;

  /// Loads the kernel and puts the boot processor at its entry; the rest of the machine is as firmware would have left
  /// it. A kernel that starts in real mode gets there through firmware, as `firmware` says.
  Result<Done> boot(const boot::BootRequest& request, const FirmwareConfig& firmware);
  /// Puts firmware at the reset vector and tells it about the machine.
  Result<Done> boot_firmware(const FirmwareConfig& config);
  /// RESET#: processors and devices start again, RAM keeps its content. Between instructions. False when
  /// there is no firmware that could start the machine again.
  bool reset();

  /// Plugs in `devices`, which check_devices() accepts, and the disks; then the board has power. Before anything
  /// else, once. Error: two want the same place.
  Result<Done> plug_in(const std::vector<DeviceConfig>& devices);

  /// Told when a watchdog has expired, and what it does then. Before the run.
  void on_watchdog(std::function<void(std::string_view action)> listener) {
    watchdog_listener_ = std::move(listener);
  }
  /// Registers what takes events from outside: consoles, keyboard, pointer, power button.
  void add_sinks(Outside& outside);
  /// Where sinks take what hands do.
  InputRouter& input_router() { return input_router_; }
  Typist& typist() { return typist_; }
  /// Hands over what was heard up to now.
  void play_sound();

  /// Carries out what the guest or a wake event asked for: falling asleep (S3), waking up. Between instructions.
  /// Whether something changed.
  bool change_power();
  /// Processors do not run.
  bool asleep() const { return acpi_pm_.power() != devices::AcpiPm::Power::Awake; }

  /// What the guest does then is its own affair; one without ACPI notices nothing.
  void press_power_button();
  /// A state was loaded of a machine with another seed: random numbers are this one's, from the first on, and the guest is told.
  void renew_seed(u64 seed);

  /// What servers of shared folders have open outside, which is no state of the guest's. Behind serialize().
  void serialize_share_handles(Archive& archive);
  /// They have nothing open any more.
  void lose_share_handles();

  /// Files that were loaded: kernel, initrd, modules, firmware.
  const std::vector<FileRead>& files_read() const;
  /// Changes of firmware's variables that the host did not store.
  u64 failed_variable_saves() const { return variables_ ? variables_->failed_saves() : 0; }

  /// In the order of PcBackends::disks; those that are removable() take other media.
  const std::vector<Drive>& drives() const { return drives_; }
  void request_eject(std::size_t drive);
  void eject(std::size_t drive);
  /// The medium of `disk` outlives its stay.
  void insert(std::size_t drive, const AttachedDisk& disk);

  // --- pc_hotplug.cpp: cards that come and go while the guest runs, if the configuration says so ---
  // Slots are numbered: on a pc they are the devices of bus 0, on a q35 its ports in their order.
  /// Those that are in slots and can be taken out, and those that wait. Empty: none can.
  const std::vector<HotCard>& hot_cards() const { return hot_cards_; }
  bool slot_is_free(unsigned slot) const;
  /// Between instructions. False: it cannot be.
  bool plug(const HotPlugging& plugging);
  /// The guest is asked to let go of the card in `slot`. False: there is none that could go.
  bool ask_to_unplug(unsigned slot);
  /// Drives on virtio-scsi cards that come and go, if the configuration says so: on any board, and at once.
  const ScsiSlots& scsi_slots() const { return scsi_slots_; }
  /// Things come and go: cards unless hot_cards() is empty, SCSI drives if there is a virtio-scsi.
  bool takes_things() const { return takes_things_; }
  bool plug_scsi(std::size_t slot, const ScsiPlace& place, const std::string& id, const std::string& serial) {
    return takes_things_ && scsi_slots_.plug(slot, place, id, serial);
  }
  std::optional<ScsiSlot> unplug_scsi(std::size_t slot) {
    return takes_things_ ? scsi_slots_.unplug(slot) : std::nullopt;
  }
  /// Told when the guest has let go of a card, in the middle of an instruction. Before the run.
  void on_ejected(std::function<void(const HotCard& card)> listener) {
    ejected_listener_ = std::move(listener);
  }
  /// Of a network card: whether it is in a slot, and what the user calls it if it is one that waited.
  struct NetPlace {
    bool there = true;
    std::string id = {};
  };
  NetPlace net_place(const devices::NetCard& card) const;

  /// A PCI Express port, whose slot has one card at most.
  struct RootPort {
    devices::PcieRootPort* port;
    std::string id;
    unsigned device;  // on bus 0
    unsigned function;
  };
  const std::vector<RootPort>& root_ports() const { return root_ports_; }
  bool is_q35() const { return chipset() == devices::Chipset::Q35; }

  Scheduler& scheduler() { return scheduler_; }
  const Scheduler& scheduler() const { return scheduler_; }
  mmu::PhysMap& phys_map() { return phys_map_; }
  devices::Uart16550& com1() { return com1_; }
  devices::Uart16550& com2() { return com2_; }
  /// nullptr: there is none.
  devices::VirtioConsole* virtio_console() { return services_.virtio_console; }
  /// In the order of their devices.
  const std::vector<devices::VirtioConsole*>& serial_cards() const { return services_.serial_cards; }
  const std::vector<devices::NetCard*>& net_cards() const { return services_.net_cards; }
  /// A watchdog will do something if nothing else happens.
  bool watchdog_runs() const { return services_.watchdog != nullptr && services_.watchdog->running(); }
  /// An interrupt controller would pass on, or a card send, what a processor takes even with interrupts off.
  bool unmaskable_may_come() const {
    return ioapic_.may_send_unmaskable() || (second_ioapic_ && second_ioapic_->may_send_unmaskable()) ||
           processors_.at(0).lapic.may_raise_unmaskable() ||
           std::ranges::any_of(cards_, [](const auto& card) { return card->may_send_unmaskable(); });
  }
  /// The RTC's alarm will interrupt or wake the machine, within a day.
  bool alarm_is_set() const { return rtc_.alarm_is_set(); }
  /// There is firmware that a reset would start.
  bool can_start_again() const { return rom_shadow_.has_value(); }
  /// The firmware has said since the last RESET that it found nothing to boot.
  bool found_nothing_to_boot() const { return debug_log_.found_nothing_to_boot(); }
  u64 boot_attempts() const { return debug_log_.boot_attempts(); }
  /// What it says is no state of a device's: a saved state has it, a hash does not.
  DebugLog& debug_log() { return debug_log_; }
  Processors& processors() { return processors_; }
  const Processors& processors() const { return processors_; }
  const Engines& engines() const { return engines_; }
  const PcCounters& counters() const { return counters_; }
  const devices::PioBus& ports() const { return ports_; }
  const devices::Vga& vga() const { return vga_card_.vga(); }
  /// The graphics card's memory: an offset in RAM.
  u64 video_ram_offset() const { return video_ram_.ram_offset(); }
  const devices::ConfigMechanism1& pci_config() const { return pci_config_; }
  const IrqRouter& irq_router() const { return irq_router_; }
  /// Every device, in the order of their serialization.
  std::vector<const devices::Device*> devices();

  /// Processors, devices and wires; RAM is separate.
  void serialize(Archive& archive);
  /// What the board consists of, line by line: a board of the same lines can load what this one saves.
  std::vector<std::string> shape();
  /// The whole state was replaced, memory too: nothing that engines have translated holds.
  void state_replaced();
  /// The content of a page of RAM is about to be another one: translations of it are forgotten. `offset` in RAM.
  void page_replaced(u64 offset) {
    if (const std::optional<u64> phys = phys_map_.phys_of_ram(offset)) code_pages_.written(*phys, kPageBytes);
  }
  /// The state was replaced by one of this run's past, after page_replaced() for what differs.
  void state_repeated() { engines_.state_repeated(); }
  /// What keeps firmware's variables gets those of now.
  void keep_variables() {
    if (variables_) variables_->keep_loaded();
  }
  /// Engines translate anew what they run.
  void forget_translations() { engines_.state_replaced(); }

  /// Where a debugger stops processors and devices: machine/debug/debugger.h.
  cpu::DebugStops& debug_stops() { return debug_stops_; }
  /// While a device's write is told there: which one.
  NamedDma::Writer dma_writer() const { return dma_writer_; }
  /// Registers of every processor and device, for a person.
  std::string dump();

  // BoardBus
  u32 port_read(u16 port, Width width) override;
  void port_write(u16 port, Width width, u32 value) override;
  std::size_t port_read_ahead(u16 port, Width width, std::span<u8> into) override;
  std::size_t port_write_ahead(u16 port, Width width, std::span<const u8> from) override;
  bool x87_error(cpu::X87Error error) override;
  void woken(unsigned index) override { processors_.woken(index); }

  // DmaPort
  bool dma_read(u64 phys, std::span<u8> into) override;
  bool dma_write(u64 phys, std::span<const u8> from) override;

  // MsiSink
  void send_msi(u64 phys, u32 data) override;

 private:
  ProcessorSocket processor_socket();
  /// Every device, in the order of their serialization.
  void for_each_device(const std::function<void(devices::Device&)>& part);

  // --- pc_memory.cpp ---
  void map_memory();
  /// Maps `device` at `phys`, traced if somebody asks for it. False when the place is taken.
  bool map_mmio(const std::string& name, u64 phys, u64 bytes, MmioHandler& device, int priority);
  /// What a PCI function has at `phys`. False when the place is taken.
  bool map_pci_memory(const std::string& name, u64 phys, const devices::PciBar& bar);
  void unmap_pci_memory(const std::string& name);
  /// After a change of the memory map: no translation of before may be used.
  void memory_map_changed();
  void arrange_smram();
  void tell_debugger(u64 phys, u64 bytes, mmu::Access access);
  void set_a20(unsigned source, bool enabled);

  // --- pc_ports.cpp ---
  void map_ports();

  // --- pc_pci.cpp ---
  /// Where the guest's registers put what it can move.
  struct Placement {
    std::vector<std::optional<u64>> windows;  // PCI base address registers
    std::optional<u16> pm_base;
    std::optional<u16> smbus_base;
    std::array<bool, 2> ide{};
    std::optional<devices::HostBridge::Window> config_window;
    bool operator==(const Placement&) const = default;
  };
  struct Seat;
  void map_pci();
  /// One more PCI function. During construction only.
  void attach_pci(unsigned device, unsigned function_number, devices::PciFunction& function);
  void attach_pci(const Seat& seat, devices::PciFunction& function);
  Placement wanted_placement() const;
  void place_windows();
  void pci_config_changed(devices::PciFunction& function, devices::ConfigChange change) override;

  // --- pc_cards.cpp ---
  /// A device on its way to its place. A drive has no configuration of its own here: its disk says all.
  struct Arrival {
    const DeviceRow* row;
    const DeviceConfig* config;
    Drive* drive;
    std::optional<unsigned> place() const { return drive != nullptr ? drive->disk.place : config->place; }
    const std::string& bus() const { return drive != nullptr ? drive->disk.pci_bus : config->bus; }
  };
  /// A network card in its slot.
  struct NetSlot {
    devices::PciFunction* card;
    unsigned slot;
    std::string rom_file;  // empty: it has none
    bool rom_was_given;    // by the user
    std::string behind;    // as Drive's
  };
  /// The wire of I/O APIC pin `line`, which counts through both of them.
  IrqLine interrupt_line(unsigned line);
  BoardServices board_services(const MachineConfig& config, const PcBackends& backends);
  std::vector<Arrival> arrivals(const std::vector<DeviceConfig>& devices);
  /// Slots that cards ask for are kept free for them.
  Result<Done> reserve_slots(const std::vector<Arrival>& arrivals);
  Result<Done> plug_in_one(const Arrival& arrival, unsigned nth);
  /// At the last place for virtio devices that is free.
  Result<Done> place_virtio(std::unique_ptr<devices::VirtioDevice> device);
  /// Where virtio devices are, in the order in which guests find them.
  std::vector<unsigned> virtio_places() const;
  std::unique_ptr<devices::PciFunction> make_card(const DeviceSite& site, IrqLine interrupt, bool express);
  /// `express`: in a port.
  std::unique_ptr<devices::PciFunction> put_on_pci(std::unique_ptr<devices::VirtioDevice> device,
                                                   IrqLine interrupt, bool express);
  Result<unsigned> slot_for(const Arrival& arrival);
  /// Where a card goes.
  struct Seat {
    devices::PciBus& bus;
    unsigned device;
    unsigned function;
    unsigned root_device;          // on bus 0: its own, or that of the port that it is in
    std::optional<unsigned> slot;  // from which it can be taken out, if the configuration says so
    std::string name;              // "00:05.0"
    std::string behind;            // as Drive's
  };
  Result<Seat> seat_for(const Arrival& arrival);
  Result<Done> plug_in_card(const Arrival& arrival, const DeviceSite& site, const std::string& name);
  devices::Chipset chipset() const { return memory_.chipset(); }
  /// The wire from pin `pin` (1 to 4: INTA# to INTD#) of the card in slot `device`.
  IrqLine pci_interrupt(unsigned device, unsigned pin) {
    return irq_router_.pirq_source(devices::pirq_of(device, pin, chipset()));
  }

  // --- pc_hotplug.cpp ---
  void add_hotplug();
  void add_waiting_cards();
  HotCard& add_waiting_card(std::string_view driver, const std::string& name);
  HotCard& add_waiting_net(std::string_view driver);
  void place_waiting_card(HotCard& card, std::unique_ptr<devices::PciFunction> function);
  void put_into_slot(HotCard& card, unsigned slot);
  void take_out_of_slot(HotCard& card);
  void eject_card(unsigned slot);
  bool set_detail(HotCard& card, const std::string& detail);
  void serialize_hot_cards(Archive& archive);

  // --- pc_media.cpp ---
  /// The floppy drives, with their controller. Their types, for the CMOS.
  std::array<FloppyType, 2> add_floppies();

  // --- pc_start.cpp ---
  AcpiImage acpi_image() const;
  u32 pci_window_phys(const std::optional<devices::HostBridge::Window>& config_window) const;
  /// RESET# for all but the `kept`.
  void reset_devices(std::initializer_list<const devices::Device*> kept);
  void reset_processors();
  void fall_asleep();
  void wake_up();
  Result<Done> boot_by_firmware(boot::FirmwareBoot kernel, const FirmwareConfig& firmware);
  /// `first`: the path of what firmware boots before any drive; empty: nothing.
  Result<Done> start_firmware(const FirmwareConfig& config, const std::string& first);
  u8 cmos_byte(u8 index);
  SmbiosConfig smbios_config(const FirmwareConfig& firmware);
  /// The BIOS's tables, data and services, for a kernel that is started without it.
  boot::BiosFacts bios_facts(const FirmwareConfig& firmware);
  /// What firmware leaves in chipset registers for the kernel.
  void configure_chipset();
  void configure_bridges();
  /// The firmware's ROM where the processors begin.
  void show_rom();
  void start_timer_interrupt();
  void enter_virtual_wire_mode();
  /// Network cards get their option ROMs. Error: one that was asked for is none.
  Result<Done> plug_in_option_roms(const std::vector<std::string>& boot_order);
  /// What firmware can boot from.
  std::vector<BootSource> boot_sources() const;

  MachineControl& control_;
  const Log& log_;
  const AccessTraces traces_;
  std::map<std::string, std::unique_ptr<TracedMmio>> traced_;  // by name of the region
  const BoardParts parts_;
  MemoryMap memory_;
  mmu::PhysMap phys_map_;
  mmu::CodePages code_pages_;
  cpu::DebugStops debug_stops_;
  NamedDma::Writer dma_writer_ = nullptr;
  const std::string vga_name_ = "vga";
  NamedDma isa_dma_{*this, dma_writer_, "isa-dma"};
  NamedDma fw_cfg_dma_{*this, dma_writer_, "fw-cfg"};
  NamedDma ide_dma_{*this, dma_writer_, "ide"};
  std::vector<std::unique_ptr<NamedDma>> card_dma_;  // of those that are plugged in
  BoardVideoRam video_ram_;
  Engines engines_;
  devices::PioBus ports_;
  Processors processors_;
  Scheduler scheduler_;
  PcCounters counters_;
  DebugLog debug_log_;

  // Wires
  Wire intr_wire_;
  Wire smi_wire_;
  Wire a20_wire_;
  Wire rtc_alarm_wire_;
  Wire power_wire_;
  bool a20_[2] = {true, true};  // port 92h, i8042

  // Interrupt controllers
  devices::ApicBus apic_bus_;
  devices::Pic8259Pair pic_;
  devices::IoApic ioapic_;
  std::optional<devices::IoApic> second_ioapic_;
  IrqRouter irq_router_;

  // Timers
  devices::Hpet hpet_;
  devices::Pit8254 pit_;
  std::optional<SoundMixer> mixer_;            // if somebody listens
  std::optional<devices::PcSpeaker> speaker_;  // the same
  devices::CmosRtc rtc_;
  devices::AcpiPm acpi_pm_;
  devices::GenerationId generation_id_;
  std::optional<devices::GenericEventDevice> generic_event_device_;

  // Everything else
  devices::Uart16550 com1_;
  devices::Uart16550 com2_;
  devices::I8042 i8042_;
  InputRouter input_router_;
  Typist typist_;
  devices::Port92 port92_;
  devices::CoprocessorError coprocessor_error_;
  devices::ResetControl reset_control_;
  devices::Dma8237Pair dma_;
  std::optional<devices::FloppyController> floppy_;  // when there are drives
  devices::DebugPort debug_port_;
  devices::Pvpanic pvpanic_;
  devices::SmbusHost smbus_;
  devices::FwCfg fw_cfg_;
  SmramWindow smram_window_;
  std::optional<RomShadow> rom_shadow_;       // with firmware
  std::optional<devices::Pflash> variables_;  // of UEFI firmware
  std::vector<std::unique_ptr<devices::Device>> isa_cards_;

  // PCI
  devices::ConfigMechanism1 pci_config_;
  devices::ConfigWindow config_window_;
  devices::HostBridge host_bridge_;
  std::array<IrqLine, kIsaIrqs> pirq_isa_lines_;
  Wire pirq_to_isa_;
  const std::unique_ptr<SouthBridge> south_bridge_;
  devices::VgaCard vga_card_;
  std::vector<Drive> drives_;
  devices::ide::IdeController ide_;  // on the bus with an I440FX only
  PciWindows pci_windows_;
  Placement placed_;
  std::array<u8, 32> functions_taken_{};  // of bus 0, a bit each: by cards, or kept for them
  std::vector<RootPort> root_ports_;
  std::vector<std::unique_ptr<devices::PciFunction>> cards_;
  std::vector<devices::VirtioDevice*> virtio_devices_;  // that are plugged in, on whatever bus
  devices::VirtioMmioPlaces virtio_places_;
  std::vector<std::unique_ptr<devices::VirtioMmio>> placed_virtio_;
  std::optional<devices::PciHotplug> hotplug_;
  std::vector<HotCard> hot_cards_;
  const bool takes_things_;
  ScsiSlots scsi_slots_;
  std::function<void(const HotCard& card)> ejected_listener_;
  std::vector<NetSlot> net_slots_;  // in the order of the cards
  std::optional<u64> facs_phys_;    // of a kernel that was started directly: there is its waking vector
  NoNetwork no_network_;
  std::function<void(std::string_view action)> watchdog_listener_;
  NoListener no_listener_;
  const OutputGate* const gate_;
  BoardServices services_;
  std::vector<u8> text_font_;  // of a kernel that was started directly
  std::shared_ptr<RunFiles> files_;
  std::vector<std::string> plugged_;  // a line for each device that was plugged in, but for drives
};

}  // namespace reprise::machine
