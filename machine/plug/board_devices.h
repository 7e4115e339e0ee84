// What the user plugs in, and the board that it is for.
#pragma once

#include <vector>

#include "common/result.h"
#include "devices/pci/chipset.h"
#include "machine/plug/device_config.h"

namespace reprise::machine {

/// Error: one of `devices`, which have been checked, is where a board with `chipset` has no place for it, a phrase.
Result<Done> check_devices_of_board(const std::vector<DeviceConfig>& devices, devices::Chipset chipset);

}  // namespace reprise::machine
