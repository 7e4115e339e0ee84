// Segment descriptors: reading them from the GDT and LDT, the checks of each kind of load, and the result in
// the hidden part of a segment register. SDM 3A 3.4, 5.2-5.7; SDM 2 MOV, LAR, LSL, VERR. Functions that
// return bool raise through Cpu::raise and return false on a fault, having changed nothing else.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

inline constexpr u16 kSelectorRpl = 3;
inline constexpr u16 kSelectorTi = 4;
constexpr bool is_null(u16 selector) { return (selector & ~kSelectorRpl) == 0; }
/// The error code that names a selector: index and TI.
constexpr u32 selector_error(u16 selector) { return selector & ~u32{kSelectorRpl}; }

/// System descriptor types, SDM 3A table 3-2.
enum class SystemType : u8 {
  Tss16Available = 1,
  Ldt = 2,
  Tss16Busy = 3,
  CallGate16 = 4,
  TaskGate = 5,
  InterruptGate16 = 6,
  TrapGate16 = 7,
  Tss32Available = 9,
  Tss32Busy = 11,
  CallGate32 = 12,
  InterruptGate32 = 14,
  TrapGate32 = 15,
};

/// A descriptor as it lies in its table: 8 bytes, and for system descriptors of long mode 8 more.
struct Descriptor {
  u64 low = 0;
  u64 high = 0;
  u64 linear = 0;  // where `low` was read

  u16 access() const { return static_cast<u16>((low >> 40) & 0xf0ff); }
  u8 type() const { return static_cast<u8>((low >> 40) & 0xf); }
  u8 dpl() const { return static_cast<u8>((low >> 45) & 3); }
  bool present() const { return bit(low, 47); }
  bool code_or_data() const { return bit(low, 44); }
  bool is_code() const { return code_or_data() && bit(low, 43); }
  bool is_conforming_code() const { return is_code() && bit(low, 42); }
  bool is_readable_code() const { return is_code() && bit(low, 41); }
  bool is_data() const { return code_or_data() && !bit(low, 43); }
  bool is_writable_data() const { return is_data() && bit(low, 41); }
  bool is_system(SystemType system_type) const {
    return !code_or_data() && type() == static_cast<u8>(system_type);
  }
  bool is_long() const { return bit(low, 53); }
  bool db() const { return bit(low, 54); }
  u64 base() const { return field(low, 16, 24) | field(low, 56, 8) << 24; }
  u64 base_long() const { return base() | (high & 0xffffffff) << 32; }
  u32 limit() const {
    const u32 raw = static_cast<u32>(field(low, 0, 16) | field(low, 48, 4) << 16);
    return bit(low, 55) ? raw << 12 | 0xfff : raw;
  }
  // Gates
  u16 gate_selector() const { return static_cast<u16>(low >> 16); }
  u32 gate_offset() const { return static_cast<u32>(field(low, 0, 16) | field(low, 48, 16) << 16); }
  u64 gate_offset_long() const { return gate_offset() | (high & 0xffffffff) << 32; }
};

Segment to_segment(u16 selector, const Descriptor& descriptor);
/// The register after a load of a null selector.
Segment null_segment(u16 selector);
/// Limit and access of segments that 8086 programs use: in real-address mode unless protected mode left
/// others, and always in virtual-8086 mode. SDM 3A 20.1.1, 20.2.1.
inline constexpr u32 kRealModeLimit = 0xffff;
inline constexpr u16 kRealModeAccess =
    Segment::kPresent | Segment::kS | Segment::kWritable | Segment::kAccessed;
inline constexpr u16 kV86Access = kRealModeAccess | 3u << Segment::kDplShift;
/// The register after a load in real-address mode (keeps limit and size) or virtual-8086 mode.
Segment real_segment(const Segment& old, u16 selector);
Segment v86_segment(u16 selector);

/// True when all of the 8-byte descriptor lies within its table.
bool selector_in_table(const Cpu& cpu, u16 selector);
/// Reads the 8-byte descriptor of a non-null selector. Beyond the table: raises `vector` with the selector.
[[nodiscard]] bool read_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& descriptor);
/// The same for a system descriptor: 16 bytes in long mode.
[[nodiscard]] bool read_system_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& descriptor);
/// Sets the accessed bit in memory and in `descriptor` when it is clear.
[[nodiscard]] bool set_accessed(Cpu& cpu, Descriptor& descriptor);

/// Checks a selector for ES, SS, DS, FS or GS as MOV does in the current mode, and gives the register's new
/// value.
[[nodiscard]] bool check_segment(Cpu& cpu, SegmentIndex index, u16 selector, Segment& loaded);
/// SS in protected mode for privilege level `cpl`; faults other than not-present are `vector` (#GP or #TS).
[[nodiscard]] bool check_stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector, Segment& loaded);

/// After a transfer to an outer level: data segment registers the new CPL may not use become null; their hidden
/// bases stay. SDM 2 RET, IRET.
void null_inaccessible_segments(CpuState& state);

/// True when `linear` is canonical for the current paging mode; always outside long mode.
inline bool canonical(const Cpu& cpu, u64 linear) { return mmu::is_canonical(cpu.mmu.context(), linear); }
/// The same for what MSRs, table registers, LDTR and TR take as a base: as wide as the processor's linear addresses,
/// whatever mode it is in and whatever CR4.LA57 says. SDM 2 WRMSR, LGDT, LLDT, LTR; 5-level paging white paper 2.2.
bool canonical_base(const Cpu& cpu, u64 linear);
/// True in 64-bit mode.
inline bool in_64bit(const Cpu& cpu) { return cpu.mode.is64(); }
inline bool in_long_mode(const Cpu& cpu) { return cpu.mode.has(ModeKey::kLongMode); }
inline bool in_protected(const Cpu& cpu) { return cpu.mode.has(ModeKey::kProtected); }
inline bool in_v86(const Cpu& cpu) { return cpu.mode.has(ModeKey::kV86); }

/// LLDT and LTR once their privilege check has passed.
[[nodiscard]] bool load_ldtr(Cpu& cpu, u16 selector);
[[nodiscard]] bool load_tr(Cpu& cpu, u16 selector);

}  // namespace reprise::cpu
