#include "jit/host/translation_unit.h"

#include "common/bits.h"
#include "jit/passes/passes.h"
#include "jit/plan/insn_forms.h"

namespace reprise::jit {

const SuccessorHint* TranslationUnit::successor(u64 page_offset) const {
  for (const SuccessorHint& hint : successors)
    if (hint.page_offset == page_offset) return &hint;
  return nullptr;
}

TranslationUnit make_unit(const cpu::Block& block, const cpu::BlockCache& blocks, PassSet passes,
                          const HostTraits& host, const u64* known_page_base) {
  const auto flags_dead = [&](const cpu::Block& of) {
    return known_page_base == nullptr && !host.checks_at_head(of) &&
           flags_dead_at_entry({of.insns.get(), of.count});
  };
  TranslationUnit unit;
  unit.insns.assign(block.insns.get(), block.insns.get() + block.count);
  unit.mode = block.mode;
  unit.view = data_view(block.mode);
  if (block.crosses_page()) unit.second_page = block.second_phys;
  unit.known_page_base = known_page_base;
  unit.flags_dead_at_entry = flags_dead(block);
  unit.plan = make_plan(unit.insns, passes);
  const cpu::Insn& last = unit.insns.back();
  if (!conditional_jump(last)) return unit;
  for (const u64 offset : {last.imm, u64{last.next_offset}}) {
    if (offset >= kPageBytes) continue;
    const cpu::Block* next = blocks.find(align_down(block.phys, kPageBytes) + offset, block.mode);
    if (next != nullptr) unit.successors.push_back({offset, next->count, flags_dead(*next)});
  }
  return unit;
}

}  // namespace reprise::jit
