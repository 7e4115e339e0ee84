// Vcpu: one processor's life between instructions: exceptions, traps, interrupts, shadows, halting. SDM 3A 6.8, 6.9.
//
// Every engine must see an interrupt at the same instruction. So events are looked for wherever their conditions can
// change, and nowhere else: when the budget ends (the machine's timers), after an instruction that returns Stop, and
// after a device access. Between those, and where pass_boundary() (cpu/engine/interpret.h) finds none, the engine runs on.
#pragma once

#include <array>

#include "cpu/core/cpu.h"
#include "cpu/engine/engine.h"

namespace reprise::cpu {

enum class VcpuExit : u8 {
  Budget,  // exactly the budget retired
  Halted,  // HLT; nothing wakes it yet
  WaitForSipi,
  Shutdown,   // triple fault
  Attention,  // request_stop(): the bus asked for it, in a stall for one
  Debugger,  // a debugger's stop: a breakpoint before the next instruction, a watchpoint, Cpu::stop_at_retired
  Pausing,   // it waits for others, by so many PAUSEs that its turn ends: give it some again
};

/// Events delivered so far. For people; not part of the state.
struct VcpuCounts {
  u64 exceptions = 0;  // faults and traps, not software interrupts
  u64 interrupts = 0;  // external, NMI included
  u64 smis = 0;
  std::array<u64, 32> page_faults{};  // by bits 4:0 of their error code
};

class Vcpu {
 public:
  Vcpu(Cpu& cpu, Engine& engine) : cpu_(cpu), engine_(engine) {}

  /// Retires at most `budget` instructions. An event that is taken between two, and a fault, count as one: so nothing
  /// that is bounded by their number can go on for ever. Events due at the boundary where the budget ends are left to
  /// the next call, so that the machine can first do what is due at that time. vCPU thread only.
  VcpuExit run(u64 budget);

  /// Makes run() return at the next instruction boundary where events are looked for. For the bus and devices, when
  /// an access changed what the machine must do next.
  void request_stop() { cpu_.stop_requested = true; }

  // What comes from outside, also from an access of its own: it waits for the next instruction boundary, where run()
  // acts on it.
  void raise_nmi() { cpu_.state.nmi_pending = true; }
  void raise_smi() { cpu_.state.smi_pending = true; }
  /// INIT, after which the processor runs or waits for SIPI. In SMM it waits for RSM.
  void raise_init(Activity after);
  /// SIPI: starts a processor that waits for it, or will when it has taken its INIT, at vector * 4096; ignored otherwise.
  /// SDM 3A 8.4.3
  void raise_start_up(u8 vector);
  void set_a20_pin(bool enabled) { cpu_.state.a20_pin = enabled; }

  /// RESET, between instructions.
  void reset(u64 rng_seed, Activity after = Activity::Running);

  /// Would run() do anything but say that it waits?
  bool runnable() const;

  Cpu& cpu() { return cpu_; }
  const VcpuCounts& counts() const { return counts_; }

 private:
  bool smi_due() const { return cpu_.state.smi_pending && !cpu_.state.in_smm; }
  bool init_due() const { return cpu_.state.init_pending && !cpu_.state.in_smm; }
  bool wakes() const;
  /// Delivers what is due before the next instruction, highest priority first. False: nothing was.
  bool take_event();
  void take_init();
  void take_start_up();
  void deliver(const Fault& event);
  void count_event() {
    ++cpu_.state.retired;
    ++cpu_.state.retired_no_insn;
  }
  void run_engine(u64 budget);

  Cpu& cpu_;
  Engine& engine_;
  VcpuCounts counts_;
};

}  // namespace reprise::cpu
