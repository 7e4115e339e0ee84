// Descriptions of the binary formats: binary16, binary32, binary64 and the x87 80-bit extended format with
// its explicit integer bit. SDM vol. 1 4.2.2, 4.8.3, 8.2.2. Pure; any thread.
#pragma once

#include <bit>

#include "common/types.h"

namespace reprise::softfloat {

/// Unsupported: pseudo-infinities, pseudo-NaNs and unnormals of the extended format.
enum class Kind : u8 { Zero, Normal, Denormal, Infinity, QuietNan, SignallingNan, Unsupported };

/// An unpacked operand. For Normal and Denormal the value is significand * 2^(exponent - 63) with bit 63 of
/// `significand` set; for NaNs `significand` is left-justified as in the extended format.
struct Parts {
  u64 significand = 0;
  i32 exponent = 0;
  bool sign = false;
  Kind kind = Kind::Zero;

  bool nan() const { return kind >= Kind::QuietNan; }
  bool infinite() const { return kind == Kind::Infinity; }
  bool zero() const { return kind == Kind::Zero; }
  bool denormal() const { return kind == Kind::Denormal; }
};

/// An 80-bit extended value as the registers hold it.
struct Float80 {
  u64 significand = 0;
  /// Bit 15 is the sign, bits 14:0 the biased exponent.
  u16 sign_exponent = 0;

  friend constexpr bool operator==(const Float80&, const Float80&) = default;
};

inline constexpr u64 kIntegerBit = u64{1} << 63;
inline constexpr u64 kQuietBit80 = u64{1} << 62;

/// An interchange format with an implied integer bit.
template <class Uint, unsigned kExponentBits, unsigned kFraction>
struct InterchangeFormat {
  using Bits = Uint;
  /// Wide enough for one significand with more than two bits to spare.
  using Wide = u64;
  static constexpr bool kExtended = false;
  static constexpr unsigned kFractionBits = kFraction;
  static constexpr i32 kMaxField = (1 << kExponentBits) - 1;
  static constexpr i32 kBias = kMaxField >> 1;
  static constexpr unsigned kSignShift = kExponentBits + kFraction;
  static constexpr Uint kFractionMask = static_cast<Uint>((Uint{1} << kFraction) - 1);
  static constexpr Uint kQuietBit = static_cast<Uint>(Uint{1} << (kFraction - 1));

  static constexpr bool sign(Bits bits) { return (bits >> kSignShift) != 0; }
  static constexpr i32 field(Bits bits) { return static_cast<i32>(bits >> kFraction) & kMaxField; }
  static constexpr bool is_normal(Bits bits) {
    return static_cast<u32>(field(bits) - 1) < static_cast<u32>(kMaxField - 1);
  }
  static constexpr Bits with_sign(bool sign) {
    return static_cast<Bits>(static_cast<Bits>(sign) << kSignShift);
  }
  static constexpr Bits zero(bool sign) { return with_sign(sign); }
  static constexpr Bits infinity(bool sign) {
    return static_cast<Bits>(with_sign(sign) | (static_cast<Bits>(kMaxField) << kFraction));
  }
  static constexpr Bits largest(bool sign) { return static_cast<Bits>(infinity(sign) - 1); }
  static constexpr Bits default_nan() { return static_cast<Bits>(infinity(true) | kQuietBit); }
  static constexpr Bits quiet(Bits bits) { return static_cast<Bits>(bits | kQuietBit); }
  static constexpr Bits negate(Bits bits) { return static_cast<Bits>(bits ^ with_sign(true)); }

  /// The parts of a value for which is_normal() holds.
  static constexpr Parts normal_parts(Bits bits) {
    const u64 significand = (static_cast<u64>(bits & kFractionMask) << (63 - kFraction)) | kIntegerBit;
    return {significand, field(bits) - kBias, sign(bits), Kind::Normal};
  }
  static constexpr Parts unpack(Bits bits) {
    if (is_normal(bits)) return normal_parts(bits);
    const u64 fraction = static_cast<u64>(bits & kFractionMask) << (63 - kFraction);
    if (field(bits) == 0) {
      if (fraction == 0) return {0, 0, sign(bits), Kind::Zero};
      const int shift = std::countl_zero(fraction);
      return {fraction << shift, 1 - kBias - shift, sign(bits), Kind::Denormal};
    }
    const Kind kind = fraction == 0        ? Kind::Infinity
                      : (bits & kQuietBit) ? Kind::QuietNan
                                           : Kind::SignallingNan;
    return {fraction | kIntegerBit, 0, sign(bits), kind};
  }
};

using Binary16 = InterchangeFormat<u16, 5, 10>;
using Binary32 = InterchangeFormat<u32, 8, 23>;
using Binary64 = InterchangeFormat<u64, 11, 52>;

/// The x87 format.
struct Extended80 {
  using Bits = Float80;
  using Wide = u128;
  static constexpr bool kExtended = true;
  static constexpr unsigned kFractionBits = 63;
  static constexpr i32 kMaxField = 0x7fff;
  static constexpr i32 kBias = 0x3fff;
  /// Added to or taken from the exponent of the result of an unmasked underflow or overflow.
  static constexpr i32 kWrapBias = 24576;

  static constexpr bool sign(Bits bits) { return (bits.sign_exponent >> 15) != 0; }
  static constexpr i32 field(Bits bits) { return bits.sign_exponent & 0x7fff; }
  static constexpr bool is_normal(Bits bits) {
    return static_cast<u32>(field(bits) - 1) < 0x7ffe && (bits.significand >> 63) != 0;
  }
  static constexpr Bits pack(bool sign, i32 exponent_field, u64 significand) {
    return {significand, static_cast<u16>((sign ? 0x8000 : 0) | (exponent_field & 0x7fff))};
  }
  static constexpr Bits zero(bool sign) { return pack(sign, 0, 0); }
  static constexpr Bits infinity(bool sign) { return pack(sign, kMaxField, kIntegerBit); }
  static constexpr Bits default_nan() { return pack(true, kMaxField, kIntegerBit | kQuietBit80); }
  static constexpr Bits quiet(Bits bits) { return {bits.significand | kQuietBit80, bits.sign_exponent}; }
  static constexpr Bits negate(Bits bits) {
    return {bits.significand, static_cast<u16>(bits.sign_exponent ^ 0x8000)};
  }

  static constexpr Parts normal_parts(Bits bits) {
    return {bits.significand, field(bits) - kBias, sign(bits), Kind::Normal};
  }
  static constexpr Parts unpack(Bits bits) {
    if (is_normal(bits)) return normal_parts(bits);
    const u64 significand = bits.significand;
    if (field(bits) == 0) {
      if (significand == 0) return {0, 0, sign(bits), Kind::Zero};
      // Pseudo-denormals (integer bit set) count as denormals with the value their bits say.
      const int shift = std::countl_zero(significand);
      return {significand << shift, 1 - kBias - shift, sign(bits), Kind::Denormal};
    }
    Kind kind = Kind::Unsupported;
    if ((significand & kIntegerBit) != 0) {
      kind = significand == kIntegerBit         ? Kind::Infinity
             : (significand & kQuietBit80) != 0 ? Kind::QuietNan
                                                : Kind::SignallingNan;
    }
    return {significand, 0, sign(bits), kind};
  }
};

}  // namespace reprise::softfloat
