// PCI Express ports, and the cards in them.
#pragma once

#include <vector>

#include "machine/plug/device_row.h"

namespace reprise::machine {

extern const DeviceRow kRootPortRow;

/// Of a pcie-root-port: which function of its device it is, and whether there are others.
unsigned function_of_port(const DeviceConfig& device);
bool is_multi_function(const DeviceConfig& device);

/// Error: there are ports on a board without PCI Express, two of one function, or a card is in a port that is not there or taken. A phrase.
Result<Done> check_ports(const std::vector<DeviceConfig>& devices);

}  // namespace reprise::machine
