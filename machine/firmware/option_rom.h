// Option ROMs of network cards, from a file of the user's or from Debian's package ipxe-qemu.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "machine/storage/host_file.h"

namespace reprise::machine {

/// The ROM in `file`; a name without '/' that is no file of the current folder is one of the package's. `files` gets what
/// was read. Error: it is missing, or is no option ROM, as a sentence.
Result<std::vector<u8>> load_option_rom(const std::string& file, RunFiles& files);

/// ROMs for virtio cards name the number of modern ones alone in their header, and SeaBIOS starts those that name the card's:
/// changes a number of the modern kind to `device`, that of the same card's transitional kind.
void name_card(std::vector<u8>& rom, u16 vendor, u16 device);

}  // namespace reprise::machine
