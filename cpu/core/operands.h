// Generic operand access: registers by their offset in the file, effective and linear addresses, memory.
#pragma once

#include <cstring>
#include <span>

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// A general register (or its low part, or AH..BH) by byte offset in the register file.
template <class T>
inline T gpr(const CpuState& state, u8 offset) {
  return read_unaligned<T>(reinterpret_cast<const u8*>(state.gpr) + offset);
}

/// Writes one. A 32-bit write clears bits 63:32; 8- and 16-bit writes keep the rest.
template <class T>
inline void set_gpr(CpuState& state, u8 offset, T value) {
  u8* host = reinterpret_cast<u8*>(state.gpr) + offset;
  if constexpr (sizeof(T) == 4) {
    write_unaligned<u64>(host, static_cast<u32>(value));
  } else {
    write_unaligned<T>(host, value);
  }
}

/// A general register by number, whole.
template <class T>
inline T gpr_part(const CpuState& state, Gpr reg) {
  return static_cast<T>(state.gpr[reg]);
}
template <class T>
inline void set_gpr_part(CpuState& state, Gpr reg, T value) {
  set_gpr<T>(state, static_cast<u8>(reg * 8), value);
}

/// A count or index register (rCX, rSI, rDI) as wide as the address size of the instruction.
inline u64 address_register(const CpuState& state, const Insn& in, Gpr reg) {
  return state.gpr[reg] << in.addr_shift >> in.addr_shift;
}
inline void set_address_register(CpuState& state, const Insn& in, Gpr reg, u64 value) {
  if (in.addr_shift == 48) return set_gpr_part<u16>(state, reg, static_cast<u16>(value));
  state.gpr[reg] = value << in.addr_shift >> in.addr_shift;
}

inline u64 effective_address(const CpuState& state, const Insn& in) {
  const u64 address =
      gpr<u64>(state, in.base) + (gpr<u64>(state, in.index) << in.scale) + static_cast<u64>(in.disp);
  return address << in.addr_shift >> in.addr_shift;
}

/// Legacy segmentation and alignment checks: the rare rest of data_linear(). Raises and returns false on a fault.
[[nodiscard]] bool check_data_address(Cpu& cpu, const Insn& in, u64 effective, u64 bytes, mmu::Access access,
                                      u64& linear);

/// The same for any segment and effective address (string and stack instructions). Outside 64-bit mode checks
/// type, limit and alignment; raises #GP(0) or, for SS, #SS(0), and returns false.
[[nodiscard]] bool segment_linear(Cpu& cpu, const Insn& in, SegmentIndex seg, u64 effective, u64 bytes,
                                  mmu::Access access, u64& linear);

/// The linear address of `effective` in the segment of the memory operand. Returns false after raising.
[[nodiscard]] inline bool operand_linear(Cpu& cpu, const Insn& in, u64 effective, u64 bytes,
                                         mmu::Access access, u64& linear) {
  linear = effective + cpu.state.seg[in.seg].base;
  if (in.flags & Insn::kCheckAddress) [[unlikely]]
    return check_data_address(cpu, in, effective, bytes, access, linear);
  return true;
}

/// The linear address of the memory operand. Returns false after raising.
[[nodiscard]] inline bool data_linear(Cpu& cpu, const Insn& in, u64 bytes, mmu::Access access, u64& linear) {
  return operand_linear(cpu, in, effective_address(cpu.state, in), bytes, access, linear);
}

/// Loads the memory operand. False: a fault was raised.
template <class T>
[[nodiscard]] inline bool load_operand(Cpu& cpu, const Insn& in, T& value) {
  u64 linear;
  if (!data_linear(cpu, in, sizeof(T), mmu::Access::Read, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.load(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

// Operands of two parts: far pointers, bounds, pseudo-descriptors. Each part is an access of its own: checked for limit and
// alignment and read or written by itself, at an effective address that wraps as the address size says (SDM 3A 3.5.1 on the
// alignment of pseudo-descriptors; BOUND and LES at FFFEH are no fault in 8086 programs).

/// The linear address of the part `offset` bytes into the memory operand. Returns false after raising.
[[nodiscard]] inline bool part_linear(Cpu& cpu, const Insn& in, u64 offset, u64 bytes, mmu::Access access,
                                      u64& linear) {
  const u64 effective = (effective_address(cpu.state, in) + offset) << in.addr_shift >> in.addr_shift;
  return operand_linear(cpu, in, effective, bytes, access, linear);
}

/// Loads a part. False: a fault was raised.
template <class T>
[[nodiscard]] inline bool load_part(Cpu& cpu, const Insn& in, u64 offset, T& value) {
  u64 linear;
  if (!part_linear(cpu, in, offset, sizeof(T), mmu::Access::Read, linear)) return false;
  if (cpu.mmu.load(linear, value)) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

/// `linear` is where a part can be stored. False: a fault was raised.
[[nodiscard]] inline bool probe_part(Cpu& cpu, const Insn& in, u64 offset, u64 bytes, u64& linear) {
  if (!part_linear(cpu, in, offset, bytes, mmu::Access::Write, linear)) return false;
  if (cpu.mmu.probe_write(linear, bytes)) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

/// Stores the memory operand. False: a fault was raised and nothing written.
template <class T>
[[nodiscard]] inline bool store_operand(Cpu& cpu, const Insn& in, const T& value) {
  u64 linear;
  if (!data_linear(cpu, in, sizeof(T), mmu::Access::Write, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.store(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

/// Read-modify-write of memory: write permission is checked before the load; `compute` maps old value to new.
/// False: a fault was raised and nothing changed (compute may not have side effects that matter then: it runs
/// only when the store cannot fault any more).
template <class T, class Compute>
[[nodiscard]] inline bool modify_memory(Cpu& cpu, bool stack_segment, u64 linear, Compute compute) {
  if (u8* host = cpu.mmu.write_pointer(linear, sizeof(T))) [[likely]] {
    write_unaligned<T>(host, compute(read_unaligned<T>(host)));
    return true;
  }
  T old;
  if (!cpu.mmu.probe_write(linear, sizeof(T)) || !cpu.mmu.load(linear, old) ||
      !cpu.mmu.store(linear, T{compute(old)})) {
    cpu.memory_fault(stack_segment);
    return false;
  }
  return true;
}

template <class T, class Compute>
[[nodiscard]] inline bool modify_operand(Cpu& cpu, const Insn& in, Compute compute) {
  u64 linear;
  if (!data_linear(cpu, in, sizeof(T), mmu::Access::Write, linear)) [[unlikely]]
    return false;
  return modify_memory<T>(cpu, in.has(Insn::kStackSegment), linear, compute);
}

}  // namespace reprise::cpu
