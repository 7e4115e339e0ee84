// The rows of what holds a disk or another medium, and of the AHCI adapter.
#pragma once

#include "machine/plug/device_row.h"

namespace reprise::machine {

extern const DeviceRow kAhciRow;
extern const DeviceRow kIdeDiskRow;
extern const DeviceRow kIdeCdromRow;
extern const DeviceRow kFloppyRow;
extern const DeviceRow kVirtioBlkRow;
extern const DeviceRow kVirtioScsiRow;
extern const DeviceRow kScsiDiskRow;
extern const DeviceRow kScsiCdromRow;
/// A disk whose driver is chosen by what its image holds.
extern const DeviceRow kDiskRow;

}  // namespace reprise::machine
