#include "jit/x64/vector.h"

#include "cpu/decode/insn_facts.h"
#include "jit/plan/insn_effects.h"
#include "jit/x64/vector_table.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Insn;
using cpu::OperandKind;
using mmu::Access;

constexpr unsigned kMaxOperands = 4;

InstId host_instruction_of(const Insn& in) {
  return host_vector_instruction(in.mnemonic, in.has(Insn::kVex256));
}

/// PCMPESTRI and PCMPESTRM: the lengths of the texts are in rAX and rDX.
bool explicit_lengths(const Insn& in) { return (cpu::implicit_reads(in) & 1u << cpu::RAX) != 0; }

bool takes_operands(const Insn& in) {
  if (!on_vector_registers(in)) return false;
  for (unsigned i = 0; i < 3; ++i) {
    if (cpu::form_kind(in, i) == OperandKind::Mem && !plain_memory(in)) return false;
    if (cpu::general_register(in, i) && !general_operand(in, i)) return false;
  }
  // REX.W of the explicit lengths has no name in the assembler.
  return !(explicit_lengths(in) && in.operand_bytes == 8);
}

Operand vector_operand(const Insn& in, unsigned index) {
  const unsigned number = in.reg[index] & 15u;
  return cpu::operand_bytes(in, index) == 32 ? Operand(x86::ymm(number)) : Operand(x86::xmm(number));
}

}  // namespace

HostRegisters vector_registers(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::Vectors) || host_instruction_of(in) == 0 || !takes_operands(in))
    return HostRegisters::General;
  return in.has(Insn::kVex256) ? HostRegisters::Ymm : HostRegisters::Xmm;
}

bool emit_vector(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (vector_registers(in, passes) == HostRegisters::General) return false;
  // The probe comes first: it takes the scratch registers.
  Mem memory;
  for (unsigned i = 0; i < 3; ++i) {
    if (cpu::form_kind(in, i) != OperandKind::Mem) continue;
    const unsigned bytes = cpu::operand_bytes(in, i);
    const Access access = cpu::writes(cpu::operand_access(in, i)) ? Access::Write : Access::Read;
    memory = e.memory.probe(in, access, bytes, cpu::required_alignment(in, bytes));
  }

  Operand operands[kMaxOperands];
  unsigned count = 0;
  unsigned assigned = cpu::kGprZero;  // a general register that gets its value from scratch 0
  unsigned assigned_bytes = 0;
  for (; count < kMaxOperands && cpu::operand_kind(in, count) != OperandKind::None; ++count) {
    const unsigned i = count;
    const OperandKind kind = cpu::operand_kind(in, i);
    if (kind == OperandKind::Mem) {
      operands[i] = memory;
    } else if (kind == OperandKind::Imm) {
      operands[i] = Imm(in.imm & 0xff);
    } else if (!cpu::general_register(in, i)) {
      operands[i] = vector_operand(in, i);
    } else {
      const unsigned gpr = gpr_of(in, i);
      const unsigned bytes = cpu::operand_bytes(in, i);
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
  // RDX is where it is; the flags that rax holds are about to be replaced.
  if (explicit_lengths(in)) e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.emitOpArray(host_instruction_of(in), operands, count);
  if (cpu::insn_row(in.mnemonic).written != 0) e.flags.made();
  if (assigned != cpu::kGprZero) e.regs.assign(assigned, assigned_bytes, scratch0(assigned_bytes));
  return true;
}

}  // namespace reprise::jit::x64
