// The memory images of x87 and vector state: FXSAVE and XSAVE. SDM 1 10.5 and chapter 13.
#pragma once

#include <span>

#include "cpu/state/state.h"

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
inline constexpr u64 kXcompCompacted = u64{1} << 63;  // in XCOMP_BV: the area is in the compacted format

/// Bytes of the area for the components of `mask`. AVX state is the only component of the extended region, so that
/// both formats have it in the same place.
constexpr u32 xsave_area_bytes(u64 mask) { return (mask & kXstateAvx) ? kXsaveMaxBytes : kXsaveAvxOffset; }

/// The supervisor components that IA32_XSS may enable: none are there.
inline constexpr u64 kAllowedXss = 0;

/// XINUSE, SDM 1 13.6. Undefined: when a component in its initial configuration counts as in use. x87 state always
/// does, SSE state when an XMM register is not 0 or MXCSR is not 1F80H, AVX state when an upper half is not 0.
u64 components_in_use(const CpuState& state);

/// FIP and FDP as 64 bits (REX.W) or as 32 bits with selectors (zero here).
enum class PointerFormat : u8 { Bits32, Bits64 };

// Parts of the legacy area, of at least kFxsaveBytes.
void save_x87(const X87& x87, PointerFormat format, std::span<u8> area);
void load_x87(X87& x87, PointerFormat format, std::span<const u8> area);
void reset_x87(X87& x87);  // as FNINIT, and the registers zero
/// XMM0 to XMM`count - 1`.
void save_xmm(const CpuState& state, unsigned count, std::span<u8> area);
void load_xmm(CpuState& state, unsigned count, std::span<const u8> area);
/// Bits 255:128 of YMM0 to YMM`count - 1`, in the extended region of an area of kXsaveMaxBytes.
void save_ymm_high(const CpuState& state, unsigned count, std::span<u8> area);
void load_ymm_high(CpuState& state, unsigned count, std::span<const u8> area);
/// The initial configurations.
void reset_xmm(CpuState& state, unsigned count);
void reset_ymm_high(CpuState& state, unsigned count);

}  // namespace reprise::cpu
