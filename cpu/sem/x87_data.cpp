// x87 loads, stores, moves and constants. SDM 2A/2B.
#include "cpu/decode/insn_table.h"
#include "cpu/sem/shapes.h"
#include "cpu/sem/x87.h"

namespace reprise::cpu {
namespace {

using namespace x87;
using sf::Constant;
using sf::Float80;
using sf::FpEnv;

/// Ten bytes of memory: an extended value or a packed decimal.
struct Tbyte {
  u8 bytes[10];

  static Tbyte of(u64 low, u16 high) {
    Tbyte tbyte;
    write_unaligned(tbyte.bytes, low);
    write_unaligned(tbyte.bytes + 8, high);
    return tbyte;
  }
  u64 low() const { return read_unaligned<u64>(bytes); }
  u16 high() const { return read_unaligned<u16>(bytes + 8); }
};

/// The fault of ten bytes that cannot be accessed: they are two accesses, of eight bytes and of two. A page fault on the first
/// comes before the second's end of the canonical range.
bool tbyte_fault(Cpu& cpu, const Insn& in, u64 linear, mmu::Access access) {
  const auto probe = [&](u64 bytes) {
    return access == mmu::Access::Write ? cpu.mmu.probe_write(linear, bytes)
                                        : cpu.mmu.probe_read(linear, bytes);
  };
  if (probe(8)) (void)probe(sizeof(Tbyte));
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}
bool load_operand(Cpu& cpu, const Insn& in, Tbyte& value) {
  u64 linear;
  if (!data_linear(cpu, in, sizeof value, mmu::Access::Read, linear)) return false;
  return cpu.mmu.load(linear, value) || tbyte_fault(cpu, in, linear, mmu::Access::Read);
}
bool store_operand(Cpu& cpu, const Insn& in, const Tbyte& value) {
  u64 linear;
  if (!data_linear(cpu, in, sizeof value, mmu::Access::Write, linear)) return false;
  return cpu.mmu.store(linear, value) || tbyte_fault(cpu, in, linear, mmu::Access::Write);
}

/// Pushes `value`, or the indefinite on a masked stack overflow. Loads do not stop at an unmasked DE.
Status push_value(Operation& x, Float80 value) {
  if ((x.env.unmasked() & sf::kIE) == 0) x.push(value);
  return x.done();
}
Status push_overflow(Operation& x) {
  if (x.stack_overflow()) x.push(kIndefinite);
  return x.done();
}

Float80 load_float(FpEnv& env, u32 bits) { return sf::convert<Extended80, sf::Binary32>(env, bits); }
Float80 load_float(FpEnv& env, u64 bits) { return sf::convert<Extended80, sf::Binary64>(env, bits); }
Float80 load_float(FpEnv&, const Tbyte& tbyte) { return {tbyte.low(), tbyte.high()}; }

template <class T>
Status fld_memory(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  T bits;
  if (!load_operand(cpu, in, bits)) return Status::Fault;
  if (!x.empty(7)) return push_overflow(x);
  return push_value(x, load_float(x.env, bits));
}

Status fld_stack(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (x.empty(in.reg[0])) {
    if (x.stack_underflow()) x.push(kIndefinite);
    return x.done();
  }
  if (!x.empty(7)) return push_overflow(x);
  return push_value(x, x.st(in.reg[0]));
}

struct fld {
  static Handler select(const Insn& in) {
    if (in.form == Form::R) return fld_stack;
    return in.size0 == 4 ? fld_memory<u32> : in.size0 == 8 ? fld_memory<u64> : fld_memory<Tbyte>;
  }
};

template <Constant which>
struct constant {
  static Status push(Cpu& cpu, const Insn& in) {
    Operation x(cpu, in);
    if (x.pending()) return x.raise_pending();
    if (!x.empty(7)) return push_overflow(x);
    return push_value(x, sf::load_constant(x.env.rounding, which));
  }
  static Handler select(const Insn&) { return push; }
};

i64 sign_extended(u16 bits) { return static_cast<i16>(bits); }
i64 sign_extended(u32 bits) { return static_cast<i32>(bits); }
i64 sign_extended(u64 bits) { return static_cast<i64>(bits); }

template <class T>
Status fild_memory(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  T bits;
  if (!load_operand(cpu, in, bits)) return Status::Fault;
  if (!x.empty(7)) return push_overflow(x);
  return push_value(x, sf::from_int64<Extended80>(x.env, sign_extended(bits)));
}
struct fild {
  static Handler select(const Insn& in) {
    return in.size0 == 2 ? fild_memory<u16> : in.size0 == 4 ? fild_memory<u32> : fild_memory<u64>;
  }
};

Status sem_fbld(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  Tbyte tbyte;
  if (!load_operand(cpu, in, tbyte)) return Status::Fault;
  if (!x.empty(7)) return push_overflow(x);
  return push_value(x, sf::from_bcd({tbyte.low(), tbyte.high()}));
}

/// Stores convert(env, ST(0)), or `indefinite` on a masked underflow, and pops. An unmasked exception other
/// than PE stores nothing.
template <class T, class Convert>
Status store(Cpu& cpu, const Insn& in, Pops pops, const T& indefinite, Convert convert) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  T value = indefinite;
  const bool underflow = x.empty(0);
  if (!underflow) value = convert(x.env, x.st(0));
  const bool stores = underflow ? x.masked(sf::kIE) : (x.env.unmasked() & ~sf::kPE) == 0;
  if (stores && !store_operand(cpu, in, value)) return Status::Fault;
  if (underflow) x.stack_underflow();
  if (stores) x.pop(pops);
  return x.done();
}

template <Pops pops>
Status fst_m32(Cpu& cpu, const Insn& in) {
  return store<u32>(cpu, in, pops, sf::Binary32::default_nan(),
                    [](FpEnv& env, Float80 a) { return sf::convert<sf::Binary32, Extended80>(env, a); });
}
template <Pops pops>
Status fst_m64(Cpu& cpu, const Insn& in) {
  return store<u64>(cpu, in, pops, sf::Binary64::default_nan(),
                    [](FpEnv& env, Float80 a) { return sf::convert<sf::Binary64, Extended80>(env, a); });
}
Status fstp_m80(Cpu& cpu, const Insn& in) {
  return store<Tbyte>(cpu, in, Pops::Once, Tbyte::of(kIndefinite.significand, kIndefinite.sign_exponent),
                      [](FpEnv&, Float80 a) { return Tbyte::of(a.significand, a.sign_exponent); });
}

/// ST(i) := ST(0)
template <Pops pops>
Status fst_stack(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (x.empty(0)) {
    if (x.stack_underflow()) {
      x.write(in.reg[0], kIndefinite);
      x.pop(pops);
    }
    return x.done();
  }
  x.deliver(in.reg[0], x.st(0), pops);
  return x.done();
}

template <Pops pops>
struct fst {
  static Handler select(const Insn& in) {
    if (in.form == Form::R) return fst_stack<pops>;
    if (in.size0 == 10) return pops == Pops::Once ? fstp_m80 : nullptr;
    return in.size0 == 4 ? fst_m32<pops> : fst_m64<pops>;
  }
};

/// The alias D9 D8+i of FSTP: an empty ST(0) is no stack fault and only pops.
Status sem_fstpnce(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  if (!x.empty(0)) x.write(in.reg[0], x.st(0));
  x.pop();
  return x.done();
}

template <class T, Pops pops, bool truncates>
Status fist_memory(Cpu& cpu, const Insn& in) {
  constexpr auto kWidth = static_cast<sf::IntWidth>(8 * sizeof(T));
  constexpr T kIntegerIndefinite = static_cast<T>(T{1} << (kBits<T> - 1));
  return store<T>(cpu, in, pops, kIntegerIndefinite, [](FpEnv& env, Float80 a) {
    return static_cast<T>(
        sf::to_int<Extended80>(env, a, kWidth, truncates ? sf::Rounding::Truncate : env.rounding));
  });
}
template <Pops pops, bool truncates>
struct fist {
  static Handler select(const Insn& in) {
    return in.size0 == 2   ? fist_memory<u16, pops, truncates>
           : in.size0 == 4 ? fist_memory<u32, pops, truncates>
                           : fist_memory<u64, pops, truncates>;
  }
};

Status sem_fbstp(Cpu& cpu, const Insn& in) {
  return store<Tbyte>(cpu, in, Pops::Once, Tbyte::of(0xc000'0000'0000'0000, 0xffff),
                      [](FpEnv& env, Float80 a) {
                        const sf::PackedBcd bcd = sf::to_bcd(env, a);
                        return Tbyte::of(bcd.low_digits, bcd.high_digits_and_sign);
                      });
}

Status sem_fxch(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  const unsigned i = in.reg[0];
  if ((x.empty(0) || x.empty(i)) && !x.stack_underflow()) return x.done();
  const Float80 top = x.empty(0) ? kIndefinite : x.st(0);
  const Float80 other = x.empty(i) ? kIndefinite : x.st(i);
  x.write(0, other);
  x.write(i, top);
  return x.done();
}

/// FCMOVcc: moves when (any of `mask` set) == `wanted`. A stack fault is raised even when the condition is
/// false.
template <u32 mask, bool wanted>
Status fcmov_body(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  const unsigned src = in.reg[1];
  if (x.empty(0) || x.empty(src)) {
    if (x.stack_underflow()) x.write(0, kIndefinite);
    return x.done();
  }
  if (((cpu.state.rflags & mask) != 0) == wanted) x.write(0, x.st(src));
  return x.done_keeping_c1();
}
template <u32 mask, bool wanted>
struct fcmov {
  static Handler select(const Insn&) { return fcmov_body<mask, wanted>; }
};

}  // namespace

using namespace col;

#define ROWS "cpu/insn/x87_data.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
