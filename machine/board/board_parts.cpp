#include "machine/board/board_parts.h"

#include <fmt/format.h>

#include "devices/irq/ioapic.h"
#include "devices/virtio/virtio_mmio.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {

BoardParts parts_of(const MachineConfig& config) {
  if (config.chipset != devices::Chipset::Microvm) return {.hpet = config.hpet};
  const MicrovmConfig& microvm = config.microvm;
  BoardParts parts{.pc = false,
                   .hpet = false,
                   .pic = microvm.pic,
                   .pit = microvm.pit,
                   .rtc = microvm.rtc,
                   .com1 = microvm.isa_serial,
                   .acpi = microvm.acpi,
                   .generic_event_device = microvm.acpi,
                   .second_io_apic = microvm.acpi && microvm.ioapic2,
                   .legacy_virtio = microvm.force_legacy,
                   .virtio_on_command_line = !microvm.acpi && microvm.auto_kernel_cmdline};
  // As QEMU has them: each place has a line of its own, among the ISA lines without ACPI.
  constexpr unsigned kPins = devices::IoApic::kPins;
  constexpr unsigned kPlaces = 8;
  constexpr unsigned kFirstIsaLine = 5;
  parts.virtio_places = parts.second_io_apic ? kPins : kPlaces;
  parts.first_virtio_interrupt = parts.second_io_apic ? kPins : parts.acpi ? kIsaIrqs : kFirstIsaLine;
  return parts;
}

std::string virtio_command_line(const BoardParts& parts, const std::vector<unsigned>& places) {
  std::string words;
  for (const unsigned place : places)
    words += fmt::format(" virtio_mmio.device={}@{:#x}:{}", devices::VirtioMmio::kBytes,
                         kVirtioMmioPhys + place * devices::VirtioMmio::kBytes,
                         parts.first_virtio_interrupt + place);
  return words;
}

}  // namespace reprise::machine
