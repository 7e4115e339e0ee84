// The graphics card is soldered to the board; --device VGA gives it properties.
#pragma once

#include <string>
#include <vector>

#include "devices/display/edid.h"
#include "machine/plug/device_config.h"

namespace reprise::machine {

struct VgaProperties {
  u64 memory_bytes;
  devices::DisplaySize preferred;  // what the monitor asks for
};

/// Of the VGA among `devices`, which check_devices() accepts; the defaults when there is none.
VgaProperties vga_properties(const std::vector<DeviceConfig>& devices);

/// Sets the preferred size of the VGA among `devices`, which is added when there is none.
void prefer_display_size(std::vector<DeviceConfig>& devices, devices::DisplaySize size);

/// Why `device`, a VGA whose values have been looked at, cannot be; empty: it can.
std::string why_not_vga(const DeviceConfig& device);

/// Why a monitor cannot prefer `size`: a sentence without a full stop. Empty: it can.
std::string why_not_display_size(devices::DisplaySize size);

}  // namespace reprise::machine
