#include "tests/native/random.h"

#include <cstring>

namespace reprise::native {

u64 random_integer(Random& random) {
  // clang-format off
  static constexpr u64 kEdges[] = {
      0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0xffff,
      0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
      0xffffffffffffff80, 0xffffffffffff8000, 0xffffffff80000000, 0xffffffffffffffff, 0xfffffffffffffffe,
      0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x0123456789abcdef};
  // clang-format on
  switch (random.below(4)) {
    case 0: return random.next();
    case 1: return random.next() >> random.below(64);
    default: return random.pick(kEdges);
  }
}

u32 random_binary32(Random& random) {
  static constexpr u32 kEdges[] = {0,          0x00000001, 0x007fffff, 0x00800000, 0x3f800000, 0x3f7fffff,
                                   0x3fc00000, 0x40490fdb, 0x4effffff, 0x4f000000, 0x5f000000, 0x7f7fffff,
                                   0x7f800000, 0x7fc00000, 0x7fa00001, 0x7f800001, 0x7fffffff, 0x4b800000,
                                   0x3f000000, 0x00400000, 0x4b000001};
  u32 value;
  switch (random.below(4)) {
    case 0: value = static_cast<u32>(random.next()); break;
    case 1: value = static_cast<u32>((120 + random.below(16)) << 23 | (random.next() & 0x7fffff)); break;
    case 2: value = static_cast<u32>((120 + random.below(16)) << 23 | (random.next() & 0x7ff000)); break;
    default: value = random.pick(kEdges); break;
  }
  return random.chance(40) ? value ^ 0x80000000 : value;
}

u64 random_binary64(Random& random) {
  static constexpr u64 kEdges[] = {0,
                                   1,
                                   0x000fffffffffffff,
                                   0x0010000000000000,
                                   0x3ff0000000000000,
                                   0x3fefffffffffffff,
                                   0x3ff8000000000000,
                                   0x400921fb54442d18,
                                   0x41dfffffffc00000,
                                   0x41e0000000000000,
                                   0x43e0000000000000,
                                   0x7fefffffffffffff,
                                   0x7ff0000000000000,
                                   0x7ff8000000000000,
                                   0x7ff4000000000001,
                                   0x7ff0000000000001,
                                   0x7fffffffffffffff,
                                   0x3fe0000000000000,
                                   0x47efffffe0000000,
                                   0x36a0000000000000,
                                   0x380fffffc0000000};
  u64 value;
  switch (random.below(4)) {
    case 0: value = random.next(); break;
    case 1: value = (1016 + random.below(16)) << 52 | (random.next() & 0xfffffffffffff); break;
    case 2: value = (1016 + random.below(70)) << 52 | (random.next() & 0xffff000000000); break;
    default: value = random.pick(kEdges); break;
  }
  return random.chance(40) ? value ^ 0x8000000000000000 : value;
}

Extended random_extended(Random& random) {
  static constexpr Extended kEdges[] = {
      {0, 0},
      {1, 0},  // denormal
      {0x7fffffffffffffff, 0},
      {0x8000000000000000, 0},       // pseudo-denormal
      {0x8000000000000000, 1},       // smallest normal
      {0x8000000000000000, 0x3fff},  // 1
      {0xc90fdaa22168c235, 0x4000},  // pi
      {0xffffffffffffffff, 0x3ffe},
      {0xffffffffffffffff, 0x7ffe},  // largest
      {0x8000000000000000, 0x7fff},  // infinity
      {0xc000000000000000, 0x7fff},  // quiet NaN
      {0xa000000000000001, 0x7fff},  // signalling NaN
      {0xffffffffffffffff, 0x7fff},
      {0, 0x7fff},                   // pseudo-infinity
      {0x4000000000000000, 0x3fff},  // unnormal
      {0x8000000000000000, 0x403e},  // 2^63
      {0x8000000000000000, 0x401e},  // 2^31
      {0xfffffffe00000000, 0x401e},
      {0x8000000000000000, 0x3ffe},  // 0.5
  };
  Extended value;
  switch (random.below(4)) {
    case 0: value = {random.next() | u64{1} << 63, static_cast<u16>(random.below(0x7fff))}; break;
    case 1: value = {random.next() | u64{1} << 63, static_cast<u16>(0x3ff0 + random.below(32))}; break;
    case 2:
      value = {(random.next() & 0xffff000000000000) | u64{1} << 63,
               static_cast<u16>(0x3ff0 + random.below(64))};
      break;
    default: value = random.pick(kEdges); break;
  }
  if (random.chance(40)) value.sign_exponent ^= 0x8000;
  return value;
}

namespace {

u32 random_near_binary16(Random& random) {
  static constexpr u32 kTails[] = {0,      0x0fff, 0x1000,   0x1001,   0x1fff,
                                   0x2000, 0x3000, 0x7fe000, 0x7ff000, 0x7fffff};
  const u32 exponent = static_cast<u32>(100 + random.below(46));
  const u32 fraction = random.chance(50) ? random.pick(kTails) : static_cast<u32>(random.next() & 0x7fffff);
  return static_cast<u32>(random.next() & 0x80000000) | exponent << 23 | fraction;
}

}  // namespace

void random_vector(Random& random, u8* bytes) {
  const u64 kind = random.below(6);
  for (unsigned i = 0; i < 2; ++i) {
    u64 value = 0;
    switch (kind) {
      case 0: value = random.next(); break;
      case 1: value = random_integer(random); break;
      case 2: value = random_binary32(random) | u64{random_binary32(random)} << 32; break;
      case 3: value = random_binary64(random); break;
      case 4:
        // Around what binary16 can hold, as binary32.
        for (unsigned f = 0; f < 2; ++f) value = value << 32 | random_near_binary16(random);
        break;
      default: {
        static constexpr u8 kBytes[] = {0, 1, 0x7f, 0x80, 0x81, 0xff, 0x0f, 0x10};
        for (unsigned b = 0; b < 8; ++b) value = value << 8 | random.pick(kBytes);
      }
    }
    std::memcpy(bytes + 8 * i, &value, 8);
  }
}

}  // namespace reprise::native
