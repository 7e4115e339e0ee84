// The text comparison of PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM 2B 4.1; names are the manual's.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

/// The control byte: format, aggregation, polarity, output selection. SDM 2B 4.1.1-4.1.5.
struct StringControl {
  u8 imm;
  bool words() const { return (imm & 1) != 0; }
  bool is_signed() const { return (imm & 2) != 0; }
  enum Aggregation : u8 { EqualAny, Ranges, EqualEach, EqualOrdered };
  Aggregation aggregation() const { return static_cast<Aggregation>(imm >> 2 & 3); }
  bool negative() const { return (imm & 0x10) != 0; }
  bool masked() const { return (imm & 0x20) != 0; }
  /// Most significant index, or a mask of whole elements.
  bool output_high_or_expanded() const { return (imm & 0x40) != 0; }
  unsigned elements() const { return words() ? 8 : 16; }
};

/// IntRes2, an element per bit, and the flags.
struct StringComparison {
  u32 result;
  u64 status_flags;
};

/// T is u8, i8, u16 or i16; the lengths are at most the number of elements.
template <class T>
StringComparison compare_strings(StringControl control, const V128& first, unsigned first_length,
                                 const V128& second, unsigned second_length) {
  constexpr unsigned kCount = kLanes<T, V128>;
  const auto a = lanes<T>(first), b = lanes<T>(second);
  u32 result = 0;
  // Element j of the second operand. Elements beyond a length never match, except where noted.
  for (unsigned j = 0; j < kCount; ++j) {
    bool match = false;
    switch (control.aggregation()) {
      case StringControl::EqualAny:
        for (unsigned i = 0; i < first_length; ++i) match |= a[i] == b[j];
        match &= j < second_length;
        break;
      case StringControl::Ranges:
        for (unsigned i = 0; i + 1 < first_length; i += 2) match |= a[i] <= b[j] && b[j] <= a[i + 1];
        match &= j < second_length;
        break;
      case StringControl::EqualEach:
        // Two elements beyond their lengths are equal.
        match = (j < first_length) == (j < second_length) && (j >= first_length || a[j] == b[j]);
        break;
      case StringControl::EqualOrdered:
        // The first operand, as far as it goes, starts here.
        match = true;
        for (unsigned i = 0; i < first_length && j + i < kCount; ++i) {
          match &= j + i < second_length && a[i] == b[j + i];
        }
        break;
    }
    result |= u32{match} << j;
  }
  constexpr u32 kAll = (1u << kCount) - 1;
  if (control.negative()) result ^= control.masked() ? (1u << second_length) - 1 : kAll;
  const u64 status_flags = (result != 0 ? kRflagsCf : 0) | (second_length < kCount ? kRflagsZf : 0) |
                           (first_length < kCount ? kRflagsSf : 0) | (result & 1 ? kRflagsOf : 0);
  return {result, status_flags};
}

inline StringComparison compare_strings(StringControl control, const V128& first, unsigned first_length,
                                        const V128& second, unsigned second_length) {
  switch (control.imm & 3) {
    case 0: return compare_strings<u8>(control, first, first_length, second, second_length);
    case 1: return compare_strings<u16>(control, first, first_length, second, second_length);
    case 2: return compare_strings<i8>(control, first, first_length, second, second_length);
    default: return compare_strings<i16>(control, first, first_length, second, second_length);
  }
}

/// Elements before the first zero.
inline unsigned implicit_length(StringControl control, const V128& text) {
  const auto bytes = lanes<u8>(text);
  const auto words = lanes<u16>(text);
  unsigned length = 0;
  while (length < control.elements() && (control.words() ? words[length] : bytes[length]) != 0) ++length;
  return length;
}
/// The magnitude of a length register, at most the number of elements.
inline unsigned explicit_length(StringControl control, i64 length) {
  const u64 magnitude = length < 0 ? u64{0} - static_cast<u64>(length) : static_cast<u64>(length);
  return static_cast<unsigned>(magnitude < control.elements() ? magnitude : control.elements());
}

/// ECX of PCMPxSTRI: the number of elements when no bit is set.
inline u32 string_index(StringControl control, u32 result) {
  if (result == 0) return control.elements();
  return static_cast<u32>(control.output_high_or_expanded() ? std::bit_width(result) - 1
                                                            : std::countr_zero(result));
}
/// XMM0 of PCMPxSTRM.
inline V128 string_mask(StringControl control, u32 result) {
  if (!control.output_high_or_expanded()) return V128{{result, 0}};
  if (control.words()) return fill_lanes<u16, V128>([&](unsigned i) { return bit(result, i) ? -1 : 0; });
  return fill_lanes<u8, V128>([&](unsigned i) { return bit(result, i) ? -1 : 0; });
}

}  // namespace reprise::cpu
