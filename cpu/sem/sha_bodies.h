// Bodies of the SHA instructions. FIPS 180-4; SDM 2B SHA*. x[i] is doubleword i; SHA-1 keeps its first word highest.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

namespace sha {

using Words = std::array<u32, 4>;

constexpr u32 choose(u32 x, u32 y, u32 z) { return (x & y) ^ (~x & z); }
constexpr u32 parity(u32 x, u32 y, u32 z) { return x ^ y ^ z; }
constexpr u32 majority(u32 x, u32 y, u32 z) { return (x & y) ^ (x & z) ^ (y & z); }

// FIPS 180-4 4.1.2.
constexpr u32 big_sigma0(u32 x) { return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22); }
constexpr u32 big_sigma1(u32 x) { return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25); }
constexpr u32 sigma0(u32 x) { return std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3; }
constexpr u32 sigma1(u32 x) { return std::rotr(x, 17) ^ std::rotr(x, 19) ^ x >> 10; }

/// f and K of rounds 20 * group to 20 * group + 19. FIPS 180-4 4.1.1, 4.2.1.
constexpr u32 function(unsigned group, u32 b, u32 c, u32 d) {
  if (group == 0) return choose(b, c, d);
  return group == 2 ? majority(b, c, d) : parity(b, c, d);
}
inline constexpr u32 kConstants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};

}  // namespace sha

/// Four rounds; the source holds W + E for the first of them, and W.
struct sem_sha1rnds4 {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const auto state = lanes<u32>(dst), w = lanes<u32>(src);
    const unsigned group = imm & 3;
    u32 a = state[3], b = state[2], c = state[1], d = state[0], e = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const u32 next =
          sha::function(group, b, c, d) + std::rotl(a, 5) + w[3 - i] + e + sha::kConstants[group];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    return from_lanes(sha::Words{d, c, b, a});
  }
};

struct sem_sha1nexte {
  V128 operator()(V128 dst, V128 src) const {
    return with_lane<u32>(src, 3, lane<u32>(src, 3) + std::rotl(lane<u32>(dst, 3), 30));
  }
};

struct sem_sha1msg1 {
  V128 operator()(V128 dst, V128 src) const {
    const auto x = lanes<u32>(dst), y = lanes<u32>(src);
    return from_lanes(sha::Words{y[2] ^ x[0], y[3] ^ x[1], x[0] ^ x[2], x[1] ^ x[3]});
  }
};

struct sem_sha1msg2 {
  V128 operator()(V128 dst, V128 src) const {
    const auto x = lanes<u32>(dst), y = lanes<u32>(src);
    const u32 w16 = std::rotl(x[3] ^ y[2], 1);
    return from_lanes(
        sha::Words{std::rotl(x[0] ^ w16, 1), std::rotl(x[1] ^ y[0], 1), std::rotl(x[2] ^ y[1], 1), w16});
  }
};

/// Two rounds: dst holds C D G H, the source A B E F, XMM0 the sums W + K.
struct sem_sha256rnds2 {
  V128 operator()(V128 dst, V128 src, V128 wk) const {
    const auto cdgh = lanes<u32>(dst), abef = lanes<u32>(src);
    u32 a = abef[3], b = abef[2], c = cdgh[3], d = cdgh[2], e = abef[1], f = abef[0], g = cdgh[1],
        h = cdgh[0];
    for (unsigned i = 0; i < 2; ++i) {
      const u32 t1 = h + sha::big_sigma1(e) + sha::choose(e, f, g) + lane<u32>(wk, i);
      const u32 t2 = sha::big_sigma0(a) + sha::majority(a, b, c);
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    return from_lanes(sha::Words{f, e, b, a});
  }
};

struct sem_sha256msg1 {
  V128 operator()(V128 dst, V128 src) const {
    const auto w = lanes<u32>(dst);
    const u32 w4 = lane<u32>(src, 0);
    return from_lanes(sha::Words{w[0] + sha::sigma0(w[1]), w[1] + sha::sigma0(w[2]), w[2] + sha::sigma0(w[3]),
                                 w[3] + sha::sigma0(w4)});
  }
};

struct sem_sha256msg2 {
  V128 operator()(V128 dst, V128 src) const {
    const auto x = lanes<u32>(dst), y = lanes<u32>(src);
    const u32 w16 = x[0] + sha::sigma1(y[2]), w17 = x[1] + sha::sigma1(y[3]);
    return from_lanes(sha::Words{w16, w17, x[2] + sha::sigma1(w16), x[3] + sha::sigma1(w17)});
  }
};

}  // namespace reprise::cpu
