// The memory images of x87 and vector state: FXSAVE and XSAVE. SDM 1 10.5 and chapter 13.
#pragma once

#include <span>

#include "cpu/state.h"

namespace reprise::cpu {

inline constexpr u64 kXstateX87 = 1u << 0;
inline constexpr u64 kXstateSse = 1u << 1;
inline constexpr u64 kXstateAvx = 1u << 2;

inline constexpr u32 kMxcsrMask = 0xffff;  // the bits that exist
inline constexpr u32 kMxcsrReset = 0x1f80;

inline constexpr u32 kFxsaveBytes = 512;
inline constexpr u32 kXsaveHeaderOffset = 512;
inline constexpr u32 kXsaveAvxOffset = 576;
inline constexpr u32 kXsaveAvxBytes = 256;
inline constexpr u32 kXsaveMaxBytes = kXsaveAvxOffset + kXsaveAvxBytes;

/// Bytes of the standard-format area for the components of `mask`.
constexpr u32 xsave_area_bytes(u64 mask) { return (mask & kXstateAvx) ? kXsaveMaxBytes : kXsaveAvxOffset; }

/// FIP and FDP as 64 bits (REX.W) or as 32 bits with selectors (zero here).
enum class PointerFormat : u8 { Bits32, Bits64 };

// Parts of the legacy area, of at least kFxsaveBytes.
void save_x87(const X87& x87, PointerFormat format, std::span<u8> area);
void load_x87(X87& x87, PointerFormat format, std::span<const u8> area);
void reset_x87(X87& x87);  // as FNINIT, and the registers zero
/// XMM0 to XMM`count - 1`.
void save_xmm(const CpuState& state, unsigned count, std::span<u8> area);
void load_xmm(CpuState& state, unsigned count, std::span<const u8> area);

}  // namespace reprise::cpu
