// Cpu: what an instruction body may touch: state, MMU, the outside, and where the engine is.
#pragma once

#include <string>
#include <vector>

#include "common/ports.h"
#include "cpu/core/insn.h"
#include "cpu/core/segment_reach.h"
#include "cpu/debug/debug_stops.h"
#include "cpu/debug/observers.h"
#include "cpu/profile/cpuid.h"
#include "cpu/state/exceptions.h"
#include "cpu/state/flags.h"
#include "cpu/state/mode.h"
#include "cpu/state/state.h"
#include "mmu/mmu.h"

namespace reprise {
class Log;
}

namespace reprise::cpu {

/// An unmasked x87 exception with CR0.NE clear: just recorded, or found by an instruction that waits for it.
enum class X87Error : u8 { Begins, Waits };

/// The machine as the CPU sees it.
class CpuBus {
 public:
  virtual ~CpuBus() = default;
  virtual u32 port_read(u16 port, Width width) = 0;
  virtual void port_write(u16 port, Width width, u32 value) = 0;
  /// As PioHandler::pio_read_ahead: the next reads (writes) of the port that only move data. Returns bytes.
  virtual std::size_t port_read_ahead(u16, Width, std::span<u8>) { return 0; }
  virtual std::size_t port_write_ahead(u16, Width, std::span<const u8>) { return 0; }
  /// IA32_APIC_BASE, x2APIC and TSC-deadline MSRs. False: #GP. The deadline (6E0H) is in virtual ns here, 0
  /// for none: the CPU translates from and to the guest's TSC.
  virtual bool apic_msr_read(u32 msr, u64& value) = 0;
  virtual bool apic_msr_write(u32 msr, u64 value) = 0;
  /// FERR#. Returns IGNNE#: true when the exception is to be ignored.
  virtual bool x87_error(X87Error) { return true; }
  /// What runs now, an instruction or what comes between two, takes `ns` longer than an instruction does. The time passes
  /// behind it, and Vcpu::run() returns there.
  virtual void stall(u64 ns) { (void)ns; }
  /// The processor takes an INIT now: so does its local APIC. SDM 3A 10.4.7.3
  virtual void init_taken() {}
  /// A performance counter that asks for it has overflowed. Between instructions.
  virtual void performance_interrupt() {}
  /// Virtual time at `retired` instructions (the caller passes Cpu::retired_now()).
  virtual u64 virtual_ns(u64 retired) = 0;
};

struct Cpu final : public mmu::AccessObserver {
  Cpu(CpuBus& cpu_bus, InterruptSource& interrupt_source, mmu::PhysMap& phys_map, mmu::CodePages& code_pages,
      const CpuProfile& cpu_profile, const Log& machine_log);

  CpuState state;
  // Derived from `state`; sync_mode() after anything in it changed.
  ModeKey mode;
  SegmentReach reach[kSegSlots];  // not in 64-bit mode
  u64 code_end = 0;               // CS limit + 1, not in 64-bit mode

  // Where the engine is. Engines set these; bodies read them through the functions below.
  const Insn* block_begin = nullptr;
  const Insn* current = nullptr;
  const Insn* block_end = nullptr;  // nullptr: stop after the current instruction
  u64 block_budget = 0;             // instructions (REP iterations) that may retire from block_begin on
  u64 extra_retired = 0;            // REP iterations beyond the first, in this block

  Fault fault;  // valid after Status::Fault or Trap
  /// The instruction retired with a task switch; `fault` comes before the new task's first.
  bool task_fault = false;
  /// A single-step trap follows when the current instruction retires (some override TF).
  bool single_step = false;
  u64 debug_hits = 0;  // DR6 bits of data breakpoints hit by the current instruction
  /// Vcpu::run() is to return at the next instruction boundary where events are looked for.
  bool stop_requested = false;

  // Performance counters: derived from `state`, by cpu/core/perf_counters.cpp.
  static constexpr u64 kNoCounterDue = ~u64{0};
  u64 counters_due = kNoCounterDue;  // none overflows while less has retired
  u64 run_end = 0;                   // when the engine's budget ends
  /// The budget is too long by now: the engine has to end as for stop_requested.
  bool counters_changed = false;

  // A debugger, by machine/debug/debugger.h. No state of the guest.
  DebugStops* stops = nullptr;  // nullptr: it wants no stops
  bool debug_stop = false;      // something was hit: Vcpu::run() returns at the next boundary
  static constexpr u64 kNoStop = ~u64{0};
  u64 breakpoint_passed = kNoStop;  // while so much has retired, breakpoints do not stop it (again)
  u64 stop_at_retired = kNoStop;    // Vcpu::run() returns when so much has
  bool event_is_retired = false;    // what is delivered now belongs to the last instruction

  // Who is told of what it does. No state of the guest.
  std::vector<EventObserver*> event_observers;
  std::vector<InsnObserver*> insn_observers;

  mmu::Mmu mmu;
  CpuBus& bus;
  InterruptSource& interrupts;
  const CpuProfile& profile;
  const Log& log;
  u32 apic_id = 0;  // the initial one, as CPUID tells it

  /// rip of `insn` and of the one after it. Truncated to the code size.
  u64 rip_of(const Insn& insn) const {
    return (state.gpr[kGprPageBase] + insn.offset) & rip_mask(mode.code_size());
  }
  u64 next_rip(const Insn& insn) const {
    return (state.gpr[kGprPageBase] + insn.next_offset) & rip_mask(mode.code_size());
  }

  /// The linear address of `rip` in the code segment.
  u64 linear_of_rip(u64 rip) const {
    const u64 linear = rip + state.seg[CS].base;
    return mode.is64() ? linear : static_cast<u32>(linear);
  }
  u64 linear_of(const Insn& insn) const { return linear_of_rip(rip_of(insn)); }

  /// Instructions retired before the current one: what the guest's clocks show it.
  u64 retired_now() const { return state.retired + static_cast<u64>(current - block_begin) + extra_retired; }

  /// A REP instruction has done `count` iterations and none of them was its last.
  void count_iterations(u64 count) {
    extra_retired += count;
    state.retired_no_insn += count;
  }

  /// How many iterations a REP instruction may run now; at least 1.
  u64 iterations_left(const Insn& insn) const { return block_budget - static_cast<u64>(&insn - block_begin); }

  /// Brings everything derived from `state` in line after it was replaced from outside (reset, boot,
  /// snapshot): paging, watches, mode. The machine follows it with Mmu::serialize when it loads a snapshot.
  void state_replaced();

  /// Recomputes `mode`, the reach of segments and the MMU view. Engines call it after Status::Stop and
  /// StopJump.
  void sync_mode();

  // Raising. Each fills `fault` and returns Status::Fault.
  Status raise(Vector vector);
  Status raise(Vector vector, u32 error_code);
  /// The exception for the memory access that just failed: #PF, or #GP/#SS for a non-canonical address.
  Status memory_fault(bool stack_segment);

  void stop_after_instruction() override { block_end = nullptr; }
  void watched_access(u64 linear, u64 bytes, mmu::Access access) override;
  void debugged_access(u64 linear, u64 phys, u64 bytes, mmu::Access access) override;
  void translation_changed(u64 linear, u64 bytes) override;

  void tell_delivered(const Fault& event, u64 from) {
    for (EventObserver* const observer : event_observers) observer->delivered(event, from);
  }
  void tell_passed(Passage passage, u64 from) {
    for (EventObserver* const observer : event_observers) observer->passed(passage, from);
  }

  /// Registers for a person: crash dumps, monitor, test failures.
  std::string dump() const;
};

}  // namespace reprise::cpu
