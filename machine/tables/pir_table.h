// The PCI interrupt routing table ($PIR): which input of the ISA bridge's router each pin of each slot is wired to,
// for systems that know neither ACPI nor APICs. PCI IRQ Routing Table Specification 1.0 (Microsoft).
#pragma once

#include <vector>

#include "common/types.h"
#include "devices/pci/chipset.h"

namespace reprise::machine {

/// For an address in F0000h to FFFFFh, 16-byte aligned.
std::vector<u8> build_pir_table(devices::Chipset chipset);

}  // namespace reprise::machine
