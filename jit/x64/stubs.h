// The code that all blocks share: the way in, the ways out, calls of handlers, the search for the next block.
#pragma once

#include "jit/host/jit_context.h"
#include "jit/x64/code_arena.h"
#include "mmu/tlb.h"

namespace reprise::jit::x64 {

struct Stubs {
  /// u32 enter(const u8* code, u8* cpu_plus_bias, const Frame* frame, u64 budget): returns a NativeExit.
  const u8* enter = nullptr;
  /// Jumped to by a call with r14 = first | last << 16 (instructions of the region), r15 = Region::number. Returns
  /// when the block goes on after `last`, all registers but the group's reloaded.
  const u8* call_handlers = nullptr;
  /// Called with r14 = linear address - tag, r15 = offset of the entry in its array, after a miss. Returns
  /// with r14 = linear address, and ZF = 0 when the entry was filled.
  const u8* refill[mmu::kViews][mmu::kAccessKinds] = {};
  /// Called with r14 = linear address, r15 = bytes to be stored, after refill has failed. Returns ZF = 0 when
  /// they may be, with r14 = offset in the page and r15 = offset of an entry that stands for it.
  const u8* store_beside_code[mmu::kViews] = {};
  /// Called where no vector registers are owned: HostCalls::set_interrupts, ZF = 1 when it has not. r14, r15 are lost.
  const u8* set_interrupts = nullptr;
  /// Called in 64-bit mode: CLAC and STAC, HostCalls::set_alignment_check. ZF = 1: nothing was done. r14, r15 are lost.
  const u8* set_alignment_check[2] = {};
  /// Jumped to with rip set: leaves with kGoOn.
  const u8* leave = nullptr;
  /// The same with kInterpret.
  const u8* leave_interpret = nullptr;
  /// Called by a block: make the host's registers the guest's. See vector_state.h. CF = 1: they cannot be
  /// now.
  const u8* acquire_xmm = nullptr;
  const u8* acquire_ymm = nullptr;
  const u8* acquire_x87 = nullptr;
  /// Jumped to with r15 = edge_id() and rip set: the same, telling which edge.
  const u8* leave_edge = nullptr;
  // Of two that stand for a mode, the second is for segmented_code().
  /// Jumped to with the linear address of the code in r9 + r14: goes there after a refill of the fetch TLB or
  /// of its jump table, or leaves.
  const u8* jump_miss[2][mmu::kViews] = {};
  /// The same, for the jump tables of all views.
  const u8* table_miss = nullptr;
  /// Jumped to with r14 = rip: goes to the block there if its page is in the fetch TLB of the view and it has
  /// code.
  const u8* lookup[2][mmu::kViews] = {};
};

/// Builds them in `arena`. Distances between parts of a Cpu are taken from `cpu` and hold for all.
Stubs build_stubs(CodeArena& arena, const cpu::Cpu& cpu, const HostCalls& calls);

}  // namespace reprise::jit::x64
