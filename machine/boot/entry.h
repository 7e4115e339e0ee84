// The state of the boot processor when a direct-boot kernel starts.
#pragma once

#include "cpu/state/state.h"
#include "machine/boot/boot.h"

namespace reprise::machine::boot {

/// Writes the GDT and, for 64-bit entry, page tables that map the first 4 GiB to themselves; sets `state`
/// accordingly. Also does what firmware would have done: memory types (write-back, PCI window uncached).
void enter(const EntryState& entry, mmu::PhysMap& phys_map, const MemoryMap& memory,
           unsigned physical_address_bits, cpu::CpuState& state);

/// From the reset state: the next instruction is that at `phys`, below 1 MiB, in real mode. Memory types as above.
void enter_real_mode(u32 phys, const MemoryMap& memory, unsigned physical_address_bits, cpu::CpuState& state);

}  // namespace reprise::machine::boot
