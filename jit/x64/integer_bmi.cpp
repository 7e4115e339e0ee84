// Emission of BMI1, BMI2, LZCNT, ADX, MOVBE and CRC32, on hosts that have them.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

using cpu::OperandKind;
using Features = asmjit::CpuFeatures::X86;

bool third_is(const Insn& in, OperandKind kind) { return in.kind2 == static_cast<u8>(kind); }

/// Register operand `index`; with the memory operand `m` in use, in scratch 0.
Gp register_beside(BlockEmitter& e, const Insn& in, unsigned index, unsigned bytes, Operand& m) {
  const unsigned gpr = gpr_of(in, index);
  if (!e.regs.pinned(gpr) && m.isMem()) m = e.memory.one_register(m.as<Mem>());
  return e.regs.fetched(gpr, bytes, kScratch0);
}

/// Three operands, the second or third of which may be memory. `flags`: Untouched or Made.
bool three(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !operands_ok(in)) return false;
  const bool memory_third = third_is(in, OperandKind::Mem);
  if (in.form != Form::RR && (in.form != Form::RM || memory_third)) return false;
  if (memory_third && !plain_memory(in)) return false;
  const bool memory = memory_third || in.form == Form::RM;
  Operand m = memory ? Operand(e.memory.probe(in, Access::Read, bytes)) : Operand();
  Operand second, third;
  if (third_is(in, OperandKind::Imm)) {
    second = memory ? m : e.regs.place(gpr_of(in, 1), bytes);
    third = Imm(in.imm & 0xff);
  } else if (memory_third) {
    second = register_beside(e, in, 1, bytes, m);
    third = m;
  } else if (memory) {
    third = register_beside(e, in, 2, bytes, m);
    second = m;
  } else {
    second = e.regs.fetched(gpr_of(in, 1), bytes, kScratch0);
    third = e.regs.fetched(gpr_of(in, 2), bytes, kScratch1);
  }
  const unsigned dst = gpr_of(in, 0);
  const Gp host = e.regs.result(dst, bytes);
  e.a.emit(id, host, second, third);
  e.regs.assign_result(dst, bytes, host);
  after(e, flags);
  return true;
}

/// Two operands, the second of which may be memory; the first is written.
bool two(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const unsigned dst = gpr_of(in, 0);
  const Operand src = second_in_place(e, in, bytes);
  const Gp host = e.regs.result(dst, bytes);
  e.a.emit(id, host, src);
  e.regs.assign_result(dst, bytes, host);
  e.flags.made();
  return true;
}

/// The other factor is rDX, which the host has in the same place.
bool mulx(BlockEmitter& e, const Insn& in) {
  static_assert(kHostOfGuest[cpu::RDX] == Gp::kIdDx);
  const unsigned bytes = in.size0;
  const bool memory = third_is(in, OperandKind::Mem);
  if (bytes < 4 || in.form != Form::RR || !operands_ok(in) || (memory && !plain_memory(in))) return false;
  const Operand src =
      memory ? Operand(e.memory.probe(in, Access::Read, bytes)) : e.regs.place(gpr_of(in, 2), bytes);
  const unsigned high = gpr_of(in, 0);
  const unsigned low = gpr_of(in, 1);
  const Gp host_high = e.regs.result(high, bytes);
  const Gp host_low = e.regs.result(low, bytes, kScratch1);
  e.a.emit(Inst::kIdMulx, host_high, host_low, src);
  e.regs.assign_result(low, bytes, host_low);
  e.regs.assign_result(high, bytes, host_high);
  return true;
}

bool movbe(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes)) return false;
  if (in.form == Form::RM) {
    const unsigned dst = gpr_of(in, 0);
    const Mem m = e.memory.probe(in, Access::Read, bytes);
    const Gp host = e.regs.result(dst, bytes);
    e.a.emit(Inst::kIdMovbe, host, m);
    e.regs.assign_result(dst, bytes, host);
    return true;
  }
  if (in.form != Form::MR) return false;
  const unsigned src = gpr_of(in, 1);
  Mem m = e.memory.probe(in, Access::Write, bytes);
  if (!e.regs.pinned(src)) m = e.memory.one_register(m);
  e.a.emit(Inst::kIdMovbe, m, e.regs.fetched(src, bytes, kScratch0));
  return true;
}

bool crc32(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  const unsigned from = in.size1;
  if (!operands_ok(in) || bytes < 4 || (in.form != Form::RR && in.form != Form::RM)) return false;
  if (bytes == 8 && from != 1 && from != 8) return false;
  const unsigned dst = gpr_of(in, 0);
  const Operand src = second_loaded(e, in, from);
  const Gp host = e.regs.fetched(dst, bytes, kScratch1);
  e.a.emit(Inst::kIdCrc32, host, src);
  e.regs.put_back(dst, host);
  return true;
}

}  // namespace

bool emit_bmi(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::ANDN: return host_has(Features::kBMI) && three(e, in, Inst::kIdAndn, Flags::Made);
    case Mnemonic::BEXTR: return host_has(Features::kBMI) && three(e, in, Inst::kIdBextr, Flags::Made);
    case Mnemonic::BLSI: return host_has(Features::kBMI) && two(e, in, Inst::kIdBlsi);
    case Mnemonic::BLSMSK: return host_has(Features::kBMI) && two(e, in, Inst::kIdBlsmsk);
    case Mnemonic::BLSR: return host_has(Features::kBMI) && two(e, in, Inst::kIdBlsr);
    case Mnemonic::TZCNT: return host_has(Features::kBMI) && two(e, in, Inst::kIdTzcnt);
    case Mnemonic::LZCNT: return host_has(Features::kLZCNT) && two(e, in, Inst::kIdLzcnt);
    case Mnemonic::POPCNT: return host_has(Features::kPOPCNT) && two(e, in, Inst::kIdPopcnt);
    case Mnemonic::BZHI: return host_has(Features::kBMI2) && three(e, in, Inst::kIdBzhi, Flags::Made);
    case Mnemonic::MULX: return host_has(Features::kBMI2) && mulx(e, in);
    case Mnemonic::PDEP: return host_has(Features::kBMI2) && three(e, in, Inst::kIdPdep, Flags::Untouched);
    case Mnemonic::PEXT: return host_has(Features::kBMI2) && three(e, in, Inst::kIdPext, Flags::Untouched);
    case Mnemonic::RORX: return host_has(Features::kBMI2) && three(e, in, Inst::kIdRorx, Flags::Untouched);
    case Mnemonic::SARX: return host_has(Features::kBMI2) && three(e, in, Inst::kIdSarx, Flags::Untouched);
    case Mnemonic::SHLX: return host_has(Features::kBMI2) && three(e, in, Inst::kIdShlx, Flags::Untouched);
    case Mnemonic::SHRX: return host_has(Features::kBMI2) && three(e, in, Inst::kIdShrx, Flags::Untouched);
    case Mnemonic::ADCX:
      return host_has(Features::kADX) && emit_binary(e, in, Inst::kIdAdcx, Flags::Merged, true);
    case Mnemonic::ADOX:
      return host_has(Features::kADX) && emit_binary(e, in, Inst::kIdAdox, Flags::Merged, true);
    case Mnemonic::MOVBE: return host_has(Features::kMOVBE) && movbe(e, in);
    case Mnemonic::CRC32: return host_has(Features::kSSE4_2) && crc32(e, in);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
