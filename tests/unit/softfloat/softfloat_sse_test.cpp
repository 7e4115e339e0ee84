// Binary32 and Binary64 operations against the host's SSE unit: results and flags, bit for bit.
#include <gtest/gtest.h>

#include "cpu/softfloat/softfloat.h"
#include "tests/host_vendor.h"
#include "tests/unit/softfloat/host_fpu.h"
#include "tests/unit/softfloat/values.h"

#if defined(__x86_64__)
namespace reprise::softfloat::test {
namespace {

constexpr int kMaxReports = 6;

/// Every rounding mode with every DAZ and FTZ.
std::vector<FpEnv> environments(u32 masks = kAllExceptions) {
  std::vector<FpEnv> list;
  for (int rounding = 0; rounding < 4; ++rounding)
    for (int flush = 0; flush < 4; ++flush) {
      FpEnv env;
      env.rounding = static_cast<Rounding>(rounding);
      env.daz = (flush & 1) != 0;
      env.ftz = (flush & 2) != 0;
      env.masks = masks;
      list.push_back(env);
    }
  return list;
}

FpEnv random_env(Random& random) {
  FpEnv env;
  env.rounding = static_cast<Rounding>(random.below(4));
  env.daz = random.chance(4);
  env.ftz = random.chance(4);
  if (random.chance(8)) env.masks = static_cast<u32>(random.below(64));
  return env;
}

template <class F>
SseResult host(SseOp op, typename F::Bits a, typename F::Bits b, const FpEnv& env) {
  if constexpr (std::is_same_v<F, Binary32>)
    return host_sse32(op, a, b, env);
  else
    return host_sse64(op, a, b, env);
}

u64 comi_flags(Relation relation) {
  switch (relation) {
    case Relation::Less: return 0x01;
    case Relation::Equal: return 0x40;
    case Relation::Greater: return 0x00;
    default: return 0x45;
  }
}

template <class F>
u64 soft(SseOp op, typename F::Bits a, typename F::Bits b, FpEnv& env) {
  switch (op) {
    case SseOp::Add: return add<F>(env, a, b);
    case SseOp::Sub: return sub<F>(env, a, b);
    case SseOp::Mul: return mul<F>(env, a, b);
    case SseOp::Div: return div<F>(env, a, b);
    case SseOp::Sqrt: return sqrt<F>(env, a);
    case SseOp::Min: return min<F>(env, a, b);
    case SseOp::Max: return max<F>(env, a, b);
    case SseOp::Comi: return comi_flags(compare<F>(env, a, b, NanSignals::Any));
    case SseOp::Ucomi: return comi_flags(compare<F>(env, a, b, NanSignals::OnlySignalling));
  }
  return 0;
}

/// True when they agree: same flags, same fault, same value unless faulted.
bool agree(const SseResult& want, u64 got, const FpEnv& env) {
  if (want.flags != env.flags || want.faulted != (env.unmasked() != 0)) return false;
  return want.faulted || want.value == got;
}

std::string describe(const char* what, int op, const FpEnv& env, u64 a, u64 b, u64 c, const SseResult& want,
                     u64 got) {
  char text[300];
  std::snprintf(text, sizeof text,
                "%s op %d rc %d daz %d ftz %d masks %02x: %016lx %016lx %016lx: host %016lx flags %02x%s, "
                "soft %016lx flags %02x",
                what, op, static_cast<int>(env.rounding), env.daz, env.ftz, env.masks, a, b, c, want.value,
                want.flags, want.faulted ? " FAULT" : "", got, env.flags);
  return text;
}

template <class F>
bool check(SseOp op, typename F::Bits a, typename F::Bits b, FpEnv env, int& reports) {
  const SseResult want = host<F>(op, a, b, env);
  const u64 got = soft<F>(op, a, b, env);
  if (agree(want, got, env)) return true;
  if (reports++ < kMaxReports)
    ADD_FAILURE() << describe(std::is_same_v<F, Binary32> ? "32" : "64", static_cast<int>(op), env, a, b, 0,
                              want, got);
  return false;
}

constexpr SseOp kOps[] = {SseOp::Add, SseOp::Sub, SseOp::Mul,  SseOp::Div,  SseOp::Sqrt,
                          SseOp::Min, SseOp::Max, SseOp::Comi, SseOp::Ucomi};

template <class F>
void edges_against_edges() {
  const auto values = edge_values<F>();
  for (SseOp op : kOps) {
    int reports = 0;
    for (const FpEnv& env : environments())
      for (auto a : values)
        for (auto b : values) check<F>(op, a, b, env, reports);
    EXPECT_EQ(reports, 0) << "op " << static_cast<int>(op);
  }
}

template <class F>
void random_operands() {
  for (SseOp op : kOps) {
    int reports = 0;
    Random random(100 + static_cast<u64>(op));
    for (u64 n = random_cases(60000); n != 0; --n) {
      const auto a = random_value<F>(random);
      const auto b = random_value<F>(random);
      check<F>(op, a, b, random_env(random), reports);
    }
    EXPECT_EQ(reports, 0) << "op " << static_cast<int>(op);
  }
}

TEST(SoftfloatSse, Binary32Edges) { edges_against_edges<Binary32>(); }
TEST(SoftfloatSse, Binary64Edges) { edges_against_edges<Binary64>(); }
TEST(SoftfloatSse, Binary32Random) { random_operands<Binary32>(); }
TEST(SoftfloatSse, Binary64Random) { random_operands<Binary64>(); }

TEST(SoftfloatSse, UnmaskedEdges) {
  const auto values = edge_values<Binary64>();
  for (SseOp op : kOps) {
    int reports = 0;
    for (u32 unmasked : {kIE, kDE, kZE, kOE, kUE, kPE, kDE | kUE, kAllExceptions}) {
      Random random(unmasked);
      for (u64 n = 0; n < 4000; ++n) {
        FpEnv env;
        env.rounding = static_cast<Rounding>(random.below(4));
        env.ftz = random.chance(4);
        env.masks = kAllExceptions & ~unmasked;
        check<Binary64>(op, values[random.below(values.size())], values[random.below(values.size())], env,
                        reports);
      }
    }
    EXPECT_EQ(reports, 0) << "op " << static_cast<int>(op);
  }
}

template <class F>
void fma_random() {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP();
  constexpr FmaForm kForms[] = {FmaForm::Madd, FmaForm::Msub, FmaForm::Nmadd, FmaForm::Nmsub};
  const auto edges = edge_values<F>();
  int reports = 0;
  Random random(77);
  for (u64 n = random_cases(400000); n != 0; --n) {
    auto a = random_value<F>(random);
    auto b = random_value<F>(random);
    auto c = random_value<F>(random);
    if (random.chance(3)) {
      a = edges[random.below(edges.size())];
      b = edges[random.below(edges.size())];
      c = edges[random.below(edges.size())];
    } else if (random.chance(2)) {
      // An addend near the product, for cancellation.
      FpEnv scratch;
      c = F::negate(mul<F>(scratch, a, b));
      c = static_cast<typename F::Bits>(c + random.below(5) - 2);
    }
    FpEnv env = random_env(random);
    const u64 form = random.below(4);
    SseResult want;
    if constexpr (std::is_same_v<F, Binary32>)
      want = host_fma32(kForms[form], a, b, c, env);
    else
      want = host_fma64(kForms[form], a, b, c, env);
    const u64 got = fma<F>(env, a, b, c, static_cast<FmaSigns>(form));
    if (!agree(want, got, env) && reports++ < kMaxReports)
      ADD_FAILURE() << describe("fma", static_cast<int>(form), env, a, b, c, want, got);
  }
  EXPECT_EQ(reports, 0);
}
TEST(SoftfloatSse, Fma32) { fma_random<Binary32>(); }
TEST(SoftfloatSse, Fma64) { fma_random<Binary64>(); }

u64 soft_convert(SseConversion conversion, u64 a, FpEnv& env, bool suppress) {
  const u32 a32 = static_cast<u32>(a);
  const Inexact inexact = suppress ? Inexact::Suppressed : Inexact::Raises;
  const Rounding rc = env.rounding;
  switch (conversion) {
    case SseConversion::Ss2Sd: return convert<Binary64, Binary32>(env, a32);
    case SseConversion::Sd2Ss: return convert<Binary32, Binary64>(env, a);
    case SseConversion::Ss2Si32: return static_cast<u64>(to_int<Binary32>(env, a32, IntWidth::Dword, rc));
    case SseConversion::Ss2Si64: return static_cast<u64>(to_int<Binary32>(env, a32, IntWidth::Qword, rc));
    case SseConversion::Tss2Si32:
      return static_cast<u64>(to_int<Binary32>(env, a32, IntWidth::Dword, Rounding::Truncate));
    case SseConversion::Tss2Si64:
      return static_cast<u64>(to_int<Binary32>(env, a32, IntWidth::Qword, Rounding::Truncate));
    case SseConversion::Sd2Si32: return static_cast<u64>(to_int<Binary64>(env, a, IntWidth::Dword, rc));
    case SseConversion::Sd2Si64: return static_cast<u64>(to_int<Binary64>(env, a, IntWidth::Qword, rc));
    case SseConversion::Tsd2Si32:
      return static_cast<u64>(to_int<Binary64>(env, a, IntWidth::Dword, Rounding::Truncate));
    case SseConversion::Tsd2Si64:
      return static_cast<u64>(to_int<Binary64>(env, a, IntWidth::Qword, Rounding::Truncate));
    case SseConversion::Si32ToSs: return from_int64<Binary32>(env, static_cast<i32>(a32));
    case SseConversion::Si64ToSs: return from_int64<Binary32>(env, static_cast<i64>(a));
    case SseConversion::Si32ToSd: return from_int64<Binary64>(env, static_cast<i32>(a32));
    case SseConversion::Si64ToSd: return from_int64<Binary64>(env, static_cast<i64>(a));
    case SseConversion::Ph2Ps: return convert<Binary32, Binary16>(env, static_cast<u16>(a));
    case SseConversion::Ps2Ph: return convert<Binary16, Binary32>(env, a32);
    case SseConversion::RoundSs: return round_to_integral<Binary32>(env, a32, rc, inexact);
    case SseConversion::RoundSd: return round_to_integral<Binary64>(env, a, rc, inexact);
  }
  return 0;
}

bool takes_binary64(SseConversion c) {
  return c == SseConversion::Sd2Ss || c == SseConversion::RoundSd ||
         (c >= SseConversion::Sd2Si32 && c <= SseConversion::Tsd2Si64);
}

TEST(SoftfloatSse, Conversions) {
  const bool amd = reprise::test::host_vendor() == reprise::test::HostVendor::Amd;
  const auto edges32 = edge_values<Binary32>();
  const auto edges64 = edge_values<Binary64>();
  for (int c = 0; c <= static_cast<int>(SseConversion::RoundSd); ++c) {
    const auto conversion = static_cast<SseConversion>(c);
    const bool half = conversion == SseConversion::Ph2Ps || conversion == SseConversion::Ps2Ph;
    if (half && !__builtin_cpu_supports("avx2")) continue;
    const bool integer = conversion >= SseConversion::Si32ToSs && conversion <= SseConversion::Si64ToSd;
    int reports = 0;
    Random random(static_cast<u64>(c) + 1);
    for (u64 n = random_cases(100000); n != 0; --n) {
      u64 a;
      if (conversion == SseConversion::Ph2Ps)
        a = random.next() & 0xffff;
      else if (integer)
        a = random.chance(3) ? random_fraction(random, 64) : random.next() >> random.below(64);
      else if (takes_binary64(conversion))
        a = random.chance(8) ? edges64[random.below(edges64.size())] : random_value<Binary64>(random);
      else
        a = random.chance(8) ? edges32[random.below(edges32.size())] : random_value<Binary32>(random);
      if (conversion == SseConversion::Ps2Ph && random.chance(2))
        a = (a & 0x807fffff) | ((127 - 26 + random.below(46)) << 23);
      if (conversion == SseConversion::Sd2Ss && random.chance(2))
        a = (a & 0x800fffffffffffff) | ((1023 - 152 + random.below(282)) << 52);
      FpEnv env = random_env(random);
      const bool suppress = random.chance(2);
      SseResult want = host_sse_convert(conversion, a, env, suppress);
      const u64 got = soft_convert(conversion, a, env, suppress);
      // AMD: an unmasked UE of VCVTPS2PH keeps PE out of MXCSR.
      constexpr u8 kPe = 0x20;
      if (amd && conversion == SseConversion::Ps2Ph && want.faulted) want.flags |= env.flags & kPe;
      if (!agree(want, got, env) && reports++ < kMaxReports)
        ADD_FAILURE() << describe("convert", c, env, a, suppress, 0, want, got);
    }
    EXPECT_EQ(reports, 0) << "conversion " << c;
  }
}

}  // namespace
}  // namespace reprise::softfloat::test
#endif
