// Bodies of the AES instructions and PCLMULQDQ. FIPS 197; SDM 2A AES*, SDM 2B PCLMULQDQ.
// The state is the 16 bytes of the register: byte 4 * column + row.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

namespace aes {

using Bytes = std::array<u8, 16>;

/// Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
constexpr u8 xtime(u8 a) { return static_cast<u8>(a << 1 ^ (a >> 7) * 0x1b); }
constexpr u8 multiply(u8 a, u8 b) {
  u8 product = 0;
  for (; b != 0; b >>= 1, a = xtime(a)) {
    if (b & 1) product ^= a;
  }
  return product;
}

/// FIPS 197 5.1.1: the inverse in GF(2^8) (0 stays 0), then an affine map.
inline constexpr auto kSbox = [] {
  std::array<u8, 256> box{};
  // Powers of the generator 3 and of its inverse F6h run through all pairs of inverses.
  u8 power = 1, inverse = 1;
  do {
    power = static_cast<u8>(power ^ xtime(power));
    inverse = multiply(inverse, 0xf6);
    const unsigned doubled = inverse | inverse << 8;
    const unsigned mixed = doubled ^ doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7;
    box[power] = static_cast<u8>(mixed ^ 0x63);
  } while (power != 1);
  box[0] = 0x63;
  return box;
}();
inline constexpr auto kInverseSbox = [] {
  std::array<u8, 256> box{};
  for (unsigned i = 0; i < 256; ++i) box[kSbox[i]] = static_cast<u8>(i);
  return box;
}();
static_assert(kSbox[0x53] == 0xed && kInverseSbox[0xed] == 0x53);

/// One column of MixColumns for one byte in row 0: the byte times 2, 1, 1, 3 (or, inverse, E, 9, D, B).
template <u8 R0, u8 R1, u8 R2, u8 R3>
inline constexpr auto kColumn = [] {
  std::array<u32, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const u8 a = static_cast<u8>(i);
    table[i] = multiply(a, R0) | u32{multiply(a, R1)} << 8 | u32{multiply(a, R2)} << 16 | u32{multiply(a, R3)} << 24;
  }
  return table;
}();

template <const std::array<u32, 256>& Table>
constexpr V128 mix(const V128& state) {
  const Bytes a = lanes<u8>(state);
  return fill_lanes<u32, V128>([&](unsigned column) {
    u32 sum = 0;
    for (unsigned row = 0; row < 4; ++row) sum ^= std::rotl(Table[a[4 * column + row]], static_cast<int>(8 * row));
    return sum;
  });
}
constexpr V128 mix_columns(const V128& state) { return mix<kColumn<2, 1, 1, 3>>(state); }
constexpr V128 inverse_mix_columns(const V128& state) { return mix<kColumn<14, 9, 13, 11>>(state); }

/// ShiftRows and SubBytes: row r moves left by r columns.
constexpr V128 shift_and_substitute(const V128& state) {
  const Bytes a = lanes<u8>(state);
  return fill_lanes<u8, V128>([&](unsigned i) { return kSbox[a[(i + 4 * (i % 4)) % 16]]; });
}
constexpr V128 inverse_shift_and_substitute(const V128& state) {
  const Bytes a = lanes<u8>(state);
  return fill_lanes<u8, V128>([&](unsigned i) { return kInverseSbox[a[(i + 16 - 4 * (i % 4)) % 16]]; });
}

constexpr V128 add_key(const V128& a, const V128& key) { return V128{{a.qword[0] ^ key.qword[0], a.qword[1] ^ key.qword[1]}}; }

constexpr u32 substitute_word(u32 word) {
  return kSbox[word & 0xff] | u32{kSbox[word >> 8 & 0xff]} << 8 | u32{kSbox[word >> 16 & 0xff]} << 16 |
         u32{kSbox[word >> 24]} << 24;
}

}  // namespace aes

struct sem_aesenc {
  V128 operator()(V128 dst, V128 key) const { return aes::add_key(aes::mix_columns(aes::shift_and_substitute(dst)), key); }
};
struct sem_aesenclast {
  V128 operator()(V128 dst, V128 key) const { return aes::add_key(aes::shift_and_substitute(dst), key); }
};
struct sem_aesdec {
  V128 operator()(V128 dst, V128 key) const {
    return aes::add_key(aes::inverse_mix_columns(aes::inverse_shift_and_substitute(dst)), key);
  }
};
struct sem_aesdeclast {
  V128 operator()(V128 dst, V128 key) const { return aes::add_key(aes::inverse_shift_and_substitute(dst), key); }
};
struct sem_aesimc {
  V128 operator()(V128 src) const { return aes::inverse_mix_columns(src); }
};
struct sem_aeskeygenassist {
  V128 operator()(V128 src, u8 round_constant) const {
    const auto x = lanes<u32>(src);
    const u32 x1 = aes::substitute_word(x[1]), x3 = aes::substitute_word(x[3]);
    return from_lanes(std::array<u32, 4>{x1, std::rotr(x1, 8) ^ round_constant, x3, std::rotr(x3, 8) ^ round_constant});
  }
};

/// The carry-less product of quadword imm[0] of dst and quadword imm[4] of src.
struct sem_pclmulqdq {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const u64 a = dst.qword[imm & 1], b = src.qword[imm >> 4 & 1];
    u128 product = 0;
    for (unsigned i = 0; i < 64; ++i) product ^= (u128{a} << i) & (u128{0} - (b >> i & 1));
    return V128{{static_cast<u64>(product), static_cast<u64>(product >> 64)}};
  }
};

}  // namespace reprise::cpu
