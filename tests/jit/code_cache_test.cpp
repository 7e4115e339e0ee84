// Memory for generated code that is full: the oldest goes, and translating again is paid for by running.
#include <gtest/gtest.h>

#include "jit/engine/jit_engine.h"
#include "jit/engine/translation_pace.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using jit::TranslationPace;

TEST(TranslationPace, WithoutABoundEverythingMayGo) {
  TranslationPace pace(0);
  EXPECT_TRUE(pace.may_drop(1'000'000, 1'000'000, 0));
  EXPECT_TRUE(pace.may_drop(1'000'000, 1'000'000, 0));
}

TEST(TranslationPace, RunningPays) {
  TranslationPace pace(100);
  EXPECT_TRUE(pace.may_drop(0, 50, 0));  // what is empty costs nothing
  EXPECT_FALSE(pace.may_drop(10, 50, 999));
  EXPECT_TRUE(pace.may_drop(10, 50, 1000));
  EXPECT_FALSE(pace.may_drop(10, 50, 1999));
  EXPECT_TRUE(pace.may_drop(10, 50, 2000));
}

TEST(TranslationPace, CreditIsSavedUpToAllThereIs) {
  TranslationPace pace(100);
  EXPECT_TRUE(pace.may_drop(30, 50, 1'000'000));
  EXPECT_TRUE(pace.may_drop(20, 50, 1'000'000));
  EXPECT_FALSE(pace.may_drop(1, 50, 1'000'000));
}

/// Flat 32-bit code: functions of one instruction, a jump to itself, which a test calls one by one.
class TinyFunctions : public test::EngineMachine {
 public:
  static constexpr u32 kCount = 60'000;
  static constexpr u64 kSpacing = 16;

  explicit TinyFunctions(const jit::JitOptions& options)
      : EngineMachine([&](mmu::CodePages& code_pages) {
          return std::make_unique<jit::JitEngine>(cpu::default_profile(), code_pages, options);
        }) {
    constexpr u8 kJumpToSelf[] = {0xeb, 0xfe};
    for (u32 i = 0; i < kCount; ++i) map_.write_bytes(at(i), kJumpToSelf);
    cpu::CpuState& s = state();
    s.cr0 |= mmu::kCr0Pe;
    for (cpu::Segment& segment : s.seg) segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    s.seg[cpu::CS].access = 0xc09b;
    cpu_->state_replaced();
  }

  void call(u32 function, u64 times = 1) {
    state().rip = at(function);
    EXPECT_EQ(engine_->run(*cpu_, times), cpu::RunExit::Budget);
    EXPECT_EQ(state().rip, at(function));
  }
  bool has_code(u32 function) const {
    const cpu::Block* block = engine_->cache().find(at(function), cpu_->mode);
    return block != nullptr && block->native_code != nullptr;
  }
  u64 translated() const { return static_cast<jit::JitEngine&>(*engine_).translated(); }

 private:
  static u64 at(u32 function) { return 0x1000 + function * kSpacing; }
};

jit::JitOptions small_cache(u64 pace) {
  jit::JitOptions options;
  options.threshold = 1;
  options.code_cache_bytes = u64{4} << 20;
  options.pace = pace;
  return options;
}

TEST(CodeCache, TheOldestPartGoes) {
  TinyFunctions machine(small_cache(0));
  u32 called = 0;
  do {
    ASSERT_LT(called, TinyFunctions::kCount);
    machine.call(called++);
  } while (machine.has_code(0));
  EXPECT_EQ(machine.translated(), called);
  u32 first = 0;
  while (!machine.has_code(first)) ++first;
  EXPECT_LT(first, called / 4);
  for (u32 i = first; i < called; ++i) ASSERT_TRUE(machine.has_code(i)) << i;

  // What went is translated again and runs, in place of the next oldest part.
  machine.call(0, 10);
  EXPECT_TRUE(machine.has_code(0));
  EXPECT_EQ(machine.translated(), called + 1);
}

TEST(CodeCache, MoreCodeThanFitsIsNotTranslatedAgainAndAgain) {
  constexpr u32 kRounds = 20;
  u64 translated[2];
  for (const u64 pace : {u64{0}, u64{1000}}) {
    TinyFunctions machine(small_cache(pace));
    for (u32 round = 0; round < kRounds; ++round)
      for (u32 i = 0; i < TinyFunctions::kCount; ++i) machine.call(i);
    EXPECT_EQ(machine.state().retired, u64{kRounds} * TinyFunctions::kCount);
    translated[pace != 0] = machine.translated();
  }
  EXPECT_GT(translated[0], u64{kRounds} * TinyFunctions::kCount / 2);
  EXPECT_LT(translated[1], TinyFunctions::kCount);
}

TEST(CodeCache, TooManyJumpTablesLeaveTheCode) {
  jit::JitOptions options = small_cache(1000);
  options.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;  // 64 tables
  TinyFunctions machine(options);
  constexpr u32 kPages = 200;
  constexpr u32 kInPage = kPageBytes / TinyFunctions::kSpacing;
  for (unsigned round = 0; round < 10; ++round)
    for (u32 page = 0; page < kPages; ++page) machine.call(page * kInPage, 3);
  EXPECT_EQ(machine.translated(), kPages);
  for (u32 page = 0; page < kPages; ++page) EXPECT_TRUE(machine.has_code(page * kInPage));
}

}  // namespace
}  // namespace reprise
