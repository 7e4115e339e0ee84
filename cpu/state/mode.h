// ModeKey: the processor mode a decoded block is specialised on. Whatever else a body depends on is read at run time.
// The only list of these bits is here; mode_key() in mode.cpp computes them from the state.
#pragma once

#include "common/types.h"
#include "cpu/state/state.h"

namespace reprise::cpu {

enum class CodeSize : u8 { Bits16 = 0, Bits32 = 1, Bits64 = 2 };

struct ModeKey {
  u32 bits = 0;

  static constexpr u32 kCodeSizeMask = 3u << 0;  // CodeSize
  static constexpr u32 kStack32 = 1u << 2;  // SS.B (64-bit mode: stack is 64 bits wide whatever this says)
  static constexpr u32 kCplShift = 3;
  static constexpr u32 kCplMask = 3u << kCplShift;
  static constexpr u32 kProtected = 1u << 5;  // CR0.PE and not virtual-8086
  static constexpr u32 kV86 = 1u << 6;
  static constexpr u32 kLongMode = 1u << 7;     // EFER.LMA: 64-bit or compatibility mode
  static constexpr u32 kFlatData = 1u << 8;     // ES, SS, DS: base 0, 4 GiB limit, readable and writable
  static constexpr u32 kFlatCode = 1u << 9;     // CS: base 0, 4 GiB limit (always in 64-bit mode)
  static constexpr u32 kAlignCheck = 1u << 10;  // CPL 3, CR0.AM, EFLAGS.AC
  static constexpr u32 kTs = 1u << 11;          // CR0.TS
  static constexpr u32 kEm = 1u << 12;          // CR0.EM
  static constexpr u32 kMp = 1u << 13;          // CR0.MP
  static constexpr u32 kOsfxsr = 1u << 14;      // CR4.OSFXSR
  static constexpr u32 kOsxsave = 1u << 15;     // CR4.OSXSAVE
  static constexpr u32 kAvx = 1u << 16;         // XCR0[2:1] = 11 and CR4.OSXSAVE
  static constexpr u32 kIoplOk = 1u << 17;      // CPL <= IOPL
  static constexpr u32 kUmip = 1u << 18;        // CR4.UMIP and CPL > 0
  static constexpr u32 kTsd = 1u << 19;         // CR4.TSD and CPL > 0
  static constexpr u32 kFsgsbase = 1u << 20;    // CR4.FSGSBASE
  static constexpr u32 kKernelAc = 1u << 21;    // CPL < 3 and EFLAGS.AC: explicit accesses override SMAP
  static constexpr u32 kSmm = 1u << 22;         // the same physical address may hold other code
  // Not of the processor: blocks in pages with a debugger's breakpoints (cpu/debug/debug_stops.h). 0: no such page.
  static constexpr u32 kDebugShift = 24;
  static constexpr u32 kDebugGenerations = 0xff;

  CodeSize code_size() const { return static_cast<CodeSize>(bits & kCodeSizeMask); }
  bool is64() const { return code_size() == CodeSize::Bits64; }
  unsigned cpl() const { return (bits & kCplMask) >> kCplShift; }
  bool has(u32 mask) const { return (bits & mask) != 0; }
  friend bool operator==(const ModeKey&, const ModeKey&) = default;
};

ModeKey mode_key(const CpuState& state);

/// The mask of significant rip bits: 64, 32 or 16 (16-bit code still has a 32-bit EIP when 66h-prefixed).
constexpr u64 rip_mask(CodeSize size) { return size == CodeSize::Bits64 ? ~u64{0} : u64{0xffffffff}; }

}  // namespace reprise::cpu
