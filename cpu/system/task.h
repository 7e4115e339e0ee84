// The task-state segment: stacks of inner levels, interrupt stacks, and hardware task switches. SDM 3A chapter 7.
#pragma once

#include "cpu/system/segments.h"

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

struct TaskSwitch {
  u16 selector;  // of the new TSS; its descriptor is checked by switch_task
  TaskSwitchSource source;
  u64 next_rip;  // what the old task resumes at
  bool push_error = false;
  u32 error_code = 0;
  u64 saved_flags = 0;  // set in the old task's image beside its own flags: RF for a fault
};

/// Hardware task switch; not in long mode. False: a fault in the old task, which is unchanged. On success the state is
/// the new task's and Cpu::mode follows it; a fault found while loading its segments belongs to the new task and is
/// left in Cpu::fault with Cpu::task_fault set, to be delivered before its first instruction.
[[nodiscard]] bool switch_task(Cpu& cpu, const TaskSwitch& task);

}  // namespace reprise::cpu
