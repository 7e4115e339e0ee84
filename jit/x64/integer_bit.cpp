// Emission of tests of and scans for bits.
#include "jit/x64/flag_fixes.h"
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// Around BT and relatives, which change CF only.
void before_test(BlockEmitter& e, const Insn& in) {
  if (e.flags.unseen()) return;
  if (e.host_flags_agree(in))
    e.flags.need();
  else
    e.flags.save();
}
/// Takes scratch 1.
void after_test(BlockEmitter& e, const Insn& in) {
  if (flags_agree(e, in))
    e.flags.made();
  else
    fix_all_but_carry(e);
}

/// BT and relatives of memory by a register: its bit offset is signed and reaches beyond the operand.
bool bit_test_string(BlockEmitter& e, const Insn& in, InstId id, bool writes) {
  const unsigned bytes = in.size0;
  const unsigned src = gpr_of(in, 1);
  if (in.addr_shift != 0 || (!e.regs.pinned(src) && !e.host_flags_agree(in))) return false;
  e.flags.save();
  e.a.lea(kScratch0, e.addresses.of(in));
  if (bytes == 8)
    e.a.emit(Inst::kIdMov, kScratch1, e.regs.place(src, 8));
  else
    e.a.emit(bytes == 4 ? Inst::kIdMovsxd : Inst::kIdMovsx, kScratch1, e.regs.place(src, bytes));
  const unsigned log2_bits = bytes == 8 ? 6 : bytes == 4 ? 5 : 4;
  e.a.sar(kScratch1, log2_bits);
  e.a.lea(kScratch0, x86::ptr(kScratch0, kScratch1, log2_bits - 3));
  e.flags.lost();
  const Mem m = e.memory.one_register(
      e.memory.probe(x86::ptr(kScratch0), 8, in.seg, writes ? Access::Write : Access::Read, bytes));
  before_test(e, in);
  // Rax is free where the instruction makes the flags.
  const Gp index = e.regs.fetched(src, bytes, x86::rax);
  e.a.mov(scratch0(bytes), m);
  e.a.emit(id, scratch0(bytes), index);
  if (writes) e.a.mov(m, scratch0(bytes));
  after_test(e, in);
  return true;
}

/// BT, BTS, BTR, BTC.
bool bit_test(BlockEmitter& e, const Insn& in, InstId id, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes)) return false;
  const Imm bit(in.imm & (bytes * 8 - 1));
  if (in.form == Form::RI || in.form == Form::RR) {
    const unsigned dst = gpr_of(in, 0);
    before_test(e, in);
    const Gp value = e.regs.fetched(dst, bytes, kScratch0);
    if (in.form == Form::RI)
      e.a.emit(id, value, bit);
    else
      e.a.emit(id, value, e.regs.fetched(gpr_of(in, 1), bytes, kScratch1));
    if (writes) e.regs.put_back(dst, value);
  } else if (in.form == Form::MI) {
    const Mem m = e.memory.probe(in, writes ? Access::Write : Access::Read, bytes);
    before_test(e, in);
    e.a.emit(id, m, bit);
  } else if (in.form == Form::MR) {
    return bit_test_string(e, in, id, writes);
  } else {
    return false;
  }
  after_test(e, in);
  return true;
}

/// BSF, BSR: a source of zero leaves the whole destination alone.
bool bit_scan(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const unsigned dst = gpr_of(in, 0);
  const Operand src = second_loaded(e, in, bytes);
  const Gp host = e.regs.fetched(dst, bytes, kScratch1);
  e.a.emit(id, host, src);
  e.regs.put_back(dst, host);
  e.flags.made();
  return true;
}

}  // namespace

bool emit_bit(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::BT: return bit_test(e, in, Inst::kIdBt, false);
    case Mnemonic::BTS: return bit_test(e, in, Inst::kIdBts, true);
    case Mnemonic::BTR: return bit_test(e, in, Inst::kIdBtr, true);
    case Mnemonic::BTC: return bit_test(e, in, Inst::kIdBtc, true);
    case Mnemonic::BSF: return bit_scan(e, in, Inst::kIdBsf);
    case Mnemonic::BSR: return bit_scan(e, in, Inst::kIdBsr);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
