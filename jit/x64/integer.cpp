#include "jit/x64/integer.h"
#include "cpu/mnemonic.h"

#include "common/bits.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Condition;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using mmu::Access;
using x86::CondCode;
namespace Inst = x86::Inst;

constexpr unsigned kByCl = cpu::RCX * 8;

bool word_to_qword(unsigned bytes) { return bytes == 2 || bytes == 4 || bytes == 8; }

/// The immediate as an operand of `bytes`, sign-extended; fits 32 bits but for MOV.
Imm immediate(const Insn& in, unsigned bytes) { return Imm(sign_extend(in.imm, bytes * 8)); }
bool immediate_fits(const Insn& in, unsigned bytes) {
  const auto value = static_cast<i64>(sign_extend(in.imm, bytes * 8));
  return value == static_cast<i32>(value);
}

/// Registers are general ones, memory operands plain.
bool operands_ok(const Insn& in) {
  const unsigned form = static_cast<unsigned>(in.form);
  for (unsigned i = 0; i < 2; ++i) {
    const auto kind = static_cast<cpu::OperandKind>((form >> (2 * i)) & 3);
    if (kind == cpu::OperandKind::Reg && !BlockEmitter::general_operand(in, i)) return false;
    if (kind == cpu::OperandKind::Mem && !BlockEmitter::plain_memory(in)) return false;
  }
  return true;
}

enum class Flags : u8 { Untouched, Made, Merged };  // Merged: reads some or leaves some

void before(BlockEmitter& e, Flags flags) {
  if (flags == Flags::Merged) e.need_flags();
}
void after(BlockEmitter& e, Flags flags) {
  if (flags != Flags::Untouched) e.flags_made();
}

/// ADD and relatives. `writes`: the first operand is a destination.
bool binary(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  // TEST has no form with the memory operand second; it is commutative.
  const auto emit = [&](const Operand& dst, const Operand& src) {
    if (id == Inst::kIdTest && src.isMem())
      e.a.emit(id, src, dst);
    else
      e.a.emit(id, dst, src);
  };
  switch (in.form) {
    case Form::RI:
      if (!immediate_fits(in, bytes)) return false;
      [[fallthrough]];
    case Form::RR: {
      const unsigned dst = e.gpr_of(in, 0);
      Operand src = in.form == Form::RI ? Operand(immediate(in, bytes)) : e.place(e.gpr_of(in, 1), bytes);
      before(e, flags);
      if (e.pinned(dst)) {
        emit(e.reg(dst, bytes), src);
      } else {
        if (src.isMem()) src = e.fetched(e.gpr_of(in, 1), bytes, kScratch1);
        if (writes && (bytes == 4 || id == Inst::kIdImul)) {
          const Gp value = e.fetched(dst, bytes, kScratch0);
          emit(value, src);
          e.assign(dst, bytes, value);
        } else {
          emit(e.slot(dst, bytes), src);
        }
      }
      break;
    }
    case Form::RM: {
      const unsigned dst = e.gpr_of(in, 0);
      const Mem m = e.probe(in, Access::Read, bytes);
      before(e, flags);
      if (e.pinned(dst)) {
        emit(e.reg(dst, bytes), m);
      } else {
        e.a.mov(e.scratch0(bytes), m);
        const Gp value = e.fetched(dst, bytes, kScratch1);
        emit(value, e.scratch0(bytes));
        if (writes) e.assign(dst, bytes, value);
      }
      break;
    }
    case Form::MR: {
      const unsigned src = e.gpr_of(in, 1);
      Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      if (!e.pinned(src)) m = e.one_register(bytes);
      emit(m, e.fetched(src, bytes, kScratch0));
      break;
    }
    case Form::MI: {
      if (!immediate_fits(in, bytes)) return false;
      const Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      emit(m, immediate(in, bytes));
      break;
    }
    default:
      return false;
  }
  after(e, flags);
  return true;
}

/// INC, DEC, NEG, NOT.
bool unary(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  if (in.form == Form::R) {
    const unsigned dst = e.gpr_of(in, 0);
    before(e, flags);
    const Gp value = e.fetched(dst, bytes, kScratch0);
    e.a.emit(id, value);
    if (!e.pinned(dst)) e.assign(dst, bytes, value);
  } else if (in.form == Form::M) {
    const Mem m = e.probe(in, Access::Write, bytes);
    before(e, flags);
    e.a.emit(id, m);
  } else {
    return false;
  }
  after(e, flags);
  return true;
}

bool mov(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  switch (in.form) {
    case Form::RR: {
      const unsigned dst = e.gpr_of(in, 0);
      const unsigned src = e.gpr_of(in, 1);
      if (e.pinned(dst)) {
        e.a.emit(Inst::kIdMov, e.reg(dst, bytes), e.place(src, bytes));
      } else if (e.pinned(src) && bytes != 4) {
        e.a.mov(e.slot(dst, bytes), e.reg(src, bytes));
      } else {
        e.a.emit(Inst::kIdMov, e.scratch0(bytes), e.place(src, bytes));
        e.assign(dst, bytes, e.scratch0(bytes));
      }
      return true;
    }
    case Form::RI: {
      const unsigned dst = e.gpr_of(in, 0);
      const u64 value = in.imm;
      const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
      if (bytes == 8) {
        if (value == static_cast<u32>(value))
          e.a.mov(host.r32(), static_cast<u32>(value));
        else
          e.a.mov(host, static_cast<i64>(value));
      } else {
        e.a.emit(Inst::kIdMov, host, bytes == 4 ? Imm(static_cast<u32>(value)) : immediate(in, bytes));
      }
      if (!e.pinned(dst)) e.assign(dst, bytes, host);
      return true;
    }
    case Form::RM: {
      const unsigned dst = e.gpr_of(in, 0);
      const Mem m = e.probe(in, Access::Read, bytes);
      const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
      e.a.mov(host, m);
      if (!e.pinned(dst)) e.assign(dst, bytes, host);
      return true;
    }
    case Form::MR: {
      const unsigned src = e.gpr_of(in, 1);
      Mem m = e.probe(in, Access::Write, bytes);
      if (!e.pinned(src)) m = e.one_register(bytes);
      e.a.mov(m, e.fetched(src, bytes, kScratch0));
      return true;
    }
    case Form::MI:
      if (!immediate_fits(in, bytes)) return false;
      e.a.emit(Inst::kIdMov, e.probe(in, Access::Write, bytes), immediate(in, bytes));
      return true;
    default:
      return false;
  }
}

bool extend(BlockEmitter& e, const Insn& in, bool is_signed) {
  const unsigned to = in.size0;
  const unsigned from = in.size1;
  if (!operands_ok(in) || !word_to_qword(to) || from >= to || (in.form != Form::RR && in.form != Form::RM))
    return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Operand src =
      in.form == Form::RR ? e.place(e.gpr_of(in, 1), from) : Operand(e.probe(in, Access::Read, from));
  const Gp host = e.pinned(dst) ? e.reg(dst, to) : e.scratch0(to);
  if (from == 4) {
    if (is_signed)
      e.a.emit(Inst::kIdMovsxd, host, src);
    else
      e.a.emit(Inst::kIdMov, host.r32(), src);
  } else {
    e.a.emit(is_signed ? Inst::kIdMovsx : Inst::kIdMovzx, host, src);
  }
  if (!e.pinned(dst)) e.assign(dst, to, host);
  return true;
}

bool lea(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !e.plain_address(in) || !e.general_operand(in, 0)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Mem at = e.address(in);
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  e.a.lea(host, at);
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  return true;
}

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

/// MUL and IMUL of rAX.
bool multiply_accumulator(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !operands_ok(in) || (in.form != Form::R && in.form != Form::M)) return false;
  const Operand src =
      in.form == Form::R ? e.place(e.gpr_of(in, 0), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp accumulator = host_gp(Gp::kIdAx, bytes);
  e.a.mov(accumulator, e.reg(cpu::RAX, bytes));
  e.a.emit(id, src);
  e.a.mov(e.reg(cpu::RAX, bytes), accumulator);
  e.flags_made();
  return true;
}

bool imul(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (in.form == Form::R || in.form == Form::M) return multiply_accumulator(e, in, Inst::kIdImul);
  if (in.kind2 != static_cast<u8>(cpu::OperandKind::Imm))
    return word_to_qword(bytes) && binary(e, in, Inst::kIdImul, Flags::Made, true);
  if (!operands_ok(in) || !word_to_qword(bytes) || !immediate_fits(in, bytes)) return false;
  if (in.form != Form::RR && in.form != Form::RM) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Operand src =
      in.form == Form::RR ? e.place(e.gpr_of(in, 1), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  e.a.emit(Inst::kIdImul, host, src, immediate(in, bytes));
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  e.flags_made();
  return true;
}

bool setcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  if (!operands_ok(in)) return false;
  const InstId id = Inst::setccFromCond(condition);
  if (in.form == Form::R) {
    e.need_flags();
    e.a.emit(id, e.place(e.gpr_of(in, 0), 1));
    return true;
  }
  if (in.form != Form::M) return false;
  const Mem m = e.probe(in, Access::Write, 1);
  e.need_flags();
  e.a.emit(id, m);
  return true;
}

bool cmovcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const InstId id = Inst::cmovccFromCond(condition);
  const unsigned dst = e.gpr_of(in, 0);
  Operand src;
  if (in.form == Form::RR) {
    src = e.place(e.gpr_of(in, 1), bytes);
  } else {
    const Mem m = e.probe(in, Access::Read, bytes);
    e.a.mov(e.scratch0(bytes), m);
    src = e.scratch0(bytes);
  }
  e.need_flags();
  const Gp host = e.fetched(dst, bytes, kScratch1);
  e.a.emit(id, host, src);
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  return true;
}

/// BT, BTS, BTR, BTC of a register, or of memory with an immediate.
bool bit_test(BlockEmitter& e, const Insn& in, InstId id, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes)) return false;
  const Imm bit(in.imm & (bytes * 8 - 1));
  if (in.form == Form::RI || in.form == Form::RR) {
    const unsigned dst = e.gpr_of(in, 0);
    e.need_flags();
    const Gp value = e.fetched(dst, bytes, kScratch0);
    if (in.form == Form::RI)
      e.a.emit(id, value, bit);
    else
      e.a.emit(id, value, e.fetched(e.gpr_of(in, 1), bytes, kScratch1));
    if (writes && !e.pinned(dst)) e.assign(dst, bytes, value);
  } else if (in.form == Form::MI) {
    const Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
    e.need_flags();
    e.a.emit(id, m, bit);
  } else {
    return false;
  }
  e.flags_made();
  return true;
}

/// POPCNT.
bool count_bits(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Operand src =
      in.form == Form::RR ? e.place(e.gpr_of(in, 1), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  e.a.emit(id, host, src);
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  e.flags_made();
  return true;
}

bool bswap(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || in.form != Form::R || !operands_ok(in)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Gp value = e.fetched(dst, bytes, kScratch0);
  e.a.bswap(value);
  if (!e.pinned(dst)) e.assign(dst, bytes, value);
  return true;
}

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

/// CDQ, CQO.
void sign_to_d(BlockEmitter& e, unsigned bytes) {
  e.save_flags();
  e.a.mov(e.reg(cpu::RDX, bytes), e.reg(cpu::RAX, bytes));
  e.a.sar(e.reg(cpu::RDX, bytes), bytes * 8 - 1);
  e.flags_lost();
}

// --- Stack ---

Mem below_stack() { return x86::ptr(BlockEmitter::reg(cpu::RSP, 8), -8); }
Mem top_of_stack() { return x86::ptr(BlockEmitter::reg(cpu::RSP, 8)); }
void move_stack(BlockEmitter& e, i32 bytes) {
  e.a.lea(e.reg(cpu::RSP, 8), x86::ptr(e.reg(cpu::RSP, 8), bytes));
}
/// The stack operand is plain: 64-bit mode without alignment checks.
bool plain_stack(const Insn& in) {
  return in.operand_bytes == 8 && in.has(Insn::kStack64) && !in.has(Insn::kAlignCheck);
}

bool push(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  if (in.form == Form::R) {
    if (!e.general_operand(in, 0)) return false;
    const unsigned src = e.gpr_of(in, 0);
    Mem m = e.probe(below_stack(), cpu::kSegFlat, Access::Write, 8);
    if (!e.pinned(src)) m = e.one_register(8);
    e.a.mov(m, e.fetched(src, 8, kScratch0));
  } else if (in.form == Form::I) {
    if (!immediate_fits(in, 8)) return false;
    e.a.emit(Inst::kIdMov, e.probe(below_stack(), cpu::kSegFlat, Access::Write, 8), immediate(in, 8));
  } else {
    return false;
  }
  move_stack(e, -8);
  return true;
}

bool pop(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in) || in.form != Form::R || !e.general_operand(in, 0)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Mem m = e.probe(top_of_stack(), cpu::kSegFlat, Access::Read, 8);
  const Gp host = e.pinned(dst) ? e.reg(dst, 8) : kScratch0;
  if (dst != cpu::RSP) {
    e.a.mov(host, m);
    move_stack(e, 8);
    if (!e.pinned(dst)) e.assign(dst, 8, host);
  } else {
    e.a.mov(host, m);
  }
  return true;
}

bool leave(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  const Mem m = e.probe(x86::ptr(e.reg(cpu::RBP, 8)), cpu::kSegFlat, Access::Read, 8);
  e.a.lea(e.reg(cpu::RSP, 8), x86::ptr(e.reg(cpu::RBP, 8), 8));
  e.a.mov(e.reg(cpu::RBP, 8), m);
  return true;
}

// --- Branches ---

/// Relative targets that go_to() can express.
bool near_target(const Insn& in) {
  const auto target = static_cast<i64>(in.imm);
  return in.operand_bytes == 8 && target == static_cast<i32>(target);
}

bool jcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  if (!near_target(in)) return false;
  e.need_flags();
  e.save_flags();
  const Label taken = e.a.newLabel();
  e.a.long_().j(condition, taken);
  e.go_to(in.next_offset, false);
  e.a.bind(taken);
  e.go_to(in.imm, true);
  return true;
}

bool jmp(BlockEmitter& e, const Insn& in) {
  if (in.form == Form::I) {
    if (!near_target(in)) return false;
    e.go_to(in.imm, true);
    return true;
  }
  if (in.size0 != 8 || !operands_ok(in)) return false;
  if (in.form == Form::R) {
    e.a.emit(Inst::kIdMov, kScratch0, e.place(e.gpr_of(in, 0), 8));
  } else {
    e.a.mov(kScratch0, e.probe(in, Access::Read, 8));
  }
  e.check_canonical();
  e.go_to_scratch();
  return true;
}

void push_return_address(BlockEmitter& e, const Insn& in) {
  e.probe(below_stack(), cpu::kSegFlat, Access::Write, 8);
  const Mem m = e.one_register(8);
  e.a.mov(kScratch0, e.slot(cpu::kGprPageBase, 8));
  e.a.lea(kScratch0, x86::ptr(kScratch0, in.next_offset));
  e.a.mov(m, kScratch0);
}

bool call(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  if (in.form == Form::I) {
    if (!near_target(in)) return false;
    const bool same_page = in.imm < kPageBytes;
    if (!same_page) {
      // The target is looked at before anything is written.
      e.a.mov(kScratch0, e.slot(cpu::kGprPageBase, 8));
      e.a.lea(kScratch0, x86::ptr(kScratch0, static_cast<i32>(in.imm)));
      e.check_canonical();
    }
    push_return_address(e, in);
    move_stack(e, -8);
    e.go_to(in.imm, false);
    return true;
  }
  if (in.size0 != 8 || !operands_ok(in)) return false;
  const Mem target = x86::qword_ptr(x86::rsp, offsetof(Frame, target));
  if (in.form == Form::R) {
    e.a.emit(Inst::kIdMov, kScratch0, e.place(e.gpr_of(in, 0), 8));
  } else {
    e.a.mov(kScratch0, e.probe(in, Access::Read, 8));
  }
  e.check_canonical();
  e.a.mov(target, kScratch0);
  push_return_address(e, in);
  move_stack(e, -8);
  e.a.mov(kScratch0, target);
  e.go_to_scratch();
  return true;
}

bool ret(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  e.a.mov(kScratch0, e.probe(top_of_stack(), cpu::kSegFlat, Access::Read, 8));
  e.check_canonical();
  move_stack(e, static_cast<i32>(8 + (in.imm & 0xffff)));
  e.go_to_scratch();
  return true;
}

/// The condition of a row that lies in a run of sixteen in encoding order.
CondCode condition(const Insn& in, Mnemonic first) {
  static constexpr CondCode kCodes[16] = {CondCode::kO, CondCode::kNO, CondCode::kB,  CondCode::kNB,
                                          CondCode::kZ, CondCode::kNZ, CondCode::kBE, CondCode::kNBE,
                                          CondCode::kS, CondCode::kNS, CondCode::kP,  CondCode::kNP,
                                          CondCode::kL, CondCode::kNL, CondCode::kLE, CondCode::kNLE};
  return kCodes[static_cast<unsigned>(in.mnemonic) - static_cast<unsigned>(first)];
}
bool in_run(const Insn& in, Mnemonic first, Mnemonic last) {
  return in.mnemonic >= first && in.mnemonic <= last;
}

static_assert(static_cast<unsigned>(Mnemonic::JNLE) - static_cast<unsigned>(Mnemonic::JO) == 15);
static_assert(static_cast<unsigned>(Mnemonic::SETNLE) - static_cast<unsigned>(Mnemonic::SETO) == 15);
static_assert(static_cast<unsigned>(Mnemonic::CMOVNLE) - static_cast<unsigned>(Mnemonic::CMOVO) == 15);

}  // namespace

bool emit_integer(BlockEmitter& e, const Insn& in) {
  if (in_run(in, Mnemonic::JO, Mnemonic::JNLE)) return jcc(e, in, condition(in, Mnemonic::JO));
  if (in_run(in, Mnemonic::SETO, Mnemonic::SETNLE)) return setcc(e, in, condition(in, Mnemonic::SETO));
  if (in_run(in, Mnemonic::CMOVO, Mnemonic::CMOVNLE)) return cmovcc(e, in, condition(in, Mnemonic::CMOVO));
  switch (in.mnemonic) {
    case Mnemonic::MOV:
      return mov(e, in);
    case Mnemonic::MOVZX:
      return extend(e, in, false);
    case Mnemonic::MOVSX:
    case Mnemonic::MOVSXD:
      return extend(e, in, true);
    case Mnemonic::LEA:
      return lea(e, in);
    case Mnemonic::ADD:
      return binary(e, in, Inst::kIdAdd, Flags::Made, true);
    case Mnemonic::SUB:
      return binary(e, in, Inst::kIdSub, Flags::Made, true);
    case Mnemonic::AND:
      return binary(e, in, Inst::kIdAnd, Flags::Made, true);
    case Mnemonic::OR:
      return binary(e, in, Inst::kIdOr, Flags::Made, true);
    case Mnemonic::XOR:
      return binary(e, in, Inst::kIdXor, Flags::Made, true);
    case Mnemonic::ADC:
      return binary(e, in, Inst::kIdAdc, Flags::Merged, true);
    case Mnemonic::SBB:
      return binary(e, in, Inst::kIdSbb, Flags::Merged, true);
    case Mnemonic::CMP:
      return binary(e, in, Inst::kIdCmp, Flags::Made, false);
    case Mnemonic::TEST:
      return binary(e, in, Inst::kIdTest, Flags::Made, false);
    case Mnemonic::INC:
      return unary(e, in, Inst::kIdInc, Flags::Merged);
    case Mnemonic::DEC:
      return unary(e, in, Inst::kIdDec, Flags::Merged);
    case Mnemonic::NEG:
      return unary(e, in, Inst::kIdNeg, Flags::Made);
    case Mnemonic::NOT:
      return unary(e, in, Inst::kIdNot, Flags::Untouched);
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
    case Mnemonic::MUL:
      return multiply_accumulator(e, in, Inst::kIdMul);
    case Mnemonic::IMUL:
      return imul(e, in);
    case Mnemonic::BT:
      return bit_test(e, in, Inst::kIdBt, false);
    case Mnemonic::BTS:
      return bit_test(e, in, Inst::kIdBts, true);
    case Mnemonic::BTR:
      return bit_test(e, in, Inst::kIdBtr, true);
    case Mnemonic::BTC:
      return bit_test(e, in, Inst::kIdBtc, true);
    case Mnemonic::POPCNT:
      return count_bits(e, in, Inst::kIdPopcnt);
    case Mnemonic::BSWAP:
      return bswap(e, in);
    case Mnemonic::XCHG:
      return exchange(e, in, Inst::kIdXchg, Flags::Untouched);
    case Mnemonic::XADD:
      return exchange(e, in, Inst::kIdXadd, Flags::Made);
    case Mnemonic::CMPXCHG:
      return cmpxchg(e, in);
    case Mnemonic::CWDE:
      e.a.movsx(e.reg(cpu::RAX, 4), e.reg(cpu::RAX, 2));
      return true;
    case Mnemonic::CDQE:
      e.a.movsxd(e.reg(cpu::RAX, 8), e.reg(cpu::RAX, 4));
      return true;
    case Mnemonic::CDQ:
      sign_to_d(e, 4);
      return true;
    case Mnemonic::CQO:
      sign_to_d(e, 8);
      return true;
    case Mnemonic::CLC:
      e.need_flags(), e.a.clc(), e.flags_made();
      return true;
    case Mnemonic::STC:
      e.need_flags(), e.a.stc(), e.flags_made();
      return true;
    case Mnemonic::CMC:
      e.need_flags(), e.a.cmc(), e.flags_made();
      return true;
    case Mnemonic::CLD:
      e.save_flags();
      e.a.and_(e.rflags(), ~static_cast<i32>(cpu::kRflagsDf));
      e.flags_lost();
      return true;
    case Mnemonic::NOP:
    case Mnemonic::PAUSE:
    case Mnemonic::LFENCE:
    case Mnemonic::MFENCE:
    case Mnemonic::SFENCE:
    case Mnemonic::PREFETCH:
    case Mnemonic::PREFETCHW:
    case Mnemonic::PREFETCHNTA:
    case Mnemonic::PREFETCHT0:
    case Mnemonic::PREFETCHT1:
    case Mnemonic::PREFETCHT2:
      return true;
    case Mnemonic::PUSH:
      return push(e, in);
    case Mnemonic::POP:
      return pop(e, in);
    case Mnemonic::LEAVE:
      return leave(e, in);
    case Mnemonic::JMP:
      return jmp(e, in);
    case Mnemonic::CALL:
      return call(e, in);
    case Mnemonic::RET:
      return ret(e, in);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
