// Bits of the x87 control and status words. SDM 1 8.1.3, 8.1.5.
#pragma once

#include "cpu/softfloat/env.h"
#include "cpu/state/state.h"

namespace reprise::cpu {

// Status word, SDM 1 8.1.3. Bits 0-5 are the exception flags of softfloat/env.h.
inline constexpr u16 kFswSf = 1u << 6;
inline constexpr u16 kFswEs = 1u << 7;
inline constexpr u16 kFswC0 = 1u << 8;
inline constexpr u16 kFswC1 = 1u << 9;
inline constexpr u16 kFswC2 = 1u << 10;
inline constexpr u16 kFswTop = 7u << 11;
inline constexpr u16 kFswC3 = 1u << 14;
inline constexpr u16 kFswB = 1u << 15;
inline constexpr u16 kFswCodes = kFswC0 | kFswC2 | kFswC3;

/// Control word bits that exist; bit 6 reads as one. SDM 1 8.1.5.
inline constexpr u16 kFcwWritable = 0x1f3f;
inline constexpr u16 kFcwFixed = 0x0040;
inline constexpr u16 kFcwInit = 0x037f;

namespace x87 {

/// Puts ES and B in step with the flags and masks.
inline void update_summary(X87& fpu) {
  const bool pending = (fpu.fsw & ~fpu.fcw & softfloat::kAllExceptions) != 0;
  fpu.fsw = static_cast<u16>((fpu.fsw & ~(kFswEs | kFswB)) | (pending ? kFswEs | kFswB : 0));
}

}  // namespace x87
}  // namespace reprise::cpu
