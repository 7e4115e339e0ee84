// In which order firmware tries the drives. QEMU docs/specs/fw_cfg, file "bootorder": Open Firmware device paths, one a
// line. SeaBIOS (src/boot.c) and OVMF (QemuBootOrderLib) look for their devices among them.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "machine/storage/drives.h"

namespace reprise::machine {

/// Indices into `drives`. `wanted` names kinds ("disk", "cdrom", "floppy") and drives ("disk1") to be tried first;
/// the rest follow in their own order. Error: there is no such drive.
Result<std::vector<std::size_t>> boot_order(const std::vector<std::string>& wanted,
                                            const std::vector<Drive>& drives);

/// The path by which firmware knows a drive. `slot` is that of its card: AHCI and virtio.
std::string firmware_path(const Drive& drive, unsigned slot);

}  // namespace reprise::machine
