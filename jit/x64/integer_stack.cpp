// Emission of instructions on the stack.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// The next instruction is a push or a pop of another register in the group of this one, or a return, which settles what is
/// owed. Nothing can look at rSP in between.
bool stack_goes_on(const BlockEmitter& e) {
  const PlannedInsn& planned = e.unit.plan.insns[e.index];
  if (!planned.stack || !e.groups.is_open(planned) || e.index + 1 == e.unit.count()) return false;
  const Insn& next = e.unit.insns[e.index + 1];
  const PlannedInsn& planned_next = e.unit.plan.insns[e.index + 1];
  if (!planned_next.stack || planned_next.group != planned.group || !plain_stack(next)) return false;
  if (next.mnemonic == Mnemonic::RET) return e.mode().is64();
  return (next.mnemonic == Mnemonic::PUSH || next.mnemonic == Mnemonic::POP) && next.form == Form::R &&
         general_operand(next, 0) && gpr_of(next, 0) != cpu::RSP;
}

/// Moves rSP, together with the next instruction where that moves it, too.
void step_stack(BlockEmitter& e, i32 bytes) {
  e.groups.owe_stack_step(bytes);
  if (!stack_goes_on(e)) move_stack(e, e.groups.settle_stack_step());
}

/// Stores waiting_value() below the stack and moves the pointer.
void push_waiting_value(BlockEmitter& e, unsigned bytes) {
  const i32 step = -static_cast<i32>(bytes);
  const Mem m = e.memory.one_register(e.memory.probe_stack(cpu::RSP, step, Access::Write, bytes));
  e.a.mov(scratch0(bytes), waiting_value(bytes));
  e.a.mov(m, scratch0(bytes));
  move_stack(e, step);
}

bool push(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  const unsigned bytes = in.operand_bytes;
  const i32 step = -static_cast<i32>(bytes);
  if (in.form == Form::R && in.reg_class[0] == cpu::RegClass::Segment) {
    if (e.mode().is64()) return false;
    // Of a wider slot only the selector is written.
    const Mem m = e.memory.one_register(e.memory.probe_stack(cpu::RSP, step, Access::Write, 2));
    e.a.movzx(scratch0(4), e.regs.selector(in.reg[0]));
    e.a.mov(m, scratch0(2));
  } else if (in.form == Form::R) {
    if (!general_operand(in, 0)) return false;
    const unsigned src = gpr_of(in, 0);
    Mem m = e.memory.probe_stack(cpu::RSP, step, Access::Write, bytes);
    if (!e.regs.pinned(src)) m = e.memory.one_register(m);
    e.a.mov(m, e.regs.fetched(src, bytes, kScratch0));
  } else if (in.form == Form::I) {
    if (!immediate_fits(in, bytes)) return false;
    e.a.emit(Inst::kIdMov, e.memory.probe_stack(cpu::RSP, step, Access::Write, bytes), immediate(in, bytes));
  } else if (in.form == Form::M) {
    if (!plain_memory(in)) return false;
    e.a.mov(scratch0(bytes), e.memory.probe(in, Access::Read, bytes));
    e.a.mov(waiting_value(bytes), scratch0(bytes));
    push_waiting_value(e, bytes);
    return true;
  } else {
    return false;
  }
  step_stack(e, step);
  return true;
}

/// SS is the handler's, for what it holds off.
bool pop_selector(BlockEmitter& e, const Insn& in) {
  if (in.reg[0] == cpu::CS || in.reg[0] == cpu::SS || e.mode().has(cpu::ModeKey::kProtected)) return false;
  // Of a wider slot only the selector is read.
  e.a.movzx(scratch0(4), e.memory.probe_stack(cpu::RSP, 0, Access::Read, 2));
  load_real_segment(e, in.reg[0]);
  move_stack(e, in.operand_bytes);
  return true;
}

bool pop(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  const unsigned bytes = in.operand_bytes;
  const auto step = static_cast<i32>(bytes);
  if (in.form == Form::M) {
    if (!plain_memory(in)) return false;
    // An address relative to rSP counts from its value after the pop.
    Insn after_pop = in;
    if (in.base / 8 == cpu::RSP) {
      if (e.stack_bytes() == 2) return false;
      after_pop.disp += step;
    }
    if (!plain_memory(after_pop)) return false;
    e.a.mov(scratch0(bytes), e.memory.probe_stack(cpu::RSP, 0, Access::Read, bytes));
    e.a.mov(waiting_value(bytes), scratch0(bytes));
    const Mem m = e.memory.one_register(e.memory.probe(after_pop, Access::Write, bytes));
    e.a.mov(scratch0(bytes), waiting_value(bytes));
    e.a.mov(m, scratch0(bytes));
    move_stack(e, step);
    return true;
  }
  if (in.form != Form::R) return false;
  if (in.reg_class[0] == cpu::RegClass::Segment) return pop_selector(e, in);
  if (!general_operand(in, 0)) return false;
  const unsigned dst = gpr_of(in, 0);
  const Mem m = e.memory.probe_stack(cpu::RSP, 0, Access::Read, bytes);
  const Gp host = e.regs.result(dst, bytes);
  // POP SP leaves the upper half of a wider pointer moved.
  if (dst == cpu::RSP && bytes < e.stack_bytes()) move_stack(e, step);
  e.a.mov(host, m);
  if (dst != cpu::RSP) {
    step_stack(e, step);
    e.regs.assign_result(dst, bytes, host);
  }
  return true;
}

/// VM and RF are pushed as zeros.
bool pushf(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in) || e.mode().has(cpu::ModeKey::kV86)) return false;
  const unsigned bytes = in.operand_bytes;
  constexpr u32 kInAh = 0xd5;
  constexpr i32 kFromMemory = ~static_cast<i32>(cpu::kRflagsStatus | cpu::kRflagsVm | cpu::kRflagsRf);
  e.flags.save();
  e.a.mov(scratch0(4), x86::eax);
  e.a.shr(scratch0(4), 8);
  e.a.and_(scratch0(4), kInAh);
  e.a.movzx(scratch1(4), x86::al);
  e.a.shl(scratch1(4), 11);
  e.a.or_(scratch0(4), scratch1(4));
  e.a.mov(kScratch1, e.regs.rflags());
  e.a.and_(kScratch1, kFromMemory);
  e.a.or_(kScratch0, kScratch1);
  e.a.mov(waiting_value(), kScratch0);
  e.flags.lost();
  push_waiting_value(e, bytes);
  return true;
}

bool leave(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  const unsigned bytes = in.operand_bytes;
  const Mem m = e.memory.probe_stack(cpu::RBP, 0, Access::Read, bytes);
  e.a.lea(e.regs.reg(cpu::RSP, e.stack_bytes()), x86::ptr(e.regs.reg(cpu::RBP, 8), static_cast<i32>(bytes)));
  e.a.mov(e.regs.reg(cpu::RBP, bytes), m);
  return true;
}

}  // namespace

bool emit_stack(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::PUSH: return push(e, in);
    case Mnemonic::POP: return pop(e, in);
    case Mnemonic::PUSHF:
    case Mnemonic::PUSHFD:
    case Mnemonic::PUSHFQ: return pushf(e, in);
    case Mnemonic::LEAVE: return leave(e, in);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
