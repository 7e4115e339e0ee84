// cpu/sem/string.cpp: a repeated string instruction gives the same state whatever budgets cut it into.
#include <random>

#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

struct Case {
  std::vector<u8> code;
  u64 rax, rcx, rsi, rdi, rflags;
  std::vector<u8> memory;
};

struct Result {
  std::vector<u64> gpr;
  u64 rip, rflags, retired;
  int vector;
  std::vector<u8> memory;
  friend bool operator==(const Result&, const Result&) = default;
};

class StringBudget : public CpuFixture {
 protected:
  static constexpr u64 kMemoryBytes = 0x5000;

  /// Runs `c` to its end, asking `next_budget` before each piece.
  template <class NextBudget>
  Result execute(const Case& c, NextBudget next_budget) {
    enter_64bit();
    unmap(kData + kMemoryBytes);
    poke_bytes(kCode, c.code);
    poke_bytes(kData, c.memory);
    reg(RAX) = c.rax, reg(RCX) = c.rcx, reg(RSI) = c.rsi, reg(RDI) = c.rdi;
    rflags() = c.rflags;
    int vector = -1;
    while (state().rip == kCode && vector < 0) {
      const u64 before = state().retired;
      const u64 budget = next_budget();
      if (resume(budget) == RunExit::Fault) vector = cpu().fault.vector;
      EXPECT_LE(state().retired - before, budget);
      // The instruction after it is UD2, so a large budget ends in its fault.
      if (vector == kUD) vector = -1;
    }
    Result result{
        std::vector<u64>(state().gpr, state().gpr + 16), state().rip, rflags(), state().retired, vector, {}};
    result.memory.resize(kMemoryBytes);
    for (u64 i = 0; i < kMemoryBytes; ++i) result.memory[i] = peek<u8>(kData + i);
    return result;
  }
};

TEST_F(StringBudget, DoesNotShow) {
  std::mt19937_64 random(20240601);
  const auto below = [&random](u64 bound) { return random() % bound; };
  constexpr u8 kOpcodes[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
  for (unsigned round = 0; round < 400; ++round) {
    Case c;
    if (below(3) == 0) c.code.push_back(0x66);
    c.code.push_back(below(2) ? 0xf3 : 0xf2);
    if (below(2)) c.code.push_back(0x48);
    c.code.push_back(kOpcodes[below(std::size(kOpcodes))]);
    c.code.insert(c.code.end(), {0x0f, 0x0b});
    c.rax = below(2) ? 0 : random();
    c.rcx = below(0x900);
    c.rsi = kData + below(kMemoryBytes);
    c.rdi = below(3) ? kData + below(kMemoryBytes) : c.rsi + below(40) - 20;
    c.rflags = kRflagsFixed | (random() & kRflagsStatus) | (below(3) ? 0 : kRflagsDf);
    c.memory.resize(kMemoryBytes);
    // Long equal stretches, so that comparisons run for a while.
    for (u8& byte : c.memory) byte = below(300) ? 0 : static_cast<u8>(random());
    const Result single = execute(c, [] { return 1; });
    const Result pieces = execute(c, [&] { return 1 + below(700); });
    const Result whole = execute(c, [] { return 100000; });
    ASSERT_EQ(single, pieces) << round;
    ASSERT_EQ(single, whole) << round;
  }
}

}  // namespace
}  // namespace reprise::test
