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

constexpr u8 identity(u8 byte) { return byte; }
constexpr u8 substitute(u8 byte) { return kSbox[byte]; }
constexpr u8 inverse_substitute(u8 byte) { return kInverseSbox[byte]; }

/// What a byte in row 0 adds to its column in (Inv)MixColumns after going through Box: multiples in rows 0 to 3.
template <u8 (*Box)(u8), u8 R0, u8 R1, u8 R2, u8 R3>
inline constexpr auto kColumn = [] {
  std::array<u32, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    const u8 a = Box(static_cast<u8>(i));
    table[i] =
        multiply(a, R0) | u32{multiply(a, R1)} << 8 | u32{multiply(a, R2)} << 16 | u32{multiply(a, R3)} << 24;
  }
  return table;
}();
inline constexpr auto& kMixSubstituted = kColumn<substitute, 2, 1, 1, 3>;
inline constexpr auto& kInverseMix = kColumn<identity, 14, 9, 13, 11>;
inline constexpr auto& kInverseMixSubstituted = kColumn<inverse_substitute, 14, 9, 13, 11>;

/// Where ShiftRows finds byte i: row r moves left by r columns. InvShiftRows moves right.
constexpr unsigned shifted(unsigned i) { return (i + 4 * (i % 4)) % 16; }
constexpr unsigned inverse_shifted(unsigned i) { return (i + 16 - 4 * (i % 4)) % 16; }
constexpr unsigned in_place(unsigned i) { return i; }

/// Moves bytes as From says and sums up the columns of their Table entries.
template <const std::array<u32, 256>& Table, unsigned (*From)(unsigned)>
constexpr V128 mix_columns(const V128& state) {
  const Bytes a = lanes<u8>(state);
  return fill_lanes<u32, V128>([&](unsigned column) {
    const unsigned i = 4 * column;
    return Table[a[From(i)]] ^ std::rotl(Table[a[From(i + 1)]], 8) ^ std::rotl(Table[a[From(i + 2)]], 16) ^
           std::rotl(Table[a[From(i + 3)]], 24);
  });
}
/// The same without MixColumns.
template <u8 (*Box)(u8), unsigned (*From)(unsigned)>
constexpr V128 substitute_bytes(const V128& state) {
  const Bytes a = lanes<u8>(state);
  return fill_lanes<u8, V128>([&](unsigned i) { return Box(a[From(i)]); });
}

constexpr V128 add_key(const V128& a, const V128& key) {
  return V128{{a.qword[0] ^ key.qword[0], a.qword[1] ^ key.qword[1]}};
}

constexpr u32 substitute_word(u32 word) {
  return kSbox[word & 0xff] | u32{kSbox[word >> 8 & 0xff]} << 8 | u32{kSbox[word >> 16 & 0xff]} << 16 |
         u32{kSbox[word >> 24]} << 24;
}

}  // namespace aes

struct sem_aesenc {
  V128 operator()(V128 dst, V128 key) const {
    return aes::add_key(aes::mix_columns<aes::kMixSubstituted, aes::shifted>(dst), key);
  }
};
struct sem_aesenclast {
  V128 operator()(V128 dst, V128 key) const {
    return aes::add_key(aes::substitute_bytes<aes::substitute, aes::shifted>(dst), key);
  }
};
struct sem_aesdec {
  V128 operator()(V128 dst, V128 key) const {
    return aes::add_key(aes::mix_columns<aes::kInverseMixSubstituted, aes::inverse_shifted>(dst), key);
  }
};
struct sem_aesdeclast {
  V128 operator()(V128 dst, V128 key) const {
    return aes::add_key(aes::substitute_bytes<aes::inverse_substitute, aes::inverse_shifted>(dst), key);
  }
};
struct sem_aesimc {
  V128 operator()(V128 src) const { return aes::mix_columns<aes::kInverseMix, aes::in_place>(src); }
};
struct sem_aeskeygenassist {
  V128 operator()(V128 src, u8 round_constant) const {
    const auto x = lanes<u32>(src);
    const u32 x1 = aes::substitute_word(x[1]), x3 = aes::substitute_word(x[3]);
    return from_lanes(
        std::array<u32, 4>{x1, std::rotr(x1, 8) ^ round_constant, x3, std::rotr(x3, 8) ^ round_constant});
  }
};

/// The carry-less product of quadword imm[0] of dst and quadword imm[4] of src.
struct sem_pclmulqdq {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const u64 a = dst.qword[imm & 1], b = src.qword[imm >> 4 & 1];
    // The products of a and all polynomials of four bits.
    std::array<u128, 16> multiple{};
    for (unsigned i = 1; i < 16; ++i) multiple[i] = multiple[i / 2] << 1 ^ (i & 1 ? a : 0);
    u128 product = 0;
    for (int i = 60; i >= 0; i -= 4) product = product << 4 ^ multiple[b >> i & 15];
    return V128{{static_cast<u64>(product), static_cast<u64>(product >> 64)}};
  }
};

}  // namespace reprise::cpu
