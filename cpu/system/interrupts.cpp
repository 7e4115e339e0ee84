// Event delivery. Each path reads the gate, the code segment and the new stack, checks them in the manual's order,
// writes the frame as one, and then commits. SDM 3A 6.12 (protected mode), 6.14 (64-bit mode), 20.1.4 (real mode),
// 20.3 (virtual-8086 mode). CR4.VME and CR4.PVI are not offered.
#include "cpu/system/interrupts.h"
#include "common/log.h"

#include "cpu/system/debug_regs.h"
#include "cpu/system/far_control.h"
#include "cpu/system/smm.h"
#include "cpu/system/stack_access.h"
#include "cpu/system/task.h"

namespace reprise::cpu {
namespace {

constexpr u32 kExt = 1u << 0;  // error code: delivery of an event external to the program
constexpr u32 kIdt = 1u << 1;  // error code: the index is a vector

u32 gate_error(const Fault& event) { return event.vector * 8u | kIdt; }

bool fail(Cpu& cpu, Vector vector, u32 error_code) {
  cpu.raise(vector, error_code);
  return false;
}

/// The flags image of the frame. SDM 3B 17.3.1.1: RF is set for faults; a fault while delivering #DF is none.
u64 pushed_flags(const CpuState& state, const Fault& event) {
  const bool fault = event.kind == EventKind::Fault && event.vector != kDF && event.vector != kMC;
  return fault ? state.rflags | kRflagsRf : state.rflags;
}

void clear_flags(CpuState& state, bool interrupt_gate) {
  state.rflags &= ~(kRflagsTf | kRflagsNt | kRflagsRf | kRflagsVm);
  if (interrupt_gate) state.rflags &= ~kRflagsIf;
}

// --- Real-address mode, SDM 3A 20.1.4 ---

bool deliver_real(Cpu& cpu, const Fault& event, u64 return_rip) {
  CpuState& state = cpu.state;
  const u64 offset = event.vector * 4u;
  if (offset + 3 > state.idtr.limit) return fail(cpu, kGP, gate_error(event));
  u32 entry;
  if (!cpu.mmu.load_system(state.idtr.base + offset, entry)) {
    cpu.memory_fault(false);
    return false;
  }
  StackAccess stack(cpu);
  stack.push(state.rflags, 2);
  stack.push(state.seg[CS].selector, 2);
  stack.push(return_rip, 2);
  if (!stack.commit_pushes()) return false;
  stack.commit_pointer();
  state.rflags &= ~(kRflagsIf | kRflagsTf | kRflagsAc | kRflagsRf);
  state.seg[CS] = real_segment(state.seg[CS], static_cast<u16>(entry >> 16));
  state.rip = entry & 0xffff;
  return true;
}

// --- Protected and long mode ---

/// An interrupt or trap gate and the code segment behind it.
struct Gate {
  Descriptor gate;
  Descriptor code;
  u16 selector;
  u64 offset;
  u8 cpl;  // of the handler
  bool inner;
  bool interrupt;  // clears IF
  bool wide;       // not a 16-bit gate
};

/// Reads the IDT entry and checks its type, privilege and presence.
bool read_gate(Cpu& cpu, const Fault& event, Descriptor& gate) {
  const CpuState& state = cpu.state;
  const bool long_mode = in_long_mode(cpu);
  const u32 entry_bytes = long_mode ? 16 : 8;
  const u64 offset = u64{event.vector} * entry_bytes;
  if (offset + entry_bytes - 1 > state.idtr.limit) return fail(cpu, kGP, gate_error(event));
  gate.linear = state.idtr.base + offset;
  if (!cpu.mmu.load_system(gate.linear, gate.low) ||
      (long_mode && !cpu.mmu.load_system(gate.linear + 8, gate.high))) {
    cpu.memory_fault(false);
    return false;
  }
  const bool gate32 = gate.is_system(SystemType::InterruptGate32) || gate.is_system(SystemType::TrapGate32);
  const bool legacy = gate.is_system(SystemType::InterruptGate16) || gate.is_system(SystemType::TrapGate16) ||
                      gate.is_system(SystemType::TaskGate);
  if (!gate32 && (long_mode || !legacy)) return fail(cpu, kGP, gate_error(event));
  if (event.kind == EventKind::SoftwareInterrupt && gate.dpl() < state.cpl)
    return fail(cpu, kGP, gate_error(event));
  if (!gate.present()) return fail(cpu, kNP, gate_error(event));
  return true;
}

/// Reads the handler's code segment and decides the privilege level it runs at.
bool read_handler(Cpu& cpu, Gate& gate) {
  const u8 cpl = cpu.state.cpl;
  gate.selector = gate.gate.gate_selector();
  gate.wide = gate.gate.type() & 8;
  gate.interrupt = (gate.gate.type() & 1) == 0;
  gate.offset = in_long_mode(cpu) ? gate.gate.gate_offset_long()
                : gate.wide       ? gate.gate.gate_offset()
                                  : gate.gate.gate_offset() & 0xffff;
  if (is_null(gate.selector)) return fail(cpu, kGP, 0);
  if (!read_descriptor(cpu, gate.selector, kGP, gate.code)) return false;

  const u32 error = selector_error(gate.selector);
  if (!gate.code.is_code() || gate.code.dpl() > cpl) return fail(cpu, kGP, error);
  if (in_long_mode(cpu) && (!gate.code.is_long() || gate.code.db())) return fail(cpu, kGP, error);
  if (!gate.code.present()) return fail(cpu, kNP, error);
  gate.inner = !gate.code.is_conforming_code() && gate.code.dpl() < cpl;
  gate.cpl = gate.inner ? gate.code.dpl() : cpl;
  // From virtual-8086 mode only a level-0 handler will do.
  if (in_v86(cpu) && (!gate.inner || gate.cpl != 0)) return fail(cpu, kGP, error);
  return check_code_target(cpu, gate.selector, gate.code, gate.offset);
}

void commit_handler(CpuState& state, const Gate& gate) {
  state.cpl = gate.cpl;
  state.seg[CS] = to_segment(static_cast<u16>((gate.selector & ~kSelectorRpl) | gate.cpl), gate.code);
  state.rip = gate.offset;
  clear_flags(state, gate.interrupt);
}

/// 64-bit mode, SDM 3A 6.14: the frame always has SS:RSP and is 16-byte aligned.
bool deliver_long(Cpu& cpu, const Fault& event, const Gate& gate, u64 return_rip) {
  CpuState& state = cpu.state;
  const unsigned ist = static_cast<unsigned>(field(gate.gate.low, 32, 3));
  TssStack target{.selector = gate.cpl, .pointer = state.gpr[RSP]};
  if (ist != 0) {
    if (!read_ist(cpu, ist, target.pointer)) return false;
  } else if (gate.inner) {
    if (!read_tss_stack(cpu, gate.cpl, target)) return false;
  }
  if (!canonical(cpu, target.pointer)) return fail(cpu, kSS, 0);

  StackAccess stack(cpu, state.seg[SS], StackWidth::Bits64, target.pointer & ~u64{15}, gate.cpl, 0);
  stack.push(state.seg[SS].selector, 8);
  stack.push(state.gpr[RSP], 8);
  stack.push(pushed_flags(state, event), 8);
  stack.push(state.seg[CS].selector, 8);
  stack.push(return_rip, 8);
  if (event.has_error_code) stack.push(event.error_code, 8);
  if (!stack.commit_pushes()) return false;

  if (gate.inner) {
    state.seg[SS] = null_segment(gate.cpl);
    state.seg[SS].access |= static_cast<u16>(gate.cpl << Segment::kDplShift);
  }
  stack.commit_pointer();
  commit_handler(state, gate);
  return true;
}

/// A more privileged handler in legacy protected mode: stack from the TSS. From virtual-8086 mode the frame also has
/// the data segment registers, which then become null. SDM 3A 6.12.1, 20.3.1
bool deliver_inner(Cpu& cpu, const Fault& event, const Gate& gate, u64 return_rip) {
  CpuState& state = cpu.state;
  const unsigned slot_bytes = gate.wide ? 4 : 2;
  const bool v86 = in_v86(cpu);
  TssStack target;
  if (!read_tss_stack(cpu, gate.cpl, target)) return false;
  Segment ss;
  if (!check_stack_segment(cpu, target.selector, gate.cpl, kTS, ss)) return false;

  StackAccess stack(cpu, ss, ss.db() ? StackWidth::Bits32 : StackWidth::Bits16, target.pointer, gate.cpl,
                    selector_error(target.selector));
  if (v86) {
    for (const SegmentIndex index : {GS, FS, DS, ES}) stack.push(state.seg[index].selector, slot_bytes);
  }
  stack.push(state.seg[SS].selector, slot_bytes);
  stack.push(state.gpr[RSP], slot_bytes);
  stack.push(pushed_flags(state, event), slot_bytes);
  stack.push(state.seg[CS].selector, slot_bytes);
  stack.push(return_rip, slot_bytes);
  if (event.has_error_code) stack.push(event.error_code, slot_bytes);
  if (!stack.commit_pushes()) return false;

  state.seg[SS] = ss;
  stack.commit_pointer();
  if (v86) {
    for (const SegmentIndex index : {GS, FS, DS, ES}) state.seg[index] = null_segment(0);
  }
  commit_handler(state, gate);
  return true;
}

bool deliver_same_level(Cpu& cpu, const Fault& event, const Gate& gate, u64 return_rip) {
  CpuState& state = cpu.state;
  const unsigned slot_bytes = gate.wide ? 4 : 2;
  StackAccess stack(cpu);
  stack.push(pushed_flags(state, event), slot_bytes);
  stack.push(state.seg[CS].selector, slot_bytes);
  stack.push(return_rip, slot_bytes);
  if (event.has_error_code) stack.push(event.error_code, slot_bytes);
  if (!stack.commit_pushes()) return false;
  stack.commit_pointer();
  commit_handler(state, gate);
  return true;
}

bool deliver_protected(Cpu& cpu, const Fault& event, u64 return_rip) {
  Gate gate;
  if (!read_gate(cpu, event, gate.gate)) return false;
  if (gate.gate.is_system(SystemType::TaskGate)) {
    return switch_task(cpu, {.selector = gate.gate.gate_selector(),
                             .source = TaskSwitchSource::CallOrInterrupt,
                             .next_rip = return_rip,
                             .push_error = event.has_error_code,
                             .error_code = event.error_code,
                             .saved_flags = pushed_flags(cpu.state, event) & kRflagsRf});
  }
  if (!read_handler(cpu, gate)) return false;
  if (in_long_mode(cpu)) return deliver_long(cpu, event, gate, return_rip);
  return gate.inner ? deliver_inner(cpu, event, gate, return_rip)
                    : deliver_same_level(cpu, event, gate, return_rip);
}

enum class FaultClass : u8 { Benign, Contributory, PageFault, DoubleFault };

FaultClass fault_class(const Fault& fault) {
  if (fault.kind == EventKind::SoftwareInterrupt || fault.kind == EventKind::ExternalInterrupt)
    return FaultClass::Benign;
  switch (fault.vector) {
    case kDE:
    case kTS:
    case kNP:
    case kSS:
    case kGP: return FaultClass::Contributory;
    case kPF: return FaultClass::PageFault;
    case kDF: return FaultClass::DoubleFault;
    default: return FaultClass::Benign;
  }
}

/// Registers an exception writes whether or not its delivery succeeds.
void record_exception(Cpu& cpu, const Fault& event) {
  if (event.kind == EventKind::ExternalInterrupt || event.kind == EventKind::SoftwareInterrupt) return;
  if (event.vector == kPF) {
    cpu.state.cr2 = event.linear;
    for (EventObserver* const observer : cpu.event_observers) observer->page_fault_raised(event);
  }
  if (event.vector == kDB) record_debug_exception(cpu.state, event.dr6);
}

}  // namespace

Escalation escalate(const Fault& first, const Fault& second) {
  const FaultClass second_class = fault_class(second);
  switch (fault_class(first)) {
    case FaultClass::DoubleFault: return Escalation::Shutdown;
    case FaultClass::Contributory:
      return second_class == FaultClass::Contributory ? Escalation::DoubleFault : Escalation::Serial;
    case FaultClass::PageFault:
      return second_class == FaultClass::Contributory || second_class == FaultClass::PageFault
                 ? Escalation::DoubleFault
                 : Escalation::Serial;
    case FaultClass::Benign: break;
  }
  return Escalation::Serial;
}

bool deliver_through_idt(Cpu& cpu, const Fault& event, u64 return_rip) {
  const bool protected_mode = (cpu.state.cr0 & mmu::kCr0Pe) != 0;
  const bool done =
      protected_mode ? deliver_protected(cpu, event, return_rip) : deliver_real(cpu, event, return_rip);
  if (done) return true;
  // SDM 3A 6.13: EXT marks every selector error of a delivery that no INT instruction asked for.
  if (cpu.fault.has_error_code && cpu.fault.vector != kPF && event.kind != EventKind::SoftwareInterrupt)
    cpu.fault.error_code |= kExt;
  return false;
}

void deliver_event(Cpu& cpu, const Fault& first) {
  CpuState& state = cpu.state;
  u64 from = cpu.linear_of_rip(state.rip);
  if (first.kind == EventKind::Smi) {
    enter_smm(cpu);
    return cpu.tell_delivered(first, from);
  }
  Fault event = first;
  state.sti_shadow = false;
  state.mov_ss_shadow = false;
  record_exception(cpu, event);
  for (;;) {
    if (deliver_through_idt(cpu, event, state.rip)) {
      state.activity = Activity::Running;
      cpu.tell_delivered(event, from);
      if (!cpu.task_fault) break;
      // The handler's own task cannot start: an exception of that task, not a second fault of this delivery. Every turn
      // has marked another TSS busy.
      cpu.task_fault = false;
      from = cpu.linear_of_rip(state.rip);
      event = cpu.fault;
      record_exception(cpu, event);
      continue;
    }
    const Fault second = cpu.fault;
    record_exception(cpu, second);
    const Escalation escalation = escalate(event, second);
    cpu.log.write("cpu", LogLevel::Debug, "exception {} (error {:#x}) while delivering vector {} at {:#x}",
                  second.vector, second.error_code, event.vector, state.rip);
    if (escalation == Escalation::Shutdown) {
      state.activity = Activity::Shutdown;
      cpu.tell_passed(Passage::Shutdown, from);
      break;
    }
    event = escalation == Escalation::DoubleFault ? Fault{.vector = kDF, .has_error_code = true} : second;
  }
  cpu.sync_mode();
}

Status software_interrupt(Cpu& cpu, const Insn& in, u8 vector, EventKind kind) {
  const Fault event{.vector = vector, .kind = kind};
  const u64 from = cpu.linear_of(in);
  if (!deliver_through_idt(cpu, event, cpu.next_rip(in))) return Status::Fault;
  cpu.tell_delivered(event, from);
  cpu.bus.stall(kDeliveryNs);
  // TF was cleared on the way: the handler's first instruction is not trapped, nor is INT itself.
  cpu.single_step = false;
  return Status::StopJump;
}

}  // namespace reprise::cpu
