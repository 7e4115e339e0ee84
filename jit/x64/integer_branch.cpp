// Emission of jumps, calls and returns.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

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

static_assert(static_cast<unsigned>(Mnemonic::JNLE) - static_cast<unsigned>(Mnemonic::JO) == 15);

}  // namespace

bool emit_branch(BlockEmitter& e, const Insn& in) {
  if (in_run(in, Mnemonic::JO, Mnemonic::JNLE)) return jcc(e, in, condition(in, Mnemonic::JO));
  switch (in.mnemonic) {
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
