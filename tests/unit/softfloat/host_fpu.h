// The host's own SSE and x87 units, as the oracle of the floating-point tests. x86-64 hosts only.
#pragma once

#include "cpu/softfloat/env.h"
#include "cpu/softfloat/format.h"

namespace reprise::softfloat::test {

#if defined(__x86_64__)
inline constexpr bool kHostFpu = true;
#else
inline constexpr bool kHostFpu = false;
#endif

enum class SseOp { Add, Sub, Mul, Div, Sqrt, Min, Max, Comi, Ucomi };
enum class FmaForm { Madd, Msub, Nmadd, Nmsub };
enum class SseConversion {
  Ss2Sd,
  Sd2Ss,
  Ss2Si32,
  Ss2Si64,
  Tss2Si32,
  Tss2Si64,
  Sd2Si32,
  Sd2Si64,
  Tsd2Si32,
  Tsd2Si64,
  Si32ToSs,
  Si64ToSs,
  Si32ToSd,
  Si64ToSd,
  Ph2Ps,
  Ps2Ph,
  RoundSs,
  RoundSd
};

/// A result and the MXCSR flags; `faulted` when #XM came, the flags then are those of the fault.
struct SseResult {
  u64 value = 0;
  u32 flags = 0;
  bool faulted = false;
};

/// MXCSR from an environment.
u32 mxcsr_of(const FpEnv& env);

SseResult host_sse32(SseOp op, u32 a, u32 b, const FpEnv& env);
SseResult host_sse64(SseOp op, u64 a, u64 b, const FpEnv& env);
SseResult host_fma32(FmaForm form, u32 a, u32 b, u32 c, const FpEnv& env);
SseResult host_fma64(FmaForm form, u64 a, u64 b, u64 c, const FpEnv& env);
/// The immediate of ROUNDSS/ROUNDSD is mode 4 (MXCSR.RC), plus 8 when `suppress`.
SseResult host_sse_convert(SseConversion conversion, u64 a, const FpEnv& env, bool suppress = false);
/// Packed division of two lanes, for the flags.
u32 host_div_packed_flags(const u64 (&a)[2], const u64 (&b)[2], const FpEnv& env);

enum class X87Op {
  Add,
  Sub,
  Mul,
  Div,
  Sqrt,
  Prem,
  Prem1,
  Rndint,
  Scale,
  Xtract,
  Com,
  Ucom,
  Tst,
  F2xm1,
  Yl2x,
  Yl2xp1,
  Patan,
  Sin,
  Cos,
  Sincos,
  Ptan,
  AddM32,
  AddM64,
  DivM32,
  DivM64,
  DivrM32,
  ComM32,
  LdM32,
  LdM64,
  StM32,
  StM64,
  Ild64,
  Ist16,
  Ist32,
  Ist64,
  Istt16,
  Istt32,
  Istt64,
  Bld,
  Bstp,
  Ld1,
  Ldl2t,
  Ldl2e,
  Ldpi,
  Ldlg2,
  Ldln2,
  Ldz
};

struct X87Result {
  u32 flags = 0;
  u16 status = 0;
  Float80 st0, st1;
  /// The memory destination; keeps its filling (0xa5 bytes) when nothing was stored.
  u8 memory[16] = {};
  bool c1() const { return (status & 0x200) != 0; }
  bool c2() const { return (status & 0x400) != 0; }
};

/// Runs the operation with ST0 = a, ST1 = b and `memory` as the source operand of memory forms. FTZ and DAZ
/// do not apply; unmasked exceptions stay pending, nothing traps.
X87Result host_x87(X87Op op, Float80 a, Float80 b, const FpEnv& env, u64 memory = 0, u16 memory_high = 0);

}  // namespace reprise::softfloat::test
