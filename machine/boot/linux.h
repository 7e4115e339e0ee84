// bzImage by the Linux/x86 boot protocol 2.10 or later, 64-bit entry (32-bit entry for kernels without one).
// Documentation/arch/x86/boot.rst and zero-page.rst of Linux 6.x. Earlier ones: machine/boot/real_mode.h. Missing: setup_data, EFI
// handover.
#pragma once

#include "machine/boot/boot.h"

namespace reprise::machine::boot {

/// Or a zImage: it has the setup header.
bool is_bzimage(std::span<const u8> image);
Result<EntryState> load_linux(std::span<const u8> image, const BootRequest& request,
                              const BootTarget& target);

}  // namespace reprise::machine::boot
