// Transcendentals against the host's x87: within one unit in the last place, same flags, same special
// results.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cpu/softfloat/softfloat.h"
#include "tests/unit/softfloat/host_fpu.h"
#include "tests/unit/softfloat/values.h"

namespace reprise::softfloat::test {
namespace {

struct Result {
  Float80 first;   // ST0 of the unary ones and FSIN's, else the result
  Float80 second;  // cosine
  bool c2 = false;
};

Result soft(X87Op op, Float80 a, Float80 b, FpEnv& env) {
  switch (op) {
    case X87Op::F2xm1: return {f2xm1(env, a), {}};
    case X87Op::Yl2x: return {yl2x(env, b, a), {}};
    case X87Op::Yl2xp1: return {yl2xp1(env, b, a), {}};
    case X87Op::Patan: return {atan2(env, b, a), {}};
    default: break;
  }
  if (out_of_trigonometric_range(a)) return {a, a, true};
  switch (op) {
    case X87Op::Sin: return {sin(env, a), {}};
    case X87Op::Cos: return {cos(env, a), {}};
    case X87Op::Ptan: return {tan(env, a), {}};
    default: {
      const SineCosine both = sincos(env, a);
      return {both.sine, both.cosine};
    }
  }
}

// Operation, rounding, ST0, ST1, result: correctly rounded from 600-bit arithmetic with the x87's pi.
struct Known {
  X87Op op;
  int rounding;
  Float80 a, b, result;
};
constexpr Known kKnown[] = {
    {X87Op::F2xm1,
     1,
     {0x800000000000003c, 0x3ffc},
     {0xc76e67f1c0bcc5a6, 0x3fff},
     {0xb95c1e3ea8bd6eca, 0x3ffb}},
    {X87Op::F2xm1,
     3,
     {0x80000000000000b6, 0x3fe6},
     {0x95bfa612688b42c5, 0x3ffc},
     {0xb1721816918d7db8, 0x3fe5}},
    {X87Op::F2xm1,
     0,
     {0x8000000000000076, 0xbffc},
     {0xbcf404fe3c5c6bda, 0x3ffc},
     {0xa9f9c8c116de3720, 0xbffb}},
    {X87Op::F2xm1,
     2,
     {0x80000000000000cb, 0x3ffb},
     {0x9deb8bcf9736bb26, 0x3ffd},
     {0xb5586cf9890f63bf, 0x3ffa}},
    {X87Op::Yl2x,
     0,
     {0x8000000000000095, 0x3ffd},
     {0xf045c283a17c3da4, 0x4000},
     {0xf045c283a17c3cda, 0xc001}},
    {X87Op::Yl2x,
     1,
     {0x80000000000000b5, 0x3ffd},
     {0xe2813a01b40be545, 0x4001},
     {0xe2813a01b40be45e, 0xc002}},
    {X87Op::Yl2x,
     3,
     {0x8000000000000033, 0x4f37},
     {0xe5a3070a0f2a5ccd, 0x3fff},
     {0xda6c9132116ccb45, 0x400b}},
    {X87Op::Yl2x,
     2,
     {0x8000000000000006, 0x4000},
     {0xd1e295326dc2a7b0, 0x3ffe},
     {0xd1e295326dc2a7bf, 0x3ffe}},
    {X87Op::Yl2xp1,
     1,
     {0x80000000000000f9, 0xbffc},
     {0xee4f8cac1c9f6b83, 0x4000},
     {0xb7a3376d860721a5, 0xbffe}},
    {X87Op::Yl2xp1,
     2,
     {0x80000000000000c9, 0xbff9},
     {0x94ba0c8e7f3722fa, 0x3fff},
     {0xd842e64f9e9d0a3c, 0xbff9}},
    {X87Op::Yl2xp1,
     3,
     {0x8000000000000054, 0xbffc},
     {0x86480305aaf5d376, 0x4000},
     {0xcef2f4ae8edb0c4c, 0xbffd}},
    {X87Op::Yl2xp1,
     0,
     {0xa629c0f7f7225841, 0xbffa},
     {0xfd1b38d1c134b46d, 0x3ffd},
     {0xf1f45fa05d0bf13f, 0xbff9}},
    {X87Op::Patan,
     1,
     {0x8000000000000075, 0xc000},
     {0xf4cc1a10c0b19418, 0x3ffd},
     {0xba0b40bd1c936973, 0x4000}},
    {X87Op::Patan,
     3,
     {0x80000000000000a0, 0x4086},
     {0xf0b1103b188572e3, 0x3ffc},
     {0xf0b1103b188571b6, 0x3f75}},
    {X87Op::Patan,
     0,
     {0x8000000000000086, 0xc099},
     {0xa1e0f02241ec7c62, 0x3ffe},
     {0xc90fdaa22168c235, 0x4000}},
    {X87Op::Patan,
     2,
     {0x80000000000000bd, 0xc001},
     {0x9b5e08702e039249, 0x3fff},
     {0xb634ca732ce05c75, 0x4000}},
    {X87Op::Sin, 3, {0x80000000000000b5, 0xbffe}, {0xb0ee4ffdfbb51b8a, 0x3fff}, {0xf57743a2582f8081, 0xbffd}},
    {X87Op::Sin, 2, {0x8000000000000060, 0x402e}, {0xb522788c70a86088, 0x4001}, {0x87e0ba6e97eab790, 0xbffb}},
    {X87Op::Sin, 1, {0x8000000000000051, 0xc000}, {0x866a9d94be412641, 0x3ffd}, {0xe8c7b7568da22e77, 0xbffe}},
    {X87Op::Sin, 0, {0x8000000000000030, 0xc001}, {0xa2f5c609e7aeb14e, 0x4000}, {0xc1bdceeee0f57482, 0x3ffe}},
    {X87Op::Cos, 2, {0x800000000000007c, 0x3fef}, {0xc4313fd7a971aeeb, 0x3ffc}, {0xffffffff80000001, 0x3ffe}},
    {X87Op::Cos, 1, {0x800000000000006c, 0x4000}, {0xd3497c8964ffcf2c, 0x4001}, {0xd51132ba9b902834, 0xbffd}},
    {X87Op::Cos, 0, {0x800000000000006d, 0x3fff}, {0x8d5f1b3dc795993f, 0x3ffc}, {0x8a51407da8345bda, 0x3ffe}},
    {X87Op::Cos, 3, {0x8000000000000084, 0xbfff}, {0xf2c7baa57fca355f, 0x4001}, {0x8a51407da8345bb3, 0x3ffe}},
    {X87Op::Ptan,
     3,
     {0x800000000000008a, 0xc01f},
     {0xb2caeed65dc69c81, 0x3fff},
     {0x855a3d1c6841b04c, 0xbffe}},
    {X87Op::Ptan,
     2,
     {0x8000000000000092, 0xbffd},
     {0x8c5617fbc4f90476, 0x3ffd},
     {0x82bc2d21e262afcd, 0xbffd}},
    {X87Op::Ptan,
     0,
     {0x800000000000002b, 0x4000},
     {0xcadf84a84370d786, 0x3ffe},
     {0x8bd7b1704a87c0e2, 0xc000}},
    {X87Op::Ptan,
     1,
     {0x80000000000000c2, 0x4000},
     {0xe66ff53a6157f6f8, 0x3ffd},
     {0x8bd7b1704a87bd7b, 0xc000}},
};

TEST(SoftfloatTranscendental, KnownValues) {
  for (const Known& known : kKnown) {
    FpEnv env;
    env.rounding = static_cast<Rounding>(known.rounding);
    EXPECT_EQ(soft(known.op, known.a, known.b, env).first, known.result)
        << "op " << static_cast<int>(known.op) << " rounding " << known.rounding;
    EXPECT_EQ(env.flags, kPE);
  }
}

TEST(SoftfloatTranscendental, ExactLogarithmsRoundExactly) {
  FpEnv env;
  env.rounding = Rounding::Up;
  EXPECT_EQ(yl2x(env, {0xc000000000000000, 0x4000}, {kIntegerBit, 0x4002}),
            (Float80{0x9000000000000000, 0x4002}));
}

TEST(SoftfloatTranscendental, LargeArgumentsAreOutOfRange) {
  EXPECT_TRUE(out_of_trigonometric_range({kIntegerBit, 0x3fff + 63}));
  EXPECT_FALSE(out_of_trigonometric_range({~u64{0}, 0x3fff + 62}));
}

#if defined(__x86_64__)
constexpr int kMaxReports = 8;

/// Distance in units of the last place; huge when signs or kinds differ.
u64 ulps(Float80 a, Float80 b) {
  if (a == b) return 0;
  const auto rank = [](Float80 v) {
    const i128 magnitude =
        static_cast<i128>(static_cast<u128>(Extended80::field(v)) << 63) +
        static_cast<i128>(Extended80::field(v) == 0 ? v.significand : v.significand & ~kIntegerBit);
    return Extended80::sign(v) ? -magnitude : magnitude;
  };
  const i128 distance = rank(a) - rank(b);
  const u128 magnitude = static_cast<u128>(distance < 0 ? -distance : distance);
  return magnitude >> 63 != 0 ? ~u64{0} : static_cast<u64>(magnitude);
}

/// At most one unit from the smallest normal number, or the largest.
bool at_range_limit(Float80 v) {
  return (Extended80::field(v) == 0x7ffe && v.significand >= ~u64{1}) ||
         v == Extended80::infinity(Extended80::sign(v)) ||
         (Extended80::field(v) == 1 && v.significand <= kIntegerBit + 1) ||
         (Extended80::field(v) == 0 && v.significand == kIntegerBit - 1);
}

/// Arguments outside the documented range are not compared: their results are Reprise's own definition.
bool defined_argument(X87Op op, Float80 a) {
  const Parts x = Extended80::unpack(a);
  if (x.kind != Kind::Normal && x.kind != Kind::Denormal) return true;
  if (op == X87Op::F2xm1) return x.exponent < 0 || (x.exponent == 0 && x.significand == kIntegerBit);
  // |x| <= 1 - sqrt(1/2) = 0.29289...
  if (op == X87Op::Yl2xp1)
    return x.exponent < -2 || (x.exponent == -2 && x.significand <= 0x95f619980c4336f7);
  return true;
}

u64 worst_ulps(X87Op op, u32 masks, u64 cases) {
  int reports = 0;
  u64 worst = 0;
  const auto edges = edge_values<Extended80>();
  Random random(4000 + static_cast<u64>(op));
  const u64 edge_pairs = edges.size() * edges.size();
  for (u64 n = 0; n < edge_pairs + cases; ++n) {
    Float80 a, b;
    if (n < edge_pairs) {
      a = edges[n / edges.size()];
      b = edges[n % edges.size()];
    } else {
      a = random_value<Extended80>(random);
      b = random_value<Extended80>(random);
      if (random.chance(2))
        a.sign_exponent = static_cast<u16>((a.sign_exponent & 0x8000) | (0x3fff - 40 + random.below(44)));
      if (random.chance(2)) a.significand = random.next() | kIntegerBit;
    }
    if (!defined_argument(op, a)) continue;
    FpEnv env;
    env.rounding = static_cast<Rounding>(random.below(4));
    if (random.chance(4)) env.precision = Precision::Single;
    env.masks = masks;
    const X87Result want = host_x87(op, a, b, env);
    const Result got = soft(op, a, b, env);
    const bool stopped = (env.unmasked() & kPreComputation) != 0;
    FpEnv all_masked = env;
    all_masked.masks = kAllExceptions;
    const Result masked = soft(op, a, b, all_masked);
    // One unit decides whether these underflow or overflow.
    const bool at_limit = at_range_limit(masked.first) || at_range_limit(masked.second);
    if (at_limit && masks != kAllExceptions) continue;
    const u32 compared = at_limit ? ~(kUE | kOE) : ~u32{0};
    u64 distance = 0;
    Float80 host_value = want.st0;
    if (!stopped) {
      if ((op == X87Op::Sincos || op == X87Op::Ptan) && !got.c2) host_value = want.st1;
      distance = ulps(host_value, got.first);
      if (op == X87Op::Sincos && !got.c2) distance = std::max(distance, ulps(want.st0, got.second));
      if (distance != ~u64{0}) worst = std::max(worst, distance);
    }
    const bool ok = distance <= 1 && ((want.flags ^ env.flags) & compared) == 0 && want.c2() == got.c2;
    if (!ok && reports++ < kMaxReports) {
      char text[400];
      std::snprintf(
          text, sizeof text,
          "op %d rc %d masks %02x a %04x:%016lx b %04x:%016lx host %04x:%016lx (st0 %04x:%016lx) sw %04x, "
          "soft %04x:%016lx %04x:%016lx flags %02x c2 %d ulps %lu",
          static_cast<int>(op), static_cast<int>(env.rounding), masks, a.sign_exponent, a.significand,
          b.sign_exponent, b.significand, host_value.sign_exponent, host_value.significand,
          want.st0.sign_exponent, want.st0.significand, want.status, got.first.sign_exponent,
          got.first.significand, got.second.sign_exponent, got.second.significand, env.flags, got.c2,
          distance);
      ADD_FAILURE() << text;
    }
  }
  EXPECT_EQ(reports, 0) << "op " << static_cast<int>(op);
  return worst;
}

class Transcendental : public testing::TestWithParam<X87Op> {};

TEST_P(Transcendental, AgreesWithHostWithinOneUlp) {
  EXPECT_LE(worst_ulps(GetParam(), kAllExceptions, random_cases(40000)), 1u);
}
TEST_P(Transcendental, AgreesWithHostUnmasked) {
  for (u32 unmasked : {kIE, kDE, kZE, kOE, kUE, kPE})
    worst_ulps(GetParam(), kAllExceptions & ~unmasked, 2000);
}

INSTANTIATE_TEST_SUITE_P(X87, Transcendental,
                         testing::Values(X87Op::F2xm1, X87Op::Yl2x, X87Op::Yl2xp1, X87Op::Patan, X87Op::Sin,
                                         X87Op::Cos, X87Op::Sincos, X87Op::Ptan));
#endif

}  // namespace
}  // namespace reprise::softfloat::test
