// RFLAGS bits and the pure flag functions of integer arithmetic. Each takes operands and result and returns
// the six status flags in place (CF PF AF ZF SF OF); the caller stores them. SDM 1 3.4.3.
#pragma once

#include <array>

#include "common/bits.h"
#include "common/types.h"

namespace reprise::cpu {

inline constexpr u64 kRflagsCf = 1u << 0;
inline constexpr u64 kRflagsFixed = 1u << 1;
inline constexpr u64 kRflagsPf = 1u << 2;
inline constexpr u64 kRflagsAf = 1u << 4;
inline constexpr u64 kRflagsZf = 1u << 6;
inline constexpr u64 kRflagsSf = 1u << 7;
inline constexpr u64 kRflagsTf = 1u << 8;
inline constexpr u64 kRflagsIf = 1u << 9;
inline constexpr u64 kRflagsDf = 1u << 10;
inline constexpr u64 kRflagsOf = 1u << 11;
inline constexpr unsigned kRflagsIoplShift = 12;
inline constexpr u64 kRflagsIopl = 3u << kRflagsIoplShift;
inline constexpr u64 kRflagsNt = 1u << 14;
inline constexpr u64 kRflagsRf = 1u << 16;
inline constexpr u64 kRflagsVm = 1u << 17;
inline constexpr u64 kRflagsAc = 1u << 18;
inline constexpr u64 kRflagsVif = 1u << 19;
inline constexpr u64 kRflagsVip = 1u << 20;
inline constexpr u64 kRflagsId = 1u << 21;
/// All that exist, but bit 1.
inline constexpr u64 kRflagsDefined = 0x3f7fd5;
/// CF PF AF ZF SF OF
inline constexpr u64 kRflagsStatus = kRflagsCf | kRflagsPf | kRflagsAf | kRflagsZf | kRflagsSf | kRflagsOf;

namespace flags {

inline constexpr auto kParity = [] {
  std::array<u8, 256> table{};
  for (unsigned i = 0; i < 256; ++i) table[i] = even_parity(i) ? kRflagsPf : 0;
  return table;
}();

/// ZF, SF and PF of a result.
template <class T>
constexpr u64 zsp(T result) {
  return (result == 0 ? kRflagsZf : 0) | (static_cast<u64>(result >> (kBits<T> - 8)) & kRflagsSf) |
         kParity[static_cast<u8>(result)];
}

/// CF, AF and OF from the vector of carries (or borrows) out of each bit.
template <class T>
constexpr u64 from_carries(T carries) {
  const u64 top = static_cast<u64>(carries) >> (kBits<T> - 2);
  return ((top >> 1) & 1) | ((static_cast<u64>(carries) & 8) << 1) | (((top ^ (top >> 1)) & 1) << 11);
}

/// result = a + b + carry-in, any carry-in.
template <class T>
constexpr u64 add(T a, T b, T result) {
  return zsp(result) | from_carries(static_cast<T>((a & b) | ((a | b) & ~result)));
}

/// result = a - b - borrow-in, any borrow-in.
template <class T>
constexpr u64 sub(T a, T b, T result) {
  return zsp(result) | from_carries(static_cast<T>((~a & b) | ((~a | b) & result)));
}

/// AND, OR, XOR, TEST: CF = OF = 0. Undefined: AF, which we clear.
template <class T>
constexpr u64 logic(T result) {
  return zsp(result);
}

/// Replaces the status flags in `mask` by those of `value`.
constexpr void assign(u64& rflags, u64 mask, u64 value) { rflags = (rflags & ~mask) | (value & mask); }

}  // namespace flags

/// Condition codes in encoding order (Jcc, SETcc, CMOVcc). SDM 1 appendix B.
enum class Condition : u8 { O, NO, B, NB, Z, NZ, BE, NBE, S, NS, P, NP, L, NL, LE, NLE };

template <Condition C>
constexpr bool holds(u64 rflags) {
  constexpr auto base = static_cast<Condition>(static_cast<u8>(C) & ~1u);
  constexpr bool negated = (static_cast<u8>(C) & 1) != 0;
  const bool sf_xor_of = (((rflags >> 7) ^ (rflags >> 11)) & 1) != 0;
  bool value = false;
  if constexpr (base == Condition::O) value = (rflags & kRflagsOf) != 0;
  if constexpr (base == Condition::B) value = (rflags & kRflagsCf) != 0;
  if constexpr (base == Condition::Z) value = (rflags & kRflagsZf) != 0;
  if constexpr (base == Condition::BE) value = (rflags & (kRflagsCf | kRflagsZf)) != 0;
  if constexpr (base == Condition::S) value = (rflags & kRflagsSf) != 0;
  if constexpr (base == Condition::P) value = (rflags & kRflagsPf) != 0;
  if constexpr (base == Condition::L) value = sf_xor_of;
  if constexpr (base == Condition::LE) value = sf_xor_of || (rflags & kRflagsZf) != 0;
  return value != negated;
}

}  // namespace reprise::cpu
