// Emission of shifts and rotations.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

constexpr unsigned kByCl = cpu::RCX * 8;

/// SHL, SHR, SAR (`rotate` false), ROL, ROR. Results of undefined flags are those of Intel processors.
bool shift(BlockEmitter& e, const Insn& in, InstId id, bool rotate) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  const bool by_immediate = in.form == Form::RI || in.form == Form::MI;
  const unsigned count = static_cast<unsigned>(in.imm & (bytes == 8 ? 63 : 31));
  if (by_immediate && count == 0) return false;
  if (in.form == Form::RR && in.reg[1] != kByCl) return false;
  const Flags flags = rotate || !by_immediate ? Flags::Merged : Flags::Made;
  if (in.form == Form::MI) {
    const Mem m = e.probe(in, Access::Write, bytes);
    before(e, flags);
    e.a.emit(id, m, Imm(count));
  } else if (in.form == Form::RI || in.form == Form::RR) {
    const unsigned dst = e.gpr_of(in, 0);
    before(e, flags);
    const Gp value = e.fetched(dst, bytes, kScratch0);
    if (by_immediate)
      e.a.emit(id, value, Imm(count));
    else
      e.a.emit(id, value, x86::cl);
    if (!e.pinned(dst)) e.assign(dst, bytes, value);
  } else {
    return false;
  }
  after(e, flags);
  return true;
}

}  // namespace

bool emit_shift(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::SHL:
      return shift(e, in, Inst::kIdShl, false);
    case Mnemonic::SHR:
      return shift(e, in, Inst::kIdShr, false);
    case Mnemonic::SAR:
      return shift(e, in, Inst::kIdSar, false);
    case Mnemonic::ROL:
      return shift(e, in, Inst::kIdRol, true);
    case Mnemonic::ROR:
      return shift(e, in, Inst::kIdRor, true);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
