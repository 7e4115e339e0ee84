// Emission of jumps, calls and returns.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// Operand sizes of jumps that are emitted: in flat code one that wraps rip is not.
bool near_size(const BlockEmitter& e, const Insn& in) {
  return e.segmented() ? in.operand_bytes == 2 || in.operand_bytes == 4 : in.operand_bytes == e.word_bytes();
}
/// Relative targets that jump_to() can express.
bool near_target(const BlockEmitter& e, const Insn& in) {
  const auto target = static_cast<i64>(in.imm);
  return near_size(e, in) && target == static_cast<i32>(target);
}

bool jcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  if (!near_target(e, in)) return false;
  if (e.unit.goes_on_behind(e.index))
    e.exits.leave_on_flags(condition, in.imm);
  else
    e.exits.branch_on_flags(condition, in.imm, in.next_offset);
  return true;
}

/// To the same page: nothing in JECXZ, LOOP and relatives can fault then.
bool short_target(const BlockEmitter& e, const Insn& in) { return near_target(e, in) && in.imm < kPageBytes; }
Gp loop_counter(const BlockEmitter& e, const Insn& in) {
  return e.regs.reg(cpu::RCX, (64u - in.addr_shift) / 8);
}

/// JECXZ, JRCXZ.
bool jrcxz(BlockEmitter& e, const Insn& in) {
  if (!short_target(e, in)) return false;
  e.flags.save();
  e.a.test(loop_counter(e, in), loop_counter(e, in));
  e.flags.lost();
  e.exits.branch(CondCode::kZ, in.imm, in.next_offset);
  return true;
}

enum class LoopWhile : u8 { Count, Zero, NotZero };

bool loop(BlockEmitter& e, const Insn& in, LoopWhile condition) {
  if (!short_target(e, in)) return false;
  constexpr u8 kZfInAh = 0x40;
  const Gp counter = loop_counter(e, in);
  const Label done = e.a.newLabel();
  e.flags.save();
  e.a.lea(counter, x86::ptr(counter.r64(), -1));
  e.a.test(counter, counter);
  e.flags.lost();
  e.a.long_().jz(done);
  if (condition != LoopWhile::Count) {
    e.a.begin_piece();
    e.a.test(x86::ah, kZfInAh);
    e.a.long_().j(condition == LoopWhile::Zero ? CondCode::kZ : CondCode::kNZ, done);
  }
  e.a.begin_piece();
  e.exits.go_to(in.imm);
  e.a.bind(done);
  e.a.begin_piece();
  e.exits.go_to(in.next_offset);
  return true;
}

/// Scratch 0: rip from an operand of `bytes`.
void load_rip(BlockEmitter& e, const Operand& from, unsigned bytes) {
  if (bytes == 2)
    e.a.emit(Inst::kIdMovzx, scratch0(4), from);
  else
    e.a.emit(Inst::kIdMov, scratch0(bytes), from);
}

/// Scratch 0: the target of an indirect jump or call.
bool load_target(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (bytes != in.operand_bytes || !near_size(e, in) || !operands_ok(in)) return false;
  const Operand from = in.form == Form::R ? e.regs.place(gpr_of(in, 0), bytes)
                                          : Operand(e.memory.probe(in, Access::Read, bytes));
  load_rip(e, from, bytes);
  return true;
}

bool jmp(BlockEmitter& e, const Insn& in) {
  if (in.form == Form::I) {
    if (!near_target(e, in)) return false;
    e.exits.jump_to(in.imm);
    return true;
  }
  if (!load_target(e, in)) return false;
  e.flags.save();
  if (e.segmented()) e.exits.check_target();
  e.exits.look_up();
  e.exits.go_to_found();
  return true;
}

/// `address`, scratch 0 or the group register, has it afterwards.
void push_return_address(BlockEmitter& e, const Insn& in, const Gp& address = kScratch0) {
  const unsigned bytes = in.operand_bytes;
  const i32 step = -static_cast<i32>(bytes);
  Mem m = e.memory.probe_stack(cpu::RSP, step, Access::Write, bytes);
  if (address == kScratch0) m = e.memory.one_register(m);
  const CountAs return_address(e.a, HostInsn::ReturnAddress);
  e.a.mov(address, e.regs.page_base());
  e.a.lea(address, x86::ptr(address, in.next_offset));
  e.a.mov(m, host_gp(address.id(), bytes));
  move_stack(e, step);
}

/// To the rip in scratch 0, whose code is found before anything is written: a fetch tag has only canonical addresses.
void call_found(BlockEmitter& e, const Insn& in) {
  const PlannedInsn& planned = e.unit.plan.insns[e.index];
  e.flags.save();
  if (planned.stack && e.groups.is_open(planned)) {
    e.a.mov(waiting_value(), kScratch0);
    e.exits.look_up_beside_group();
    push_return_address(e, in);
    {
      const CountAs lookup(e.a, HostInsn::Lookup);
      e.a.mov(kGroupReg, waiting_value());
      e.a.mov(scratch0(4), kGroupReg.r32());
      e.a.and_(scratch0(4), static_cast<u32>(~kPageMask));
      e.a.sub(kGroupReg, kScratch0);
    }
    e.exits.go_to_found_in(kScratch1);
    return;
  }
  e.exits.look_up();
  const Mem offset = x86::ptr(x86::rsp, offsetof(Frame, target_offset), 8);
  e.a.mov(waiting_value(), kScratch1);
  e.a.mov(offset, kScratch0);
  push_return_address(e, in);
  e.a.mov(kScratch0, offset);
  e.exits.go_to_found_in(waiting_value());
}

/// The target in another page is looked for from the return address.
bool call_relative(BlockEmitter& e, const Insn& in) {
  const i64 distance = static_cast<i64>(in.imm) - in.next_offset;
  const PlannedInsn& planned = e.unit.plan.insns[e.index];
  // No group that the call is not in is open behind it.
  const bool in_group = planned.stack && planned.group >= 0;
  const Gp address = in_group ? kScratch0 : kGroupReg;
  push_return_address(e, in, address);
  if (in.imm < kPageBytes || distance != static_cast<i32>(distance)) {
    e.exits.go_to(in.imm);
    return true;
  }
  e.a.lea(scratch0(e.word_bytes()), x86::ptr(address, static_cast<i32>(distance)));
  e.exits.go_to_scratch();
  return true;
}

bool call(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  // The target is looked at before anything is written.
  if (in.form == Form::I) {
    if (!near_target(e, in)) return false;
    if (in.imm < kPageBytes || !e.segmented()) return call_relative(e, in);
    e.exits.load_jump_target(in.imm);
  } else {
    if (!load_target(e, in)) return false;
    if (!e.segmented() && e.has(Pass::Jumps)) {
      call_found(e, in);
      return true;
    }
    e.exits.check_target();
  }
  e.a.mov(waiting_value(), kScratch0);
  push_return_address(e, in);
  e.a.mov(kScratch0, waiting_value());
  e.exits.go_to_scratch();
  return true;
}

bool ret(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in) || !near_size(e, in)) return false;
  const unsigned bytes = in.operand_bytes;
  load_rip(e, e.memory.probe_stack(cpu::RSP, 0, Access::Read, bytes), bytes);
  const i32 owed = e.groups.settle_stack_step();
  e.slow_paths.owe_stack_step(owed);
  e.flags.save();
  if (e.segmented()) e.exits.check_target();
  e.exits.look_up();
  move_stack(e, static_cast<i32>(bytes + (in.imm & 0xffff)) + owed);
  e.exits.go_to_found();
  return true;
}

static_assert(static_cast<unsigned>(Mnemonic::JNLE) - static_cast<unsigned>(Mnemonic::JO) == 15);

}  // namespace

bool emit_branch(BlockEmitter& e, const Insn& in) {
  if (in_run(in, Mnemonic::JO, Mnemonic::JNLE)) return jcc(e, in, condition(in, Mnemonic::JO));
  switch (in.mnemonic) {
    case Mnemonic::JMP: return jmp(e, in);
    case Mnemonic::CALL: return call(e, in);
    case Mnemonic::RET: return ret(e, in);
    case Mnemonic::JECXZ:
    case Mnemonic::JRCXZ: return jrcxz(e, in);
    case Mnemonic::LOOP: return loop(e, in, LoopWhile::Count);
    case Mnemonic::LOOPE: return loop(e, in, LoopWhile::Zero);
    case Mnemonic::LOOPNE: return loop(e, in, LoopWhile::NotZero);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
