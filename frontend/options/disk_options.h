// What --disk, --cdrom, --floppy and files without an option say of a disk.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "machine/storage/disk_config.h"

namespace reprise::frontend {

/// "FILE[,bus=ide|ahci|virtio][,format=raw|qcow2][,write=yes|no][,overlay=FILE][,serial=TEXT][,media=disk|cdrom]".
/// A comma inside a value is doubled. `option` is named in errors, which are sentences without a full stop.
Result<machine::DiskConfig> parse_disk(std::string_view option, std::string_view text);
/// "FILE[,bus=ide|ahci]"; empty: an empty drive.
Result<machine::DiskConfig> parse_cdrom(std::string_view text);
/// "FILE[,write=yes|no]"; empty: an empty drive.
Result<machine::DiskConfig> parse_floppy(std::string_view text);

}  // namespace reprise::frontend
