// FADT and DSDT of a microvm: hardware-reduced ACPI. ACPI specification 6.4, 3.11.1, 4.1 and 5.6.9. Names, ids and the order of virtio
// devices are those that QEMU 7.2 gives its microvm.
#include <fmt/format.h>

#include "devices/misc/generic_event_device.h"
#include "devices/virtio/virtio_mmio.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/acpi_tables.h"
#include "machine/tables/aml.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine {
namespace {

using aml::Bytes;
using devices::GenericEventDevice;

Bytes text_id(std::string_view name, std::string_view id) { return aml::name(name, aml::string(id)); }
Bytes resources(const std::vector<Bytes>& descriptors) {
  return aml::name("_CRS", aml::resource_template(descriptors));
}

Bytes fw_cfg() {
  constexpr u64 kPresentWorkingHidden = 0xb;
  return aml::device("FWCF",
                     {text_id("_HID", "QEMU0002"), aml::name("_STA", aml::integer(kPresentWorkingHidden)),
                      resources({aml::io(kFwCfgPort, kFwCfgPorts)})});
}

Bytes pvpanic() {
  return aml::device("PEVT", {text_id("_HID", "QEMU0001"), resources({aml::io(kPvpanicPort, 1)})});
}

Bytes rtc() {
  return aml::device(
      "RTC", {aml::name("_HID", aml::eisa_id("PNP0B00")), resources({aml::io(0x70, 8), aml::irq(kIrqRtc)})});
}

Bytes com1() {
  return aml::device("COM1", {aml::name("_HID", aml::eisa_id("PNP0501")), aml::name("_UID", aml::integer(1)),
                              resources({aml::io(kCom1Port, 8), aml::irq(kIrqCom1)})});
}

/// Its interrupt tells of an event; a read of the register says which.
Bytes generic_event_device() {
  constexpr u64 kPressed = 0x80;
  return aml::device(
      "GED",
      {text_id("_HID", "ACPI0013"), text_id("_UID", "GED"),
       resources({aml::interrupt(kIrqSci, aml::Trigger::Edge)}),
       aml::memory_register("EREG", kGenericEventDevicePhys, "ESEL"),
       aml::method(
           "_EVT", 1,
           {aml::store_local(aml::path("ESEL"), 0),
            aml::if_true(aml::bit_and(aml::local(0), aml::integer(GenericEventDevice::kPowerButtonEvent)),
                         {aml::notify("PWRB", kPressed)})})});
}

Bytes power_button() {
  return aml::device("PWRB", {text_id("_HID", "PNP0C0C"), aml::name("_UID", aml::integer(0))});
}

Bytes virtio(const ReducedHardware::VirtioPlace& one) {
  constexpr auto kBytes = static_cast<u32>(devices::VirtioMmio::kBytes);
  return aml::device(fmt::format("VR{:02}", one.place),
                     {text_id("_HID", "LNRO0005"), aml::name("_UID", aml::integer(one.place)),
                      aml::name("_CCA", aml::integer(1)),
                      resources({aml::memory32_fixed(kVirtioMmioPhys + one.place * kBytes, kBytes),
                                 aml::interrupt(one.interrupt, aml::Trigger::Level)})});
}

}  // namespace

std::vector<u8> reduced_dsdt_aml(const ReducedHardware& hardware) {
  std::vector<Bytes> system_bus = {fw_cfg(), pvpanic()};
  if (hardware.com1) system_bus.push_back(com1());
  if (hardware.rtc) system_bus.push_back(rtc());
  system_bus.push_back(generic_event_device());
  system_bus.push_back(power_button());
  for (const ReducedHardware::VirtioPlace& one : hardware.virtio) system_bus.push_back(virtio(one));
  const Bytes soft_off =
      aml::name("\\_S5", aml::package({aml::integer(GenericEventDevice::kSleepTypeSoftOff), aml::integer(0),
                                       aml::integer(0), aml::integer(0)}));
  return aml::concat({aml::scope("\\_SB", system_bus), soft_off});
}

/// 5.2.9, revision 5: registers for reset and sleeping, in memory, and nothing else.
std::vector<u8> reduced_fadt(u32 dsdt_offset) {
  constexpr u32 kFlagResetRegister = 1u << 10;
  constexpr u32 kFlagHardwareReduced = 1u << 20;
  constexpr unsigned kFromDsdtToFlags = 68, kFromXDsdtToSleep = 96;
  using Space = TableBytes::Space;
  const auto at = [](u64 offset) { return kGenericEventDevicePhys + offset; };
  TableBytes w;
  w.le(0, 4).le(dsdt_offset, 4).zeros(kFromDsdtToFlags);
  w.le(kFlagResetRegister | kFlagHardwareReduced, 4);
  w.address(Space::Memory, 8, at(GenericEventDevice::kReset)).u8s({GenericEventDevice::kResetValue}).zeros(3);
  w.le(0, 8).le(dsdt_offset, 8).zeros(kFromXDsdtToSleep);
  w.address(Space::Memory, 8, at(GenericEventDevice::kSleepControl));
  w.address(Space::Memory, 8, at(GenericEventDevice::kSleepStatus));
  return w.take();
}

}  // namespace reprise::machine
