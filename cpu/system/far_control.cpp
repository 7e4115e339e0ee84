// Far JMP, CALL and RET and IRET in every mode. Each function reads and checks everything first and ends in a
// commit that cannot fault. Error codes name the selector that failed the check, as the manual's pseudocode does.
#include "cpu/system/far_control.h"

#include "cpu/core/operands.h"
#include "cpu/system/stack_access.h"
#include "cpu/system/task.h"

namespace reprise::cpu {
namespace {

bool fail(Cpu& cpu, Vector vector, u16 selector) {
  cpu.raise(vector, selector_error(selector));
  return false;
}

u16 with_rpl(u16 selector, u8 rpl) { return static_cast<u16>((selector & ~kSelectorRpl) | rpl); }

/// Real-address and virtual-8086 mode: CS follows from the selector alone.
bool legacy_code_segment(Cpu& cpu, u16 selector, u64 offset, Segment& cs) {
  cs = in_v86(cpu) ? v86_segment(selector) : real_segment(cpu.state.seg[CS], selector);
  if (offset <= cs.limit) return true;
  cpu.raise(kGP, 0);
  return false;
}

Status commit_jump(Cpu& cpu, const Segment& cs, u64 rip) {
  cpu.state.seg[CS] = cs;
  cpu.state.rip = rip;
  return Status::StopJump;
}

/// JMP or CALL straight to a code segment: the current privilege level stays.
bool check_direct_code(Cpu& cpu, u16 selector, Descriptor& descriptor, u64 offset) {
  const u8 cpl = cpu.state.cpl;
  const u8 rpl = selector & kSelectorRpl;
  const bool allowed =
      descriptor.is_conforming_code() ? descriptor.dpl() <= cpl : rpl <= cpl && descriptor.dpl() == cpl;
  if (!allowed) return fail(cpu, kGP, selector);
  return check_code_target(cpu, selector, descriptor, offset);
}

/// A call gate and the code segment it leads to.
struct Gate {
  Descriptor gate;
  Descriptor code;
  u16 selector;  // of the code segment
  u64 offset;
  unsigned slot_bytes;  // of its pushes
};

/// Reads and checks a call gate. SDM 3A 5.8.3.1, 5.8.4
bool read_call_gate(Cpu& cpu, u16 gate_selector, Gate& gate) {
  const bool long_mode = in_long_mode(cpu);
  Descriptor& descriptor = gate.gate;
  if (!read_system_descriptor(cpu, gate_selector, kGP, descriptor)) return false;
  if (long_mode && (descriptor.high & 0x1f0000000000) != 0) return fail(cpu, kGP, gate_selector);
  const u8 rpl = gate_selector & kSelectorRpl;
  if (descriptor.dpl() < cpu.state.cpl || descriptor.dpl() < rpl) return fail(cpu, kGP, gate_selector);
  if (!descriptor.present()) return fail(cpu, kNP, gate_selector);

  const bool gate16 = descriptor.is_system(SystemType::CallGate16);
  gate.selector = descriptor.gate_selector();
  gate.slot_bytes = long_mode ? 8 : gate16 ? 2 : 4;
  gate.offset = long_mode ? descriptor.gate_offset_long()
                : gate16  ? descriptor.gate_offset() & 0xffff
                          : descriptor.gate_offset();
  if (is_null(gate.selector)) return fail(cpu, kGP, 0);
  if (!read_descriptor(cpu, gate.selector, kGP, gate.code)) return false;
  if (!gate.code.is_code() || gate.code.dpl() > cpu.state.cpl) return fail(cpu, kGP, gate.selector);
  if (long_mode && (!gate.code.is_long() || gate.code.db())) return fail(cpu, kGP, gate.selector);
  return check_code_target(cpu, gate.selector, gate.code, gate.offset);
}

bool is_call_gate(const Cpu& cpu, const Descriptor& descriptor) {
  return descriptor.is_system(SystemType::CallGate32) ||
         (!in_long_mode(cpu) && descriptor.is_system(SystemType::CallGate16));
}

Status jump_through_gate(Cpu& cpu, u16 gate_selector) {
  Gate gate;
  if (!read_call_gate(cpu, gate_selector, gate)) return Status::Fault;
  if (!gate.code.is_conforming_code() && gate.code.dpl() != cpu.state.cpl) {
    fail(cpu, kGP, gate.selector);
    return Status::Fault;
  }
  return commit_jump(cpu, to_segment(with_rpl(gate.selector, cpu.state.cpl), gate.code), gate.offset);
}

/// A TSS or task gate as the target of JMP or CALL.
Status task_transfer(Cpu& cpu, const Insn& in, u16 selector, const Descriptor& descriptor,
                     TaskSwitchSource source) {
  const bool gate = descriptor.is_system(SystemType::TaskGate);
  const bool tss =
      descriptor.is_system(SystemType::Tss16Available) || descriptor.is_system(SystemType::Tss32Available);
  const u8 rpl = selector & kSelectorRpl;
  if (in_long_mode(cpu) || !(gate || tss) || descriptor.dpl() < cpu.state.cpl || descriptor.dpl() < rpl) {
    fail(cpu, kGP, selector);
    return Status::Fault;
  }
  if (!descriptor.present()) {
    fail(cpu, kNP, selector);
    return Status::Fault;
  }
  const u16 tss_selector = gate ? descriptor.gate_selector() : selector;
  const TaskSwitch task{.selector = tss_selector, .source = source, .next_rip = cpu.next_rip(in)};
  return switch_task(cpu, task) ? Status::StopJump : Status::Fault;
}

/// CALL through a gate to a more privileged level: the parameters move to the new stack. SDM 3A 5.8.5
Status call_inner(Cpu& cpu, const Insn& in, const Gate& gate) {
  CpuState& state = cpu.state;
  const u8 cpl = gate.code.dpl();
  TssStack target;
  if (!read_tss_stack(cpu, cpl, target)) return Status::Fault;
  Segment ss = null_segment(target.selector);
  StackWidth width = StackWidth::Bits64;
  unsigned parameters = 0;
  if (!in_long_mode(cpu)) {
    if (!check_stack_segment(cpu, target.selector, cpl, kTS, ss)) return Status::Fault;
    width = ss.db() ? StackWidth::Bits32 : StackWidth::Bits16;
    parameters = static_cast<unsigned>(field(gate.gate.low, 32, 5));
  } else if (!canonical(cpu, target.pointer)) {
    cpu.raise(kSS, 0);
    return Status::Fault;
  }

  u64 values[31];
  StackAccess old_stack(cpu);
  for (unsigned i = 0; i < parameters; ++i) {
    if (!old_stack.pop(gate.slot_bytes, values[i])) return Status::Fault;
  }
  StackAccess stack(cpu, ss, width, target.pointer, cpl, selector_error(target.selector));
  stack.push(state.seg[SS].selector, gate.slot_bytes);
  stack.push(state.gpr[RSP], gate.slot_bytes);
  for (unsigned i = parameters; i-- > 0;) stack.push(values[i], gate.slot_bytes);
  stack.push(state.seg[CS].selector, gate.slot_bytes);
  stack.push(cpu.next_rip(in), gate.slot_bytes);
  if (!stack.commit_pushes()) return Status::Fault;

  state.cpl = cpl;
  if (in_long_mode(cpu)) ss.access |= static_cast<u16>(cpl << Segment::kDplShift);
  state.seg[SS] = ss;
  stack.commit_pointer();
  return commit_jump(cpu, to_segment(with_rpl(gate.selector, cpl), gate.code), gate.offset);
}

Status call_through_gate(Cpu& cpu, const Insn& in, u16 gate_selector) {
  Gate gate;
  if (!read_call_gate(cpu, gate_selector, gate)) return Status::Fault;
  const u8 cpl = cpu.state.cpl;
  if (!gate.code.is_conforming_code() && gate.code.dpl() < cpl) return call_inner(cpu, in, gate);

  // From compatibility mode a 64-bit gate switches to a 64-bit stack pointer of the same value.
  StackAccess stack(cpu, cpu.state.seg[SS], in_long_mode(cpu) ? StackWidth::Bits64 : stack_width(cpu),
                    cpu.state.gpr[RSP], cpl, 0);
  stack.push(cpu.state.seg[CS].selector, gate.slot_bytes);
  stack.push(cpu.next_rip(in), gate.slot_bytes);
  if (!stack.commit_pushes()) return Status::Fault;
  stack.commit_pointer();
  return commit_jump(cpu, to_segment(with_rpl(gate.selector, cpl), gate.code), gate.offset);
}

Status call_direct(Cpu& cpu, const Insn& in, const Segment& cs, u64 offset) {
  StackAccess stack(cpu);
  stack.push(cpu.state.seg[CS].selector, in.operand_bytes);
  stack.push(cpu.next_rip(in), in.operand_bytes);
  if (!stack.commit_pushes()) return Status::Fault;
  stack.commit_pointer();
  return commit_jump(cpu, cs, offset);
}

/// The code segment RET or IRET returns to, for the level in the selector's RPL.
bool check_return_code(Cpu& cpu, u16 selector, u64 rip, Descriptor& descriptor) {
  if (is_null(selector)) return fail(cpu, kGP, 0);
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return false;
  const u8 rpl = selector & kSelectorRpl;
  const bool level_ok = descriptor.is_conforming_code() ? descriptor.dpl() <= rpl : descriptor.dpl() == rpl;
  if (!descriptor.is_code() || rpl < cpu.state.cpl || !level_ok) return fail(cpu, kGP, selector);
  return check_code_target(cpu, selector, descriptor, rip);
}

/// The stack segment RET or IRET returns to. A null one is fine in 64-bit mode below level 3.
bool check_return_stack(Cpu& cpu, u16 selector, const Descriptor& code, u8 cpl, Segment& ss) {
  if (!is_null(selector)) return check_stack_segment(cpu, selector, cpl, kGP, ss);
  if (!is_64bit_code(cpu, code) || cpl == 3 || (selector & kSelectorRpl) != cpl) return fail(cpu, kGP, 0);
  ss = null_segment(selector);
  ss.access |= static_cast<u16>(cpl << Segment::kDplShift);
  return true;
}

/// Loads SS:SP of a return: the pointer is as wide as the new stack, and a 16-bit one leaves the upper half.
void commit_return_stack(CpuState& state, const Segment& ss, u64 pointer, bool to_64bit) {
  state.seg[SS] = ss;
  if (to_64bit) {
    state.gpr[RSP] = pointer;
  } else if (ss.db()) {
    state.gpr[RSP] = static_cast<u32>(pointer);
  } else {
    state.gpr[RSP] = (state.gpr[RSP] & ~u64{0xffff}) | (pointer & 0xffff);
  }
}

/// RFLAGS after IRET at the (old) level `cpl`. SDM 2A IRET
u64 returned_flags(const CpuState& state, u64 popped, unsigned operand_bytes) {
  u64 mask = kRflagsStatus | kRflagsTf | kRflagsDf | kRflagsNt;
  if (operand_bytes > 2) mask |= kRflagsRf | kRflagsAc | kRflagsId;
  const unsigned iopl = (state.rflags & kRflagsIopl) >> kRflagsIoplShift;
  if (state.cpl <= iopl) mask |= kRflagsIf;
  if (state.cpl == 0) {
    mask |= kRflagsIopl;
    if (operand_bytes > 2) mask |= kRflagsVif | kRflagsVip;
  }
  return (state.rflags & ~(mask | kRflagsRf)) | (popped & mask);
}

Status iret_real(Cpu& cpu, unsigned operand_bytes) {
  CpuState& state = cpu.state;
  StackAccess stack(cpu);
  u64 rip, selector, popped;
  if (!stack.pop(operand_bytes, rip) || !stack.pop_selector(operand_bytes, selector) ||
      !stack.pop(operand_bytes, popped))
    return Status::Fault;
  Segment cs;
  if (!legacy_code_segment(cpu, static_cast<u16>(selector), rip, cs)) return Status::Fault;
  u64 flags = returned_flags(state, popped, operand_bytes);
  constexpr u64 kKept = kRflagsVif | kRflagsVip;
  flags = (flags & ~kKept) | (state.rflags & kKept);
  if (in_v86(cpu)) flags = (flags & ~kRflagsIopl) | (state.rflags & kRflagsIopl);
  state.rflags = flags;
  stack.commit_pointer();
  return commit_jump(cpu, cs, rip);
}

/// IRET to a virtual-8086 task: the popped flags have VM set at level 0. SDM 2A IRET
Status iret_to_v86(Cpu& cpu, StackAccess& stack, u64 rip, u16 cs, u64 flags) {
  CpuState& state = cpu.state;
  if (rip > 0xffff) return cpu.raise(kGP, 0);
  u64 esp, ss, es, ds, fs, gs;
  if (!stack.pop(4, esp) || !stack.pop_selector(4, ss) || !stack.pop_selector(4, es) ||
      !stack.pop_selector(4, ds) || !stack.pop_selector(4, fs) || !stack.pop_selector(4, gs))
    return Status::Fault;
  state.seg[CS] = v86_segment(cs);
  state.seg[SS] = v86_segment(static_cast<u16>(ss));
  state.seg[ES] = v86_segment(static_cast<u16>(es));
  state.seg[DS] = v86_segment(static_cast<u16>(ds));
  state.seg[FS] = v86_segment(static_cast<u16>(fs));
  state.seg[GS] = v86_segment(static_cast<u16>(gs));
  constexpr u64 kLoaded = kRflagsStatus | kRflagsTf | kRflagsIf | kRflagsDf | kRflagsIopl | kRflagsNt |
                          kRflagsRf | kRflagsVm | kRflagsAc | kRflagsVif | kRflagsVip | kRflagsId;
  state.rflags = (flags & kLoaded) | kRflagsFixed;
  state.cpl = 3;
  state.gpr[RSP] = static_cast<u32>(esp);
  state.rip = rip;
  return Status::StopJump;
}

Status iret_protected(Cpu& cpu, unsigned operand_bytes) {
  CpuState& state = cpu.state;
  StackAccess stack(cpu);
  u64 rip, popped_selector, popped_flags;
  if (!stack.pop(operand_bytes, rip) || !stack.pop_selector(operand_bytes, popped_selector) ||
      !stack.pop(operand_bytes, popped_flags))
    return Status::Fault;
  const u16 selector = static_cast<u16>(popped_selector);
  if ((popped_flags & kRflagsVm) && operand_bytes == 4 && state.cpl == 0 && !in_long_mode(cpu))
    return iret_to_v86(cpu, stack, rip, selector, popped_flags);

  Descriptor code;
  if (!check_return_code(cpu, selector, rip, code)) return Status::Fault;
  const u8 cpl = selector & kSelectorRpl;
  const bool outer = cpl > state.cpl;
  const bool pops_stack = outer || in_64bit(cpu);
  u64 rsp = 0, ss_selector = 0;
  Segment ss;
  if (pops_stack) {
    if (!stack.pop(operand_bytes, rsp) || !stack.pop_selector(operand_bytes, ss_selector))
      return Status::Fault;
    if (!check_return_stack(cpu, static_cast<u16>(ss_selector), code, cpl, ss)) return Status::Fault;
  }

  state.rflags = returned_flags(state, popped_flags, operand_bytes);
  state.cpl = cpl;
  if (pops_stack) {
    commit_return_stack(state, ss, rsp, is_64bit_code(cpu, code));
    if (outer) null_inaccessible_segments(state);
  } else {
    stack.commit_pointer();
  }
  return commit_jump(cpu, to_segment(selector, code), rip);
}

}  // namespace

bool check_code_target(Cpu& cpu, u16 selector, Descriptor& descriptor, u64 rip) {
  if (in_long_mode(cpu) && descriptor.is_long() && descriptor.db()) return fail(cpu, kGP, selector);
  if (!descriptor.present()) return fail(cpu, kNP, selector);
  const bool rip_ok = is_64bit_code(cpu, descriptor) ? canonical(cpu, rip) : rip <= descriptor.limit();
  if (!rip_ok) return fail(cpu, kGP, 0);
  return set_accessed(cpu, descriptor);
}

Status jump_far(Cpu& cpu, const Insn& in, u16 selector, u64 offset) {
  if (!in_protected(cpu)) {
    Segment cs;
    return legacy_code_segment(cpu, selector, offset, cs) ? commit_jump(cpu, cs, offset) : Status::Fault;
  }
  Descriptor descriptor;
  if (is_null(selector)) return cpu.raise(kGP, 0);
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return Status::Fault;
  if (descriptor.is_code()) {
    if (!check_direct_code(cpu, selector, descriptor, offset)) return Status::Fault;
    return commit_jump(cpu, to_segment(with_rpl(selector, cpu.state.cpl), descriptor), offset);
  }
  if (is_call_gate(cpu, descriptor)) return jump_through_gate(cpu, selector);
  return task_transfer(cpu, in, selector, descriptor, TaskSwitchSource::Jump);
}

Status call_far(Cpu& cpu, const Insn& in, u16 selector, u64 offset) {
  if (!in_protected(cpu)) {
    Segment cs;
    return legacy_code_segment(cpu, selector, offset, cs) ? call_direct(cpu, in, cs, offset) : Status::Fault;
  }
  Descriptor descriptor;
  if (is_null(selector)) return cpu.raise(kGP, 0);
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return Status::Fault;
  if (descriptor.is_code()) {
    if (!check_direct_code(cpu, selector, descriptor, offset)) return Status::Fault;
    return call_direct(cpu, in, to_segment(with_rpl(selector, cpu.state.cpl), descriptor), offset);
  }
  if (is_call_gate(cpu, descriptor)) return call_through_gate(cpu, in, selector);
  return task_transfer(cpu, in, selector, descriptor, TaskSwitchSource::CallOrInterrupt);
}

Status return_far(Cpu& cpu, unsigned operand_bytes, u64 release_bytes) {
  CpuState& state = cpu.state;
  StackAccess stack(cpu);
  u64 rip, popped_selector;
  if (!stack.pop(operand_bytes, rip) || !stack.pop_selector(operand_bytes, popped_selector))
    return Status::Fault;
  const u16 selector = static_cast<u16>(popped_selector);
  if (!in_protected(cpu)) {
    Segment cs;
    if (!legacy_code_segment(cpu, selector, rip, cs)) return Status::Fault;
    stack.skip(release_bytes);
    stack.commit_pointer();
    return commit_jump(cpu, cs, rip);
  }

  Descriptor code;
  if (!check_return_code(cpu, selector, rip, code)) return Status::Fault;
  const u8 cpl = selector & kSelectorRpl;
  stack.skip(release_bytes);
  if (cpl == state.cpl) {
    stack.commit_pointer();
    return commit_jump(cpu, to_segment(selector, code), rip);
  }
  u64 rsp, ss_selector;
  Segment ss;
  if (!stack.pop(operand_bytes, rsp) || !stack.pop_selector(operand_bytes, ss_selector)) return Status::Fault;
  if (!check_return_stack(cpu, static_cast<u16>(ss_selector), code, cpl, ss)) return Status::Fault;
  state.cpl = cpl;
  commit_return_stack(state, ss, rsp + release_bytes, is_64bit_code(cpu, code));
  null_inaccessible_segments(state);
  return commit_jump(cpu, to_segment(selector, code), rip);
}

Status interrupt_return(Cpu& cpu, const Insn& in, unsigned operand_bytes) {
  CpuState& state = cpu.state;
  // SDM 3A 6.7.1: IRET unblocks NMIs even when it faults.
  state.nmi_blocked = false;
  if (in_v86(cpu) && !cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  if (!in_protected(cpu)) return iret_real(cpu, operand_bytes);
  if ((state.rflags & kRflagsNt) == 0) return iret_protected(cpu, operand_bytes);
  if (in_long_mode(cpu)) return cpu.raise(kGP, 0);
  u16 link;
  if (!cpu.mmu.load_system(state.tr.base, link)) return cpu.memory_fault(false);
  const TaskSwitch task{.selector = link, .source = TaskSwitchSource::Return, .next_rip = cpu.next_rip(in)};
  return switch_task(cpu, task) ? Status::StopJump : Status::Fault;
}

}  // namespace reprise::cpu
