// Emission of BMI1, BMI2, LZCNT, ADX, MOVBE and CRC32, on hosts that have them.
#include "jit/x64/flag_fixes.h"
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

using cpu::OperandKind;
using Features = asmjit::CpuFeatures::X86;

/// What the manual leaves undefined is clear: docs/undefined.md.
void made_bits(BlockEmitter& e, const Insn& in) {
  constexpr u8 kCf = 0x01, kZf = 0x40, kSf = 0x80;
  e.flags.made();
  if (flags_agree(e, in)) return;
  const bool counts =
      in.mnemonic == Mnemonic::TZCNT || in.mnemonic == Mnemonic::LZCNT || in.mnemonic == Mnemonic::BEXTR;
  fix_all_but(e, counts ? kCf | kZf : kCf | kZf | kSf);
}

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
  if (flags == Flags::Made) made_bits(e, in);
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
  made_bits(e, in);
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

using Emit = bool (*)(BlockEmitter& e, const Insn& in);

template <InstId Id, Flags Effect>
bool three_operands(BlockEmitter& e, const Insn& in) {
  return three(e, in, Id, Effect);
}
template <InstId Id>
bool two_operands(BlockEmitter& e, const Insn& in) {
  return two(e, in, Id);
}
template <InstId Id>
bool add_with_carry(BlockEmitter& e, const Insn& in) {
  return emit_binary(e, in, Id, Flags::Merged, true);
}

struct BmiRow {
  Mnemonic mnemonic;
  Features::Id feature;  // of the host
  Emit emit;
};
constexpr BmiRow kRows[] = {
    {Mnemonic::ANDN, Features::kBMI, three_operands<Inst::kIdAndn, Flags::Made>},
    {Mnemonic::BEXTR, Features::kBMI, three_operands<Inst::kIdBextr, Flags::Made>},
    {Mnemonic::BLSI, Features::kBMI, two_operands<Inst::kIdBlsi>},
    {Mnemonic::BLSMSK, Features::kBMI, two_operands<Inst::kIdBlsmsk>},
    {Mnemonic::BLSR, Features::kBMI, two_operands<Inst::kIdBlsr>},
    {Mnemonic::TZCNT, Features::kBMI, two_operands<Inst::kIdTzcnt>},
    {Mnemonic::LZCNT, Features::kLZCNT, two_operands<Inst::kIdLzcnt>},
    {Mnemonic::POPCNT, Features::kPOPCNT, two_operands<Inst::kIdPopcnt>},
    {Mnemonic::BZHI, Features::kBMI2, three_operands<Inst::kIdBzhi, Flags::Made>},
    {Mnemonic::MULX, Features::kBMI2, mulx},
    {Mnemonic::PDEP, Features::kBMI2, three_operands<Inst::kIdPdep, Flags::Untouched>},
    {Mnemonic::PEXT, Features::kBMI2, three_operands<Inst::kIdPext, Flags::Untouched>},
    {Mnemonic::RORX, Features::kBMI2, three_operands<Inst::kIdRorx, Flags::Untouched>},
    {Mnemonic::SARX, Features::kBMI2, three_operands<Inst::kIdSarx, Flags::Untouched>},
    {Mnemonic::SHLX, Features::kBMI2, three_operands<Inst::kIdShlx, Flags::Untouched>},
    {Mnemonic::SHRX, Features::kBMI2, three_operands<Inst::kIdShrx, Flags::Untouched>},
    {Mnemonic::ADCX, Features::kADX, add_with_carry<Inst::kIdAdcx>},
    {Mnemonic::ADOX, Features::kADX, add_with_carry<Inst::kIdAdox>},
    {Mnemonic::MOVBE, Features::kMOVBE, movbe},
    {Mnemonic::CRC32, Features::kSSE4_2, crc32},
};

}  // namespace

bool emit_bmi(BlockEmitter& e, const Insn& in) {
  const BmiRow* const row = find_row(kRows, in.mnemonic);
  return row != nullptr && host_has(row->feature) && row->emit(e, in);
}

}  // namespace reprise::jit::x64
