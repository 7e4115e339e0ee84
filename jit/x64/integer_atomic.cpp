// Emission of XCHG, XADD and CMPXCHG.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// XCHG and XADD with memory.
bool exchange(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || in.form != Form::MR) return false;
  const unsigned src = e.gpr_of(in, 1);
  e.probe(in, Access::Write, bytes);
  const Mem m = e.one_register(bytes);
  const Gp value = e.fetched(src, bytes, kScratch0);
  e.a.emit(id, m, value);
  if (!e.pinned(src)) e.assign(src, bytes, value);
  after(e, flags);
  return true;
}

bool cmpxchg(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !operands_ok(in) || in.form != Form::MR) return false;
  e.probe(in, Access::Write, bytes);
  const Mem m = e.one_register(bytes);
  const Gp src = e.fetched(e.gpr_of(in, 1), bytes, kScratch0);
  e.a.mov(x86::rax, e.reg(cpu::RAX, 8));
  e.a.emit(Inst::kIdCmpxchg, m, src);
  e.a.mov(e.reg(cpu::RAX, 8), x86::rax);
  e.flags_made();
  return true;
}

}  // namespace

bool emit_atomic(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::XCHG:
      return exchange(e, in, Inst::kIdXchg, Flags::Untouched);
    case Mnemonic::XADD:
      return exchange(e, in, Inst::kIdXadd, Flags::Made);
    case Mnemonic::CMPXCHG:
      return cmpxchg(e, in);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
