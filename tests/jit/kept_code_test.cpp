// Code that outlives a run: the next one begins with it, and the guest cannot tell.
#include <gtest/gtest.h>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/memory_store.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

/// Flat 32-bit code: functions that add a constant of their own to EBX, count in ECX when that makes a certain sum, and end in
/// a jump to itself.
class Functions : public test::EngineMachine {
 public:
  static constexpr u32 kCount = 400;
  static constexpr u64 kSpacing = 32;
  static constexpr u64 kFirst = 0x1000;
  static constexpr u64 kInsns = 5;

  explicit Functions(const MakeEngine& make_engine) : EngineMachine(make_engine) {
    for (u32 i = 0; i < kCount; ++i) write(at(i), i * 0x01010101u);
    cpu::CpuState& s = state();
    s.cr0 |= mmu::kCr0Pe;
    for (cpu::Segment& segment : s.seg) segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    s.seg[cpu::CS].access = 0xc09b;
    cpu_->state_replaced();
  }
  static u64 at(u32 function) { return kFirst + function * kSpacing; }

  void write(u64 phys, u32 constant) {
    const auto byte = [constant](unsigned i) { return static_cast<u8>(constant >> (8 * i)); };
    const u8 code[] = {0x81, 0xc3, byte(0), byte(1), byte(2), byte(3),  // add ebx, constant
                       0x85, 0xdb,                                      // test ebx, ebx
                       0x78, 0x01,                                      // js +1
                       0x41,                                            // inc ecx
                       0xeb, 0xfe};                                     // jmp self
    load(phys, code);
  }
  /// Runs what begins at `phys`, twice, and some of the jump to itself.
  void call(u64 phys) {
    for (unsigned round = 0; round < 2; ++round) {
      state().rip = phys;
      EXPECT_EQ(engine_->run(*cpu_, kInsns), cpu::RunExit::Budget);
    }
  }
  void call_all() {
    for (u32 i = 0; i < kCount; ++i) call(at(i));
  }
  std::vector<u64> registers() const {
    std::vector<u64> all(state().gpr, state().gpr + 16);
    all.push_back(state().rflags);
    all.push_back(state().rip);
    all.push_back(state().retired);
    return all;
  }
};

class KeptCode : public testing::Test {
 protected:
  KeptCode() {
    options_.threshold = 1;
    options_.code_store = store_;
  }
  std::unique_ptr<Functions> jit() const {
    return std::make_unique<Functions>([this](mmu::CodePages& pages) {
      return std::make_unique<jit::JitEngine>(cpu::default_profile(), pages, options_);
    });
  }
  static std::unique_ptr<Functions> interpreter() {
    return std::make_unique<Functions>([](mmu::CodePages& pages) {
      return std::make_unique<cpu::InterpEngine>(cpu::default_profile(), pages);
    });
  }
  static const jit::JitEngine& engine(const Functions& machine) {
    return static_cast<const jit::JitEngine&>(const_cast<Functions&>(machine).engine());
  }
  /// A run of all functions, which leaves its code.
  void first_run() const { jit()->call_all(); }
  /// The same on both engines, `act` done before.
  template <class Act>
  std::unique_ptr<Functions> compare(Act act) const {
    const std::unique_ptr<Functions> expected = interpreter();
    std::unique_ptr<Functions> machine = jit();
    for (Functions* const one : {expected.get(), machine.get()}) {
      act(*one);
      one->call_all();
    }
    EXPECT_EQ(machine->registers(), expected->registers());
    return machine;
  }

  std::shared_ptr<test::MemoryStore> store_ = std::make_shared<test::MemoryStore>();
  jit::JitOptions options_;
};

TEST_F(KeptCode, TheNextRunTranslatesNothing) {
  first_run();
  ASSERT_EQ(store_->saves, 1u);
  const std::unique_ptr<Functions> machine = compare([](Functions&) {});
  EXPECT_GT(engine(*machine).translated(), Functions::kCount);
  EXPECT_EQ(engine(*machine).kept(), engine(*machine).translated());
}

TEST_F(KeptCode, IsNotSavedAgainWithoutNeed) {
  first_run();
  first_run();
  EXPECT_EQ(store_->saves, 1u);
}

TEST_F(KeptCode, OfOtherBytesIsNotUsed) {
  first_run();
  const std::unique_ptr<Functions> machine =
      compare([](Functions& one) { one.write(Functions::at(Functions::kCount - 1), 0x7000'0000); });
  EXPECT_LT(engine(*machine).kept(), engine(*machine).translated());
  EXPECT_GE(engine(*machine).kept() + 4, engine(*machine).translated());
}

TEST_F(KeptCode, IsUsedAgainWhenItsBytesWereWrittenAgain) {
  first_run();
  const std::unique_ptr<Functions> machine = compare([](Functions& one) {
    for (const u32 constant : {7u * 0x01010101u, 0x1234u, 7u * 0x01010101u}) {
      one.write(Functions::at(7), constant);
      one.call(Functions::at(7));
      one.call(Functions::at(8));
    }
  });
  EXPECT_GT(engine(*machine).kept(), Functions::kCount);
}

TEST_F(KeptCode, TwoCopiesOfAPageDoNotShareIt) {
  first_run();
  const std::unique_ptr<Functions> machine = compare([](Functions& one) {
    constexpr u64 kCopy = 0x40000;
    one.write(kCopy + Functions::kSpacing, 0x01010101u);
    for (unsigned i = 0; i < 3; ++i) {
      one.call(kCopy + Functions::kSpacing);
      one.call(Functions::at(1));
    }
    // Gone with one of them only.
    one.write(kCopy + Functions::kSpacing, 0x02020202u);
    one.call(Functions::at(1));
    one.call(kCopy + Functions::kSpacing);
  });
  EXPECT_LT(engine(*machine).kept(), engine(*machine).translated());
}

TEST_F(KeptCode, GrowsByWhatAnotherRunMade) {
  options_.worth_keeping = 1;
  first_run();
  const auto others = [](Functions& one) {
    for (u32 i = 0; i < 100; ++i) {
      one.write(0x40000 + i * Functions::kSpacing, 0x1000 + i);
      one.call(0x40000 + i * Functions::kSpacing);
    }
  };
  compare(others);
  ASSERT_EQ(store_->saves, 2u);
  const std::unique_ptr<Functions> machine = compare(others);
  EXPECT_EQ(engine(*machine).kept(), engine(*machine).translated());
}

TEST_F(KeptCode, OfOtherOptionsIsNotUsed) {
  first_run();
  options_.passes.remove(jit::Pass::Flags);
  EXPECT_EQ(engine(*compare([](Functions&) {})).kept(), 0u);
  EXPECT_EQ(store_->files.size(), 2u);
}

TEST_F(KeptCode, ThatIsCutOffIsNotUsed) {
  first_run();
  std::vector<u8>& bytes = store_->files.begin()->second;
  const std::vector<u8> whole = bytes;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    bytes.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(engine(*compare([](Functions&) {})).kept(), 0u) << size;
  }
}

TEST_F(KeptCode, ThatDoesNotFitIsNotSaved) {
  options_.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;
  options_.pace = 0;
  std::unique_ptr<Functions> machine = jit();
  for (u32 round = 0; round < 20; ++round)
    for (u32 i = 0; i < 100; ++i) {
      machine->write(0x40000 + i * Functions::kSpacing, round * 1000 + i);
      machine->call(0x40000 + i * Functions::kSpacing);
    }
  EXPECT_NE(machine->engine().stats().find("parts of the code dropped"), std::string::npos);
  machine.reset();
  EXPECT_EQ(store_->saves, 0u);
}

}  // namespace
}  // namespace reprise
