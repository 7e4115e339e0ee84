// Shared folders as devices of the configuration.
#pragma once

#include <vector>

#include "common/result.h"
#include "machine/plug/device_config.h"
#include "machine/plug/device_row.h"
#include "machine/share/share_config.h"

namespace reprise::machine {

extern const DeviceRow kVirtio9pRow;

/// What `device`, whose properties are those of the row, asks for. Error: what is missing, as a sentence without a full stop
/// and without the device's name.
Result<ShareConfig> share_config(const DeviceConfig& device);
/// Of the shares among `devices`, which have been checked; in their order.
std::vector<ShareConfig> share_configs(const std::vector<DeviceConfig>& devices);
/// No two shares have one tag.
Result<Done> check_share_tags(const std::vector<DeviceConfig>& devices);

}  // namespace reprise::machine
