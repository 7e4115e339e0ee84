// What generated code calls on the host's vector registers as they are.
#pragma once

#include "jit/host/jit_context.h"
#include "mmu/tlb.h"

namespace reprise::jit {

/// Leaves a first-level tag for `linear` if the second level knows its page: Mmu::refill().
bool store_beside_code(cpu::Cpu& cpu, u64 linear, u64 bytes, u32 view);
bool refill(cpu::Cpu& cpu, u64 linear, u32 access, u32 view);

/// STI where IF is clear: whether the processor may go on behind it as if nothing were to be looked at there. If not, nothing has
/// changed.
bool set_interrupts(cpu::Cpu& cpu);

/// STAC and CLAC below level 3, but for what HostBackend::enter_mode() does. False when the engine has not come by in the mode
/// that follows: nothing has changed.
bool set_alignment_check(JitContext& context, u32 set);

/// The address of the code for the guest address `linear`, or 0 when only the engine can tell.
u32 resolve_jump(JitContext& context, u64 linear, u32 view);

/// Relative jumps from the page of `linear` may leave the canonical addresses, which generated code does not
/// check.
inline bool near_canonical_hole(u64 linear) {
  constexpr u64 kReach = u64{1} << 32;
  for (const unsigned bits : {47u, 56u}) {
    const u64 end = u64{1} << bits;
    if (linear - (end - kReach) < kReach || linear - (~end + 1) < kReach) return true;
  }
  return false;
}

}  // namespace reprise::jit
