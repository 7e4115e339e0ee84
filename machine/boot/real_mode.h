// Kernels of the Linux/x86 boot protocols before 2.10, and zImages, which only their real-mode part can start: through
// firmware, whose services it calls. Documentation/arch/x86/boot.rst of Linux 6.x; QEMU docs/specs/fw_cfg. The kernel's
// parts are items of the configuration device; an option ROM (roms/kernel_boot.asm) that SeaBIOS boots from asks
// for them and jumps. Missing: kernels without "HdrS" (before Linux 1.3.73), images beyond 4 GiB.
//
//     00010000  zImage: protected-mode part    2.02 and later: real-mode part
//     00020000                                 2.02 and later: command line
//     00090000  before 2.02, zImage: real-mode part, with its command line from 99000h
//     00100000  bzImage: protected-mode part
#pragma once

#include "machine/boot/kernel_rom.h"

namespace reprise::machine::boot {

/// For images that is_bzimage() knows. `files`, if any, gets what is read.
bool needs_real_mode(std::span<const u8> image);
Result<FirmwareBoot> prepare_real_mode(std::span<const u8> image, const BootRequest& request,
                                       const MemoryMap& memory, RunFiles* files = nullptr);

}  // namespace reprise::machine::boot
