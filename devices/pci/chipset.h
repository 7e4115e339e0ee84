// Chipset: the north and south bridge of a board, and how PCI interrupts are wired on it.
#pragma once

#include "common/types.h"

namespace reprise::devices {

/// I440fx: 82441FX with PIIX3, and power management of PIIX4. Q35: 82Q35 with ICH9. Microvm: none of them, and no PCI.
enum class Chipset : u8 { I440fx, Q35, Microvm };

/// The PIRQ (0 to 3 for A to D) of an interrupt pin (1 to 4 for INTA# to INTD#), as SeaBIOS and the usual ACPI tables know it. On
/// Q35, PIRQE# to PIRQH# of devices up to 24 are the same four wires.
constexpr unsigned pirq_of(unsigned device, unsigned pin, Chipset chipset = Chipset::I440fx) {
  constexpr unsigned kLastRotated = 24;
  if (chipset == Chipset::I440fx) return (device - 1 + pin - 1) & 3;
  return ((device <= kLastRotated ? device : 0) + pin - 1) & 3;
}

}  // namespace reprise::devices
