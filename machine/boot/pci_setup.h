// What firmware does to PCI functions: numbers of buses, windows, command register, interrupt line. As SeaBIOS does it, addresses
// included. PCI 2.2, 6.2.
#pragma once

#include "devices/pci/chipset.h"
#include "devices/pci/pci_bus.h"

namespace reprise::machine::boot {

/// Writes the registers of every function of `root`, bus 0, and behind its bridges. The caller maps the windows.
void set_up_pci(const devices::PciBus& root, devices::Chipset chipset = devices::Chipset::I440fx);

}  // namespace reprise::machine::boot
