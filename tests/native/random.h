// A small seeded generator and the edge values the cases are made of.
#pragma once

#include "common/types.h"

namespace reprise::native {

/// splitmix64.
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    u64 z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  u64 below(u64 bound) { return next() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class T, unsigned N>
  T pick(const T (&values)[N]) {
    return values[below(N)];
  }

 private:
  u64 state_;
};

u64 random_integer(Random& random);
u32 random_binary32(Random& random);
u64 random_binary64(Random& random);
/// An 80-bit value: significand and sign/exponent.
struct Extended {
  u64 significand;
  u16 sign_exponent;
};
Extended random_extended(Random& random);
/// 16 bytes of one of the kinds vector instructions care about.
void random_vector(Random& random, u8* bytes);

}  // namespace reprise::native
