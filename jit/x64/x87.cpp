#include "jit/x64/x87.h"

#include <array>
#include <cstddef>

#include "cpu/decode/insn_facts.h"
#include "cpu/decode/mnemonic.h"
#include "jit/plan/insn_effects.h"
#include "jit/x64/vector_state.h"
#include "jit/x64/vector_table.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::InstId;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using mmu::Access;

// FCW bits that exist; bit 6 reads as one. SDM 1 8.1.5.
constexpr i32 kFcwWritable = 0x1f3f;
constexpr i32 kFcwFixed = 0x0040;
constexpr i32 kFcwMasks = 0x3f;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

std::array<InstId, kRows> make_table() {
  std::array<InstId, kRows> table{};
  if (!host_keeps_x87()) return table;
  for (std::size_t i = 1; i < kRows; ++i) {
    const auto mnemonic = static_cast<Mnemonic>(i);
    if (x87_row(mnemonic) && host_agrees(mnemonic)) table[i] = host_instruction(mnemonic);
  }
  return table;
}

/// Either register may be the destination: so it is where a form with one operand is another matter.
bool names_both_registers(const Insn& in) {
  return in.form == Form::RR && cpu::insn_row(in.mnemonic).operands.alone != cpu::Access::None;
}

/// 0: not emitted.
InstId instruction_of(const Insn& in) {
  static const std::array<InstId, kRows> table = make_table();
  return table[static_cast<std::size_t>(in.mnemonic)];
}

/// With an exception unmasked the handler does it, and what follows is interpreted.
void fldcw(BlockEmitter& e, const Insn& in) {
  const Mem at = e.memory.probe(in, Access::Read, 2);
  const Mem copy = x86::word_ptr(x86::rsp, offsetof(Frame, target));
  const Gp value = kScratch0.r32();
  e.flags.save();
  e.a.movzx(value, at);
  e.a.and_(value, kFcwWritable);
  e.a.or_(value, kFcwFixed);
  e.a.mov(copy, kScratch0.r16());
  e.a.not_(value);
  e.a.test(value, kFcwMasks);
  e.a.jnz(e.slow());
  e.a.fldcw(copy);
  e.flags.lost();
}

void fnstsw_ax(BlockEmitter& e) {
  e.a.mov(kScratch0.r32(), x86::eax);
  e.a.fnstsw(x86::ax);
  e.a.mov(e.regs.reg(cpu::RAX, 2), x86::ax);
  e.a.mov(x86::eax, kScratch0.r32());
}

}  // namespace

bool sets_fip(const Insn& in) { return !cpu::insn_row(in.mnemonic).operands.has(cpu::Operands::kX87Control); }

bool takes_x87(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::X87) || instruction_of(in) == 0) return false;
  return in.form != Form::M || plain_memory(in);
}

bool emit_x87(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (!takes_x87(in, passes)) return false;
  const cpu::InsnRow& row = cpu::insn_row(in.mnemonic);
  const InstId id = instruction_of(in);
  if (in.mnemonic == Mnemonic::FLDCW) {
    fldcw(e, in);
  } else if (in.mnemonic == Mnemonic::FWAIT) {
    // Nothing is pending while the registers are owned.
  } else if (in.form == Form::M) {
    const Access access = writes(cpu::operand_access(in, 0)) ? Access::Write : Access::Read;
    e.a.emit(id, e.memory.probe(in, access, in.size0));
  } else if (in.mnemonic == Mnemonic::FNSTSW) {
    fnstsw_ax(e);
  } else {
    if (row.tested != 0) e.flags.need();
    if (in.form == Form::None) {
      e.a.emit(id);
    } else if (names_both_registers(in)) {
      e.a.emit(id, x86::st(in.reg[0]), x86::st(in.reg[1]));
    } else {
      // Of two registers one is ST(0), which goes without saying.
      e.a.emit(id, x86::st(in.form == Form::RR && in.reg[0] == 0 ? in.reg[1] : in.reg[0]));
    }
    if (row.written != 0) e.flags.made();
  }
  if (sets_fip(in)) e.owned.fip_is(in);
  return true;
}

}  // namespace reprise::jit::x64
