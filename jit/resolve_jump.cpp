// Compiled without vector registers (CMakeLists.txt).
#include "jit/resolve_jump.h"

#include "cpu/core/cpu.h"
#include "jit/jump_tables.h"

namespace reprise::jit {

bool refill(cpu::Cpu& cpu, u64 linear, u32 access, u32 view) {
  return cpu.mmu.refill(linear, static_cast<mmu::Access>(access), static_cast<mmu::View>(view));
}

bool store_beside_code(cpu::Cpu& cpu, u64 linear, u64 bytes, u32 view) {
  return cpu.mmu.store_beside_code(linear, bytes, static_cast<mmu::View>(view));
}

u32 resolve_jump(JitContext& context, u64 linear, u32 view) {
  mmu::Mmu& mmu = context.cpu->mmu;
  const mmu::TlbEntry& entry =
      mmu.tlb_array(static_cast<mmu::View>(view), mmu::Access::Fetch).entries[mmu::tlb_slot(linear)];
  if (linear - entry.tag_linear >= kPageBytes &&
      !mmu.refill(linear, mmu::Access::Fetch, static_cast<mmu::View>(view)))
    return 0;
  if (near_canonical_hole(linear)) return 0;
  const JumpTables& tables = *context.jump_tables;
  const JumpTables::Table* table = tables.find(entry.phys_page, context.mode_number);
  if (table == nullptr) return 0;
  mmu.set_fetch_note(linear, reinterpret_cast<u64>(table));
  const u32 code = (*table)[linear & ~kPageMask];
  return code == tables.miss() ? 0 : code;
}

}  // namespace reprise::jit
