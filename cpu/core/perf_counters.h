// What the performance counters count, and when one overflows. SDM 3B 20.2.
//
// Nothing is counted one by one. Instructions and cycles are functions of the state that grow, so a counter that runs is
// its distance from one of them, and code that runs under it needs nothing: work is done where a counter starts or stops
// (a register is written, the ring changes, the processor halts) and where one overflows. For that a processor runs no
// further than Cpu::counters_due.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// The value of `counter` before the current instruction.
u64 counter_value(Cpu& cpu, unsigned counter);

/// After Cpu::mode or the activity changed: counters stop and start as they say.
void update_counters(Cpu& cpu);

/// Between instructions, at counters_due at the latest: marks overflows, asks for their interrupt, and looks ahead.
void check_counters(Cpu& cpu);

/// All counters stand, with their values in the registers, until resume_counters(): to change any of these.
void pause_counters(Cpu& cpu);
void resume_counters(Cpu& cpu);

}  // namespace reprise::cpu
