// What the emission of integer instructions shares.
#pragma once

#include "common/bits.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/system/segments.h"
#include "jit/plan/insn_forms.h"
#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using mmu::Access;
using x86::CondCode;
namespace Inst = x86::Inst;

// Each emits `in`, or returns false having emitted nothing.
bool emit_move(BlockEmitter& e, const Insn& in);
bool emit_alu(BlockEmitter& e, const Insn& in);
bool emit_shift(BlockEmitter& e, const Insn& in);
bool emit_muldiv(BlockEmitter& e, const Insn& in);
bool emit_bit(BlockEmitter& e, const Insn& in);
bool emit_atomic(BlockEmitter& e, const Insn& in);
bool emit_stack(BlockEmitter& e, const Insn& in);
bool emit_branch(BlockEmitter& e, const Insn& in);
bool emit_bmi(BlockEmitter& e, const Insn& in);
bool emit_system(BlockEmitter& e, const Insn& in);
bool emit_misc(BlockEmitter& e, const Insn& in);
bool emit_string(BlockEmitter& e, const Insn& in);

inline bool in_run(const Insn& in, Mnemonic first, Mnemonic last) {
  return in.mnemonic >= first && in.mnemonic <= last;
}

/// The row of a table of rows that each begin with their mnemonic; nullptr: none.
template <class Row, std::size_t kRows>
const Row* find_row(const Row (&rows)[kRows], Mnemonic mnemonic) {
  for (const Row& row : rows)
    if (row.mnemonic == mnemonic) return &row;
  return nullptr;
}

inline bool word_to_qword(unsigned bytes) { return bytes == 2 || bytes == 4 || bytes == 8; }

/// The immediate as an operand of `bytes`, sign-extended; fits 32 bits but for MOV.
inline Imm immediate(const Insn& in, unsigned bytes) { return Imm(sign_extend(in.imm, bytes * 8)); }

inline bool host_has(asmjit::CpuFeatures::X86::Id feature) {
  return asmjit::CpuInfo::host().hasFeature(feature);
}

/// AH, CH, DH or BH as explicit operand `index`. Instructions with a REX prefix cannot name those, and the
/// host's are not the guest's: their registers are rotated instead, by RORX, which leaves flags alone.
inline bool high_byte(const Insn& in, unsigned index) {
  return in.reg_class[index] == cpu::RegClass::Gpr && (in.reg[index] & 7) == 1;
}
enum class HighBytes : u8 { Refused, Allowed };

/// Registers are general ones, memory operands plain.
inline bool operands_ok(const Insn& in, HighBytes high_bytes = HighBytes::Refused) {
  const unsigned form = static_cast<unsigned>(in.form);
  for (unsigned i = 0; i < 2; ++i) {
    const auto kind = static_cast<cpu::OperandKind>((form >> (2 * i)) & 3);
    if (kind == cpu::OperandKind::Reg && !general_operand(in, i)) {
      if (high_bytes == HighBytes::Refused || !high_byte(in, i)) return false;
      if (!host_has(asmjit::CpuFeatures::X86::kBMI2)) return false;
    }
    if (kind == cpu::OperandKind::Mem && !plain_memory(in)) return false;
  }
  return true;
}

enum class Flags : u8 { Untouched, Made, Merged };  // Merged: reads some or leaves some

/// Register operand `index` for reading: in place, or for a high byte in `scratch`.
inline Operand source(BlockEmitter& e, const Insn& in, unsigned index, unsigned bytes, const Gp& scratch) {
  if (!high_byte(in, index)) return e.regs.place(gpr_of(in, index), bytes);
  e.a.rorx(scratch, e.regs.reg(gpr_of(in, index), 8), 8);
  return scratch.r8();
}
/// The same, always in a host register.
inline Gp source_register(BlockEmitter& e, const Insn& in, unsigned index, unsigned bytes,
                          const Gp& scratch) {
  if (!high_byte(in, index)) return e.regs.fetched(gpr_of(in, index), bytes, scratch);
  e.a.rorx(scratch, e.regs.reg(gpr_of(in, index), 8), 8);
  return scratch.r8();
}

/// Operand 1 for reading, in place: a register or memory, as the form says.
inline Operand second_in_place(BlockEmitter& e, const Insn& in, unsigned bytes) {
  if (in.form == Form::RR) return e.regs.place(gpr_of(in, 1), bytes);
  return e.memory.probe(in, Access::Read, bytes);
}
/// The same with memory in scratch 0, so that scratch 1 is free.
inline Operand second_loaded(BlockEmitter& e, const Insn& in, unsigned bytes) {
  const Operand src = second_in_place(e, in, bytes);
  if (in.form == Form::RR) return src;
  e.a.mov(scratch0(bytes), src.as<Mem>());
  return scratch0(bytes);
}

/// The second operand of an instruction on bytes whose first is AH, CH, DH or BH, to be read once that one is
/// in place (HighByteDestination). False: no such form.
inline bool source_for_high_byte(BlockEmitter& e, const Insn& in, Operand& src) {
  switch (in.form) {
    case Form::RI: src = immediate(in, 1); return true;
    case Form::RM:
      // The address may depend on the register that is about to be rotated.
      e.a.mov(scratch1(1), e.memory.probe(in, Access::Read, 1));
      src = scratch1(1);
      return true;
    case Form::RR:
      src = source_register(e, in, 1, 1, kScratch1);
      if (gpr_of(in, 1) == gpr_of(in, 0) && !high_byte(in, 1)) {
        // A byte of the same register moves with it.
        e.a.mov(scratch1(4), e.regs.reg(gpr_of(in, 1), 4));
        src = scratch1(1);
      }
      return true;
    default: return false;
  }
}

/// Makes high byte operand 0 the low byte of its register for as long as it lives, to be written.
class HighByteDestination {
 public:
  HighByteDestination(BlockEmitter& e, const Insn& in) : e_(e), reg_(e.regs.reg(gpr_of(in, 0), 8)) {
    e_.a.rorx(reg_, reg_, 8);
  }
  ~HighByteDestination() { e_.a.rorx(reg_, reg_, 56); }
  HighByteDestination(const HighByteDestination&) = delete;
  HighByteDestination& operator=(const HighByteDestination&) = delete;
  Gp value() const { return reg_.r8(); }

 private:
  BlockEmitter& e_;
  const Gp reg_;
};

/// ADD and relatives. `writes`: the first operand is a destination.
bool emit_binary(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes);

/// Whether the host's instruction leaves the flags as the guest shall see them, if anybody does.
inline bool flags_agree(const BlockEmitter& e, const Insn& in) {
  return e.flags.unseen() || e.host_flags_agree(in);
}
/// Those of an instruction that leaves some as they were, but reads none.
inline Flags kept_flags(const BlockEmitter& e) { return e.flags.unseen() ? Flags::Made : Flags::Merged; }

inline void before(BlockEmitter& e, Flags flags) {
  if (flags == Flags::Merged) e.flags.need();
}
inline void after(BlockEmitter& e, Flags flags) {
  if (flags != Flags::Untouched) e.flags.made();
}

/// The condition of a row that lies in a run of sixteen in encoding order.
inline CondCode condition(const Insn& in, Mnemonic first) {
  static constexpr CondCode kCodes[16] = {CondCode::kO, CondCode::kNO, CondCode::kB,  CondCode::kNB,
                                          CondCode::kZ, CondCode::kNZ, CondCode::kBE, CondCode::kNBE,
                                          CondCode::kS, CondCode::kNS, CondCode::kP,  CondCode::kNP,
                                          CondCode::kL, CondCode::kNL, CondCode::kLE, CondCode::kNLE};
  return kCodes[static_cast<unsigned>(in.mnemonic) - static_cast<unsigned>(first)];
}

/// In the frame: a value that waits while its instruction probes.
inline Mem waiting_value(unsigned bytes = 8) { return x86::ptr(x86::rsp, offsetof(Frame, target), bytes); }

// --- Stack ---

inline void move_stack(BlockEmitter& e, i32 bytes) {
  e.a.lea(e.regs.reg(cpu::RSP, e.stack_bytes()), x86::ptr(e.regs.reg(cpu::RSP, 8), bytes));
}
/// The stack operand is plain: without alignment checks, and in 64-bit mode of the default size.
inline bool plain_stack(const Insn& in) {
  const bool plain_size =
      in.has(Insn::kCode64) ? in.operand_bytes == 8 : in.operand_bytes == 2 || in.operand_bytes == 4;
  return plain_size && !in.has(Insn::kAlignCheck);
}

// --- Segments ---

/// Loads ES, DS, FS or GS with the selector in scratch 0 (its upper bits zero) outside protected mode. When
/// more changes than selector and base it goes the slow path.
inline void load_real_segment(BlockEmitter& e, unsigned seg) {
  const bool v86 = e.mode().has(cpu::ModeKey::kV86);
  e.flags.save();
  e.a.cmp(e.regs.segment_limit(seg), cpu::kRealModeLimit);
  e.a.jne(e.slow());
  e.a.cmp(e.regs.segment_access(seg), v86 ? cpu::kV86Access : cpu::kRealModeAccess);
  e.a.jne(e.slow());
  e.a.mov(e.regs.selector(seg), scratch0(2));
  e.a.shl(scratch0(4), 4);
  e.a.mov(e.regs.segment_base(seg), kScratch0);
  e.flags.lost();
}

}  // namespace reprise::jit::x64
