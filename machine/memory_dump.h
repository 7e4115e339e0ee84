// The guest's memory as an ELF core, as QEMU's dump-guest-memory and kdump write it: crash, drgn and makedumpfile read it.
//
//   notes     NT_PRSTATUS and QEMU's own of each processor; VMCOREINFO, if the guest's kernel keeps one in its memory
//   segments  RAM by physical address, and the kernel's image by linear address, too; pages of zeros are holes of the file
#pragma once

#include "common/result.h"
#include "machine/machine.h"

namespace reprise::machine {

/// Writes it to `fd`, a regular file, from its beginning. Error: the end of a sentence that begins with the file. Machine thread, between
/// turns or outside of run().
Result<Done> write_memory_dump(Machine& machine, int fd);

}  // namespace reprise::machine
