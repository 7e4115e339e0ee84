// Where cards go.
#pragma once

#include "machine/layout/pc_layout.h"
#include "machine/plug/device_row.h"

namespace reprise::machine {

inline constexpr PlaceSpec kPciSlot = {.name = "addr",
                                       .first = pci_first_card_device(devices::Chipset::Q35),
                                       .last = 31,
                                       .help = "PCI device number"};

}  // namespace reprise::machine
