// Known values, for hosts without an x86 FPU to compare with.
#include <gtest/gtest.h>

#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

TEST(SoftfloatValues, ThirdRoundsByMode) {
  const u64 expected[] = {0x3fd5555555555555, 0x3fd5555555555555, 0x3fd5555555555556, 0x3fd5555555555555};
  for (int mode = 0; mode < 4; ++mode) {
    FpEnv env;
    env.rounding = static_cast<Rounding>(mode);
    EXPECT_EQ(div<Binary64>(env, 0x3ff0000000000000, 0x4008000000000000), expected[mode]);
    EXPECT_EQ(env.flags, kPE);
  }
}

TEST(SoftfloatValues, SquareRootOfTwo) {
  FpEnv env;
  EXPECT_EQ(sqrt<Binary32>(env, 0x40000000), 0x3fb504f3u);
  EXPECT_EQ(sqrt<Binary64>(env, 0x4000000000000000), 0x3ff6a09e667f3bcdu);
  EXPECT_EQ(sqrt<Extended80>(env, {kIntegerBit, 0x4000}), (Float80{0xb504f333f9de6484, 0x3fff}));
}

TEST(SoftfloatValues, PrecisionControlRoundsExtendedResults) {
  FpEnv env;
  env.precision = Precision::Single;
  EXPECT_EQ(div<Extended80>(env, {kIntegerBit, 0x3fff}, {0xc000000000000000, 0x4000}),
            (Float80{0xaaaaab0000000000, 0x3ffd}));
  EXPECT_TRUE(env.rounded_up);
}

TEST(SoftfloatValues, FmaRoundsOnce) {
  // (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104.
  FpEnv env;
  EXPECT_EQ(
      fma<Binary64>(env, 0x3ff0000000000001, 0x3ff0000000000001, 0x3ff0000000000002, FmaSigns::NegateAddend),
      0x3970000000000000u);
  EXPECT_EQ(env.flags, 0u);
}

TEST(SoftfloatValues, NanRulesDiffer) {
  FpEnv env;
  EXPECT_EQ(add<Binary32>(env, 0x7fc00001, 0x7fc00002), 0x7fc00001u);
  EXPECT_EQ(add<Extended80>(env, {0xc000000000000001, 0x7fff}, {0xc000000000000002, 0x7fff}).significand,
            0xc000000000000002u);
  EXPECT_EQ(env.flags, 0u);
  EXPECT_EQ(sub<Binary32>(env, 0x7f800000, 0x7f800000), 0xffc00000u);
  EXPECT_EQ(env.flags, kIE);
}

TEST(SoftfloatValues, UnmaskedUnderflowIsWrapped) {
  FpEnv env;
  env.masks = kAllExceptions & ~kUE;
  const Float80 tiny{kIntegerBit, 1};
  const Float80 half{kIntegerBit, 0x3ffe};
  EXPECT_EQ(mul<Extended80>(env, tiny, half), (Float80{kIntegerBit, 24576}));
  EXPECT_EQ(env.unmasked(), kUE);
}

TEST(SoftfloatValues, UnmaskedInvalidHidesLaterExceptionsOfAPackedOperation) {
  FpEnv env;
  env.masks = kAllExceptions & ~kIE;
  div<Binary64>(env, 0x3ff0000000000000, 0x4008000000000000);
  div<Binary64>(env, 0, 0);
  env.settle();
  EXPECT_EQ(env.flags, kIE);
}

TEST(SoftfloatValues, PackedDecimalRoundTrip) {
  FpEnv env;
  const PackedBcd bcd{0x9876543210123456, 0x8042};
  const Float80 value = from_bcd(bcd);
  EXPECT_EQ(to_bcd(env, value), bcd);
  EXPECT_EQ(env.flags, 0u);
}

}  // namespace
}  // namespace reprise::softfloat
