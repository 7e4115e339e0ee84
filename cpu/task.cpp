#include "cpu/task.h"

namespace reprise::cpu {
namespace {

template <class T>
bool load_tss(Cpu& cpu, u64 offset, T& value) {
  if (offset + sizeof(T) - 1 > cpu.state.tr.limit) {
    cpu.raise(kTS, selector_error(cpu.state.tr.selector));
    return false;
  }
  if (cpu.mmu.load_system(cpu.state.tr.base + offset, value)) return true;
  cpu.memory_fault(false);
  return false;
}

bool tss_is_32bit(const Segment& tr) { return (tr.type() & 8) != 0; }

}  // namespace

bool read_tss_stack(Cpu& cpu, u8 level, TssStack& stack) {
  if (in_long_mode(cpu)) {
    stack.selector = level;
    return load_tss(cpu, 4 + 8u * level, stack.pointer);
  }
  if (tss_is_32bit(cpu.state.tr)) {
    u32 esp;
    if (!load_tss(cpu, 8 + 8u * level, stack.selector) || !load_tss(cpu, 4 + 8u * level, esp)) return false;
    stack.pointer = esp;
    return true;
  }
  u16 sp;
  if (!load_tss(cpu, 4 + 4u * level, stack.selector) || !load_tss(cpu, 2 + 4u * level, sp)) return false;
  stack.pointer = sp;
  return true;
}

bool read_ist(Cpu& cpu, unsigned ist, u64& rsp) { return load_tss(cpu, 36 + 8u * (ist - 1), rsp); }

bool switch_task(Cpu& cpu, u16 selector, TaskSwitchSource, u64, bool, u32) {
  cpu.log.write("cpu", LogLevel::Warn, "hardware task switch to {:04x} is not offered", selector);
  cpu.raise(kGP, selector_error(selector));
  return false;
}

}  // namespace reprise::cpu
