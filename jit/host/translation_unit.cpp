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

namespace {

/// Instructions of joined blocks, at most.
constexpr u32 kMaxJoinedInsns = 48;

/// The block behind the conditional jump that ends `block`, when what was counted so far says that the jump is mostly not
/// taken by those that came to `first`. Else nullptr.
cpu::Block* likely_next(const cpu::Block& first, const cpu::Block& block, const cpu::BlockCache& blocks) {
  const cpu::Insn& last = block.insns[block.count - 1];
  if (!conditional_jump(last) || last.next_offset >= kPageBytes) return nullptr;
  const u64 page = align_down(block.phys, kPageBytes);
  cpu::Block* const next = blocks.find(page + last.next_offset, block.mode);
  if (next == nullptr || next->uses * 2 < first.uses) return nullptr;
  const cpu::Block* const taken = last.imm < kPageBytes ? blocks.find(page + last.imm, block.mode) : nullptr;
  return taken != nullptr && taken->uses > next->uses ? nullptr : next;
}

}  // namespace

TranslationUnit make_unit(const cpu::Block& block, const cpu::BlockCache& blocks, PassSet passes,
                          const HostTraits& host, bool may_join, const u64* known_page_base) {
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
  // Whoever jumps to code that cares for no flags has charged for its first block.
  if (passes.has(Pass::Joins) && may_join && !unit.flags_dead_at_entry && host.joinable(block)) {
    const cpu::Block* end = &block;
    while (cpu::Block* const next = likely_next(block, *end, blocks)) {
      if (unit.joined.size() >= TranslationUnit::kMaxJoined || unit.count() + next->count > kMaxJoinedInsns ||
          !host.joinable(*next))
        break;
      unit.insns.insert(unit.insns.end(), next->insns.get(), next->insns.get() + next->count);
      unit.joined.push_back(next);
      end = next;
    }
  }
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
