// Where a replay goes wrong: by an engine with a mistake, or by a recording that says something else.
#include "machine/narrow/narrow.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

// 00 inc eax; 01 mov [200000h], eax; 06 jmp 00
const Code kCounts = {0x40, 0xa3, 0x00, 0x00, 0x20, 0x00, 0xeb, 0xf8};
// 00 inc eax; 01 mov al, cl; 03 mov dx, 3f8h; 07 out dx, al; 08 jmp 00
const Code kWritesCx = {0x40, 0x88, 0xc8, 0x66, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf6};
constexpr u64 kEnd = 1'000'000;

/// What an engine with a mistake does: a register is another one from one instruction on.
struct Mistake final : cpu::InsnObserver {
  Mistake(cpu::Cpu& its_cpu, u64 its_retired) : cpu(its_cpu), retired(its_retired) {
    cpu.insn_observers.push_back(this);
  }
  ~Mistake() override { std::erase(cpu.insn_observers, this); }
  bool knows(u64, u64) const override { return false; }
  void begins(const cpu::Insn&, u64, u64, u64) override {
    if (cpu.retired_now() == retired) cpu.state.gpr[cpu::RCX] ^= 0x40;
  }
  void ended(const cpu::Insn&, cpu::Status) override {}
  cpu::Cpu& cpu;
  const u64 retired;
};

struct Side final : NarrowSide {
  Side(const boot::TemporaryFile& kernel, const MachineConfig& config, const AccessTraces& traces)
      : guest(kernel, config, traces) {}
  Machine& machine() override { return *guest.machine; }
  Guest guest;
  std::optional<Mistake> mistake;
};

class NarrowTest : public testing::Test {
 protected:
  explicit NarrowTest(const Code& code = kCounts) : kernel_(Guest::image(code)) {}
  /// A recording of kCounts up to kEnd, whose last link of the chain is `flipped` from that of the run.
  void record(u64 flipped) {
    Guest guest(kernel_, {});
    RunLimits limits = kADay;
    limits.stop_at_retired = kEnd;
    const RunResult result = guest.run(limits);
    guest.machine->recorder().add(RecordedHash{guest.machine->position(), result.state_hash ^ flipped});
    guest.machine->end_recording(result);
    ASSERT_TRUE(guest.machine->recorder().write_to(HostFd(open(path().c_str(), O_RDWR | O_TRUNC)), "x").ok());
  }
  /// What the JIT does wrong at instruction `mistake_at`, if it does.
  std::string narrowed(std::optional<u64> mistake_at) {
    const NarrowTask task = {
        .make = [&](EngineKind engine, const AccessTraces& traces) -> Result<std::unique_ptr<NarrowSide>> {
          MachineConfig config;
          config.replayed = true;
          config.engine = engine;
          config.history.on = true;
          auto side = std::make_unique<Side>(kernel_, config, traces);
          auto recording = TRY(Recording::open(path()));
          TRY(side->machine().follow(std::make_unique<Replay>(std::move(recording))));
          if (engine == EngineKind::Jit && mistake_at)
            side->mistake.emplace(side->machine().pc().processors().boot().cpu, *mistake_at);
          return std::unique_ptr<NarrowSide>(std::move(side));
        },
        .engines = {EngineKind::Jit, EngineKind::Interp},
        .agreed = {},
        .differed = {kEnd, kEnd, 0}};
    const Result<std::string> text = narrow(task);
    EXPECT_TRUE(text.ok()) << text.error().message;
    return text.ok() ? text.value() : "";
  }
  std::string path() const { return recording_.path(); }

 private:
  const boot::TemporaryFile kernel_;
  const boot::TemporaryFile recording_{""};
};

TEST_F(NarrowTest, AMistakeOfAnEngineIsNamed) {
  record(0);
  for (const u64 at : {u64{1}, u64{700'123}, kEnd - 1}) {
    const std::string text = narrowed(at);
    EXPECT_NE(text.find("the engines part at @" + std::to_string(at) + "\n"), std::string::npos) << text;
    EXPECT_NE(text.find("registers (jit, interp)"), std::string::npos) << text;
    EXPECT_NE(text.find("rcx"), std::string::npos) << text;
    EXPECT_NE(text.find(at == 700'123 ? "mov [0x00200000], eax"
                        : at == 1     ? "mov [0x"
                                      : "inc eax"),
              std::string::npos)
        << text;
  }
}

struct NarrowToAccess : NarrowTest {
  NarrowToAccess() : NarrowTest(kWritesCx) {}
};

TEST_F(NarrowToAccess, TheFirstThatDiffersIsNamed) {
  record(0);
  const std::string text = narrowed(700'121);
  EXPECT_NE(text.find("the engines part at @700121\n"), std::string::npos) << text;
  const std::string named = "first access to a device that differs (jit, interp):\n  @700123 out 03f8.1 = ";
  ASSERT_NE(text.find(named), std::string::npos) << text;
  const auto last = [&](std::size_t line_end) {
    return std::stoul(text.substr(line_end - 2, 2), nullptr, 16);
  };
  const std::size_t jit_end = text.find('\n', text.find(named) + named.size());
  const std::size_t interp_end = text.find('\n', jit_end + 1);
  EXPECT_NE(last(jit_end), last(interp_end)) << text;
}

TEST_F(NarrowTest, WhatNoDeviceSeesIsSaid) {
  record(0);
  EXPECT_NE(narrowed(700'123).find("no access to a device differs up to @1000000\n"), std::string::npos);
}

TEST_F(NarrowTest, ARecordingThatSaysSomethingElseIsToBlame) {
  record(1);
  const std::string text = narrowed(std::nullopt);
  EXPECT_NE(text.find("jit and interp agree with each other, and not with the recording"), std::string::npos)
      << text;
  EXPECT_NE(text.find("between @0 and @1000000"), std::string::npos) << text;
}

TEST_F(NarrowTest, AReplayThatAgreesThisTimeIsSaidToAgree) {
  record(0);
  EXPECT_NE(narrowed(std::nullopt).find("this time neither"), std::string::npos);
}

}  // namespace
}  // namespace reprise::machine
