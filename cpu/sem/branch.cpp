// Near JMP, CALL, RET, Jcc, JrCXZ, LOOPcc. SDM 2A/2B, SDM 1 6.4.
// 64-bit mode ignores the operand-size prefix on near branches, as Intel processors do.
#include "cpu/sem/shapes.h"
#include "cpu/sem/stack_ops.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu {
namespace {

/// False: the target is not canonical or beyond the CS limit.
bool target_allowed(const Cpu& cpu, const Insn& in, u64 target) {
  if (!in.has(Insn::kCode64)) return target <= cpu.state.seg[CS].limit;
  return sign_extend(target, 48) == target ||
         ((cpu.state.cr4 & mmu::kCr4La57) != 0 && sign_extend(target, 57) == target);
}

Status jump_to(Cpu& cpu, const Insn& in, u64 target) {
  if (!target_allowed(cpu, in, target)) [[unlikely]]
    return cpu.raise(kGP, 0);
  cpu.state.rip = target;
  return Status::Jump;
}

u64 relative_target(const Cpu& cpu, const Insn& in) {
  const u64 target = cpu.state.gpr[kGprPageBase] + in.imm;
  return in.operand_bytes == 8   ? target
         : in.operand_bytes == 4 ? static_cast<u32>(target)
                                 : static_cast<u16>(target);
}

Status jmp_relative(Cpu& cpu, const Insn& in) { return jump_to(cpu, in, relative_target(cpu, in)); }

template <class T>
struct JmpIndirect {
  static Status r(Cpu& cpu, const Insn& in) { return jump_to(cpu, in, gpr<T>(cpu.state, in.reg[0])); }
  static Status m(Cpu& cpu, const Insn& in) {
    T target;
    if (!load_operand(cpu, in, target)) return Status::Fault;
    return jump_to(cpu, in, target);
  }
};

struct jmp {
  static Handler select(const Insn& in) {
    if (in.form == Form::I) return jmp_relative;
    return by_width<JmpIndirect>(in.size0, in.form);
  }
};

template <class T>
struct Call {
  static Status to(Cpu& cpu, const Insn& in, u64 target) {
    if (!target_allowed(cpu, in, target)) [[unlikely]]
      return refuse(cpu, in);
    if (!stack::push<T>(cpu, in, static_cast<T>(cpu.next_rip(in)))) return Status::Fault;
    cpu.state.rip = target;
    return Status::Jump;
  }
  /// The stack is looked at before the target. Differs from hardware: the return address is not written then.
  static Status refuse(Cpu& cpu, const Insn& in) {
    if (!stack::probe_at(cpu, in, cpu.state.gpr[RSP] - sizeof(T), sizeof(T))) return Status::Fault;
    return cpu.raise(kGP, 0);
  }
  static Status i(Cpu& cpu, const Insn& in) { return to(cpu, in, relative_target(cpu, in)); }
  static Status r(Cpu& cpu, const Insn& in) { return to(cpu, in, gpr<T>(cpu.state, in.reg[0])); }
  static Status m(Cpu& cpu, const Insn& in) {
    T target;
    if (!load_operand(cpu, in, target)) return Status::Fault;
    return to(cpu, in, target);
  }
};

struct call {
  static Handler select(const Insn& in) { return by_width<Call>(in.operand_bytes, in.form); }
};

/// RET and RET imm16 (imm is 0 in the plain form).
template <class T>
struct Ret {
  static Status any(Cpu& cpu, const Insn& in) {
    T target;
    if (!stack::top(cpu, in, target)) return Status::Fault;
    if (!target_allowed(cpu, in, target)) [[unlikely]]
      return cpu.raise(kGP, 0);
    stack::release(cpu.state, in, sizeof(T) + (in.imm & 0xffff));
    cpu.state.rip = target;
    return Status::Jump;
  }
};

struct ret {
  static Handler select(const Insn& in) { return by_width<Ret>(in.operand_bytes, in.form); }
};

template <Condition C>
Status jcc(Cpu& cpu, const Insn& in) {
  return holds<C>(cpu.state.rflags) ? jmp_relative(cpu, in) : Status::Next;
}

Status jrcxz(Cpu& cpu, const Insn& in) {
  return address_register(cpu.state, in, RCX) == 0 ? jmp_relative(cpu, in) : Status::Next;
}

enum class LoopWhile : u8 { Count, Zero, NotZero };

template <LoopWhile W>
Status loop(Cpu& cpu, const Insn& in) {
  const u64 count = (address_register(cpu.state, in, RCX) - 1) << in.addr_shift >> in.addr_shift;
  const bool zero = (cpu.state.rflags & kRflagsZf) != 0;
  const bool taken = count != 0 && (W == LoopWhile::Count || zero == (W == LoopWhile::Zero));
  const u64 target = relative_target(cpu, in);
  if (taken && !target_allowed(cpu, in, target)) return cpu.raise(kGP, 0);
  set_address_register(cpu.state, in, RCX, count);
  if (!taken) return Status::Next;
  cpu.state.rip = target;
  return Status::Jump;
}

}  // namespace

#define ROWS "cpu/insn/branch.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
