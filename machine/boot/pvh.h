// ELF kernels by the x86/HVM direct boot ABI ("PVH"): Xen's docs/misc/pvh.pandoc and
// include/public/arch-x86/hvm/start_info.h. The entry is the address in the note XEN_ELFNOTE_PHYS32_ENTRY.
#pragma once

#include "machine/boot/elf.h"

namespace reprise::machine::boot {

Result<EntryState> load_pvh(std::span<const u8> image, const BootRequest& request, const BootTarget& target);

}  // namespace reprise::machine::boot
