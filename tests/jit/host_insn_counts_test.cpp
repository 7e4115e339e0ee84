// What --count-host-insns counts, against a loop whose host code is known: goldens.txt.
#include "jit/host/host_insn_counts.h"

#include <gtest/gtest.h>

#include <numeric>

#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using jit::HostInsn;
using test::SmallMachine;

u64 of(const jit::HostInsnTotals& totals, HostInsn kind) {
  return totals.host_insns[static_cast<unsigned>(kind)];
}

constexpr u64 kRuns = 1000;
// loop: dec ecx; jnz loop; then: jmp then
constexpr u8 kLoop[] = {0xff, 0xc9, 0x75, 0xfc, 0xeb, 0xfe};

jit::JitOptions counting() {
  jit::JitOptions options;
  options.threshold = 1;
  options.count_host_insns = true;
  return options;
}

TEST(HostInsnCounts, AreThoseOfALoop) {
  SmallMachine machine(kLoop);
  jit::JitEngine engine(cpu::default_profile(), machine.code_pages, counting());
  machine.cpu->state.gpr[cpu::RCX] = kRuns;
  ASSERT_EQ(engine.run(*machine.cpu, 2 * kRuns), cpu::RunExit::Budget);
  ASSERT_EQ(machine.cpu->state.gpr[cpu::RCX], 0u);

  const jit::HostInsnTotals totals = engine.host_insns();
  EXPECT_EQ(totals.bodies, kRuns);
  EXPECT_EQ(totals.guest_insns, 2 * kRuns);
  EXPECT_EQ(of(totals, HostInsn::Instruction), 2 * kRuns);
  EXPECT_EQ(of(totals, HostInsn::Budget), 2 * kRuns);  // sub, jb
  // cmp al, sahf for the carry, which dec keeps; lahf, seto
  EXPECT_EQ(of(totals, HostInsn::Flags), 4 * kRuns);
  // Only the last run goes on behind the jump.
  EXPECT_EQ(of(totals, HostInsn::EndJump), 1u);
  EXPECT_EQ(of(totals, HostInsn::Probe), 0u);

  engine.flush();
  ASSERT_EQ(engine.run(*machine.cpu, 1), cpu::RunExit::Budget);
  EXPECT_EQ(engine.host_insns().bodies, totals.bodies + 1) << "counts of code that is gone are kept";
}

TEST(HostInsnCounts, HottestBlocksAreShownWithTheirCode) {
  SmallMachine machine(kLoop);
  jit::JitOptions options = counting();
  options.hot_blocks = 1;
  options.name_of = [](u64) { return std::string("loop"); };
  jit::JitEngine engine(cpu::default_profile(), machine.code_pages, options);
  machine.cpu->state.gpr[cpu::RCX] = kRuns;
  ASSERT_EQ(engine.run(*machine.cpu, 2 * kRuns + 10), cpu::RunExit::Budget);
  const std::string text = engine.stats();
  const std::string shown = text.substr(text.find("hot block 1:"));
  EXPECT_NE(shown.find("ran 1000 times, 2000 instructions of the guest in 8001 of the host"),
            std::string::npos)
      << shown;
  EXPECT_NE(shown.find("block loop at 0x10000"), std::string::npos) << shown;
  EXPECT_NE(shown.find("dec ecx"), std::string::npos) << shown;
  EXPECT_NE(shown.find("sub r10, 0x02"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("push rcx"), std::string::npos) << "that only counts\n" << shown;
  EXPECT_EQ(shown.find("hot block 2:"), std::string::npos) << shown;

  // It runs once more, in the same code made again, and is one with what ran before.
  engine.flush();
  machine.cpu->state.rip = SmallMachine::kCode;
  machine.cpu->state.gpr[cpu::RCX] = kRuns;
  ASSERT_EQ(engine.run(*machine.cpu, 2 * kRuns), cpu::RunExit::Budget);
  EXPECT_NE(engine.stats().find("ran 2000 times, 4000 instructions"), std::string::npos) << engine.stats();
}

TEST(HostInsnCounts, AreNoneWhereNotAskedFor) {
  constexpr u8 kSpin[] = {0xeb, 0xfe};
  SmallMachine machine(kSpin);
  jit::JitOptions options;
  options.threshold = 1;
  jit::JitEngine engine(cpu::default_profile(), machine.code_pages, options);
  ASSERT_EQ(engine.run(*machine.cpu, 100), cpu::RunExit::Budget);
  EXPECT_EQ(engine.host_insns().bodies, 0u);
}

}  // namespace
}  // namespace reprise
