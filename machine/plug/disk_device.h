// Disks as devices of the configuration.
#pragma once

#include <vector>

#include "common/result.h"
#include "machine/plug/device_config.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

/// What `device`, a drive whose properties are those of its row, asks for. Error: what excludes each other, as a
/// sentence without a full stop and without the device's name.
Result<DiskConfig> disk_config(const DeviceConfig& device);
/// Of the drives among `devices`, which have been checked; in their order.
std::vector<DiskConfig> disk_configs(const std::vector<DeviceConfig>& devices);
/// The driver of a disk whose decisions are taken: "virtio-blk".
std::string_view driver_of(const AttachedDisk& disk);

}  // namespace reprise::machine
