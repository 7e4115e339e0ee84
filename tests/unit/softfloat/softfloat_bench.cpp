// Nanoseconds per operation on ordinary operands. Not a test: run by hand, on an idle machine.
#include <chrono>
#include <cstdio>

#include "cpu/softfloat/softfloat.h"
#include "tests/unit/softfloat/values.h"

namespace reprise::softfloat::test {
namespace {

template <class F>
std::vector<typename F::Bits> ordinary_values(u64 seed) {
  Random random(seed);
  std::vector<typename F::Bits> values;
  for (int i = 0; i < 1024; ++i)
    values.push_back(build<F>(random.chance(2), F::kBias - 4 + static_cast<i32>(random.below(8)),
                              random.next() & ((u64{1} << F::kFractionBits) - 1)));
  return values;
}

u64 fold(u32 value) { return value; }
u64 fold(u64 value) { return value; }
u64 fold(Float80 value) { return value.significand; }

template <class F, class Operation>
void measure(const char* name, Operation operation) {
  const auto a = ordinary_values<F>(1);
  const auto b = ordinary_values<F>(2);
  FpEnv env;
  u64 sum = 0;
  constexpr int kRounds = 1000;
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < 1024; ++i) sum += fold(operation(env, a[i], b[i]));
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  std::printf("%-12s %7.1f ns  (%016llx)\n", name, spent.count() / (kRounds * 1024.0),
              static_cast<unsigned long long>(sum + env.flags));
}

template <class F>
void measure_arithmetic(const char* format) {
  char name[32];
  const auto label = [&](const char* op) {
    std::snprintf(name, sizeof name, "%s %s", op, format);
    return name;
  };
  using Bits = typename F::Bits;
  measure<F>(label("add"), [](FpEnv& env, Bits a, Bits b) { return add<F>(env, a, b); });
  measure<F>(label("mul"), [](FpEnv& env, Bits a, Bits b) { return mul<F>(env, a, b); });
  measure<F>(label("div"), [](FpEnv& env, Bits a, Bits b) { return div<F>(env, a, b); });
  measure<F>(label("sqrt"), [](FpEnv& env, Bits a, Bits) { return sqrt<F>(env, a); });
  measure<F>(label("compare"), [](FpEnv& env, Bits a, Bits b) {
    return static_cast<u64>(compare<F>(env, a, b, NanSignals::Any));
  });
  measure<F>(label("to_int"), [](FpEnv& env, Bits a, Bits) {
    return static_cast<u64>(to_int<F>(env, a, IntWidth::Dword, Rounding::Truncate));
  });
}

}  // namespace
}  // namespace reprise::softfloat::test

int main() {
  using namespace reprise::softfloat;
  using namespace reprise::softfloat::test;
  using reprise::u64;
  measure_arithmetic<Binary32>("b32");
  measure_arithmetic<Binary64>("b64");
  measure_arithmetic<Extended80>("x80");
  measure<Binary64>("fma b64",
                    [](FpEnv& env, u64 a, u64 b) { return fma<Binary64>(env, a, b, a, FmaSigns::None); });
  measure<Binary64>("fld m64", [](FpEnv& env, u64 a, u64) { return convert<Extended80, Binary64>(env, a); });
  measure<Extended80>("fst m64",
                      [](FpEnv& env, Float80 a, Float80) { return convert<Binary64, Extended80>(env, a); });
  measure<Extended80>("fprem", [](FpEnv& env, Float80 a, Float80 b) {
    return remainder(env, a, b, Quotient::Truncated).value;
  });
  measure<Extended80>("fsin", [](FpEnv& env, Float80 a, Float80) { return sin(env, a); });
  measure<Extended80>("fptan", [](FpEnv& env, Float80 a, Float80) { return tan(env, a); });
  measure<Extended80>("fpatan", [](FpEnv& env, Float80 a, Float80 b) { return atan2(env, a, b); });
  measure<Extended80>("fyl2x", [](FpEnv& env, Float80 a, Float80 b) {
    b.sign_exponent &= 0x7fff;
    return yl2x(env, a, b);
  });
  measure<Extended80>("f2xm1", [](FpEnv& env, Float80 a, Float80) {
    a.sign_exponent = static_cast<reprise::u16>(a.sign_exponent - 5);
    return f2xm1(env, a);
  });
}
