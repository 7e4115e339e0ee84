// The floating-point environment of one operation: what MXCSR or the x87 control word asks for, and what the
// operation reports back. SDM vol. 1 4.8.4, 4.9, 8.1.5, 10.2.3.
#pragma once

#include "common/types.h"

namespace reprise::softfloat {

/// Values of MXCSR.RC and FCW.RC.
enum class Rounding : u8 { Nearest = 0, Down = 1, Up = 2, Truncate = 3 };

/// Values of FCW.PC. Undefined: the reserved encoding 1 rounds as Extended.
enum class Precision : u8 { Single = 0, Reserved = 1, Double = 2, Extended = 3 };

// Exception flags, as bits 0-5 of MXCSR and of the x87 status word; masks use the same bits.
inline constexpr u32 kIE = 1u << 0;
inline constexpr u32 kDE = 1u << 1;
inline constexpr u32 kZE = 1u << 2;
inline constexpr u32 kOE = 1u << 3;
inline constexpr u32 kUE = 1u << 4;
inline constexpr u32 kPE = 1u << 5;
inline constexpr u32 kAllExceptions = 0x3f;
inline constexpr u32 kPreComputation = kIE | kDE | kZE;

/// One environment serves one instruction. The caller sets the controls, runs the operation on every element,
/// and looks at `unmasked()`:
///  - SSE: when it is not zero the destination keeps its value and #XM follows;
///  - x87: IE, DE, ZE unmasked keep the operands; OE, UE unmasked deliver the wrapped result that the
///    operation returns (exponent biased by 24576) when the destination is a register, nothing when it is memory.
/// An operation that meets an unmasked IE, DE or ZE stops there: it reports no later exception and its result
/// is not to be used.
struct FpEnv {
  Rounding rounding = Rounding::Nearest;
  /// Only for Extended80 add, sub, mul, div and sqrt.
  Precision precision = Precision::Extended;
  /// Denormal operands count as zeros, without DE. SSE only.
  bool daz = false;
  /// Tiny results become zeros while UE is masked. SSE only.
  bool ftz = false;
  /// An operand of this Extended80 operation was widened from a denormal binary32 or binary64: see widen().
  bool source_denormal = false;
  /// A set bit masks the exception.
  u32 masks = kAllExceptions;

  /// Out: exceptions, accumulated over the operations.
  u32 flags = 0;
  /// Out: the last rounding increased the magnitude (x87 C1).
  bool rounded_up = false;

  /// To be called after the last element of a packed operation: an unmasked IE, DE or ZE in any element hides
  /// the OE, UE and PE of all of them. `flags` must hold those of this instruction only.
  void settle() {
    if ((unmasked() & kPreComputation) != 0) flags &= kPreComputation;
  }

  u32 unmasked() const { return flags & ~masks & kAllExceptions; }
  bool masked(u32 exception) const { return (masks & exception) != 0; }

  /// Adds pre-computation exceptions; true when the operation goes on to its masked response.
  bool raise(u32 exceptions) {
    flags |= exceptions;
    return (exceptions & ~masks) == 0;
  }
};

}  // namespace reprise::softfloat
