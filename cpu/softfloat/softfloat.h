// IEEE-754 arithmetic in software with the semantics of x86: SSE/AVX on Binary32 and Binary64, x87 on
// Extended80, F16C conversions on Binary16. SDM vol. 1 chapters 4.8, 4.9, 8, 10, 11; vol. 2 for each
// instruction.
//
// Pure functions of their operands and the environment, on any host: no host floating point is used. Any
// thread. Every operand bit pattern has a defined result. The format selects the NaN rule: Extended80 follows
// the x87 rule, the others the SSE rule. See env.h for how masked and unmasked exceptions come out.
#pragma once

#include "cpu/softfloat/env.h"
#include "cpu/softfloat/format.h"

namespace reprise::softfloat {

// --- Arithmetic: Binary32, Binary64, Extended80
// -------------------------------------------------------------------
template <class F>
typename F::Bits add(FpEnv& env, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits sub(FpEnv& env, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits mul(FpEnv& env, typename F::Bits a, typename F::Bits b);
/// a / b
template <class F>
typename F::Bits div(FpEnv& env, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits sqrt(FpEnv& env, typename F::Bits a);

/// What fma negates before adding; NaNs pass unchanged.
enum class FmaSigns : u8 { None = 0, NegateAddend = 1, NegateProduct = 2, NegateBoth = 3 };

/// a * b + c with one rounding. Binary32 and Binary64. When several operands are NaNs the result is the first
/// of `a`, `b`, `c`. With op1 the destination, VFMADD132 passes (op1, op3, op2), VFMADD213 (op2, op1, op3)
/// and VFMADD231 (op2, op3, op1).
template <class F>
typename F::Bits fma(FpEnv& env, typename F::Bits a, typename F::Bits b, typename F::Bits c, FmaSigns signs);

/// MINSS and kin: `b` when either is a NaN or both are zeros. Binary32 and Binary64.
template <class F>
typename F::Bits min(FpEnv& env, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits max(FpEnv& env, typename F::Bits a, typename F::Bits b);

// --- Comparison
// ---------------------------------------------------------------------------------------------------
enum class Relation : u8 { Less, Equal, Greater, Unordered };
/// Signalling comparisons raise IE for any NaN (COMISS, FCOM), quiet ones for signalling NaNs (UCOMISS,
/// FUCOM).
enum class NanSignals : u8 { OnlySignalling, Any };

/// a compared with b. Unsupported extended operands raise IE and are unordered.
template <class F>
Relation compare(FpEnv& env, typename F::Bits a, typename F::Bits b, NanSignals signals);

// --- Conversions
// --------------------------------------------------------------------------------------------------
/// Between any two different formats. To Extended80 it is FLD, from Extended80 FST: the latter ignores
/// denormals. Binary16 sources never raise DE and ignore DAZ; Binary16 results ignore FTZ.
template <class To, class From>
typename To::Bits convert(FpEnv& env, typename From::Bits value);

/// A memory operand of x87 arithmetic, exactly as it is: a NaN keeps its kind, and a denormal is noted in
/// `env.source_denormal` for the operation that follows. Binary32 and Binary64; raises nothing.
template <class From>
Float80 widen(FpEnv& env, typename From::Bits value);

/// Exact for Extended80; the others round and may raise PE.
template <class F>
typename F::Bits from_int64(FpEnv& env, i64 value);

enum class IntWidth : u8 { Word = 16, Dword = 32, Qword = 64 };

/// To a signed integer, sign-extended to 64 bits. NaNs and values out of range after rounding raise IE and
/// give the integer indefinite (only the top bit of the width set). Denormals never raise DE.
template <class F>
i64 to_int(FpEnv& env, typename F::Bits value, IntWidth width, Rounding rounding);

enum class Inexact : u8 { Raises, Suppressed };

/// To an integral value in the same format: ROUNDSS and kin; FRNDINT on Extended80 (which raises DE).
template <class F>
typename F::Bits round_to_integral(FpEnv& env, typename F::Bits value, Rounding rounding, Inexact inexact);

// --- x87 only
// -----------------------------------------------------------------------------------------------------
struct Remainder {
  Float80 value;
  /// Low bits of the integer quotient's magnitude; only bits 2:0 are reported (C0, C3, C1).
  u64 quotient = 0;
  /// The reduction is incomplete: C2.
  bool partial = false;
  /// False for NaNs, invalid and stopped operations: there is no quotient to report.
  bool reduced = true;
};
/// FPREM rounds the quotient toward zero, FPREM1 to nearest even.
enum class Quotient : u8 { Truncated, Nearest };
Remainder remainder(FpEnv& env, Float80 a, Float80 b, Quotient quotient);

/// FSCALE: a * 2^trunc(b).
Float80 scale(FpEnv& env, Float80 a, Float80 b);

struct Extracted {
  Float80 exponent;
  Float80 significand;
};
/// FXTRACT.
Extracted extract(FpEnv& env, Float80 a);

/// The 10 bytes of a packed decimal: 18 digits, low digit first, and a byte whose bit 7 is the sign.
struct PackedBcd {
  u64 low_digits = 0;
  u16 high_digits_and_sign = 0;

  friend constexpr bool operator==(const PackedBcd&, const PackedBcd&) = default;
};
/// FBLD. Undefined: nibbles above 9 count with their binary value; bits 6:0 of the last byte are ignored.
Float80 from_bcd(PackedBcd bcd);
/// FBSTP: rounds with env.rounding. NaNs and values of more than 18 digits raise IE and give the indefinite.
PackedBcd to_bcd(FpEnv& env, Float80 value);

/// The constants of FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ, rounded as the environment says; no
/// flags.
enum class Constant : u8 { One, Log2Of10, Log2OfE, Pi, Log10Of2, LnOf2, Zero };
Float80 load_constant(Rounding rounding, Constant constant);

// --- x87 transcendentals
// ------------------------------------------------------------------------------------------ Defined here for
// every host: the exact result, correctly rounded in all but a few cases in 10^9, by the rounding control and
// at extended precision whatever the precision control says. Trigonometric functions use the x87's 66-bit pi.
// PE is raised with every result that is neither zero, infinite, a NaN, nor the cosine of zero.

/// F2XM1. Undefined: |a| > 1 returns a.
Float80 f2xm1(FpEnv& env, Float80 a);
/// FYL2X: y * log2(x).
Float80 yl2x(FpEnv& env, Float80 y, Float80 x);
/// FYL2XP1: y * log2(x + 1), for any x above -1. Undefined: below, x is returned.
Float80 yl2xp1(FpEnv& env, Float80 y, Float80 x);
/// FPATAN.
Float80 atan2(FpEnv& env, Float80 y, Float80 x);

/// |a| is finite and at least 2^63: FSIN, FCOS, FSINCOS and FPTAN set C2 and do nothing.
bool out_of_trigonometric_range(Float80 a);
// For arguments in range.
Float80 sin(FpEnv& env, Float80 a);
Float80 cos(FpEnv& env, Float80 a);
Float80 tan(FpEnv& env, Float80 a);
struct SineCosine {
  Float80 sine;
  Float80 cosine;
};
SineCosine sincos(FpEnv& env, Float80 a);

}  // namespace reprise::softfloat
