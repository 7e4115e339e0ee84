#include "jit/x64/block_emitter.h"

#include <algorithm>
#include <cstddef>

#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

void BlockEmitter::begin() {
  slow_paths.begin();
  a.begin_piece();
  exits.begin();
  if (segmented()) check_code_limit();
  if (unit.second_page) check_second_page();
  if (unit.known_page_base != nullptr) check_known();
  body_begin = a.offset();
  a.begin_piece();
  owned.check(0);
}

/// The code, and where it jumps to in its page, must lie in the segment without a wrap.
void BlockEmitter::check_code_limit() {
  constexpr i32 kMaxInsnBytes = 15;
  const CountAs lookup(a, HostInsn::Lookup);
  const cpu::Insn& last = unit.insns.back();
  i32 low = unit.insns[0].offset;
  i32 high = last.length() != 0 ? last.next_offset : last.offset + kMaxInsnBytes;
  const bool jumps = relative_branch(last) && last.imm < kPageBytes;
  if (jumps) {
    low = std::min(low, static_cast<i32>(last.imm));
    high = std::max(high, static_cast<i32>(last.imm) + 1);
  }
  const Label refuse = refusals.before(0);
  a.mov(kScratch0, regs.page_base());
  a.lea(kScratch1, x86::ptr(kScratch0, high));
  a.cmp(kScratch1, regs.code_end());
  a.ja(refuse);
  if (jumps && last.operand_bytes == 2) {
    a.cmp(kScratch1, 0x10000);
    a.ja(refuse);
  }
  if (low < unit.insns[0].offset) {
    a.add(kScratch0, low);
    a.js(refuse);
  }
}

/// The page after this one must be the physical one whose bytes were decoded.
void BlockEmitter::check_second_page() {
  const CountAs lookup(a, HostInsn::Lookup);
  const Label refuse = refusals.before(0);
  regs.load_rip(static_cast<i32>(kPageBytes));
  if (segmented()) addresses.add_code_base();
  tlb.load_index();
  a.cmp(kScratch0, tlb.entry(mmu::Access::Fetch, offsetof(mmu::TlbEntry, tag_linear)));
  a.jne(refuse);
  a.mov(kScratch0, *unit.second_page);
  a.cmp(kScratch0, tlb.entry(mmu::Access::Fetch, offsetof(mmu::TlbEntry, phys_page)));
  a.jne(refuse);
}

/// Observers know the code where it runs now.
void BlockEmitter::check_known() {
  const CountAs lookup(a, HostInsn::Lookup);
  a.mov(kScratch0, regs.page_base());
  a.mov(kScratch1, reinterpret_cast<u64>(unit.known_page_base));
  a.cmp(kScratch0, x86::qword_ptr(kScratch1));
  a.jne(refusals.before(0));
}

void BlockEmitter::begin_insn(unsigned insn) {
  index = insn;
  a.begin_guest_insn();
  slow_paths.begin_insn();
}

void BlockEmitter::end_insn() {
  // What an open group has not proved any more is the handlers' up to its last instruction.
  slow_paths.end_insn(groups.last_insn());
  groups.end_insn();
}

void BlockEmitter::call_handler() {
  slow_paths.call_handler();
  groups.close();
}

void BlockEmitter::finish_cold(u64 distance, const SlowPaths::EmitInsn& emit) {
  cold_distance = distance;
  a.count_in(nullptr);
  groups.switch_off();
  slow_paths.finish(exits.ended(), emit);
  tlb.finish();
  owned.finish();
  refusals.finish();
  slow_paths.finish_calls();
  exits.finish();
}

}  // namespace reprise::jit::x64
