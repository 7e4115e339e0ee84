// Extended80 operations against the host's x87 unit under every precision and rounding control: registers,
// flags and condition codes, bit for bit, masked and unmasked.
#include <gtest/gtest.h>

#include <cstring>

#include "cpu/softfloat/softfloat.h"
#include "tests/host_vendor.h"
#include "tests/unit/softfloat/host_fpu.h"
#include "tests/unit/softfloat/values.h"

#if defined(__x86_64__)
namespace reprise::softfloat::test {
namespace {

constexpr int kMaxReports = 6;

FpEnv random_env(Random& random) {
  FpEnv env;
  env.rounding = static_cast<Rounding>(random.below(4));
  env.precision = random.chance(2) ? Precision::Extended : static_cast<Precision>(random.below(4));
  if (random.chance(4)) env.masks = static_cast<u32>(random.below(64));
  return env;
}

/// What the software says an x87 instruction leaves behind.
struct Outcome {
  Float80 st0, st1;
  bool pushes = false;
  bool stores = false;
  u64 memory = 0;
  u16 memory_high = 0;
  unsigned memory_bytes = 0;
  u16 codes = 0;       // C3 C2 C1 C0 in status-word places
  u16 codes_mask = 0;  // which are compared
};

u16 relation_codes(Relation relation) {
  switch (relation) {
    case Relation::Less: return 0x0100;
    case Relation::Equal: return 0x4000;
    case Relation::Greater: return 0;
    default: return 0x4500;
  }
}

struct Case {
  X87Op op;
  Float80 a, b;
  u64 memory = 0;
  u16 memory_high = 0;
};

Outcome soft(const Case& c, FpEnv& env) {
  using F = Extended80;
  Outcome out;
  out.st0 = c.a;
  out.st1 = c.b;
  const u32 m32 = static_cast<u32>(c.memory);
  const auto arith = [&](Float80 value) {
    out.codes_mask = 0x200;
    out.codes = env.rounded_up ? 0x200 : 0;
    if ((env.unmasked() & kPreComputation) == 0) out.st0 = value;
  };
  const auto store = [&](u64 value, unsigned bytes) {
    out.codes_mask = 0x200;
    out.codes = env.rounded_up ? 0x200 : 0;
    if ((env.unmasked() & ~kPE) != 0) return;
    out.stores = true;
    out.memory = value;
    out.memory_bytes = bytes;
  };
  const auto push = [&](Float80 value) {
    if ((env.unmasked() & kIE) != 0) return;
    out.st1 = out.st0;
    out.st0 = value;
  };
  const auto relation = [&](Relation r) {
    out.codes = relation_codes(r);
    out.codes_mask = 0x4500;
  };
  switch (c.op) {
    case X87Op::Add: arith(add<F>(env, c.a, c.b)); break;
    case X87Op::Sub: arith(sub<F>(env, c.a, c.b)); break;
    case X87Op::Mul: arith(mul<F>(env, c.a, c.b)); break;
    case X87Op::Div: arith(div<F>(env, c.a, c.b)); break;
    case X87Op::Sqrt: arith(sqrt<F>(env, c.a)); break;
    case X87Op::Rndint: arith(round_to_integral<F>(env, c.a, env.rounding, Inexact::Raises)); break;
    case X87Op::Scale: arith(scale(env, c.a, c.b)); break;
    case X87Op::Prem:
    case X87Op::Prem1: {
      const Remainder r =
          remainder(env, c.a, c.b, c.op == X87Op::Prem ? Quotient::Truncated : Quotient::Nearest);
      if ((env.unmasked() & kPreComputation) != 0) break;
      out.st0 = r.value;
      out.codes_mask = r.partial ? 0x400 : 0x4700;
      out.codes = static_cast<u16>((r.partial ? 0x400 : 0) | ((r.quotient & 4) << 6) |
                                   ((r.quotient & 2) << 13) | ((r.quotient & 1) << 9));
      break;
    }
    case X87Op::Xtract: {
      const Extracted e = extract(env, c.a);
      if ((env.unmasked() & kPreComputation) != 0) break;
      out.st0 = e.significand;
      out.st1 = e.exponent;
      break;
    }
    case X87Op::Com: relation(compare<F>(env, c.a, c.b, NanSignals::Any)); break;
    case X87Op::Ucom: relation(compare<F>(env, c.a, c.b, NanSignals::OnlySignalling)); break;
    case X87Op::Tst: relation(compare<F>(env, c.a, F::zero(false), NanSignals::Any)); break;
    case X87Op::AddM32: {
      const Float80 m = widen<Binary32>(env, m32);
      arith(add<F>(env, c.a, m));
      break;
    }
    case X87Op::AddM64: {
      const Float80 m = widen<Binary64>(env, c.memory);
      arith(add<F>(env, c.a, m));
      break;
    }
    case X87Op::DivM32: {
      const Float80 m = widen<Binary32>(env, m32);
      arith(div<F>(env, c.a, m));
      break;
    }
    case X87Op::DivM64: {
      const Float80 m = widen<Binary64>(env, c.memory);
      arith(div<F>(env, c.a, m));
      break;
    }
    case X87Op::DivrM32: {
      const Float80 m = widen<Binary32>(env, m32);
      arith(div<F>(env, m, c.a));
      break;
    }
    case X87Op::ComM32: {
      const Float80 m = widen<Binary32>(env, m32);
      relation(compare<F>(env, c.a, m, NanSignals::Any));
      break;
    }
    case X87Op::LdM32: push(convert<F, Binary32>(env, m32)); break;
    case X87Op::LdM64: push(convert<F, Binary64>(env, c.memory)); break;
    case X87Op::Ild64: push(from_int64<F>(env, static_cast<i64>(c.memory))); break;
    case X87Op::Bld: push(from_bcd({c.memory, c.memory_high})); break;
    case X87Op::StM32: store(convert<Binary32, F>(env, c.a), 4); break;
    case X87Op::StM64: store(convert<Binary64, F>(env, c.a), 8); break;
    case X87Op::Ist16: store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Word, env.rounding)), 2); break;
    case X87Op::Ist32: store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Dword, env.rounding)), 4); break;
    case X87Op::Ist64: store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Qword, env.rounding)), 8); break;
    case X87Op::Istt16:
      store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Word, Rounding::Truncate)), 2);
      break;
    case X87Op::Istt32:
      store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Dword, Rounding::Truncate)), 4);
      break;
    case X87Op::Istt64:
      store(static_cast<u64>(to_int<F>(env, c.a, IntWidth::Qword, Rounding::Truncate)), 8);
      break;
    case X87Op::Bstp: {
      const PackedBcd bcd = to_bcd(env, c.a);
      store(bcd.low_digits, 8);
      if (out.stores) {
        out.memory_high = bcd.high_digits_and_sign;
        out.memory_bytes = 10;
      }
      break;
    }
    case X87Op::Ld1: push(load_constant(env.rounding, Constant::One)); break;
    case X87Op::Ldl2t: push(load_constant(env.rounding, Constant::Log2Of10)); break;
    case X87Op::Ldl2e: push(load_constant(env.rounding, Constant::Log2OfE)); break;
    case X87Op::Ldpi: push(load_constant(env.rounding, Constant::Pi)); break;
    case X87Op::Ldlg2: push(load_constant(env.rounding, Constant::Log10Of2)); break;
    case X87Op::Ldln2: push(load_constant(env.rounding, Constant::LnOf2)); break;
    case X87Op::Ldz: push(load_constant(env.rounding, Constant::Zero)); break;
    default: break;
  }
  return out;
}

bool pops(X87Op op) {
  return op == X87Op::Ist64 || (op >= X87Op::Istt16 && op <= X87Op::Istt64) || op == X87Op::Bstp;
}

/// AMD: remainders and scaling of a denormal with UE unmasked report an underflow whatever the result.
bool host_underflows(const Case& c, const FpEnv& env) {
  constexpr u8 kUe = 0x10;
  const bool denormal = (c.a.sign_exponent & 0x7fff) == 0 && c.a.significand != 0;
  return reprise::test::host_vendor() == reprise::test::HostVendor::Amd && denormal &&
         (env.masks & kUe) == 0 && (c.op == X87Op::Prem || c.op == X87Op::Prem1 || c.op == X87Op::Scale);
}

bool check(const Case& c, FpEnv env, int& reports) {
  if (host_underflows(c, env)) return true;
  const X87Result want = host_x87(c.op, c.a, c.b, env, c.memory, c.memory_high);
  const Outcome got = soft(c, env);
  u8 memory[16];
  std::memset(memory, 0xa5, sizeof memory);
  if (got.stores) {
    u8 image[16];
    std::memcpy(image, &got.memory, 8);
    std::memcpy(image + 8, &got.memory_high, 2);
    std::memcpy(memory, image, got.memory_bytes);
  }
  const bool ok = want.flags == env.flags && (want.status & got.codes_mask) == (got.codes & got.codes_mask) &&
                  std::memcmp(memory, want.memory, 16) == 0 &&
                  (pops(c.op) || (want.st0 == got.st0 && want.st1 == got.st1));
  if (ok) return true;
  if (reports++ < kMaxReports) {
    u64 stored;
    std::memcpy(&stored, want.memory, 8);
    char text[500];
    std::snprintf(
        text, sizeof text,
        "op %d rc %d pc %d masks %02x a %04x:%016lx b %04x:%016lx m %016lx\n host st0 %04x:%016lx st1 "
        "%04x:%016lx "
        "sw %04x mem %016lx\n soft st0 %04x:%016lx st1 %04x:%016lx fl %02x codes %04x/%04x mem %016lx",
        static_cast<int>(c.op), static_cast<int>(env.rounding), static_cast<int>(env.precision), env.masks,
        c.a.sign_exponent, c.a.significand, c.b.sign_exponent, c.b.significand, c.memory,
        want.st0.sign_exponent, want.st0.significand, want.st1.sign_exponent, want.st1.significand,
        want.status, stored, got.st0.sign_exponent, got.st0.significand, got.st1.sign_exponent,
        got.st1.significand, env.flags, got.codes, got.codes_mask, got.memory);
    ADD_FAILURE() << text;
  }
  return false;
}

void run(std::initializer_list<X87Op> ops) {
  const auto edges = edge_values<Extended80>();
  for (X87Op op : ops) {
    int reports = 0;
    Random random(1000 + static_cast<u64>(op));
    for (auto a : edges)
      for (auto b : edges) {
        FpEnv env;
        env.rounding = static_cast<Rounding>(random.below(4));
        if (random.chance(2)) env = random_env(random);
        check({op, a, b, random_value<Binary64>(random), 0}, env, reports);
      }
    for (u64 n = random_cases(60000); n != 0; --n) {
      Case c{op, random_value<Extended80>(random), random_value<Extended80>(random), 0, 0};
      if (random.chance(4)) {
        // Close exponents.
        const i32 near = (Extended80::field(c.a) + static_cast<i32>(random.below(9)) - 4) & 0x7fff;
        c.b.sign_exponent = static_cast<u16>((c.b.sign_exponent & 0x8000) | near);
      }
      switch (op) {
        case X87Op::AddM32:
        case X87Op::DivM32:
        case X87Op::DivrM32:
        case X87Op::ComM32:
        case X87Op::LdM32: c.memory = random_value<Binary32>(random); break;
        case X87Op::Bld:
          for (int digit = 0; digit < 16; ++digit) c.memory |= random.below(10) << (4 * digit);
          if (random.chance(4)) c.memory = 0;
          c.memory_high = static_cast<u16>((random.chance(4) ? 0 : random.below(10) | random.below(10) << 4) |
                                           random.below(2) << 15);
          break;
        case X87Op::StM32:
        case X87Op::StM64:
          if (random.chance(2)) {
            const bool narrow = op == X87Op::StM32;
            const i32 span = narrow ? 300 : 2200;
            const i32 field = 16383 - span / 2 - (narrow ? 10 : 30) +
                              static_cast<i32>(random.below(static_cast<u64>(span + 40)));
            c.a.sign_exponent = static_cast<u16>((c.a.sign_exponent & 0x8000) | field);
          }
          [[fallthrough]];
        default: c.memory = random_value<Binary64>(random);
      }
      check(c, random_env(random), reports);
    }
    EXPECT_EQ(reports, 0) << "op " << static_cast<int>(op);
  }
}

TEST(SoftfloatX87, Add) { run({X87Op::Add, X87Op::Sub, X87Op::AddM32, X87Op::AddM64}); }
TEST(SoftfloatX87, Mul) { run({X87Op::Mul}); }
TEST(SoftfloatX87, Div) { run({X87Op::Div, X87Op::DivM32, X87Op::DivM64, X87Op::DivrM32}); }
TEST(SoftfloatX87, Sqrt) { run({X87Op::Sqrt}); }
TEST(SoftfloatX87, Remainder) { run({X87Op::Prem, X87Op::Prem1}); }
TEST(SoftfloatX87, RoundAndScale) { run({X87Op::Rndint, X87Op::Scale, X87Op::Xtract}); }
TEST(SoftfloatX87, Compare) { run({X87Op::Com, X87Op::Ucom, X87Op::Tst, X87Op::ComM32}); }
TEST(SoftfloatX87, Load) { run({X87Op::LdM32, X87Op::LdM64, X87Op::Ild64, X87Op::Bld}); }
TEST(SoftfloatX87, Store) { run({X87Op::StM32, X87Op::StM64}); }
TEST(SoftfloatX87, StoreInteger) {
  run({X87Op::Ist16, X87Op::Ist32, X87Op::Ist64, X87Op::Istt16, X87Op::Istt32, X87Op::Istt64, X87Op::Bstp});
}

TEST(SoftfloatX87, Constants) {
  int reports = 0;
  for (X87Op op :
       {X87Op::Ld1, X87Op::Ldl2t, X87Op::Ldl2e, X87Op::Ldpi, X87Op::Ldlg2, X87Op::Ldln2, X87Op::Ldz})
    for (int rounding = 0; rounding < 4; ++rounding)
      for (int precision : {0, 2, 3}) {
        FpEnv env;
        env.rounding = static_cast<Rounding>(rounding);
        env.precision = static_cast<Precision>(precision);
        check({op, Extended80::infinity(false), Extended80::zero(false)}, env, reports);
      }
  EXPECT_EQ(reports, 0);
}

}  // namespace
}  // namespace reprise::softfloat::test
#endif
