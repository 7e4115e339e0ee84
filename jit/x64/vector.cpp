#include "jit/x64/vector.h"

#include "jit/vector_facts.h"
#include "jit/x64/vector_table.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Insn;
using cpu::OperandKind;
using cpu::RegClass;
using mmu::Access;

constexpr unsigned kMaxOperands = 4;

InstId host_instruction_of(const Insn& in) {
  return host_vector_instruction(in.mnemonic, in.has(Insn::kVex256));
}

bool is_gpr(const Insn& in, unsigned index) {
  return index < 2 ? in.reg_class[index] == RegClass::Gpr : vector_facts(in.mnemonic).third_is_gpr;
}

bool takes_operands(const Insn& in) {
  if (!on_vector_registers(in)) return false;
  for (unsigned i = 0; i < 3; ++i) {
    const OperandKind kind = operand_kind(in, i);
    if (kind == OperandKind::Mem && !plain_memory(in)) return false;
    if (kind == OperandKind::Reg && is_gpr(in, i) && !general_operand(in, i)) return false;
  }
  // REX.W of the explicit lengths has no name in the assembler.
  return !(vector_facts(in.mnemonic).explicit_length && in.operand_bytes == 8);
}

unsigned alignment(const Insn& in, unsigned bytes) {
  const VectorFacts& facts = vector_facts(in.mnemonic);
  if (in.has(Insn::kVex)) return facts.vex_aligned ? bytes : 1;
  return bytes == 16 && !facts.any_alignment ? 16 : 1;
}

Operand vector_operand(const Insn& in, unsigned index) {
  const unsigned number = in.reg[index] & 15u;
  const bool xmm = index == 2 && vector_facts(in.mnemonic).third_is_xmm;
  return !xmm && vector_operand_bytes(in, index) == 32 ? Operand(x86::ymm(number))
                                                       : Operand(x86::xmm(number));
}

}  // namespace

HostRegisters vector_registers(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::Vectors) || host_instruction_of(in) == 0 || !takes_operands(in))
    return HostRegisters::General;
  return in.has(Insn::kVex256) ? HostRegisters::Ymm : HostRegisters::Xmm;
}

bool emit_vector(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (vector_registers(in, passes) == HostRegisters::General) return false;
  const VectorFacts& facts = vector_facts(in.mnemonic);

  // The probe comes first: it takes the scratch registers.
  Mem memory;
  for (unsigned i = 0; i < 3; ++i) {
    if (operand_kind(in, i) != OperandKind::Mem) continue;
    const unsigned bytes = vector_operand_bytes(in, i);
    memory = e.memory.probe(in, i == 0 ? Access::Write : Access::Read, bytes, alignment(in, bytes));
  }

  Operand operands[kMaxOperands];
  unsigned count = 0;
  unsigned assigned = cpu::kGprZero;  // a general register that gets its value from scratch 0
  unsigned assigned_bytes = 0;
  for (; count < 3 && operand_kind(in, count) != OperandKind::None; ++count) {
    const unsigned i = count;
    if (operand_kind(in, i) == OperandKind::Mem) {
      operands[i] = memory;
    } else if (operand_kind(in, i) == OperandKind::Imm) {
      operands[i] = Imm(in.imm & 0xff);
    } else if (!is_gpr(in, i)) {
      operands[i] = vector_operand(in, i);
    } else {
      const unsigned gpr = gpr_of(in, i);
      const unsigned bytes = vector_operand_bytes(in, i);
      // What is narrower than 32 bits is zero-extended, or the low part of a register.
      const unsigned register_bytes = bytes == 8 ? 8 : 4;
      if (e.regs.pinned(gpr)) {
        operands[i] = e.regs.reg(gpr, register_bytes);
      } else if (i == 0) {
        assigned = gpr;
        assigned_bytes = register_bytes;
        operands[i] = scratch0(register_bytes);
      } else {
        operands[i] = e.regs.slot(gpr, bytes);
      }
    }
  }
  if (in.has(Insn::kVex) && count == 3) {
    if (facts.register_last) operands[count++] = vector_operand(in, 3);
    if (facts.immediate_last) operands[count++] = Imm(in.imm & 0xff);
  }
  // RDX is where it is; the flags that rax holds are about to be replaced.
  if (facts.explicit_length) e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.emitOpArray(host_instruction_of(in), operands, count);
  if (facts.makes_flags) e.flags.made();
  if (assigned != cpu::kGprZero) e.regs.assign(assigned, assigned_bytes, scratch0(assigned_bytes));
  return true;
}

}  // namespace reprise::jit::x64
