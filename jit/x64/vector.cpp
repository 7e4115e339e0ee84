#include "jit/x64/vector.h"

#include "cpu/insn_table.h"
#include "jit/x64/vector_table.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Insn;
using cpu::Mnemonic;
using cpu::OperandKind;
using cpu::RegClass;
using mmu::Access;

constexpr unsigned kMaxOperands = 4;

OperandKind kind(const Insn& in, unsigned index) {
  if (index == 2) return static_cast<OperandKind>(in.kind2);
  return static_cast<OperandKind>((static_cast<unsigned>(in.form) >> (2 * index)) & 3);
}

InstId host_instruction(const Insn& in) {
  if (in.has(Insn::kVex)) return 0;
  return vector_row(in.mnemonic).sse;
}

bool takes_operands(const Insn& in) {
  for (unsigned i = 0; i < 3; ++i) {
    const OperandKind k = kind(in, i);
    if (k == OperandKind::Mem && (i > 1 || !BlockEmitter::plain_memory(in))) return false;
    if (k != OperandKind::Reg || i > 1) continue;
    if (in.reg_class[i] != RegClass::Vector && !BlockEmitter::general_operand(in, i)) return false;
  }
  // REX.W of the explicit lengths has no name in the assembler.
  return !(vector_row(in.mnemonic).explicit_length && in.operand_bytes == 8);
}

unsigned memory_bytes(const Insn& in, unsigned index) { return index == 0 ? in.size0 : in.size1; }

unsigned alignment(const Insn& in, const VectorRow& row, unsigned bytes) {
  if (in.has(Insn::kVex)) return row.vex_aligned ? bytes : 1;
  return bytes == 16 && !row.any_alignment ? 16 : 1;
}

}  // namespace

HostRegisters vector_registers(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::Vectors) || host_instruction(in) == 0 || !takes_operands(in)) return HostRegisters::General;
  return in.has(Insn::kVex256) ? HostRegisters::Ymm : HostRegisters::Xmm;
}

bool emit_vector(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (vector_registers(in, passes) == HostRegisters::General) return false;
  const InstId id = host_instruction(in);
  const VectorRow& row = vector_row(in.mnemonic);

  Operand operands[kMaxOperands];
  unsigned count = 0;
  // The probe comes first: it takes the scratch registers.
  Mem memory;
  for (unsigned i = 0; i < 2; ++i) {
    if (kind(in, i) != OperandKind::Mem) continue;
    const unsigned bytes = memory_bytes(in, i);
    memory = e.probe(in, i == 0 ? Access::Write : Access::Read, bytes, alignment(in, row, bytes));
  }
  unsigned assigned = cpu::kGprZero;  // a general register that gets its value from scratch 0
  unsigned assigned_bytes = 0;
  for (unsigned i = 0; i < 3 && kind(in, i) != OperandKind::None; ++i, ++count) {
    switch (kind(in, i)) {
      case OperandKind::Mem:
        operands[i] = memory;
        break;
      case OperandKind::Imm:
        operands[i] = Imm(in.imm & 0xff);
        break;
      default:
        if (i > 1 || in.reg_class[i] == RegClass::Vector) {
          operands[i] = x86::xmm(in.reg[i] & 15u);
        } else if (i == 0) {
          // Anything narrower than 32 bits is zero-extended.
          const unsigned gpr = e.gpr_of(in, 0);
          assigned_bytes = in.size0 == 8 ? 8 : 4;
          if (!e.pinned(gpr)) assigned = gpr;
          operands[i] = e.pinned(gpr) ? e.reg(gpr, assigned_bytes) : e.scratch0(assigned_bytes);
        } else {
          const unsigned gpr = e.gpr_of(in, i);
          operands[i] = e.pinned(gpr) ? Operand(e.reg(gpr, in.size1 < 4 ? 4 : in.size1)) : Operand(e.slot(gpr, in.size1));
        }
    }
  }
  if (row.explicit_length) {
    // RDX is where it is; the flags that rax holds are about to be replaced.
    e.a.mov(x86::rax, e.reg(cpu::RAX, 8));
  }
  e.a.emitOpArray(id, operands, count);
  if (row.makes_flags) e.flags_made();
  if (assigned != cpu::kGprZero) e.assign(assigned, assigned_bytes, e.scratch0(assigned_bytes));
  return true;
}

}  // namespace reprise::jit::x64
