// In which order firmware tries what it can boot from. QEMU docs/specs/fw_cfg, file "bootorder": Open Firmware device paths,
// one a line. SeaBIOS (src/boot.c) and OVMF (QemuBootOrderLib) look for their devices among them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "machine/storage/drives.h"

namespace reprise::machine {

inline constexpr std::string_view kNetworkKind = "network";

struct BootSource {
  std::string name;       // "disk1", "network0"
  std::string_view kind;  // "disk", "cdrom", "floppy", "network"
  std::string path;       // by which firmware knows it
};

/// Paths of `sources`. `wanted` names kinds and single ones, to be tried first; the rest follow in their own order, but for
/// network cards: who did not ask for them waits for no answer of theirs. If there is nothing else they are tried.
/// Error: there is no such source.
Result<std::vector<std::string>> boot_order(const std::vector<std::string>& wanted,
                                            const std::vector<BootSource>& sources);

/// SeaBIOS tries what the list does not name behind what it names, unless the list ends with this. OVMF never does.
inline constexpr std::string_view kNothingBehindThis = "HALT";

/// The path by which firmware knows a drive. `slot` is that of its card: AHCI, SCSI and virtio.
std::string firmware_path(const Drive& drive, unsigned slot);
/// Of the network card in `slot`.
std::string firmware_path_of_network(unsigned slot, std::string_view behind = {});

}  // namespace reprise::machine
