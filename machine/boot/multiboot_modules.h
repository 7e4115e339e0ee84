// What Multiboot 1 and 2 have in common: modules, and a free place for what the kernel is told. The initrd option lists
// modules as "file arguments,file arguments" (",," is a comma), as QEMU's does.
#pragma once

#include "machine/boot/boot.h"

namespace reprise::machine::boot {

struct MultibootModule {
  PhysRange range;
  std::string text;  // its file and arguments, as given
};

/// Loads the modules, page-aligned, behind `used` and above 1 MiB.
Result<std::vector<MultibootModule>> load_modules(const std::vector<PhysRange>& used,
                                                  const BootRequest& request, const BootTarget& target);

/// The kernel's path and its arguments.
std::string multiboot_command_line(const BootRequest& request);

/// The ranges of kernel and modules together.
std::vector<PhysRange> with_modules(std::vector<PhysRange> used, const std::vector<MultibootModule>& modules);

/// A page-aligned place for `bytes` that overlaps none of `used`: in conventional memory if there is room.
Result<u64> free_place(u64 bytes, const std::vector<PhysRange>& used, const BootTarget& target);

}  // namespace reprise::machine::boot
