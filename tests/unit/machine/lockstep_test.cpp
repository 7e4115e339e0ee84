// The lockstep engine: silent when the engines agree, and it names the instruction when they do not. The engine
// under test is the interpreter, one instruction at a time, with a mistake after the instruction at a given address.
#include "machine/lockstep/lockstep_engine.h"

#include <gtest/gtest.h>

#include "common/log.h"
#include "machine/lockstep/state_difference.h"
#include "mmu/paging_bits.h"

namespace reprise::machine {
namespace {

constexpr u64 kRamBytes = 1u << 20;
constexpr u64 kCode = 0x10000;
constexpr u64 kData = 0x30000;
constexpr u16 kPort = 0x80;

/// A device that counts, and writes to RAM as a bus master when it is written to.
class Board final : public cpu::CpuBus, public InterruptSource, public MachineControl {
 public:
  explicit Board(mmu::PhysMap& map, mmu::CodePages& code_pages) : map_(map), code_pages_(code_pages) {}
  u32 port_read(u16, Width) override { return reads++; }
  void port_write(u16, Width, u32 value) override {
    ++writes;
    const u8 byte = static_cast<u8>(value);
    map_.write_bytes(kData + 64, {&byte, 1});
    code_pages_.written(kData + 64, 1);
  }
  bool apic_msr_read(u32, u64&) override { return false; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 virtual_ns(u64 retired) override { return retired; }
  bool interrupt_pending() const override { return false; }
  u8 acknowledge_interrupt() override { return 0; }
  u8 cr8() const override { return 0; }
  void set_cr8(u8) override {}
  void request(MachineRequest what, int) override { requested = what; }

  u32 reads = 0, writes = 0;
  MachineRequest requested = MachineRequest::None;

 private:
  mmu::PhysMap& map_;
  mmu::CodePages& code_pages_;
};

/// Made after the instruction at `victim`, from `from` on.
struct Mistake {
  u64 victim = 0;
  u64 from = 0;
  std::function<void(cpu::Cpu& cpu)> make;
};

class FaultyEngine final : public cpu::Engine {
 public:
  FaultyEngine(mmu::CodePages& code_pages, const Mistake& mistake)
      : interp_(cpu::default_profile(), code_pages), mistake_(mistake) {}
  cpu::RunExit run(cpu::Cpu& cpu, u64 budget) override {
    const u64 target = cpu.state.retired + budget;
    while (cpu.state.retired < target) {
      const u64 rip = cpu.state.rip;
      const cpu::RunExit exit = interp_.run(cpu, 1);
      if (rip == mistake_.victim && cpu.state.retired > mistake_.from) mistake_.make(cpu);
      if (exit != cpu::RunExit::Budget) return exit;
    }
    return cpu::RunExit::Budget;
  }
  void flush() override { interp_.flush(); }
  const cpu::BlockCache& cache() const override { return interp_.cache(); }

 private:
  cpu::InterpEngine interp_;
  const Mistake& mistake_;
};

/// An endless loop: what it adds up goes to memory, a port is read in each turn and written in some.
struct Bench {
  static constexpr u8 kLoop[] = {
      0xe4, kPort,                                // 00 in al, 80h
      0xfe, 0xc1,                                 // 02 inc cl
      0x01, 0xc3,                                 // 04 add ebx, eax
      0x89, 0x1d,  0x00, 0x00, 0x03, 0x00,        // 06 mov [30000h], ebx
      0x01, 0x1c,  0x8d, 0x00, 0x02, 0x03, 0x00,  // 0c add [30200h + 4 * ecx], ebx
      0xf6, 0xc1,  0x0f,                          // 13 test cl, 15
      0x75, 0xe8,                                 // 16 jnz 00
      0xe6, kPort,                                // 18 out 80h, al
      0xfe, 0x05,  0x01, 0x00, 0x01, 0x00,        // 1a inc byte [10001h]: the port of the first instruction
      0xeb, 0xde,                                 // 20 jmp 00
  };
  static constexpr u64 kAddEbx = kCode + 0x04, kStore = kCode + 0x06, kJump = kCode + 0x16;

  Bench()
      : ram_(mmu::Ram::create(kRamBytes).take()),
        map_(*ram_),
        board_(map_, code_pages_),
        room_(
            [this](const jit::JitOptions&) { return std::make_unique<FaultyEngine>(code_pages_, mistake_); },
            jit::JitOptions(), board_),
        tap_(Tap::Mode::Record, board_, board_, room_.log, room_.next_real),
        cpu_(std::make_unique<cpu::Cpu>(tap_, tap_, map_, code_pages_, cpu::default_profile(), log_)) {
    EXPECT_TRUE(map_.add_ram("ram", 0, kRamBytes, 0).ok());
    std::copy(std::begin(kLoop), std::end(kLoop), ram_->host() + kCode);
    cpu::CpuState& state = cpu_->state;
    state.cr0 = mmu::kCr0Pe | mmu::kCr0Et;
    state.rip = kCode;
    for (cpu::Segment& segment : state.seg)
      segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    state.seg[cpu::CS].access = 0xc09b;
    cpu_->state_replaced();
  }

  /// Runs `instructions` in calls of `budget`, `mistake` after the instruction at `victim`, from `from` on.
  void run(u64 victim, u64 from, std::function<void(cpu::Cpu& cpu)> mistake, u64 instructions = 100'000,
           u64 budget = 7'001) {
    mistake_ = {victim, from, std::move(mistake)};
    engine_ = std::make_unique<LockstepEngine>(room_, *cpu_, tap_);
    while (cpu_->state.retired < instructions && engine_->failure().empty())
      (void)engine_->run(*cpu_, budget);
  }
  std::string report() const { return engine_->failure(); }
  bool says(std::string_view text) const { return report().find(text) != std::string::npos; }
  bool first_wrong_is(std::string_view text) const {
    const std::size_t at = report().find("The first wrong instruction:\n");
    if (at == std::string::npos) return false;
    const std::size_t line = report().find('\n', at) + 1;
    return report().substr(line, report().find('\n', line) - line).find(text) != std::string::npos;
  }

  std::unique_ptr<mmu::Ram> ram_;
  mmu::PhysMap map_;
  mmu::CodePages code_pages_;
  Log log_;
  Board board_;
  Mistake mistake_;
  LockstepRoom room_;
  Tap tap_;
  std::unique_ptr<cpu::Cpu> cpu_;
  std::unique_ptr<LockstepEngine> engine_;
};

TEST(Lockstep, EnginesThatAgreeRunToTheEnd) {
  Bench bench;
  bench.run(0, 0, [](cpu::Cpu&) {});
  EXPECT_EQ(bench.report(), "");
  EXPECT_EQ(bench.board_.requested, MachineRequest::None);
  EXPECT_GE(bench.cpu_->state.retired, 100'000u);
  // Each device access once: one read in seven instructions, more or less.
  EXPECT_GT(bench.board_.reads, 13'000u);
  EXPECT_LT(bench.board_.reads, 15'000u);
  EXPECT_GT(bench.board_.writes, 800u);
}

TEST(Lockstep, TheStateIsThatOfTheEngineAlone) {
  Bench bench;
  bench.run(0, 0, [](cpu::Cpu&) {});
  cpu::CpuState together = bench.cpu_->state;
  const u64 retired = together.retired;
  Bench alone;
  alone.tap_.attach(*alone.cpu_);
  cpu::InterpEngine interp(cpu::default_profile(), alone.code_pages_);
  while (alone.cpu_->state.retired < retired)
    (void)interp.run(*alone.cpu_, retired - alone.cpu_->state.retired);
  EXPECT_TRUE(same_state(together, alone.cpu_->state)) << state_difference(together, alone.cpu_->state);
  EXPECT_TRUE(std::equal(bench.ram_->host(), bench.ram_->host() + kRamBytes, alone.ram_->host()));
}

TEST(Lockstep, NamesTheInstructionThatLeavesAWrongRegister) {
  Bench bench;
  bench.run(Bench::kAddEbx, 54'321, [](cpu::Cpu& cpu) { cpu.state.gpr[cpu::RBX] ^= 4; });
  EXPECT_TRUE(bench.first_wrong_is("add ebx, eax")) << bench.report();
  EXPECT_TRUE(bench.says("rbx ")) << bench.report();
  EXPECT_EQ(bench.board_.requested, MachineRequest::EnginesDiffer);
}

TEST(Lockstep, NamesTheInstructionThatLeavesWrongFlags) {
  Bench bench;
  bench.run(Bench::kAddEbx, 300, [](cpu::Cpu& cpu) { cpu.state.rflags ^= 0x10; });
  EXPECT_TRUE(bench.first_wrong_is("add ebx, eax")) << bench.report();
  EXPECT_TRUE(bench.says("rflags ")) << bench.report();
}

TEST(Lockstep, NamesTheInstructionThatStoresWrongly) {
  Bench bench;
  bench.run(Bench::kStore, 20'000, [&](cpu::Cpu&) { bench.map_.write(kData + 512, Width::Byte, 0xee); });
  EXPECT_TRUE(bench.first_wrong_is("mov dword ptr [0x00030000], ebx") ||
              bench.first_wrong_is("mov [0x00030000], ebx"))
      << bench.report();
  EXPECT_TRUE(bench.says("memory")) << bench.report();
}

TEST(Lockstep, NamesTheInstructionThatGoesWrong) {
  Bench bench;
  bench.run(Bench::kJump, 20'000, [](cpu::Cpu& cpu) { cpu.state.rip = kCode + 4; });
  EXPECT_TRUE(bench.first_wrong_is("jnz ")) << bench.report();
}

TEST(Lockstep, AnAccessToADeviceTooManyIsADifference) {
  Bench bench;
  bench.run(Bench::kStore, 10'000, [](cpu::Cpu& cpu) { cpu.bus.port_write(kPort, Width::Byte, 1); });
  EXPECT_TRUE(bench.says("access to a device")) << bench.report();
}

}  // namespace
}  // namespace reprise::machine
