// Kernels that firmware boots (`--bios seabios --kernel`): they find a BIOS that does everything, as behind a boot loader.
// bzImage and zImage start through their real-mode part, Multiboot and PVH kernels in protected mode, as a direct boot does
// it: the same loaders put their parts together here, and an option ROM (kernel_rom.h) puts them into place.
#pragma once

#include "machine/boot/kernel_rom.h"

namespace reprise::machine::boot {

/// `files`, if any, gets what is read. An error names the file.
Result<FirmwareBoot> prepare_for_firmware(std::span<const u8> image, const BootRequest& request,
                                          const MemoryMap& memory, unsigned physical_address_bits,
                                          RunFiles* files = nullptr);

}  // namespace reprise::machine::boot
