// What a board consists of besides what all have: processors with local APICs, RAM, an I/O APIC, the configuration device, the ports for
// debug output and pvpanic's. The only place where boards with PCI and a microvm are told apart.
#pragma once

#include "machine/board/config.h"

namespace reprise::machine {

struct BoardParts {
  /// Bus 0 with its bridges, VGA, IDE or AHCI and cards, and what is around it on a PC: power management with ports, 8237s, keyboard
  /// controller, COM2, reset by ports, generation id.
  bool pc = true;
  bool hpet = true;
  bool pic = true;
  bool pit = true;
  bool rtc = true;
  bool com1 = true;
  bool acpi = true;                     // tables
  bool generic_event_device = false;    // power management of hardware-reduced ACPI
  bool second_io_apic = false;          // whose pins are behind those of the first
  unsigned virtio_places = 0;           // for devices on virtio-mmio
  unsigned first_virtio_interrupt = 0;  // as I/O APICs count
  bool legacy_virtio = false;           // version 1 of virtio-mmio
  bool virtio_on_command_line = false;  // of a kernel: no table tells where they are
};

BoardParts parts_of(const MachineConfig& config);

/// What the kernel's command line has at its end: where virtio devices are that no table tells of. `places` from 0 on.
std::string virtio_command_line(const BoardParts& parts, const std::vector<unsigned>& places);

}  // namespace reprise::machine
