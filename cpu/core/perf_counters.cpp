#include "cpu/core/perf_counters.h"

#include <algorithm>
#include <utility>

#include "common/bits.h"

namespace reprise::cpu {
namespace {

/// What the source of `counter` has counted before the current instruction.
u64 counted(Cpu& cpu, unsigned counter) {
  const u64 retired = cpu.retired_now();
  switch (cpu.state.pmu.source(counter)) {
    case CounterSource::Nothing: break;
    case CounterSource::Insns: return retired - cpu.state.retired_no_insn;
    case CounterSource::Cycles: return retired + cpu.state.stalled_ns;
    case CounterSource::CyclesWithoutInsn: return cpu.state.retired_no_insn + cpu.state.stalled_ns;
    case CounterSource::ReferenceCycles: return cpu.bus.virtual_ns(retired);
  }
  return 0;
}

template <class Visit>
void for_each(u8 counters, Visit visit) {
  for (unsigned i = 0; i < PmuState::kCounters; ++i)
    if (counters >> i & 1) visit(i);
}

/// The counter has got to its end, and goes on from 0.
void overflow(PmuState& pmu, unsigned counter, u64 value) {
  pmu.counters[counter] -= value - value % PmuState::kEnd;
  pmu.global_status |= PmuState::global_bit(counter);
  pmu.overflow_interrupt |= pmu.wants_interrupt(counter);
}

void stop(Cpu& cpu, u8 counters) {
  PmuState& pmu = cpu.state.pmu;
  for_each(counters, [&](unsigned i) {
    pmu.counters[i] += counted(cpu, i);
    if (pmu.counters[i] >= PmuState::kEnd) overflow(pmu, i, pmu.counters[i]);
  });
  pmu.running &= static_cast<u8>(~counters);
}

void start(Cpu& cpu, u8 counters) {
  PmuState& pmu = cpu.state.pmu;
  for_each(counters, [&](unsigned i) { pmu.counters[i] -= counted(cpu, i); });
  pmu.running |= counters;
}

/// No source grows faster than by one an instruction, but for stalls, behind which Vcpu::run() begins anew.
void look_ahead(Cpu& cpu) {
  const PmuState& pmu = cpu.state.pmu;
  const u64 now = cpu.retired_now();
  u64 due = pmu.overflow_interrupt ? now : Cpu::kNoCounterDue;
  for_each(pmu.running, [&](unsigned i) {
    const u64 value = counter_value(cpu, i);
    due = std::min(due, now + (value < PmuState::kEnd ? PmuState::kEnd - value : 0));
  });
  cpu.counters_due = due;
  if (due < cpu.run_end) cpu.counters_changed = true;
}

u8 due_to_run(const Cpu& cpu) {
  const PmuState& pmu = cpu.state.pmu;
  if (cpu.state.activity != Activity::Running) return 0;
  u8 counters = pmu.enabled;
  for_each(pmu.enabled & pmu.ring_filtered, [&](unsigned i) {
    if (!pmu.counts_in_ring(i, cpu.mode.cpl())) counters &= static_cast<u8>(~(1u << i));
  });
  return counters;
}

}  // namespace

u64 counter_value(Cpu& cpu, unsigned counter) {
  const PmuState& pmu = cpu.state.pmu;
  return pmu.counters[counter] + ((pmu.running >> counter & 1) ? counted(cpu, counter) : 0);
}

void update_counters(Cpu& cpu) {
  const u8 running = cpu.state.pmu.running;
  const u8 wanted = due_to_run(cpu);
  if (wanted == running) return;
  stop(cpu, running & static_cast<u8>(~wanted));
  start(cpu, wanted & static_cast<u8>(~running));
  look_ahead(cpu);
}

void pause_counters(Cpu& cpu) { stop(cpu, cpu.state.pmu.running); }

void resume_counters(Cpu& cpu) {
  cpu.state.pmu.derive();
  start(cpu, due_to_run(cpu));
  look_ahead(cpu);
}

void check_counters(Cpu& cpu) {
  PmuState& pmu = cpu.state.pmu;
  for_each(pmu.running, [&](unsigned i) {
    if (const u64 value = counter_value(cpu, i); value >= PmuState::kEnd) overflow(pmu, i, value);
  });
  if (std::exchange(pmu.overflow_interrupt, false)) {
    // SDM 3B 17.4.7: as versions before 4 have it, by clearing what enables.
    if (cpu.state.debugctl & kDebugctlFreezePerfmonOnPmi) {
      pause_counters(cpu);
      pmu.global_ctrl = 0;
      resume_counters(cpu);
    }
    cpu.bus.performance_interrupt();
  }
  look_ahead(cpu);
}

}  // namespace reprise::cpu
