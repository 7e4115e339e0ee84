// Compiled without vector registers (CMakeLists.txt).
#include "jit/engine/resolve_jump.h"

#include "cpu/blocks/block_cache.h"
#include "cpu/core/boundary.h"
#include "cpu/core/cpu.h"
#include "jit/engine/jump_tables.h"

namespace reprise::jit {

bool refill(cpu::Cpu& cpu, u64 linear, u32 access, u32 view) {
  return cpu.mmu.refill(linear, static_cast<mmu::Access>(access), static_cast<mmu::View>(view));
}

bool store_beside_code(cpu::Cpu& cpu, u64 linear, u64 bytes, u32 view) {
  return cpu.mmu.store_beside_code(linear, bytes, static_cast<mmu::View>(view));
}

bool set_interrupts(cpu::Cpu& cpu) {
  if (cpu.stops != nullptr) return false;
  cpu.state.rflags |= cpu::kRflagsIf;
  if (cpu::pass_boundary(cpu)) return true;
  cpu.state.rflags &= ~cpu::kRflagsIf;
  return false;
}

bool set_alignment_check(JitContext& context, u32 set) {
  cpu::Cpu& cpu = *context.cpu;
  constexpr u32 kAc = cpu::ModeKey::kKernelAc;
  const u32 bits = set != 0 ? cpu.mode.bits | kAc : cpu.mode.bits & ~kAc;
  const mmu::View view = set != 0 ? mmu::View::KernelAc : mmu::View::Kernel;
  const EnteredMode& entered = context.entered[static_cast<unsigned>(view)];
  if (entered.bits != bits || entered.number == 0) return false;
  cpu.state.rflags = set != 0 ? cpu.state.rflags | cpu::kRflagsAc : cpu.state.rflags & ~cpu::kRflagsAc;
  cpu.mode.bits = bits;
  cpu.mmu.set_view(view);
  context.mode_bits = bits;
  context.mode_number = entered.number;
  return true;
}

u32 resolve_jump(JitContext& context, u64 linear, u32 view) {
  mmu::Mmu& mmu = context.cpu->mmu;
  const mmu::TlbEntry& entry =
      mmu.tlb_array(static_cast<mmu::View>(view), mmu::Access::Fetch).entries[mmu::tlb_slot(linear)];
  if (linear - entry.tag_linear >= kPageBytes &&
      !mmu.refill(linear, mmu::Access::Fetch, static_cast<mmu::View>(view)))
    return 0;
  if (near_canonical_hole(linear)) return 0;
  const u64 offset = linear & ~kPageMask;
  JumpTables::Table* const table = context.jump_tables->find(entry.phys_page, context.mode_number);
  if (table != nullptr) {
    mmu.set_fetch_note(linear, reinterpret_cast<u64>(table));
    if (const u32 code = (*table)[offset]; code != context.jump_tables->miss()) return code;
  }
  // Not come by before, or in a page that has no table.
  const cpu::Block* const block = context.blocks->find(entry.phys_page + offset, context.cpu->mode);
  if (block == nullptr || block->native_code == nullptr) return 0;
  const u32 code = static_cast<u32>(reinterpret_cast<u64>(block->native_code));
  if (Region& region = *static_cast<Region*>(block->native);
      table != nullptr && region.jump_table == nullptr) {
    region.jump_table = table->data();
    (*table)[offset] = code;
  }
  return code;
}

}  // namespace reprise::jit
