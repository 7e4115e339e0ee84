// Floating-point bodies against the host's instructions: results and MXCSR, under all roundings, DAZ, FTZ and masks.
// RCPPS and RSQRTPS are as Intel processors give them.
#include "cpu/sem/sse_fp_bodies.h"

#include "cpu/sem/sse_fp_approx_bodies.h"
#include "cpu/sem/sse_fp_convert_bodies.h"
#include "tests/host_vendor.h"
#include "tests/unit/cpu_vector/host_insn.h"

#if defined(__x86_64__)
namespace reprise::cpu {
namespace {

constexpr int kRounds = 8192;

template <class F>
constexpr Operands kOperandsOf = sizeof(BitsOf<F>) == 4 ? Operands::Single : Operands::Double;

/// All exceptions masked, then masks at random.
void compare_fp(const char* name, Code code, std::function<void(VectorState&)> model, Operands operands,
                bool imm) {
  compare({name, code, model, operands, imm, false, kRounds});
  compare({name, code, model, operands, imm, true, kRounds / 4});
}
#define PS(op, ...) compare_fp(op, CODE(op " %%xmm1, %%xmm0"), __VA_ARGS__, Operands::Single, false)
#define PD(op, ...) compare_fp(op, CODE(op " %%xmm1, %%xmm0"), __VA_ARGS__, Operands::Double, false)
#define ALL4(op, fn)                                           \
  PS(op "ps", model2<sem_fp_packed<Binary32, fn>, V128>);      \
  PD(op "pd", model2<sem_fp_packed<Binary64, fn>, V128>);      \
  PS(op "ss", model2<sem_fp_scalar<Binary32, fn>, V128, u32>); \
  PD(op "sd", model2<sem_fp_scalar<Binary64, fn>, V128, u64>)

TEST(VectorFp, Add) { ALL4("add", fp_add); }
TEST(VectorFp, Subtract) { ALL4("sub", fp_sub); }
TEST(VectorFp, Multiply) { ALL4("mul", fp_mul); }
TEST(VectorFp, Divide) { ALL4("div", fp_div); }
TEST(VectorFp, Minimum) { ALL4("min", fp_min); }
TEST(VectorFp, Maximum) { ALL4("max", fp_max); }
TEST(VectorFp, SquareRoot) {
  PS("sqrtps", model1<sem_fp_packed1<Binary32, fp_sqrt>, V128>);
  PD("sqrtpd", model1<sem_fp_packed1<Binary64, fp_sqrt>, V128>);
  PS("sqrtss", model2<sem_fp_scalar1<Binary32, fp_sqrt>, V128, u32>);
  PD("sqrtsd", model2<sem_fp_scalar1<Binary64, fp_sqrt>, V128, u64>);
}

TEST(VectorFp, Horizontal) {
  PS("haddps", model2<sem_fp_horizontal<Binary32, fp_add>, V128>);
  PD("haddpd", model2<sem_fp_horizontal<Binary64, fp_add>, V128>);
  PS("hsubps", model2<sem_fp_horizontal<Binary32, fp_sub>, V128>);
  PD("hsubpd", model2<sem_fp_horizontal<Binary64, fp_sub>, V128>);
  PS("addsubps", model2<sem_addsub<Binary32>, V128>);
  PD("addsubpd", model2<sem_addsub<Binary64>, V128>);
}

template <class F, softfloat::NanSignals Signals>
void model_comi(VectorState& state) {
  const auto a = source_of<BitsOf<F>>(state, true), b = source_of<BitsOf<F>>(state, false);
  with_env(state, [&](SseEnv& env) { state.status_flags = sem_comi<F, Signals>{}(env, a, b); });
}
TEST(VectorFp, CompareToFlags) {
  using softfloat::NanSignals;
  PS("comiss", model_comi<Binary32, NanSignals::Any>);
  PD("comisd", model_comi<Binary64, NanSignals::Any>);
  PS("ucomiss", model_comi<Binary32, NanSignals::OnlySignalling>);
  PD("ucomisd", model_comi<Binary64, NanSignals::OnlySignalling>);
}

constexpr auto kRoundsBy = Convert::Rounds, kTruncates = Convert::Truncates;

TEST(VectorFp, ConvertPacked) {
  PS("cvtdq2ps", model1<sem_cvt_dwords<Binary32, V128>, V128>);
  PS("cvtdq2pd", model1<sem_cvt_dwords<Binary64, u64>, u64>);
  PS("cvtps2dq", model1<sem_cvt_to_dwords<Binary32, V128, V128, kRoundsBy>, V128>);
  PS("cvttps2dq", model1<sem_cvt_to_dwords<Binary32, V128, V128, kTruncates>, V128>);
  PD("cvtpd2dq", model1<sem_cvt_to_dwords<Binary64, V128, V128, kRoundsBy>, V128>);
  PD("cvttpd2dq", model1<sem_cvt_to_dwords<Binary64, V128, V128, kTruncates>, V128>);
  PS("cvtps2pd", model1<sem_cvtps2pd, u64>);
  PD("cvtpd2ps", model1<sem_cvtpd2ps, V128>);
  PS("cvtss2sd", model2<sem_cvt_scalar<Binary64, Binary32>, V128, u32>);
  PD("cvtsd2ss", model2<sem_cvt_scalar<Binary32, Binary64>, V128, u64>);
}

#define TO_MMX(op, kind, ...) \
  compare_fp(op, CODE(op " %%xmm1, %%mm0"), model1<__VA_ARGS__>, kOperandsOf<kind>, false)
TEST(VectorFp, ConvertMmx) {
  TO_MMX("cvtps2pi", Binary32, sem_cvt_to_dwords<Binary32, V64, u64, kRoundsBy>, u64);
  TO_MMX("cvttps2pi", Binary32, sem_cvt_to_dwords<Binary32, V64, u64, kTruncates>, u64);
  TO_MMX("cvtpd2pi", Binary64, sem_cvt_to_dwords<Binary64, V64, V128, kRoundsBy>, V128);
  TO_MMX("cvttpd2pi", Binary64, sem_cvt_to_dwords<Binary64, V64, V128, kTruncates>, V128);
  compare_fp("cvtpi2ps", CODE("cvtpi2ps %%mm1, %%xmm0"), model2<sem_cvtpi2ps<V64>, V128, V64>,
             Operands::Single, false);
  compare_fp("cvtpi2pd", CODE("cvtpi2pd %%mm1, %%xmm0"), model1<sem_cvt_dwords<Binary64, V64>, V64>,
             Operands::Single, false);
}

template <class F, class T>
void model_from_gpr(VectorState& state) {
  with_env(state, [&](SseEnv& env) {
    state.xmm0 = sem_cvt_from_gpr<F>{}(env, state.xmm0, static_cast<T>(state.rax));
  });
}
#define TO_GPR(op, reg, kind, T, C)                                                            \
  compare_fp(op, CODE(op " %%xmm1, %%" reg), model1<sem_cvt_to_gpr<kind, T, C>, BitsOf<kind>>, \
             kOperandsOf<kind>, false)
#define FROM_GPR(op, reg, kind, T) \
  compare_fp(op, CODE(op " %%" reg ", %%xmm0"), model_from_gpr<kind, T>, kOperandsOf<kind>, false)
TEST(VectorFp, ConvertGpr) {
  TO_GPR("cvtss2si", "eax", Binary32, u32, kRoundsBy);
  TO_GPR("cvtss2si", "rax", Binary32, u64, kRoundsBy);
  TO_GPR("cvttss2si", "eax", Binary32, u32, kTruncates);
  TO_GPR("cvttss2si", "rax", Binary32, u64, kTruncates);
  TO_GPR("cvtsd2si", "eax", Binary64, u32, kRoundsBy);
  TO_GPR("cvtsd2si", "rax", Binary64, u64, kRoundsBy);
  TO_GPR("cvttsd2si", "eax", Binary64, u32, kTruncates);
  TO_GPR("cvttsd2si", "rax", Binary64, u64, kTruncates);
  FROM_GPR("cvtsi2ss", "eax", Binary32, u32);
  FROM_GPR("cvtsi2ss", "rax", Binary32, u64);
  FROM_GPR("cvtsi2sd", "eax", Binary64, u32);
  FROM_GPR("cvtsi2sd", "rax", Binary64, u64);
}

#define PS_IMM(op, ...) compare_fp(op, CODE(op " $0x7f, %%xmm1, %%xmm0"), __VA_ARGS__, Operands::Single, true)
#define PD_IMM(op, ...) compare_fp(op, CODE(op " $0x7f, %%xmm1, %%xmm0"), __VA_ARGS__, Operands::Double, true)
TEST(VectorFp, Round) {
  PS_IMM("roundps", model1<sem_round_packed<Binary32>, V128>);
  PD_IMM("roundpd", model1<sem_round_packed<Binary64>, V128>);
  PS_IMM("roundss", model2<sem_round_scalar<Binary32>, V128, u32>);
  PD_IMM("roundsd", model2<sem_round_scalar<Binary64>, V128, u64>);
}
TEST(VectorFp, DotProduct) {
  REPRISE_ON_INTEL_ONLY();
  PS_IMM("dpps", model2<sem_dp<Binary32>, V128>);
  PD_IMM("dppd", model2<sem_dp<Binary64>, V128>);
}
TEST(VectorFp, CompareToMask) {
  PS_IMM("cmpps", model2<sem_cmp_packed<Binary32, 7>, V128>);
  PD_IMM("cmppd", model2<sem_cmp_packed<Binary64, 7>, V128>);
  PS_IMM("cmpss", model2<sem_cmp_scalar<Binary32, 7>, V128, u32>);
  PD_IMM("cmpsd", model2<sem_cmp_scalar<Binary64, 7>, V128, u64>);
}
/// The predicates of AVX share the table.
TEST(VectorFp, AllPredicates) {
  if (!__builtin_cpu_supports("avx")) GTEST_SKIP() << "no AVX";
  compare_fp("vcmppd", CODE("vcmppd $0x7f, %%xmm1, %%xmm0, %%xmm0"),
             model2<sem_cmp_packed<Binary64, 31>, V128>, Operands::Double, true);
}

TEST(VectorFp, Approximations) {
  EXPECT_EQ(fp_rcp{}(0x3f800000), 0x3f7ff000u);
  EXPECT_EQ(fp_rsqrt{}(0x40000000), 0x3f34f800u);
  EXPECT_EQ(fp_rcp{}(0x7e800000), 0x00000000u) << "a tiny result is zero";
  EXPECT_EQ(fp_rcp{}(0x80000001), 0xff800000u) << "a denormal counts as zero";
  EXPECT_EQ(fp_rsqrt{}(0xbf800000), 0xffc00000u);
  if (!__builtin_cpu_is("intel")) GTEST_SKIP() << "the host's approximations are not Intel's";
  PS("rcpps", model1<sem_approx_packed<fp_rcp>, V128>);
  PS("rcpss", model2<sem_approx_scalar<fp_rcp>, V128, u32>);
  PS("rsqrtps", model1<sem_approx_packed<fp_rsqrt>, V128>);
  PS("rsqrtss", model2<sem_approx_scalar<fp_rsqrt>, V128, u32>);
  const Code rcp = CODE("rcpps %%xmm1, %%xmm0"), rsqrt = CODE("rsqrtps %%xmm1, %%xmm0");
  for (u64 i = 0; i < u64{1} << 32; i += 4 * 1021) {
    VectorState state;
    state.xmm1 = fill_lanes<u32, V128>([&](unsigned j) { return i + 1021 * j; });
    ASSERT_EQ(sem_approx_packed<fp_rcp>{}(state.xmm1), run_on_host(rcp, state, false).xmm0) << std::hex << i;
    ASSERT_EQ(sem_approx_packed<fp_rsqrt>{}(state.xmm1), run_on_host(rsqrt, state, false).xmm0)
        << std::hex << i;
  }
}

}  // namespace
}  // namespace reprise::cpu
#endif
