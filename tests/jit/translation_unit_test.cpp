// What a back end is told about a block and those after it.
#include "jit/host/translation_unit.h"

#include <gtest/gtest.h>

#include "cpu/blocks/block_source.h"
#include "jit/host/host_backend.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using jit::Pass;
using jit::PassSet;
using test::SmallMachine;

constexpr u8 kCode[] = {
    0x39, 0xc8,        // 0: cmp eax, ecx
    0x74, 0x05,        // 2: je 9
    0x83, 0xc1, 0x01,  // 4: add ecx, 1: writes all flags
    0xeb, 0xf7,        // 7: jmp 0
    0x8b, 0x03,        // 9: mov eax, [rbx]: may fault
    0xeb, 0xf3,        // 11: jmp 0
};

/// A host whose code for a block begins with a check, or may be that of a block before it, if the test says so.
class Host final : public jit::HostTraits {
 public:
  explicit Host(bool checks = false, bool joinable = true) : checks_(checks), joinable_(joinable) {}
  bool checks_at_head(const cpu::Block&) const override { return checks_; }
  bool joinable(const cpu::Block&) const override { return joinable_; }

 private:
  bool checks_, joinable_;
};

class TranslationUnit : public testing::Test {
 protected:
  /// The block at `offset`, decoded when it is not there yet.
  cpu::Block& block_at(u64 offset) {
    machine_.cpu->state.rip = SmallMachine::kCode + offset;
    cpu::Block* const block = source_.block_at(*machine_.cpu, SmallMachine::kCode + offset);
    EXPECT_NE(block, nullptr);
    return *block;
  }
  jit::TranslationUnit unit_at(u64 offset) {
    return jit::make_unit(block_at(offset), source_.cache(), PassSet::all(), host_);
  }

  const Host host_;
  SmallMachine machine_{kCode};
  cpu::BlockSource source_{cpu::default_profile(), machine_.code_pages, 0};
};

TEST_F(TranslationUnit, KnowsNoSuccessorThatWasNeverDecoded) {
  const jit::TranslationUnit unit = unit_at(0);
  EXPECT_EQ(unit.count(), 2u);
  EXPECT_TRUE(unit.successors.empty());
  EXPECT_EQ(unit.successor(4), nullptr);
}

TEST_F(TranslationUnit, TellsWhichSuccessorsOverwriteTheFlags) {
  (void)block_at(4);
  (void)block_at(9);
  const jit::TranslationUnit unit = unit_at(0);
  ASSERT_NE(unit.successor(4), nullptr);
  EXPECT_EQ(unit.successor(4)->insns, 2u);
  EXPECT_TRUE(unit.successor(4)->flags_dead);
  ASSERT_NE(unit.successor(9), nullptr);
  EXPECT_FALSE(unit.successor(9)->flags_dead);
}

// As if run so often: the block, what follows it, where it jumps to.
TEST_F(TranslationUnit, JoinsTheBlockThatMostlyFollows) {
  cpu::Block& first = block_at(0);
  cpu::Block& next = block_at(4);
  cpu::Block& taken = block_at(9);
  first.uses = 16;
  const auto joined = [&](u32 next_uses, u32 taken_uses, const Host& host = Host(true),
                          bool may_join = true) {
    next.uses = next_uses;
    taken.uses = taken_uses;
    return jit::make_unit(first, source_.cache(), PassSet::all(), host, may_join).joined.size();
  };
  EXPECT_EQ(joined(15, 1), 1u);
  EXPECT_EQ(joined(8, 8), 1u);
  EXPECT_EQ(joined(7, 0), 0u);
  EXPECT_EQ(joined(12, 13), 0u);
  EXPECT_EQ(joined(15, 1, Host(true, false)), 0u);
  EXPECT_EQ(joined(15, 1, Host(true), false), 0u);
  EXPECT_EQ(joined(15, 1, Host(false)), 0u) << "it cares for no flags";

  next.uses = 15;
  const jit::TranslationUnit unit = jit::make_unit(first, source_.cache(), PassSet::all(), Host(true));
  EXPECT_EQ(unit.joined.front(), &next);
  EXPECT_EQ(unit.count(), 4u);
  EXPECT_TRUE(unit.goes_on_behind(1));
  EXPECT_FALSE(unit.goes_on_behind(0));
  EXPECT_FALSE(unit.goes_on_behind(3));
}

TEST_F(TranslationUnit, IsACopy) {
  const jit::TranslationUnit unit = unit_at(9);
  const cpu::Insn first = unit.insns[0];
  source_.cache().flush();
  source_.cache().collect();
  EXPECT_EQ(unit.insns[0].mnemonic, first.mnemonic);
  EXPECT_EQ(unit.insns[0].exec, first.exec);
  EXPECT_FALSE(unit.flags_dead_at_entry);
  EXPECT_TRUE(unit_at(4).flags_dead_at_entry);
}

TEST_F(TranslationUnit, AHeadThatMayLeaveKeepsTheFlags) {
  const cpu::Block& block = block_at(4);
  EXPECT_TRUE(jit::make_unit(block, source_.cache(), PassSet::all(), Host(false)).flags_dead_at_entry);
  EXPECT_FALSE(jit::make_unit(block, source_.cache(), PassSet::all(), Host(true)).flags_dead_at_entry);
}

TEST_F(TranslationUnit, TheBackEndChecksAtTheHeadForVectorRegisters) {
  // add ecx, 1; addps xmm0, xmm0; jmp
  constexpr u8 kVector[] = {0x83, 0xc1, 0x01, 0x0f, 0x58, 0xc0, 0xeb, 0x00};
  SmallMachine machine(kVector);
  cpu::BlockSource source(cpu::default_profile(), machine.code_pages, 0);
  const cpu::Block* const block = source.block_at(*machine.cpu, SmallMachine::kCode);
  ASSERT_NE(block, nullptr);
  jit::JitOptions options;
  const std::unique_ptr<jit::HostBackend> host = jit::make_host_backend(options);
  ASSERT_NE(host, nullptr);
  EXPECT_TRUE(host->checks_at_head(*block));
  options.passes.remove(Pass::Vectors);
  EXPECT_FALSE(host->checks_at_head(*block));
}

}  // namespace
}  // namespace reprise
