// What firmware does to PCI functions: windows, command register, interrupt line. As SeaBIOS does it, addresses
// included. PCI 2.2, 6.2.
#pragma once

#include "devices/pci/chipset.h"
#include "devices/pci/config_mechanism1.h"

namespace reprise::machine::boot {

/// Writes the registers of every function of `bus`. The caller maps the windows.
void set_up_pci(const devices::ConfigMechanism1& bus, devices::Chipset chipset = devices::Chipset::I440fx);

}  // namespace reprise::machine::boot
