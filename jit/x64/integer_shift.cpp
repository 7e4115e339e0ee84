// Emission of shifts and rotations.
#include "jit/x64/flag_fixes.h"
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

constexpr unsigned kByCl = cpu::RCX * 8;

/// ROL and ROR of a register by an immediate above 1 change CF only.
bool rotate_but_for_carry(BlockEmitter& e, const Insn& in, InstId id, unsigned count) {
  const unsigned dst = gpr_of(in, 0);
  const Gp value = e.regs.fetched(dst, in.size0, kScratch0);
  e.flags.save();
  e.a.emit(id, value, Imm(count));
  fix_all_but_carry(e);
  e.regs.put_back(dst, value);
  return true;
}

/// What becomes of the status flags by a count that is not 0.
enum class OldFlags : u8 { Overwritten, SomeKept, SomeRead };

/// SHL, SHR, SAR, ROL, ROR, RCL, RCR.
bool shift(BlockEmitter& e, const Insn& in, InstId id, OldFlags old) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in, HighBytes::Allowed)) return false;
  const bool by_immediate = in.form == Form::RI || in.form == Form::MI;
  const unsigned count = static_cast<unsigned>(in.imm & (bytes == 8 ? 63 : 31));
  if (by_immediate && count == 0) return false;
  if ((in.form == Form::RR || in.form == Form::MR) && in.reg[1] != kByCl) return false;
  // Rotated, CH would take the count with it.
  if (in.form == Form::RR && high_byte(in, 0) && gpr_of(in, 0) == cpu::RCX) return false;
  if (!flags_agree(e, in)) {
    if (old == OldFlags::Overwritten) {
      fixed_shift(e, in, id);
      return true;
    }
    if (count > 1) return rotate_but_for_carry(e, in, id, count);
  }
  const Flags flags = old == OldFlags::SomeRead                      ? Flags::Merged
                      : old == OldFlags::Overwritten && by_immediate ? Flags::Made
                                                                     : kept_flags(e);
  const Operand amount = by_immediate ? Operand(Imm(count)) : Operand(x86::cl);
  if (in.form == Form::MI || in.form == Form::MR) {
    const Mem m = e.memory.probe(in, Access::Write, bytes);
    before(e, flags);
    e.a.emit(id, m, amount);
  } else if (in.form == Form::RI || in.form == Form::RR) {
    const unsigned dst = gpr_of(in, 0);
    before(e, flags);
    if (high_byte(in, 0)) {
      const HighByteDestination high(e, in);
      e.a.emit(id, high.value(), amount);
    } else {
      const Gp value = e.regs.fetched(dst, bytes, kScratch0);
      e.a.emit(id, value, amount);
      e.regs.put_back(dst, value);
    }
  } else {
    return false;
  }
  after(e, flags);
  return true;
}

/// SHLD, SHRD.
bool double_shift(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes)) return false;
  const bool by_immediate = in.kind2 == static_cast<u8>(cpu::OperandKind::Imm);
  const unsigned count = static_cast<unsigned>(in.imm & (bytes == 8 ? 63 : 31));
  if (by_immediate && count == 0) return false;
  // A word shifted by more than its length is undefined itself.
  if (bytes == 2 && !e.host_flags_agree(in)) return false;
  const Flags flags = by_immediate ? Flags::Made : kept_flags(e);
  const Operand amount = by_immediate ? Operand(Imm(count)) : Operand(x86::cl);
  const unsigned src = gpr_of(in, 1);
  if (in.form == Form::RR) {
    const unsigned dst = gpr_of(in, 0);
    before(e, flags);
    const Gp value = e.regs.fetched(dst, bytes, kScratch0);
    e.a.emit(id, value, e.regs.fetched(src, bytes, kScratch1), amount);
    e.regs.put_back(dst, value);
  } else if (in.form == Form::MR) {
    Mem m = e.memory.probe(in, Access::Write, bytes);
    before(e, flags);
    if (!e.regs.pinned(src)) m = e.memory.one_register(m);
    e.a.emit(id, m, e.regs.fetched(src, bytes, kScratch0), amount);
  } else {
    return false;
  }
  after(e, flags);
  return true;
}

}  // namespace

bool emit_shift(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::SHL: return shift(e, in, Inst::kIdShl, OldFlags::Overwritten);
    case Mnemonic::SHR: return shift(e, in, Inst::kIdShr, OldFlags::Overwritten);
    case Mnemonic::SAR: return shift(e, in, Inst::kIdSar, OldFlags::Overwritten);
    case Mnemonic::ROL: return shift(e, in, Inst::kIdRol, OldFlags::SomeKept);
    case Mnemonic::ROR: return shift(e, in, Inst::kIdRor, OldFlags::SomeKept);
    case Mnemonic::RCL: return shift(e, in, Inst::kIdRcl, OldFlags::SomeRead);
    case Mnemonic::RCR: return shift(e, in, Inst::kIdRcr, OldFlags::SomeRead);
    case Mnemonic::SHLD: return double_shift(e, in, Inst::kIdShld);
    case Mnemonic::SHRD: return double_shift(e, in, Inst::kIdShrd);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
