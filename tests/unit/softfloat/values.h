// Operand values for floating-point tests: an edge list per format and seeded random values weighted to
// specials, near-overflow, near-denormal and few-bit significands. REPRISE_LONG=n multiplies the number of
// random cases.
#pragma once

#include <cstdlib>
#include <vector>

#include "cpu/softfloat/format.h"

namespace reprise::softfloat::test {

class Random {
 public:
  explicit Random(u64 seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  u64 next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1d;
  }
  u64 below(u64 bound) { return (next() >> 11) % bound; }
  bool chance(u64 one_in) { return below(one_in) == 0; }

 private:
  u64 state_;
};

inline u64 random_cases(u64 base) {
  const char* factor = std::getenv("REPRISE_LONG");
  const u64 multiplier = factor ? std::strtoull(factor, nullptr, 10) : 1;
  return base * (multiplier == 0 ? 1 : multiplier);
}

/// A fraction of `bits` bits: zeros, ones, runs, single bits or noise.
inline u64 random_fraction(Random& random, unsigned bits) {
  const u64 mask = bits >= 64 ? ~u64{0} : (u64{1} << bits) - 1;
  switch (random.below(8)) {
    case 0: return 0;
    case 1: return mask;
    case 2: return (u64{1} << random.below(bits)) & mask;
    case 3: return (mask << random.below(bits)) & mask;
    case 4: return mask >> random.below(bits);
    case 5: return (random.next() << random.below(bits)) & mask;
    default: return random.next() & mask;
  }
}

template <class F>
typename F::Bits build(bool sign, i32 field, u64 fraction) {
  if constexpr (F::kExtended) {
    const u64 integer = field == 0 ? 0 : kIntegerBit;
    return F::pack(sign, field, (fraction & ~kIntegerBit) | integer);
  } else {
    using Bits = typename F::Bits;
    return static_cast<Bits>(F::with_sign(sign) |
                             static_cast<Bits>(static_cast<Bits>(field) << F::kFractionBits) |
                             (static_cast<Bits>(fraction) & F::kFractionMask));
  }
}

template <class F>
typename F::Bits random_value(Random& random) {
  const bool sign = random.chance(2);
  const unsigned bits = F::kFractionBits;
  const u64 fraction = random_fraction(random, bits);
  const i32 max = F::kMaxField;
  i32 field = 0;
  switch (random.below(16)) {
    case 0: field = 0; break;
    case 1: field = max; break;
    case 2: field = 1 + static_cast<i32>(random.below(4)); break;
    case 3: field = max - 1 - static_cast<i32>(random.below(4)); break;
    case 4: field = static_cast<i32>(random.below(bits + 4)); break;
    case 5: field = max - 1 - static_cast<i32>(random.below(bits + 4)) % max; break;
    case 6: field = static_cast<i32>(random.below(static_cast<u64>(max))); break;
    case 7: field = F::kBias / 2 + static_cast<i32>(random.below(8)) - 4; break;
    case 8: field = F::kBias + F::kBias / 2 + static_cast<i32>(random.below(8)) - 4; break;
    case 9:
    case 10: field = F::kBias + static_cast<i32>(random.below(70)) - 3; break;
    default: field = F::kBias + static_cast<i32>(random.below(7)) - 3; break;
  }
  if (field < 0) field = 0;
  if (field > max) field = max;
  typename F::Bits value = build<F>(sign, field, fraction);
  if constexpr (F::kExtended) {
    // Now and then an encoding with the wrong integer bit.
    if (random.chance(40)) value.significand ^= kIntegerBit;
  }
  return value;
}

template <class F>
std::vector<typename F::Bits> edge_values() {
  std::vector<typename F::Bits> values;
  const u64 ones = F::kFractionBits >= 64 ? ~u64{0} : (u64{1} << F::kFractionBits) - 1;
  const u64 quiet = u64{1} << (F::kFractionBits - 1);
  for (bool sign : {false, true}) {
    for (u64 fraction : {u64{0}, u64{1}, u64{2}, quiet, ones - 1, ones})
      values.push_back(build<F>(sign, 0, fraction));
    for (i32 field : {1, 2, F::kBias - 1, F::kBias, F::kBias + 1,
                      F::kBias + static_cast<i32>(F::kFractionBits), F::kMaxField - 2, F::kMaxField - 1})
      for (u64 fraction : {u64{0}, u64{1}, ones}) {
        if (field <= F::kMaxField) values.push_back(build<F>(sign, field, fraction));
      }
    // Infinity, signalling and quiet NaNs.
    for (u64 fraction : {u64{0}, u64{1}, quiet - 1, quiet, quiet + 5, ones})
      values.push_back(build<F>(sign, F::kMaxField, fraction));
    if constexpr (F::kExtended) {
      values.push_back(F::pack(sign, 0, kIntegerBit));  // pseudo-denormals
      values.push_back(F::pack(sign, 0, kIntegerBit | 1));
      values.push_back(F::pack(sign, 0, ~u64{0}));
      values.push_back(F::pack(sign, 1, kIntegerBit - 1));  // unnormals
      values.push_back(F::pack(sign, F::kBias, 0));
      values.push_back(F::pack(sign, F::kMaxField, 0));  // pseudo-infinity
      values.push_back(F::pack(sign, F::kMaxField, 1));  // pseudo-NaNs
      values.push_back(F::pack(sign, F::kMaxField, kQuietBit80));
      values.push_back(F::pack(sign, F::kBias, 0xffffff8000000000));  // binary32 halfway
      values.push_back(F::pack(sign, F::kBias, 0xfffffffffffffc00));  // binary64 halfway
    }
  }
  return values;
}

}  // namespace reprise::softfloat::test
