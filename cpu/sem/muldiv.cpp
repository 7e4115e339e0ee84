// MUL, IMUL, DIV, IDIV. SDM 2A/2B.
//
// Undefined: multiplications leave SF, ZF, AF and PF undefined; as Intel processors do, SF and PF are those
// of the low half, ZF and AF are 0. Divisions leave every flag alone. docs/undefined.md.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

template <class T>
struct Double;
template <>
struct Double<u8> {
  using type = u16;
  using signed_type = i16;
};
template <>
struct Double<u16> {
  using type = u32;
  using signed_type = i32;
};
template <>
struct Double<u32> {
  using type = u64;
  using signed_type = i64;
};
template <>
struct Double<u64> {
  using type = u128;
  using signed_type = i128;
};
template <class T>
using Wide = typename Double<T>::type;
template <class T>
using SignedWide = typename Double<T>::signed_type;

/// The double-width accumulator: AX, DX:AX, EDX:EAX or RDX:RAX.
template <class T>
Wide<T> accumulator(const CpuState& state) {
  if constexpr (sizeof(T) == 1)
    return gpr_part<u16>(state, RAX);
  else
    return static_cast<Wide<T>>(static_cast<Wide<T>>(gpr_part<T>(state, RDX)) << kBits<T> |
                                gpr_part<T>(state, RAX));
}

template <class T>
void set_accumulator(CpuState& state, T high, T low) {
  if constexpr (sizeof(T) == 1) {
    set_gpr_part<u16>(state, RAX, static_cast<u16>(high << 8 | low));
  } else {
    set_gpr_part<T>(state, RAX, low);
    set_gpr_part<T>(state, RDX, high);
  }
}

template <class T>
void set_product_flags(Cpu& cpu, T low, bool overflow) {
  const u64 value = (flags::zsp(low) & ~kRflagsZf) | (overflow ? kRflagsCf | kRflagsOf : 0);
  flags::assign(cpu.state.rflags, kRflagsStatus, value);
}

template <class T>
SignedWide<T> signed_product(T a, T b) {
  return static_cast<SignedWide<T>>(static_cast<SignedWide<T>>(static_cast<Signed<T>>(a)) *
                                    static_cast<Signed<T>>(b));
}

struct sem_mul {
  template <class T>
  Status operator()(Cpu& cpu, T src) const {
    const Wide<T> product = static_cast<Wide<T>>(static_cast<Wide<T>>(gpr_part<T>(cpu.state, RAX)) * src);
    const T low = static_cast<T>(product);
    const T high = static_cast<T>(product >> kBits<T>);
    set_accumulator<T>(cpu.state, high, low);
    set_product_flags<T>(cpu, low, high != 0);
    return Status::Next;
  }
};

struct sem_imul1 {
  template <class T>
  Status operator()(Cpu& cpu, T src) const {
    const SignedWide<T> product = signed_product<T>(gpr_part<T>(cpu.state, RAX), src);
    const T low = static_cast<T>(product);
    set_accumulator<T>(cpu.state, static_cast<T>(product >> kBits<T>), low);
    set_product_flags<T>(cpu, low, product != static_cast<Signed<T>>(low));
    return Status::Next;
  }
};

struct sem_imul2 {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const SignedWide<T> product = signed_product<T>(dst, src);
    const T low = static_cast<T>(product);
    set_product_flags<T>(cpu, low, product != static_cast<Signed<T>>(low));
    return low;
  }
};

/// IMUL r, r/m, imm.
template <class T>
struct Imul3 {
  static Status rr(Cpu& cpu, const Insn& in) {
    const T src = gpr<T>(cpu.state, in.reg[1]);
    set_gpr<T>(cpu.state, in.reg[0], sem_imul2{}(cpu, src, static_cast<T>(in.imm)));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    T src;
    if (!load_operand(cpu, in, src)) return Status::Fault;
    set_gpr<T>(cpu.state, in.reg[0], sem_imul2{}(cpu, src, static_cast<T>(in.imm)));
    return Status::Next;
  }
};

struct imul {
  static Handler select(const Insn& in) {
    if (in.form == Form::R || in.form == Form::M) return read1<sem_imul1>::select(in);
    if (form_kind(in, 2) == OperandKind::Imm) return by_width<Imul3>(in.size0, in.form);
    return rmw2<sem_imul2>::select(in);
  }
};

/// Quotient and remainder. A 128-bit dividend that fits 64 bits, the usual one, is divided as such.
template <class W>
void divide(W dividend, W divisor, W& quotient, W& remainder) {
  if (sizeof(W) == 16 && dividend <= ~u64{0} && divisor <= ~u64{0}) {
    quotient = static_cast<u64>(dividend) / static_cast<u64>(divisor);
    remainder = static_cast<u64>(dividend) % static_cast<u64>(divisor);
  } else {
    quotient = static_cast<W>(dividend / divisor);
    remainder = static_cast<W>(dividend % divisor);
  }
}

struct sem_div {
  template <class T>
  Status operator()(Cpu& cpu, T src) const {
    if (src == 0) return cpu.raise(kDE);
    Wide<T> quotient, remainder;
    divide<Wide<T>>(accumulator<T>(cpu.state), src, quotient, remainder);
    if (quotient >> kBits<T> != 0) return cpu.raise(kDE);
    set_accumulator<T>(cpu.state, static_cast<T>(remainder), static_cast<T>(quotient));
    return Status::Next;
  }
};

/// Division of magnitudes; the quotient rounds towards zero, the remainder has the sign of the dividend.
struct sem_idiv {
  template <class T>
  Status operator()(Cpu& cpu, T src) const {
    if (src == 0) return cpu.raise(kDE);
    using W = Wide<T>;
    const W dividend = accumulator<T>(cpu.state);
    const W divisor = static_cast<W>(static_cast<SignedWide<T>>(static_cast<Signed<T>>(src)));
    const bool dividend_negative = bit(dividend, 2 * kBits<T> - 1);
    const bool quotient_negative = dividend_negative != bit(src, kBits<T> - 1);
    W quotient, remainder;
    divide<W>(magnitude(dividend, dividend_negative), magnitude(divisor, bit(src, kBits<T> - 1)), quotient,
              remainder);
    const W limit = static_cast<W>((W{1} << (kBits<T> - 1)) - (quotient_negative ? 0 : 1));
    if (quotient > limit) return cpu.raise(kDE);
    set_accumulator<T>(cpu.state, static_cast<T>(magnitude(remainder, dividend_negative)),
                       static_cast<T>(magnitude(quotient, quotient_negative)));
    return Status::Next;
  }
  /// `value`, or its negation: its own inverse.
  template <class W>
  static W magnitude(W value, bool negative) {
    return negative ? static_cast<W>(W{0} - value) : value;
  }
};

}  // namespace

#define ROWS "cpu/insn/muldiv.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
