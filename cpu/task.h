// The task-state segment: stacks of inner levels, interrupt stacks, and hardware task switches. SDM 3A chapter 7.
#pragma once

#include "cpu/segments.h"

namespace reprise::cpu {

/// SS:SP of privilege level `level` from the current TSS; in long mode RSPn and a null selector of that level.
/// Raises #TS(TR selector) when the TSS is too short.
struct TssStack {
  u16 selector;
  u64 pointer;
};
[[nodiscard]] bool read_tss_stack(Cpu& cpu, u8 level, TssStack& stack);
/// IST1..IST7 of the 64-bit TSS.
[[nodiscard]] bool read_ist(Cpu& cpu, unsigned ist, u64& rsp);

enum class TaskSwitchSource : u8 { Jump, CallOrInterrupt, Return };

/// Switches to the task of `selector`, whose TSS descriptor is checked here (not in long mode). `next_rip` is what the
/// old task resumes at. With `push_error` the new task's stack gets `error_code`. On success state is the new task's,
/// Cpu::mode is stale until sync_mode().
[[nodiscard]] bool switch_task(Cpu& cpu, u16 selector, TaskSwitchSource source, u64 next_rip, bool push_error,
                               u32 error_code);

}  // namespace reprise::cpu
