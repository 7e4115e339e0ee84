#include "cpu/engine/vcpu.h"

#include <algorithm>
#include <utility>

#include "cpu/core/perf_counters.h"
#include "cpu/system/debug_regs.h"
#include "cpu/system/interrupts.h"

namespace reprise::cpu {

VcpuExit Vcpu::run(u64 budget) {
  CpuState& state = cpu_.state;
  const u64 target = std::min(state.retired + budget, cpu_.stop_at_retired);
  cpu_.counters_due = Cpu::kNoCounterDue;
  // Stalls, and what other processors did.
  if (state.pmu.running != 0) check_counters(cpu_);
  for (;;) {
    if (cpu_.stop_requested) {
      cpu_.stop_requested = false;
      return VcpuExit::Attention;
    }
    if (std::exchange(cpu_.debug_stop, false) || state.retired >= cpu_.stop_at_retired)
      return VcpuExit::Debugger;
    if (state.pauses_left == 0) return VcpuExit::Pausing;
    switch (state.activity) {
      case Activity::Running: break;
      case Activity::Halted:
        if (!wakes()) return VcpuExit::Halted;
        if (smi_due()) break;  // the state save area tells of it
        state.activity = Activity::Running;
        update_counters(cpu_);
        break;
      case Activity::WaitForSipi:
        if (!runnable()) return VcpuExit::WaitForSipi;
        break;
      case Activity::Shutdown: return VcpuExit::Shutdown;
    }
    if (state.retired >= target) return VcpuExit::Budget;
    if (state.a20_pin != cpu_.mmu.a20_enabled()) cpu_.mmu.set_a20(state.a20_pin);
    const Activity before = state.activity;
    if (take_event())
      count_event();
    else
      run_engine(std::min(target, cpu_.counters_due) - state.retired);
    if (state.activity != before) update_counters(cpu_);
    if (state.retired >= cpu_.counters_due) check_counters(cpu_);
  }
}

bool Vcpu::runnable() const {
  switch (cpu_.state.activity) {
    case Activity::Running: return true;
    case Activity::Halted: return wakes();
    case Activity::WaitForSipi: return cpu_.state.init_pending || cpu_.state.sipi_pending;
    case Activity::Shutdown: break;
  }
  return false;
}

bool Vcpu::wakes() const {
  const CpuState& state = cpu_.state;
  if (smi_due() || init_due()) return true;
  if (state.pending_debug != 0 || (state.nmi_pending && !state.nmi_blocked)) return true;
  return (state.rflags & kRflagsIf) && cpu_.interrupts.interrupt_pending();
}

// SDM 3A table 6-2: SMI and INIT, traps on the previous instruction, NMI, external interrupts, instruction breakpoints.
// A shadow defers them by one instruction; that of STI leaves debug traps alone.
bool Vcpu::take_event() {
  CpuState& state = cpu_.state;
  if (state.activity == Activity::WaitForSipi) {
    if (state.init_pending)
      take_init();
    else
      take_start_up();
    return true;
  }
  const bool shadow = state.sti_shadow || state.mov_ss_shadow;
  if (smi_due() && !shadow) {
    state.smi_pending = false;
    deliver({.kind = EventKind::Smi});
    return true;
  }
  if (init_due()) {
    take_init();
    return true;
  }
  if (state.pending_debug != 0 && !state.mov_ss_shadow) {
    const u64 dr6 = state.pending_debug;
    state.pending_debug = 0;
    deliver({.vector = kDB, .kind = EventKind::Trap, .dr6 = dr6});
    return true;
  }
  if (state.nmi_pending && !state.nmi_blocked && !shadow) {
    state.nmi_pending = false;
    state.nmi_blocked = true;
    deliver({.vector = kNMI, .kind = EventKind::ExternalInterrupt});
    return true;
  }
  if (!shadow && (state.rflags & kRflagsIf) && cpu_.interrupts.interrupt_pending()) {
    deliver({.vector = cpu_.interrupts.acknowledge_interrupt(), .kind = EventKind::ExternalInterrupt});
    return true;
  }
  if ((state.dr7 & 0xff) != 0 && !(state.rflags & kRflagsRf) && !state.mov_ss_shadow) {
    const u64 linear = state.rip + state.seg[CS].base;
    const u64 hits = code_breakpoint_hits(state, cpu_.mode.is64() ? linear : static_cast<u32>(linear));
    if (hits != 0) {
      // A fault by its rip; but RF is saved as it is, so the kind that leaves it alone. SDM 3B 17.3.1.1
      deliver({.vector = kDB, .kind = EventKind::Trap, .dr6 = hits});
      return true;
    }
  }
  return false;
}

void Vcpu::deliver(const Fault& event) {
  if (event.kind == EventKind::Smi)
    ++counts_.smis;
  else if (event.kind == EventKind::ExternalInterrupt)
    ++counts_.interrupts;
  else if (event.kind != EventKind::SoftwareInterrupt)
    ++counts_.exceptions;
  if (event.vector == kPF && event.kind == EventKind::Fault) {
    ++counts_.page_faults[event.error_code % 32];
    if (mmu::PagingObserver* const observer = cpu_.mmu.paging_observer())
      observer->faulted(event.linear, event.error_code);
  }
  cpu_.debug_hits = 0;
  engine_.delivering(cpu_, event);
  deliver_event(cpu_, event);
  // Data breakpoints on the frame itself.
  cpu_.state.pending_debug |= cpu_.debug_hits;
  cpu_.debug_hits = 0;
  cpu_.bus.stall(event.kind == EventKind::Smi ? kSmiNs : kDeliveryNs);
}

void Vcpu::run_engine(u64 budget) {
  CpuState& state = cpu_.state;
  const bool trap_flag = (state.rflags & kRflagsTf) != 0;
  const bool one_by_one = trap_flag || state.sti_shadow || state.mov_ss_shadow || has_code_breakpoints(state);
  const bool sti_shadow = std::exchange(state.sti_shadow, false);
  const bool mov_ss_shadow = std::exchange(state.mov_ss_shadow, false);
  // RF covers one instruction, which sees it as clear; IRET and interrupted string instructions set it anew.
  const u64 resume_flag = state.rflags & kRflagsRf;
  state.rflags &= ~kRflagsRf;
  if (resume_flag != 0) cpu_.breakpoint_passed = state.retired;
  cpu_.single_step = trap_flag;
  cpu_.debug_hits = 0;
  cpu_.run_end = state.retired + budget;
  cpu_.counters_changed = false;
  const u64 retired_before = state.retired;
  const RunExit exit = engine_.run(cpu_, one_by_one ? 1 : budget);
  if (cpu_.debug_stop && state.retired == retired_before && exit == RunExit::Event) {
    // A breakpoint at the first instruction: nothing has begun.
    state.sti_shadow = sti_shadow;
    state.mov_ss_shadow = mov_ss_shadow;
    state.rflags |= resume_flag;
    return;
  }

  // What an instruction that faults has hit counts when it runs again.
  const bool retired = exit != RunExit::Fault || state.retired != retired_before;
  u64 traps = retired ? cpu_.debug_hits : 0;
  // Single-step after MOV SS is lost, data breakpoints wait. SDM 3A 6.8.3
  if (cpu_.single_step && retired && exit != RunExit::Fault && !state.mov_ss_shadow) traps |= kDr6Bs;
  cpu_.debug_hits = 0;
  state.pending_debug |= traps;
  if (exit == RunExit::Fault && cpu_.fault.kind == EventKind::WaitForInterrupt) {
    state.activity = Activity::Halted;
    return;
  }
  if (exit == RunExit::Fault || exit == RunExit::Trap || cpu_.task_fault) {
    cpu_.task_fault = false;
    // Else an instruction has retired, and this belongs to it.
    cpu_.event_is_retired = exit != RunExit::Fault;
    deliver(Fault{cpu_.fault});
    if (!std::exchange(cpu_.event_is_retired, false)) count_event();
  }
}

void Vcpu::reset(u64 rng_seed, Activity after) {
  const u64 retired = cpu_.state.retired;
  const u64 retired_no_insn = cpu_.state.retired_no_insn;
  const u64 stalled_ns = cpu_.state.stalled_ns;
  const bool a20_pin = cpu_.state.a20_pin;
  const u32 pauses_left = cpu_.state.pauses_left;
  cpu_.state = reset_state(cpu_.profile.signature(), rng_seed);
  cpu_.state.retired = retired;
  cpu_.state.retired_no_insn = retired_no_insn;
  cpu_.state.stalled_ns = stalled_ns;
  cpu_.state.a20_pin = a20_pin;
  cpu_.state.pauses_left = pauses_left;
  cpu_.state.activity = after;
  cpu_.state_replaced();
}

void Vcpu::raise_init(Activity after) {
  CpuState& state = cpu_.state;
  state.init_pending = true;
  state.after_init = after;
  state.sipi_pending = false;  // it would start what starts again
}

void Vcpu::raise_start_up(u8 vector) {
  CpuState& state = cpu_.state;
  const bool will_wait = init_due() && state.after_init == Activity::WaitForSipi;
  if (state.sipi_pending || !(will_wait || state.activity == Activity::WaitForSipi)) return;
  state.sipi_pending = true;
  state.sipi_vector = vector;
}

void Vcpu::take_init() {
  CpuState& state = cpu_.state;
  const Activity after = state.after_init;
  const u64 from = cpu_.linear_of_rip(state.rip);
  init_state(state, cpu_.profile.signature());
  state.activity = after;
  cpu_.state_replaced();
  cpu_.bus.init_taken();
  cpu_.tell_passed(Passage::Init, from);
  cpu_.bus.stall(kDeliveryNs);
}

void Vcpu::take_start_up() {
  CpuState& state = cpu_.state;
  const u64 from = cpu_.linear_of_rip(state.rip);
  state.sipi_pending = false;
  state.seg[CS].selector = static_cast<u16>(state.sipi_vector << 8);
  state.seg[CS].base = u64{state.sipi_vector} << 12;
  state.rip = 0;
  state.activity = Activity::Running;
  cpu_.sync_mode();
  cpu_.tell_passed(Passage::StartUp, from);
}

}  // namespace reprise::cpu
