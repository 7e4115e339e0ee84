// x87 arithmetic, comparison and transcendentals. SDM 2A/2B; results: cpu/softfloat.
#include "cpu/decode/insn_table.h"
#include "cpu/sem/shapes.h"
#include "cpu/sem/x87.h"

namespace reprise::cpu {
namespace {

using namespace x87;
using sf::Float80;
using sf::FpEnv;
using sf::NanSignals;
using sf::Quotient;
using sf::Relation;

struct op_add {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::add<Extended80>(env, dst, src);
  }
};
struct op_sub {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::sub<Extended80>(env, dst, src);
  }
};
struct op_subr {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::sub<Extended80>(env, src, dst);
  }
};
struct op_mul {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::mul<Extended80>(env, dst, src);
  }
};
struct op_div {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::div<Extended80>(env, dst, src);
  }
};
struct op_divr {
  Float80 operator()(FpEnv& env, Float80 dst, Float80 src) const {
    return sf::div<Extended80>(env, src, dst);
  }
};

/// Loads a memory operand of T as an extended value: floats of 4 and 8 bytes, integers of 2 and 4.
struct FloatSource {
  static Float80 widen(FpEnv& env, u32 bits) { return sf::widen<sf::Binary32>(env, bits); }
  static Float80 widen(FpEnv& env, u64 bits) { return sf::widen<sf::Binary64>(env, bits); }
};
struct IntegerSource {
  static Float80 widen(FpEnv& env, u16 bits) {
    return sf::from_int64<Extended80>(env, static_cast<i16>(bits));
  }
  static Float80 widen(FpEnv& env, u32 bits) {
    return sf::from_int64<Extended80>(env, static_cast<i32>(bits));
  }
};

/// ST(0) := op(ST(0), memory)
template <class Op, class Source, class T>
Status arith_memory(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  T bits;
  if (!load_operand(cpu, in, bits)) return Status::Fault;
  if (x.empty(0)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  const Float80 src = Source::widen(x.env, bits);
  x.deliver(0, Op{}(x.env, x.st(0), src));
  return x.done();
}

/// ST(i) := op(ST(i), ST(j))
template <class Op, Pops pops>
Status arith_stack(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  const unsigned dst = in.reg[0];
  const unsigned src = in.reg[1];
  if (x.empty(dst) || x.empty(src)) {
    if (x.stack_underflow()) {
      x.write(dst, kIndefinite);
      x.pop(pops);
    }
    return x.done();
  }
  x.deliver(dst, Op{}(x.env, x.st(dst), x.st(src)), pops);
  return x.done();
}

template <class Op, Pops pops>
struct arith {
  static Handler select(const Insn& in) {
    if (in.form == Form::RR) return arith_stack<Op, pops>;
    return in.size0 == 4 ? arith_memory<Op, FloatSource, u32> : arith_memory<Op, FloatSource, u64>;
  }
};
template <class Op>
struct arith_int {
  static Handler select(const Insn& in) {
    return in.size0 == 2 ? arith_memory<Op, IntegerSource, u16> : arith_memory<Op, IntegerSource, u32>;
  }
};

u16 codes_of(Relation relation) {
  switch (relation) {
    case Relation::Less: return kFswC0;
    case Relation::Equal: return kFswC3;
    case Relation::Greater: return 0;
    default: return kFswC3 | kFswC2 | kFswC0;
  }
}

/// Compares ST(0) with `src` into C3, C2, C0. They are written even when an unmasked exception stops the
/// pops.
template <NanSignals signals, Pops pops>
Status compare_into_codes(Operation& x, bool src_empty, Float80 src) {
  Relation relation = Relation::Unordered;
  bool pop = true;
  if (x.empty(0) || src_empty) {
    pop = x.stack_underflow();
  } else {
    relation = sf::compare<Extended80>(x.env, x.st(0), src, signals);
    pop = !x.stopped();
  }
  set_codes(x.fpu, kFswCodes, codes_of(relation));
  if (pop) x.pop(pops);
  return x.done();
}

template <class Source, class T, NanSignals signals, Pops pops>
Status compare_memory(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  T bits;
  if (!load_operand(cpu, in, bits)) return Status::Fault;
  const Float80 src = Source::widen(x.env, bits);
  return compare_into_codes<signals, pops>(x, false, src);
}

template <NanSignals signals, Pops pops>
Status compare_stack(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  // The register is the last explicit operand; FCOMPP and FUCOMPP have none.
  const unsigned src = in.form == Form::RR ? in.reg[1] : in.form == Form::R ? in.reg[0] : 1;
  return compare_into_codes<signals, pops>(x, x.empty(src), x.st(src));
}

template <NanSignals signals, Pops pops>
struct compare_codes {
  static Handler select(const Insn& in) {
    if (in.form != Form::M) return compare_stack<signals, pops>;
    return in.size0 == 4 ? compare_memory<FloatSource, u32, signals, pops>
                         : compare_memory<FloatSource, u64, signals, pops>;
  }
};
template <Pops pops>
struct compare_int {
  static Handler select(const Insn& in) {
    return in.size0 == 2 ? compare_memory<IntegerSource, u16, NanSignals::Any, pops>
                         : compare_memory<IntegerSource, u32, NanSignals::Any, pops>;
  }
};

u64 flags_of(Relation relation) {
  switch (relation) {
    case Relation::Less: return kRflagsCf;
    case Relation::Equal: return kRflagsZf;
    case Relation::Greater: return 0;
    default: return kRflagsZf | kRflagsPf | kRflagsCf;
  }
}

template <NanSignals signals, Pops pops>
Status compare_into_flags(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  const unsigned src = in.reg[1];
  if (x.empty(0) || x.empty(src)) {
    const bool pop = x.stack_underflow();
    flags::assign(cpu.state.rflags, kRflagsStatus, flags_of(Relation::Unordered));
    if (pop) x.pop(pops);
    return x.done();
  }
  const Relation relation = sf::compare<Extended80>(x.env, x.st(0), x.st(src), signals);
  flags::assign(cpu.state.rflags, kRflagsStatus, flags_of(relation));
  if (!x.stopped()) x.pop(pops);
  // C1 keeps its value, unlike the manual's table says.
  return x.done_keeping_c1();
}

template <NanSignals signals, Pops pops>
struct compare_flags {
  static Handler select(const Insn&) { return compare_into_flags<signals, pops>; }
};

Status sem_ftst(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  return compare_into_codes<NanSignals::Any, Pops::None>(x, false, Extended80::zero(false));
}

/// C3 C2 C0: 000 unsupported, 001 NaN, 010 normal, 011 infinity, 100 zero, 101 empty, 110 denormal; C1: sign.
Status sem_fxam(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  u16 codes = 0;
  if (x.empty(0)) {
    codes = kFswC3 | kFswC0;
  } else {
    switch (Extended80::unpack(x.st(0)).kind) {
      case sf::Kind::Unsupported: codes = 0; break;
      case sf::Kind::QuietNan:
      case sf::Kind::SignallingNan: codes = kFswC0; break;
      case sf::Kind::Normal: codes = kFswC2; break;
      case sf::Kind::Infinity: codes = kFswC2 | kFswC0; break;
      case sf::Kind::Zero: codes = kFswC3; break;
      case sf::Kind::Denormal: codes = kFswC3 | kFswC2; break;
    }
  }
  set_codes(x.fpu, kFswCodes, codes);
  x.env.rounded_up = Extended80::sign(x.st(0));
  return x.done();
}

struct op_chs {
  Float80 operator()(FpEnv&, Float80 a) const { return Extended80::negate(a); }
};
struct op_abs {
  Float80 operator()(FpEnv&, Float80 a) const { return Extended80::sign(a) ? Extended80::negate(a) : a; }
};
struct op_sqrt {
  Float80 operator()(FpEnv& env, Float80 a) const { return sf::sqrt<Extended80>(env, a); }
};
struct op_rndint {
  Float80 operator()(FpEnv& env, Float80 a) const {
    return sf::round_to_integral<Extended80>(env, a, env.rounding, sf::Inexact::Raises);
  }
};

/// ST(0) := op(ST(0))
template <class Op>
Status unary_body(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (x.empty(0)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  x.deliver(0, Op{}(x.env, x.st(0)));
  return x.done();
}
template <class Op>
struct unary {
  static Handler select(const Insn&) { return unary_body<Op>; }
};

Status sem_fscale(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (x.empty(0) || x.empty(1)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  x.deliver(0, sf::scale(x.env, x.st(0), x.st(1)));
  return x.done();
}

template <Quotient quotient>
Status sem_fprem(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  set_codes(x.fpu, kFswC2, 0);
  if (x.empty(0) || x.empty(1)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  const sf::Remainder r = sf::remainder(x.env, x.st(0), x.st(1), quotient);
  x.deliver(0, r.value);
  if (!r.reduced) return x.done();
  const u64 q = r.partial ? 0 : r.quotient;
  const int codes = (r.partial ? kFswC2 : 0) | ((q & 4) != 0 ? kFswC0 : 0) | ((q & 2) != 0 ? kFswC3 : 0);
  set_codes(x.fpu, kFswCodes, static_cast<u16>(codes));
  x.env.rounded_up = (q & 1) != 0;
  return x.done();
}

Status sem_fxtract(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  const bool underflow = x.empty(0);
  if (underflow || !x.empty(7)) {
    if (underflow ? x.stack_underflow() : x.stack_overflow()) {
      x.write(0, kIndefinite);
      x.push(kIndefinite);
    }
    return x.done();
  }
  const sf::Extracted parts = sf::extract(x.env, x.st(0));
  if (!x.stopped()) {
    x.write(0, parts.exponent);
    x.push(parts.significand);
  }
  return x.done();
}

struct op_2xm1 {
  Float80 operator()(FpEnv& env, Float80 a) const { return sf::f2xm1(env, a); }
};
struct op_yl2x {
  Float80 operator()(FpEnv& env, Float80 st0, Float80 st1) const { return sf::yl2x(env, st1, st0); }
};
struct op_yl2xp1 {
  Float80 operator()(FpEnv& env, Float80 st0, Float80 st1) const { return sf::yl2xp1(env, st1, st0); }
};
struct op_patan {
  Float80 operator()(FpEnv& env, Float80 st0, Float80 st1) const { return sf::atan2(env, st1, st0); }
};

/// ST(1) := op(ST(0), ST(1)), then pops.
template <class Op>
Status binary_pop_body(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (x.empty(0) || x.empty(1)) {
    if (x.stack_underflow()) {
      x.write(1, kIndefinite);
      x.pop();
    }
    return x.done();
  }
  x.deliver(1, Op{}(x.env, x.st(0), x.st(1)), Pops::Once);
  return x.done();
}
template <class Op>
struct binary_pop {
  static Handler select(const Insn&) { return binary_pop_body<Op>; }
};

struct op_sin {
  Float80 operator()(FpEnv& env, Float80 a) const { return sf::sin(env, a); }
};
struct op_cos {
  Float80 operator()(FpEnv& env, Float80 a) const { return sf::cos(env, a); }
};

/// ST(0) := op(ST(0)); C2 and nothing else when the argument is out of range.
template <class Op>
Status sem_trigonometric(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  set_codes(x.fpu, kFswC2, 0);
  if (x.empty(0)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  if (sf::out_of_trigonometric_range(x.st(0))) {
    set_codes(x.fpu, kFswC2, kFswC2);
  } else {
    x.deliver(0, Op{}(x.env, x.st(0)));
  }
  return x.done();
}

/// What FSINCOS and FPTAN leave in ST(1) and ST(0).
struct Pair {
  Float80 below;
  Float80 top;
};
struct op_sincos {
  Pair operator()(FpEnv& env, Float80 a) const {
    const sf::SineCosine both = sf::sincos(env, a);
    return {both.sine, both.cosine};
  }
};
struct op_ptan {
  Pair operator()(FpEnv& env, Float80 a) const {
    const Float80 tangent = sf::tan(env, a);
    const bool nan = Extended80::unpack(tangent).nan();
    return {tangent, nan ? tangent : Extended80::pack(false, Extended80::kBias, sf::kIntegerBit)};
  }
};

template <class Op>
Status sem_trigonometric_push(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  set_codes(x.fpu, kFswC2, 0);
  const bool underflow = x.empty(0);
  if (underflow || !x.empty(7)) {
    if (underflow ? x.stack_underflow() : x.stack_overflow()) {
      x.write(0, kIndefinite);
      x.push(kIndefinite);
    }
    return x.done();
  }
  if (sf::out_of_trigonometric_range(x.st(0))) {
    set_codes(x.fpu, kFswC2, kFswC2);
    return x.done();
  }
  const Pair result = Op{}(x.env, x.st(0));
  if (!x.stopped()) {
    x.write(0, result.below);
    x.push(result.top);
  }
  return x.done();
}

}  // namespace

using namespace col;

#define ROWS "cpu/insn/x87_arith.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
