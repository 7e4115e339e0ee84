// Ports of virtio-serial cards: which devices of a configuration are on which card.
#pragma once

#include <vector>

#include "common/result.h"
#include "machine/plug/device_config.h"
#include "machine/plug/device_row.h"
#include "machine/plug/serial_port.h"

namespace reprise::machine {

extern const DeviceRow kVirtioSerialRow;
extern const DeviceRow kVirtConsoleRow;
extern const DeviceRow kVirtSerialPortRow;

bool is_serial_port(const DeviceConfig& device);
/// The ports among `devices`, in that order. A virtconsole has number 0 of its card if nobody else has it, which others never
/// have, else the next that is free; without bus= it is on the first card, which comes by itself. Error: a phrase
/// about what cannot be.
Result<std::vector<SerialPort>> serial_ports(const std::vector<DeviceConfig>& devices);

}  // namespace reprise::machine
