// Disks as devices of the configuration.
#pragma once

#include <vector>

#include "common/result.h"
#include "devices/pci/chipset.h"
#include "machine/plug/device_config.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

/// What `device`, a drive whose properties are those of its row, asks for. Error: what excludes each other, as a
/// sentence without a full stop and without the device's name.
Result<DiskConfig> disk_config(const DeviceConfig& device);
/// Of the drives among `devices`, which have been checked; in their order.
std::vector<DiskConfig> disk_configs(const std::vector<DeviceConfig>& devices,
                                     devices::Chipset chipset = devices::Chipset::I440fx);
/// Drives that wait to be plugged in while the guest runs, on a machine with `devices`.
std::vector<DiskConfig> waiting_disks(const std::vector<DeviceConfig>& devices);
bool is_scsi_drive(std::string_view driver);
/// Error: a drive is on a SCSI host adapter that is not there, a phrase.
Result<Done> check_scsi_cards(const std::vector<DeviceConfig>& devices);
/// The driver of a disk whose decisions are taken: "virtio-blk".
std::string_view driver_of(const AttachedDisk& disk);

}  // namespace reprise::machine
