// Host arithmetic against cpu/softfloat, on any host: same bits, and no flag but PE, wherever bodies may use it.
#include <random>

#include "cpu/sem/sse_fp_convert_bodies.h"
#include "gtest/gtest.h"

namespace reprise::cpu {
namespace {

constexpr int kRounds = 20000;

/// Zeros and numbers in and around the window, many of them near each other or with few bits.
template <class F>
class Operands {
 public:
  BitsOf<F> next() {
    const u64 r = random_();
    const i32 limit = r & 1 ? 3 : kOrdinaryExponents<F> + 2;
    const i32 exponent = static_cast<i32>(random_() % static_cast<u64>(2 * limit + 1)) - limit;
    auto fraction = static_cast<BitsOf<F>>(random_() & F::kFractionMask);
    if (r & 2) fraction &= static_cast<BitsOf<F>>(F::kFractionMask << (r >> 8 & 31));
    if ((r >> 16 & 15) == 0) return F::zero(r >> 20 & 1);
    if ((r >> 16 & 15) == 1) return last_ ^ static_cast<BitsOf<F>>(r >> 60);
    return last_ = static_cast<BitsOf<F>>(F::with_sign(r >> 20 & 1) |
                                          static_cast<BitsOf<F>>(exponent + F::kBias) << F::kFractionBits |
                                          fraction);
  }

 private:
  std::mt19937_64 random_{0x40};
  BitsOf<F> last_ = 0;
};

SseEnv env_with_host() { return sse_env(kMxcsrReset | softfloat::kPE); }
SseEnv env_without_host() {
  SseEnv env = env_with_host();
  env.host_exact = false;
  return env;
}

template <class F, class Op>
void compare_binary() {
  Operands<F> operands;
  int exact = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto a = operands.next(), b = operands.next();
    SseEnv with = env_with_host(), without = env_without_host();
    ASSERT_EQ((fp_element<F, Op>(with, a, b)), (fp_element<F, Op>(without, a, b)))
        << std::hex << a << ' ' << b;
    ASSERT_EQ(with.flags | softfloat::kPE, without.flags | softfloat::kPE) << std::hex << a << ' ' << b;
    exact += Op::template exact<F>(a, b);
  }
  EXPECT_GT(exact, kRounds / 2) << "the host was hardly used";
}

TEST(FpHost, Arithmetic) {
  compare_binary<Binary32, fp_add>();
  compare_binary<Binary64, fp_add>();
  compare_binary<Binary32, fp_sub>();
  compare_binary<Binary64, fp_sub>();
  compare_binary<Binary32, fp_mul>();
  compare_binary<Binary64, fp_mul>();
  compare_binary<Binary32, fp_div>();
  compare_binary<Binary64, fp_div>();
  compare_binary<Binary32, fp_min>();
  compare_binary<Binary64, fp_max>();
}

template <class F>
void compare_unary() {
  Operands<F> operands;
  for (int i = 0; i < kRounds; ++i) {
    const auto a = operands.next();
    SseEnv with = env_with_host(), without = env_without_host();
    ASSERT_EQ(fp_sqrt::run<F>(with, a), fp_sqrt::run<F>(without, a)) << std::hex << a;
    ASSERT_EQ((fp_to_int<F, u32, Convert::Truncates>(with, a)),
              (fp_to_int<F, u32, Convert::Truncates>(without, a)))
        << std::hex << a;
    ASSERT_EQ((fp_to_int<F, u64, Convert::Truncates>(with, a)),
              (fp_to_int<F, u64, Convert::Truncates>(without, a)))
        << std::hex << a;
    const i64 integer = static_cast<i64>(a) << (i & 31);
    ASSERT_EQ(fp_from_int<F>(with, integer), fp_from_int<F>(without, integer)) << integer;
    ASSERT_EQ(with.flags | softfloat::kPE, without.flags | softfloat::kPE) << std::hex << a;
  }
}
TEST(FpHost, SquareRootAndIntegers) {
  compare_unary<Binary32>();
  compare_unary<Binary64>();
}

TEST(FpHost, Formats) {
  Operands<Binary64> doubles;
  Operands<Binary32> floats;
  for (int i = 0; i < kRounds; ++i) {
    const u64 a = doubles.next();
    const u32 b = floats.next();
    SseEnv with = env_with_host(), without = env_without_host();
    ASSERT_EQ((fp_to_format<Binary32, Binary64>(with, a)),
              (softfloat::convert<Binary32, Binary64>(without, a)))
        << std::hex << a;
    ASSERT_EQ(with.flags | softfloat::kPE, without.flags | softfloat::kPE) << std::hex << a;
    ASSERT_EQ((fp_to_format<Binary64, Binary32>(with, b)),
              (softfloat::convert<Binary64, Binary32>(without, b)))
        << std::hex << b;
  }
}

TEST(FpHost, Comparison) {
  Operands<Binary64> operands;
  for (int i = 0; i < kRounds; ++i) {
    const u64 a = operands.next(), b = operands.next();
    SseEnv env = env_without_host();
    ASSERT_EQ(fp_relation<Binary64>(env, a, b, softfloat::NanSignals::Any),
              softfloat::compare<Binary64>(env, a, b, softfloat::NanSignals::Any));
    ASSERT_EQ(env.flags, 0u);
  }
}

/// Anything unusual in MXCSR keeps the host out.
TEST(FpHost, OnlyUnderTheUsualSettings) {
  EXPECT_TRUE(sse_env(0x1fa0).host_exact);
  EXPECT_TRUE(sse_env(0x1fbf).host_exact) << "sticky flags do not matter";
  EXPECT_FALSE(sse_env(0x1f80).host_exact) << "PE must be sticky already";
  for (const u32 bits : {0x2000u, 0x4000u, 0x8000u, 0x0040u}) EXPECT_FALSE(sse_env(0x1fa0 | bits).host_exact);
  for (u32 mask = 0x80; mask <= 0x1000; mask <<= 1) EXPECT_FALSE(sse_env(0x1fa0 & ~mask).host_exact);
}

}  // namespace
}  // namespace reprise::cpu
