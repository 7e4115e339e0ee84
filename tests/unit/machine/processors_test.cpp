// Several processors on one board: each has its own local APIC at the same address, and they run in turns.
#include "machine/board/processors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "machine/board/pc.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {
namespace {

struct Sink final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

struct Control final : MachineControl {
  void request(MachineRequest, int) override {}
};

constexpr u64 kTpr = kLapicPhys + 0x80;
constexpr u64 kId = kLapicPhys + 0x20;
constexpr u64 kCounters = 0x2000;  // a dword each

struct ProcessorsTest : testing::Test {
  static MachineConfig two(u64 schedule_seed) {
    MachineConfig config;
    config.cpu.topology.cores = 2;
    config.schedule = {.seed = schedule_seed, .shortest = 5'000, .longest = 50'000};
    return config;
  }
  struct Board {
    explicit Board(const MachineConfig& board_config) : config(board_config) {
      EXPECT_TRUE(pc.plug_in(config.devices).ok());
    }
    MachineConfig config;
    std::unique_ptr<mmu::Ram> ram = mmu::Ram::create(4 * kMiB + vga_properties({}).memory_bytes).take();
    Sink sink;
    Control control;
    Log log;
    Pc pc{config, *ram, PcBackends{sink, sink}, control, log};

    mmu::Mmu& mmu(unsigned index) { return pc.processors().at(index).cpu.mmu; }
    u32 read(unsigned index, u64 phys) { return static_cast<u32>(mmu(index).read_phys(phys, Width::Dword)); }
    void write(unsigned index, u64 phys, u32 value) { mmu(index).write_phys(phys, Width::Dword, value); }
    u32 counter(unsigned index) { return read_unaligned<u32>(ram->host() + kCounters + 4 * index); }

    /// Real-mode `code` at 1000h (0) or 3000h (1), where processor `index` goes on.
    void start(unsigned index, std::span<const u8> code) {
      const u64 at = 0x1000 + 0x2000 * index;
      ASSERT_TRUE(pc.phys_map().write_bytes(at, code));
      cpu::Cpu& cpu = pc.processors().at(index).cpu;
      cpu.state.seg[cpu::CS].base = cpu.state.seg[cpu::CS].selector = 0;
      cpu.state.rip = at;
      cpu.state.activity = cpu::Activity::Running;
      cpu.state_replaced();
    }
    /// Processor `index` halts, and counts the interrupts `kVector` that it gets.
    void sleep(unsigned index) {
      const u8 place = static_cast<u8>(4 * index);
      const u8 code[] = {0xfb, 0xf4, 0xeb, 0xfd,                // sti; hlt; jmp hlt
                         0x66, 0xff, 0x06, place, 0x20, 0xcf};  // inc dword [counter]; iret
      start(index, code);
      const u16 handler = static_cast<u16>(0x1004 + 0x2000 * index);
      pc.phys_map().write(4 * kVector, Width::Dword, handler);
      write(index, kLapicPhys + 0xf0, 0x1ff);
    }
    static constexpr u8 kVector = 0x40;
    void count(unsigned index) {
      const u8 place = static_cast<u8>(4 * index);
      const u8 code[] = {0x66, 0xff, 0x06, place, 0x20, 0xeb, 0xf9};  // inc dword [counter]; jmp back
      start(index, code);
    }
  };
};

TEST_F(ProcessorsTest, EachSeesItsOwnLocalApicAtTheSameAddress) {
  Board board(two(1));
  EXPECT_EQ(board.read(0, kId), 0u);
  EXPECT_EQ(board.read(1, kId), 1u << 24);
  board.write(0, kTpr, 0x20);
  board.write(1, kTpr, 0x70);
  EXPECT_EQ(board.read(0, kTpr), 0x20u);
  EXPECT_EQ(board.read(1, kTpr), 0x70u);

  constexpr u32 kMsrApicBase = 0x1b;
  constexpr u64 kElsewhere = 0x10'0000;  // over RAM
  ASSERT_TRUE(board.pc.processors().at(1).apic_msr_write(kMsrApicBase, kElsewhere | 0x800));
  EXPECT_EQ(board.read(1, kElsewhere + 0x80), 0x70u);
  EXPECT_EQ(board.read(1, kTpr), ~0u) << "nothing is there any more";
  EXPECT_EQ(board.read(0, kTpr), 0x20u);
  EXPECT_EQ(board.read(0, kElsewhere + 0x80), 0u) << "RAM for the others";
  board.write(0, kElsewhere + 0x80, 0x1234'5678);
  EXPECT_EQ(board.read(1, kElsewhere + 0x80), 0x70u);
  EXPECT_EQ(read_unaligned<u32>(board.ram->host() + kElsewhere + 0x80), 0x1234'5678u);

  u64 base = 0;
  ASSERT_TRUE(board.pc.processors().at(0).apic_msr_read(kMsrApicBase, base));
  EXPECT_EQ(base, kLapicPhys | 0x900);
}

TEST_F(ProcessorsTest, BothRunInTurnsAndTheSeedDecides) {
  static constexpr u64 kBudget = 1'000'000;
  const auto counters = [](u64 seed) {
    Board board(two(seed));
    board.count(0);
    board.count(1);
    EXPECT_EQ(board.pc.processors().run(kBudget), cpu::VcpuExit::Budget);
    EXPECT_EQ(board.pc.processors().retired_now(), kBudget);
    EXPECT_EQ(board.pc.scheduler().now_ns(), kBudget) << "an instruction is a nanosecond whoever retires it";
    return std::pair(board.counter(0), board.counter(1));
  };
  const auto [first, second] = counters(1);
  EXPECT_GT(first, kBudget / 6);
  EXPECT_GT(second, kBudget / 6);
  EXPECT_EQ(counters(1), std::pair(first, second));
  EXPECT_NE(counters(2), std::pair(first, second));
}

TEST_F(ProcessorsTest, AHaltedOneGivesItsTurnAway) {
  Board board(two(1));
  const u8 halt[] = {0xf4};
  board.start(0, halt);
  board.count(1);
  EXPECT_EQ(board.pc.processors().run(100'000), cpu::VcpuExit::Budget);
  EXPECT_GE(board.counter(1), 49'900u);
  EXPECT_EQ(board.pc.processors().running().index(), 1u);
}

TEST_F(ProcessorsTest, OneThatPausesGivesItsTurnAway) {
  static constexpr u64 kBudget = 1'000'000;
  const auto counted = [](std::span<const u8> waiting) {
    Board board(two(1));
    board.start(0, waiting);
    board.count(1);
    EXPECT_EQ(board.pc.processors().run(kBudget), cpu::VcpuExit::Budget);
    EXPECT_EQ(board.pc.processors().retired_now(), kBudget);
    return board.counter(1);
  };
  const u8 spin[] = {0xeb, 0xfe};               // jmp back
  const u8 pause[] = {0xf3, 0x90, 0xeb, 0xfc};  // pause; jmp back
  EXPECT_LT(counted(spin), kBudget / 3);
  EXPECT_GT(counted(pause), kBudget * 49 / 100) << "two instructions count once";

  Board alone(two(1));
  alone.start(0, pause);
  EXPECT_EQ(alone.pc.processors().run(kBudget), cpu::VcpuExit::Budget) << "with nobody to wait for";
  EXPECT_EQ(alone.pc.processors().retired_now(), kBudget);
}

TEST_F(ProcessorsTest, ByUrgencyAWokenOneRunsAtOnce) {
  unsigned at_once = 0;
  for (u64 seed = 1; seed <= 20; ++seed) {
    MachineConfig config = two(seed);
    config.schedule.policy = Schedule::Policy::Pct;
    config.schedule.depth = 1;
    Board board(config);
    board.count(0);
    board.sleep(1);
    board.pc.processors().run(100);
    board.pc.processors().run(100);
    ASSERT_EQ(board.pc.processors().running_index(), 0u);
    // Whoever is the most urgent of the two: SIPI was not needed, since the test started both.
    board.write(0, kLapicPhys + 0x310, 1u << 24);
    board.write(0, kLapicPhys + 0x300, 0x4000 | Board::kVector);
    while (board.pc.processors().run(3) == cpu::VcpuExit::Attention) {
    }
    const bool ran = board.counter(1) == 1;
    EXPECT_EQ(ran, board.pc.processors().running_index() == 1);
    at_once += ran;
  }
  EXPECT_GT(at_once, 4u);
  EXPECT_LT(at_once, 16u);
}

TEST_F(ProcessorsTest, LooksInTheMiddleOfATurnGiveNoNewPauses) {
  MachineConfig config = two(1);
  config.schedule.policy = Schedule::Policy::Pct;
  config.schedule.depth = 1;
  for (unsigned waiting : {0u, 1u}) {
    Board board(config);
    const u8 wait[] = {0xf3, 0x90, 0xe4, 0x80, 0xeb, 0xfa};  // pause; in al, 80h, which stops it; jmp back
    board.start(waiting, wait);
    board.count(1 - waiting);
    for (unsigned i = 0; i < 100; ++i) board.pc.processors().run(1000);
    EXPECT_GT(board.counter(1 - waiting), 10'000u);
  }
}

TEST_F(ProcessorsTest, AStallIsThatOfTheOneThatMadeIt) {
  MachineConfig config = two(1);
  config.schedule.policy = Schedule::Policy::Pct;
  config.schedule.depth = 500;
  config.schedule.length = 10'000;
  Board board(config);
  const u8 code[] = {0xe4, 0x80, 0xeb, 0xfc};  // in al, 80h, which stops it; jmp back
  board.start(0, code);
  board.start(1, code);
  Processors& processors = board.pc.processors();
  const auto states = [&] {
    return std::array{processors.at(0).cpu.state.retired, processors.at(1).cpu.state.retired,
                      processors.at(0).cpu.state.stalled_ns, processors.at(1).cpu.state.stalled_ns};
  };
  unsigned lost_its_turn = 0;
  for (unsigned i = 0; i < 4'000; ++i) {
    const auto before = states();
    processors.run(1'000);
    processors.stalled(board.pc.scheduler().settle());
    const auto after = states();
    for (const unsigned who : {0u, 1u}) {
      if (after[2 + who] == before[2 + who]) continue;
      EXPECT_EQ(after[2 + who] - before[2 + who], 1'000u);
      ASSERT_GT(after[who], before[who]);
      lost_its_turn += processors.running_index() != who;
    }
  }
  EXPECT_GT(lost_its_turn, 10u);
  EXPECT_EQ(processors.at(0).cpu.state.stalled_ns + processors.at(1).cpu.state.stalled_ns, 4'000'000u);
}

/// What a run comes to: processors, and who had which turn.
struct Course {
  std::vector<u8> processors;
  std::vector<std::array<u64, 3>> turns;
  std::vector<Handover> handovers;

  bool operator==(const Course& other) const {
    return processors == other.processors && turns == other.turns;
  }
};

TEST_F(ProcessorsTest, AListGivesTheTurnsOfAnyPolicyAgain) {
  const u8 pause[] = {0xf3, 0x90, 0x66, 0xff, 0x06,
                      0x00, 0x20, 0xeb, 0xf7};                   // pause; inc dword [2000h]; jmp back
  const u8 work[] = {0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9};  // inc dword [2000h]; jmp back
  const auto course = [&](const Schedule& schedule, std::span<const u8> first) {
    MachineConfig config = two(1);
    config.schedule = schedule;
    Board board(config);
    board.start(0, first);
    board.start(1, work);
    Course came;
    Processors& processors = board.pc.processors();
    processors.tell_of_turns([&](const EndedTurn& turn) {
      if (turn.natural) return;
      if (turn.from != turn.to) came.turns.push_back({turn.position, turn.from, turn.to});
      came.handovers.push_back({static_cast<u8>(turn.from), turn.retired, static_cast<u8>(turn.to)});
    });
    for (unsigned i = 0; i < 300; ++i) processors.run(1'009);
    processors.tell_of_turns(nullptr);
    Archive archive;
    for (const auto& processor : processors) processor->cpu.state.serialize(archive);
    came.processors.assign(archive.bytes().begin(), archive.bytes().end());
    return came;
  };
  const auto as_list = [](const std::vector<Handover>& handovers) {
    Schedule schedule;
    schedule.policy = Schedule::Policy::List;
    schedule.handovers = parse_handovers(handovers_text(handovers)).value();
    return schedule;
  };
  for (const std::span<const u8> first : {std::span<const u8>(pause), std::span<const u8>(work)}) {
    for (u64 seed = 1; seed <= 10; ++seed) {
      const Schedule round_robin = {.seed = seed, .shortest = 500, .longest = 5'000};
      const Schedule pct = {.policy = Schedule::Policy::Pct, .seed = seed, .depth = 40, .length = 300'000};
      for (const Schedule& schedule : {round_robin, pct}) {
        const Course came = course(schedule, first);
        EXPECT_GT(came.turns.size(), 10u);
        EXPECT_EQ(course(as_list(came.handovers), first), came);
        // One handover less is another run, where none happens by itself.
        if (first.data() == pause) continue;
        std::vector<Handover> fewer = came.handovers;
        fewer.erase(std::ranges::find_if(fewer, [](const Handover& one) { return one.from != one.to; }));
        EXPECT_FALSE(course(as_list(fewer), first) == came);
      }
    }
  }
  // Without any, whoever works goes on, and whoever waits hands over.
  EXPECT_TRUE(course(as_list({}), work).turns.empty());
  EXPECT_GT(course(as_list({}), pause).turns.size(), 0u);
}

TEST_F(ProcessorsTest, AnotherScheduleBeginsAnewWithALoadedState) {
  Board board(two(3));
  board.count(0);
  board.count(1);
  board.pc.processors().run(12'345);
  Archive saved;
  board.pc.serialize(saved);
  const auto handed_over_at = [&](Schedule::Policy policy, const std::vector<Handover>& handovers) {
    MachineConfig config = two(3);
    config.schedule.policy = policy;
    config.schedule.handovers = parse_handovers(handovers_text(handovers)).value();
    Board other(config);
    other.count(0);
    other.count(1);
    Archive load(saved.bytes());
    other.pc.serialize(load);
    EXPECT_TRUE(load.ok() && load.at_end());
    Processors& processors = other.pc.processors();
    EXPECT_EQ(processors.retired_now(), 12'345u);
    std::vector<u64> at;
    processors.tell_of_turns([&](const EndedTurn& turn) {
      if (turn.from != turn.to) at.push_back(turn.position - 12'345);
    });
    processors.run(20'000);
    return at;
  };
  const u8 current = static_cast<u8>(board.pc.processors().running_index());
  const u8 next = current == 0 ? 1 : 0;
  // It begins with the one that ran, unless the list says otherwise.
  EXPECT_EQ(handed_over_at(Schedule::Policy::List, {{current, 0, current}, {current, 700, next}}),
            std::vector<u64>{700});
  EXPECT_EQ(handed_over_at(Schedule::Policy::List, {{current, 0, next}, {next, 900, current}}),
            (std::vector<u64>{0, 900}));
}

TEST(Handovers, AreReadAsTheyAreWritten) {
  const auto parsed = parse_handovers("1/20/0,0/0x10/1\n# for people\n0/5/0\t@9 somewhere\n\n");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(handovers_text(parsed.value()), "0/5/0,0/16/1,1/20/0");
  for (const char* bad : {"1", "1/2", "1/2/3/4", "x/2/3", "64/1/0", "0/1/64", "0//1", ",", "0/1/1,,"})
    EXPECT_FALSE(parse_handovers(bad).ok()) << bad;
}

TEST_F(ProcessorsTest, ApicIdsFollowTheTopology) {
  MachineConfig config;
  config.cpu.topology = {.sockets = 2, .cores = 3, .threads = 2};
  Board board(config);
  const u32 ids[] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13};
  ASSERT_EQ(board.pc.processors().count(), std::size(ids));
  for (unsigned i = 0; i < std::size(ids); ++i) EXPECT_EQ(board.read(i, kId), ids[i] << 24);
}

TEST_F(ProcessorsTest, ASaveInTheMiddleOfATurnGoesOnAlike) {
  Board board(two(3));
  board.count(0);
  board.count(1);
  board.pc.processors().run(12'345);
  Archive saved;
  board.pc.serialize(saved);
  Board other(two(3));
  other.count(0);
  other.count(1);
  std::memcpy(other.ram->host(), board.ram->host(), board.ram->bytes());
  Archive load(saved.bytes());
  other.pc.serialize(load);
  ASSERT_TRUE(load.ok());
  board.pc.processors().run(77'777);
  other.pc.processors().run(77'777);
  EXPECT_EQ(board.counter(0), other.counter(0));
  EXPECT_EQ(board.counter(1), other.counter(1));
}

TEST_F(ProcessorsTest, InitAndSipiStartAnother) {
  Board board(two(1));
  board.count(0);
  const u8 code[] = {0x66, 0xff, 0x06, 0x04, 0x20, 0xeb, 0xf9};  // inc dword [2004h]; jmp back
  ASSERT_TRUE(board.pc.phys_map().write_bytes(0x8000, code));
  const cpu::CpuState& other = board.pc.processors().at(1).cpu.state;
  const auto send = [&board](u32 icr) {
    board.write(0, kLapicPhys + 0x310, 1u << 24);
    board.write(0, kLapicPhys + 0x300, icr);
  };
  // A write of the ICR takes its time, and has the processors stop for that.
  const auto run = [&board] {
    while (board.pc.processors().run(50'000) == cpu::VcpuExit::Attention) {
    }
  };
  constexpr u32 kInit = 0x4500, kStartUp = 0x4608;

  run();
  EXPECT_EQ(other.activity, cpu::Activity::WaitForSipi);
  send(kInit);
  send(kStartUp);
  EXPECT_EQ(other.activity, cpu::Activity::WaitForSipi) << "it acts when it runs";
  run();
  run();
  EXPECT_EQ(other.activity, cpu::Activity::Running);
  EXPECT_EQ(other.seg[cpu::CS].base, 0x8000u);
  EXPECT_GT(board.counter(1), 1000u);
  constexpr u32 kStartUpElsewhere = 0x4609;
  send(kStartUpElsewhere);
  run();
  EXPECT_EQ(other.seg[cpu::CS].base, 0x8000u) << "SIPI to one that runs is ignored";

  board.write(1, kTpr, 0x50);
  send(kInit);
  EXPECT_EQ(board.read(1, kTpr), 0x50u);
  run();
  run();
  EXPECT_EQ(other.activity, cpu::Activity::WaitForSipi);
  EXPECT_EQ(board.read(1, kTpr), 0u);
  const u32 counter = board.counter(1);
  run();
  EXPECT_EQ(board.counter(1), counter);
}

TEST_F(ProcessorsTest, TimeIsThatOfAllOfThem) {
  Board board(two(1));
  board.count(0);
  board.count(1);
  board.pc.processors().run(50'000);
  for (const auto& processor : board.pc.processors()) {
    const u64 retired = processor->cpu.retired_now();
    EXPECT_EQ(processor->virtual_ns(retired), 50'000u);
    EXPECT_EQ(processor->virtual_ns(retired + 5), 50'005u);
  }
}

}  // namespace
}  // namespace reprise::machine
