// The DSDT: what a guest cannot find by probing. Names and ids are those of ACPI 6.4 chapters 5.6 and 6.
#include <fmt/format.h>

#include "devices/misc/generation_id.h"
#include "devices/pci/chipset.h"
#include "devices/pci/pci_hotplug.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/acpi_tables.h"
#include "machine/tables/aml.h"

namespace reprise::machine {
namespace {

using aml::Bytes;

Bytes hid(std::string_view id) { return aml::name("_HID", aml::eisa_id(id)); }
Bytes uid(u64 id) { return aml::name("_UID", aml::integer(id)); }
Bytes resources(const std::vector<Bytes>& descriptors) {
  return aml::name("_CRS", aml::resource_template(descriptors));
}

/// Where pin `pin` (0 to 3) of PCI device `device` arrives, by interrupt model.
using PinTarget = unsigned (*)(unsigned pirq);
unsigned ioapic_target(unsigned pirq) { return kPirqGsi + pirq; }
unsigned pic_target(unsigned pirq) { return kPirqIsaLines[pirq]; }

/// Rows of a _PRT, 6.2.13: every pin is wired to a fixed interrupt.
Bytes routing_table(devices::Chipset chipset, PinTarget target) {
  constexpr unsigned kDevices = 32;
  constexpr unsigned kPins = 4;
  std::vector<Bytes> rows;
  for (unsigned device = 0; device < kDevices; ++device) {
    for (unsigned pin = 0; pin < kPins; ++pin) {
      rows.push_back(aml::package({
          aml::integer(u64{device} << 16 | 0xffff),
          aml::integer(pin),
          aml::integer(0),
          aml::integer(target(devices::pirq_of(device, pin + 1, chipset))),
      }));
    }
  }
  return aml::package(rows);
}

/// What the guest says through _PIC, 5.8.1: nonzero for the I/O APIC.
constexpr std::string_view kInterruptModel = "\\PICM";

Bytes pci_routing(devices::Chipset chipset) {
  return aml::concat({
      aml::name("PRTA", routing_table(chipset, ioapic_target)),
      aml::name("PRTP", routing_table(chipset, pic_target)),
      aml::method("_PRT", 0,
                  {aml::if_true(aml::path(kInterruptModel), {aml::return_value(aml::path("PRTA"))}),
                   aml::return_value(aml::path("PRTP"))}),
  });
}

Bytes isa_device(std::string_view name, std::string_view id, u64 unit,
                 const std::vector<Bytes>& descriptors) {
  return aml::device(name, {hid(id), uid(unit), resources(descriptors)});
}

/// As QEMU describes it; Linux's pvpanic driver asks for nothing more.
Bytes pvpanic() {
  return aml::device("PEVT",
                     {aml::name("_HID", aml::string("QEMU0001")), resources({aml::io(kPvpanicPort, 1)})});
}

/// The configuration device, as QEMU describes it. Nobody needs to show it to a user.
Bytes fw_cfg() {
  constexpr u64 kPresentWorkingHidden = 0xb;
  return aml::device("FWCF", {aml::name("_HID", aml::string("QEMU0002")),
                              aml::name("_STA", aml::integer(kPresentWorkingHidden)),
                              resources({aml::io(kFwCfgPort, kFwCfgPorts)})});
}

/// The generation id, as QEMU describes it: a page of memory, and an event when it changes.
Bytes generation_id() {
  return aml::device(
      "VGEN",
      {aml::name("_HID", aml::string("QEMUVGID")), aml::name("_CID", aml::string("VM_Gen_Counter")),
       aml::name("_DDN", aml::string("VM_Gen_Counter")),
       aml::name("ADDR", aml::package({aml::integer(kGenerationIdPhys + devices::GenerationId::kIdOffset),
                                       aml::integer(0)}))});
}

/// General-purpose events, 5.6.4.1.
Bytes events(const AcpiConfig& config) {
  constexpr u64 kChanged = 0x80;
  static_assert(kGenerationIdEvent == 5 && kPciHotplugEvent == 1);
  std::vector<Bytes> methods = {aml::method("_E05", 0, {aml::notify("\\_SB.VGEN", kChanged)})};
  if (config.pci_hotplug) methods.push_back(aml::method("_E01", 0, {aml::call("\\_SB.PCI0.PCNT")}));
  return aml::scope("\\_GPE", methods);
}

/// Slots of cards that come and go, 6.3: PCNT tells of those whose card came or is to go.
Bytes hotplug_slots() {
  constexpr u64 kDeviceCheck = 1, kEjectRequest = 3;
  std::vector<Bytes> parts = {aml::port_registers("PCSL", kPciHotplugPort, {"PCIU", "PCID", "PCEJ"})};
  std::vector<Bytes> came = {aml::store_local(aml::path("PCIU"), 0)};
  std::vector<Bytes> to_go = {aml::store_local(aml::path("PCID"), 0)};
  for (unsigned slot = pci_first_card_device(devices::Chipset::I440fx); slot < devices::PciHotplug::kSlots;
       ++slot) {
    const std::string name = fmt::format("S{:02X}", slot << 3);
    const Bytes bit = aml::integer(u64{1} << slot);
    parts.push_back(aml::device(
        name, {aml::name("_ADR", aml::integer(u64{slot} << 16)), aml::name("_SUN", aml::integer(slot)),
               aml::method("_EJ0", 1, {aml::store(bit, "PCEJ")})}));
    const Bytes is_meant = aml::bit_and(aml::local(0), bit);
    came.push_back(aml::if_true(is_meant, {aml::notify(name, kDeviceCheck)}));
    to_go.push_back(aml::if_true(is_meant, {aml::notify(name, kEjectRequest)}));
  }
  came.insert(came.end(), to_go.begin(), to_go.end());
  parts.push_back(aml::method("PCNT", 0, came));
  return aml::concat(parts);
}

Bytes floppy_controller() {
  return isa_device("FDC0", "PNP0700", 0,
                    {aml::io(kFloppyPort + 2, kFloppyPorts - 2), aml::io(kFloppyPort7, 1),
                     aml::irq(kIrqFloppy), aml::dma(kDmaFloppy)});
}

Bytes isa_bridge(const AcpiConfig& config) {
  const bool ich9 = config.chipset == devices::Chipset::Q35;
  std::vector<Bytes> parts = {
      aml::name("_ADR", aml::integer(u64{ich9 ? kPciDeviceIch9 : kPciDeviceSouthBridge} << 16)),
      isa_device("PIC", "PNP0000", 0, {aml::io(0x20, 2), aml::io(0xa0, 2), aml::io(0x4d0, 2), aml::irq(2)}),
      isa_device("PIT", "PNP0100", 0, {aml::io(0x40, 4)}),
      isa_device("RTC", "PNP0B00", 0, {aml::io(0x70, 8), aml::irq(kIrqRtc)}),
      isa_device("KBD", "PNP0303", 0, {aml::io(0x60, 1), aml::io(0x64, 1), aml::irq(kIrqKeyboard)}),
      isa_device("COM1", "PNP0501", 1, {aml::io(kCom1Port, 8), aml::irq(kIrqCom1)}),
      isa_device("COM2", "PNP0501", 2, {aml::io(kCom2Port, 8), aml::irq(kIrqCom2)}),
      pvpanic(),
      fw_cfg(),
      isa_device("MBRD", "PNP0C02", 0,
                 {aml::io(0x61, 1), aml::io(kPort92, 1),
                  aml::io(config.pm_base, ich9 ? kIch9PmBlockPorts : kPmBlockPorts)}),
  };
  if (config.pci_hotplug)
    parts.push_back(
        isa_device("HPLG", "PNP0C02", 2, {aml::io(kPciHotplugPort, devices::PciHotplug::kPorts)}));
  if (config.ps2_mouse) parts.push_back(isa_device("MOU", "PNP0F13", 0, {aml::irq(kIrqMouse)}));
  if (config.floppy) parts.push_back(floppy_controller());
  return aml::device("ISA", parts);
}

/// PCI Firmware Specification 3.0, 4.5.1: of PCI Express a guest may have what it asks for within these bits: hot plug by the ports' own
/// registers and by a standard controller's, power management events, error reporting, the capability itself.
Bytes express_control() {
  constexpr u64 kMayHave = 0x1f;
  constexpr u64 kWrongUuid = 1 << 2, kMasked = 1 << 4;
  // 33DB4D5B-1FF7-401C-9657-7441C03DD766.
  const Bytes uuid = aml::buffer(
      {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66});
  const Bytes given = aml::local(0);
  return aml::method(
      "_OSC", 4,
      {aml::dword_field(aml::argument(3), 0, "CDW1"),
       aml::if_true(aml::equal(aml::argument(0), uuid),
                    {aml::dword_field(aml::argument(3), 8, "CDW3"),
                     aml::store_local(aml::bit_and(aml::path("CDW3"), aml::integer(kMayHave)), 0),
                     aml::if_true(aml::negate(aml::equal(aml::path("CDW3"), given)),
                                  {aml::set_bits("CDW1", aml::integer(kMasked))}),
                     aml::store(given, "CDW3"), aml::return_value(aml::argument(3))}),
       aml::set_bits("CDW1", aml::integer(kWrongUuid)), aml::return_value(aml::argument(3))});
}

/// What the host bridge is.
Bytes root_identity(const AcpiConfig& config) {
  if (config.chipset != devices::Chipset::Q35) return hid("PNP0A03");
  return aml::concat({hid("PNP0A08"), aml::name("_CID", aml::eisa_id("PNP0A03")), express_control()});
}

Bytes pci_root(const AcpiConfig& config) {
  return aml::device("PCI0", {
                                 root_identity(config),
                                 uid(0),
                                 aml::name("_BBN", aml::integer(0)),
                                 resources({
                                     aml::word_bus_number(0, 0xff),
                                     aml::io(0xcf8, 8),
                                     aml::word_io(0, 0xcf7),
                                     aml::word_io(0xd00, 0xffff),
                                     aml::dword_memory(kVgaWindowPhys, kUpperAreaPhys - 1),
                                     aml::dword_memory(config.pci_window_phys, kIoApicPhys - 1),
                                 }),
                                 pci_routing(config.chipset),
                                 isa_bridge(config),
                                 config.pci_hotplug ? hotplug_slots() : Bytes(),
                             });
}

/// What lies in memory and belongs to nobody else, so that no window is put there: PCI Firmware Specification 3.0, 4.1.3.
Bytes config_window(const devices::HostBridge::Window& window) {
  return aml::device(
      "ECAM",
      {hid("PNP0C02"), uid(1),
       resources({aml::memory32_fixed(static_cast<u32>(window.phys), static_cast<u32>(window.bytes))})});
}

Bytes hpet() {
  return aml::device("HPET", {hid("PNP0103"), uid(0), resources({aml::memory32_fixed(kHpetPhys, 0x400)})});
}

std::vector<Bytes> processors(const AcpiConfig& config) {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < config.apic_ids.size(); ++i) {
    const char name[5] = {'C', 'P', "0123456789ABCDEF"[i >> 4 & 0xf], "0123456789ABCDEF"[i & 0xf], 0};
    out.push_back(aml::device(name, {aml::name("_HID", aml::string("ACPI0007")), uid(i)}));
  }
  return out;
}

}  // namespace

std::vector<u8> dsdt_aml(const AcpiConfig& config) {
  std::vector<Bytes> system_bus = {pci_root(config)};
  if (config.hpet_block_id != 0) system_bus.push_back(hpet());
  system_bus.push_back(generation_id());
  if (config.config_window && config.config_window->phys < kAbove4GPhys)
    system_bus.push_back(config_window(*config.config_window));
  for (Bytes& processor : processors(config)) system_bus.push_back(std::move(processor));
  // \_Sx, 7.4.2: the sleep types of PM1a and PM1b, then two reserved elements.
  const auto sleep_state = [](std::string_view name, u8 type) {
    return aml::name(
        name, aml::package({aml::integer(type), aml::integer(type), aml::integer(0), aml::integer(0)}));
  };
  const Bytes sleep_states =
      aml::concat({sleep_state("\\_S3", kSleepTypeSuspend), sleep_state("\\_S5", kSleepTypeSoftOff)});
  const Bytes interrupt_model = aml::concat({
      aml::name(kInterruptModel, aml::integer(0)),
      aml::method("\\_PIC", 1, {aml::store(aml::argument(0), kInterruptModel)}),
  });
  return aml::concat({interrupt_model, aml::scope("\\_SB", system_bus), events(config), sleep_states});
}

}  // namespace reprise::machine
