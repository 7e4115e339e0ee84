// Between two instructions: whether anything waits that Vcpu::run() would have to act on.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// Between two instructions of the same budget: nothing waits for Vcpu::run(), which would only go on.
inline bool nothing_waits(const Cpu& cpu) {
  const CpuState& state = cpu.state;
  if (cpu.stop_requested || cpu.counters_changed || cpu.task_fault || cpu.single_step ||
      cpu.debug_hits != 0 || state.pauses_left == 0 || state.activity != Activity::Running ||
      state.pending_debug != 0 || state.nmi_pending ||
      ((state.smi_pending || state.init_pending) && !state.in_smm) || (state.rflags & kRflagsTf) ||
      (state.dr7 & 0xff) != 0)
    return false;
  return !(state.rflags & kRflagsIf) || !cpu.interrupts.interrupt_pending();
}

/// After an instruction that may have changed mode, interruptibility or devices: true when nothing waits. Shadows and
/// RF, which cover one instruction, are then over, as Vcpu::run_engine() has it.
inline bool pass_boundary(Cpu& cpu) {
  if (!nothing_waits(cpu)) return false;
  cpu.state.sti_shadow = cpu.state.mov_ss_shadow = false;
  cpu.state.rflags &= ~kRflagsRf;
  return true;
}

}  // namespace reprise::cpu
