// The stack as instructions use it: SS:rSP with the address size of the stack, SDM 1 6.2.
// A load or store that fails has raised and changed nothing; the stack pointer moves only where it says so.
#pragma once

#include "cpu/core/operands.h"

namespace reprise::cpu::stack {

/// The significant bits of the stack pointer.
inline u64 pointer_mask(const Insn& in) {
  return in.has(Insn::kStack64) ? ~u64{0} : in.has(Insn::kStack16) ? u64{0xffff} : u64{0xffffffff};
}

inline u64 pointer(const CpuState& state, const Insn& in) { return state.gpr[RSP] & pointer_mask(in); }

/// Writes SP, ESP or RSP; SP keeps the rest of the register.
inline void set_pointer(CpuState& state, const Insn& in, u64 offset) {
  if (in.has(Insn::kStack16)) return set_gpr_part<u16>(state, RSP, static_cast<u16>(offset));
  state.gpr[RSP] = offset & pointer_mask(in);
}

/// The linear address of `bytes` at `offset` in SS. Returns false after raising.
[[nodiscard]] inline bool linear_at(Cpu& cpu, const Insn& in, u64 offset, u64 bytes, mmu::Access access,
                                    u64& linear) {
  linear = offset;
  if (cpu.mode.has(ModeKey::kFlatData) && !in.has(Insn::kAlignCheck)) [[likely]]
    return true;
  return segment_linear(cpu, in, SS, offset, bytes, access, linear);
}

/// Loads from SS:offset.
template <class T>
[[nodiscard]] inline bool load_at(Cpu& cpu, const Insn& in, u64 offset, T& value) {
  u64 linear;
  if (!linear_at(cpu, in, offset & pointer_mask(in), sizeof(T), mmu::Access::Read, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.load(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(true);
  return false;
}

/// Stores to SS:offset.
template <class T>
[[nodiscard]] inline bool store_at(Cpu& cpu, const Insn& in, u64 offset, T value) {
  u64 linear;
  if (!linear_at(cpu, in, offset & pointer_mask(in), sizeof(T), mmu::Access::Write, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.store(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(true);
  return false;
}

/// Checks that `bytes` at SS:offset can be written.
[[nodiscard]] inline bool probe_at(Cpu& cpu, const Insn& in, u64 offset, u64 bytes) {
  u64 linear;
  if (!linear_at(cpu, in, offset & pointer_mask(in), bytes, mmu::Access::Write, linear)) return false;
  if (cpu.mmu.probe_write(linear, bytes)) return true;
  cpu.memory_fault(true);
  return false;
}

/// Stores below the stack pointer, then moves it.
template <class T>
[[nodiscard]] inline bool push(Cpu& cpu, const Insn& in, T value) {
  const u64 offset = cpu.state.gpr[RSP] - sizeof(T);
  if (!store_at<T>(cpu, in, offset, value)) [[unlikely]]
    return false;
  set_pointer(cpu.state, in, offset);
  return true;
}

/// Loads the top of the stack; the caller moves the pointer with `release` once nothing can fault any more.
template <class T>
[[nodiscard]] inline bool top(Cpu& cpu, const Insn& in, T& value) {
  return load_at<T>(cpu, in, cpu.state.gpr[RSP], value);
}

inline void release(CpuState& state, const Insn& in, u64 bytes) {
  set_pointer(state, in, state.gpr[RSP] + bytes);
}

}  // namespace reprise::cpu::stack
