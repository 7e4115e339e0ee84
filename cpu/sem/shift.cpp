// SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD. SDM 2B.
//
// Undefined: OF for counts other than 1. Intel processors give what a shift of the same operand by one would,
// except that ROL and ROR of a register by an immediate other than 1 leave OF alone. AF is cleared by shifts
// and kept by rotates. A masked count of 0 changes no flag. docs/undefined.md.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

template <class T>
constexpr unsigned masked_count(u64 count) {
  return static_cast<unsigned>(count & (kBits<T> == 64 ? 63 : 31));
}

template <class T>
constexpr bool msb(T value) {
  return bit(value, kBits<T> - 1);
}

constexpr u64 cf_of(bool carry, bool overflow) {
  return (carry ? kRflagsCf : 0) | (overflow ? kRflagsOf : 0);
}

template <class T>
T shift_result(Cpu& cpu, T result, bool carry, bool overflow) {
  flags::assign(cpu.state.rflags, kRflagsStatus, flags::zsp(result) | cf_of(carry, overflow));
  return result;
}

template <class T>
T rotate_result(Cpu& cpu, T result, bool carry, bool overflow) {
  flags::assign(cpu.state.rflags, kRflagsCf | kRflagsOf, cf_of(carry, overflow));
  return result;
}

/// Whether one left shift of `value` changes its sign.
template <class T>
constexpr bool left_overflow(T value) {
  return msb(value) != bit(value, kBits<T> - 2);
}

struct sem_shl {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src);
    if (count == 0) return dst;
    // Shifted by count - 1, the next bit to leave is on top; counts beyond the width only occur below 32
    // bits.
    const u64 last = static_cast<u64>(dst) << (count - 1);
    return shift_result<T>(cpu, static_cast<T>(last << 1), bit(last, kBits<T> - 1), left_overflow(dst));
  }
};

struct sem_shr {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src);
    if (count == 0) return dst;
    const u64 last = static_cast<u64>(dst) >> (count - 1);
    return shift_result<T>(cpu, static_cast<T>(last >> 1), bit(last, 0), msb(dst));
  }
};

struct sem_sar {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src);
    if (count == 0) return dst;
    const i64 last = static_cast<i64>(static_cast<Signed<T>>(dst)) >> (count - 1);
    return shift_result<T>(cpu, static_cast<T>(last >> 1), bit(last, 0), false);
  }
};

/// When ROL and ROR write OF.
enum class RotateOf : u8 { Always, CountOne };

template <template <RotateOf> class Body>
struct rotate {
  static Handler select(const Insn& in) {
    return in.form == Form::RI ? rmw2<Body<RotateOf::CountOne>>::select(in)
                               : rmw2<Body<RotateOf::Always>>::select(in);
  }
};

template <RotateOf When>
struct sem_rol {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src);
    if (count == 0) return dst;
    const T result = std::rotl(dst, static_cast<int>(count % kBits<T>));
    const bool keep_of = When == RotateOf::CountOne && count != 1;
    const bool overflow = keep_of ? (cpu.state.rflags & kRflagsOf) != 0 : left_overflow(dst);
    return rotate_result<T>(cpu, result, bit(result, 0), overflow);
  }
};

template <RotateOf When>
struct sem_ror {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src);
    if (count == 0) return dst;
    const T result = std::rotr(dst, static_cast<int>(count % kBits<T>));
    const bool keep_of = When == RotateOf::CountOne && count != 1;
    const bool overflow = keep_of ? (cpu.state.rflags & kRflagsOf) != 0 : msb(dst) != bit(dst, 0);
    return rotate_result<T>(cpu, result, msb(result), overflow);
  }
};

// RCL and RCR rotate width + 1 bits: the operand with CF above it.

struct sem_rcl {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src) % (kBits<T> + 1);
    if (count == 0) return dst;
    const u128 wide = static_cast<u128>(cpu.state.rflags & kRflagsCf) << kBits<T> | dst;
    const u128 rotated = wide << count | wide >> (kBits<T> + 1 - count);
    return rotate_result<T>(cpu, static_cast<T>(rotated), bit(rotated, kBits<T>), left_overflow(dst));
  }
};

struct sem_rcr {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const unsigned count = masked_count<T>(src) % (kBits<T> + 1);
    if (count == 0) return dst;
    const bool carry = (cpu.state.rflags & kRflagsCf) != 0;
    const u128 wide = static_cast<u128>(carry) << kBits<T> | dst;
    const u128 rotated = wide >> count | wide << (kBits<T> + 1 - count);
    return rotate_result<T>(cpu, static_cast<T>(rotated), bit(rotated, kBits<T>), msb(dst) != carry);
  }
};

// SHLD and SHRD. Undefined: 16-bit operands shifted by more than 16, where Intel processors go on shifting in
// the destination's own bits; so three operands side by side give the result for every count.

struct sem_shld {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src, unsigned raw_count) const {
    const unsigned count = masked_count<T>(raw_count);
    if (count == 0) return dst;
    if constexpr (kBits<T> == 16) {
      const u64 wide = u64{dst} << 32 | u64{src} << 16 | dst;
      return shift_result<T>(cpu, static_cast<T>(wide << count >> 32), bit(wide, 48 - count),
                             left_overflow(dst));
    } else {
      const T result = static_cast<T>(dst << count | src >> (kBits<T> - count));
      return shift_result<T>(cpu, result, bit(dst, kBits<T> - count), left_overflow(dst));
    }
  }
};

struct sem_shrd {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src, unsigned raw_count) const {
    const unsigned count = masked_count<T>(raw_count);
    if (count == 0) return dst;
    const bool overflow = msb(dst) != bit(src, 0);
    if constexpr (kBits<T> == 16) {
      const u64 wide = u64{dst} << 32 | u64{src} << 16 | dst;
      return shift_result<T>(cpu, static_cast<T>(wide >> count), bit(wide, count - 1), overflow);
    } else {
      const T result = static_cast<T>(dst >> count | src << (kBits<T> - count));
      return shift_result<T>(cpu, result, bit(dst, count - 1), overflow);
    }
  }
};

}  // namespace

#define ROWS "cpu/insn/shift.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
