// A run that goes back over its past: pages, checkpoints, instants, and what outside sees of it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "machine/history/instant_text.h"
#include "machine/history/page_store.h"
#include "machine/outside/sink_names.h"
#include "tests/unit/machine/travelling_guest.h"

namespace reprise::machine {
namespace {

TEST(PageStore, EveryCheckpointHoldsWhatItHeld) {
  constexpr u64 kPages = 40;
  constexpr unsigned kSteps = 120;
  auto made = mmu::Ram::create(kPages * kPageBytes);
  ASSERT_TRUE(made.ok());
  mmu::Ram& ram = *made.value();
  // What a run writes at step n is always the same; much of it was there before, or is zero.
  const auto write = [&](std::vector<u8>& into, unsigned step) {
    std::minstd_rand random(step / 3 + 1);
    const u64 page = random() % kPages;
    into[page] = static_cast<u8>(random() % 3);
    return page;
  };
  std::vector<std::vector<u8>> content = {
      std::vector<u8>(kPages)};  // before each step: the byte that fills each page
  for (unsigned step = 0; step < kSteps; ++step) {
    content.push_back(content.back());
    write(content.back(), step);
  }
  PageStore store(ram);
  std::map<unsigned, PageStore::Delta> known;
  std::vector<u8> spare(kPages);
  unsigned now = 0;
  unsigned base = 0;  // from which it has run to now
  const auto before = [&](unsigned step) {
    PageStore::Deltas deltas;
    for (auto& [at, delta] : known)
      if (at < step) deltas.push_back(&delta);
    return deltas;
  };
  const auto check = [&] {
    for (u64 page = 0; page < kPages; ++page) {
      const u8* const bytes = ram.host() + page * kPageBytes;
      ASSERT_EQ(bytes[0], content[now][page]) << "step " << now << " page " << page;
      ASSERT_EQ(bytes[kPageBytes - 1], content[now][page]);
    }
  };
  const auto take = [&] {
    if (known.contains(now)) return;
    const auto next = known.upper_bound(now);
    PageStore::Written written;
    known[now] = store.take(before(now), next == known.end() ? nullptr : &next->second, written);
    for (unsigned step = base; step < now; ++step) {
      const u64 page = write(spare, step);
      EXPECT_TRUE(written[page / 64] >> (page % 64) & 1) << "page " << page << " was written at " << step;
    }
    base = now;
  };
  std::minstd_rand random(7);
  const auto some = [&] {
    auto entry = known.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(random() % known.size()));
    return entry;
  };
  take();
  for (unsigned i = 0; i < 6000; ++i) {
    switch (random() % 6) {
      case 0: take(); break;
      case 1: {
        const unsigned to = some()->first;
        std::vector<u64> changed;
        const std::vector<u8> had = content[now];
        store.restore(before(to + 1), [&](u64 page) { changed.push_back(page); });
        for (const u64 page : changed) EXPECT_NE(had[page], content[to][page]) << "that page is the same";
        now = base = to;
        check();
        break;
      }
      case 2: {
        const auto entry = some();
        const auto next = std::next(entry);
        if (entry->first == 0 || entry->first == base || next == known.end()) break;
        store.merge(std::move(entry->second), next->second);
        known.erase(entry);
        break;
      }
      default:
        if (now == kSteps) break;
        std::vector<u8> bytes = content[now];
        const u64 page = write(bytes, now++);
        ram.mark_written(page * kPageBytes);
        std::memset(ram.host() + page * kPageBytes, bytes[page], kPageBytes);
    }
  }
  for (auto& [at, delta] : known) store.drop(delta);
  EXPECT_EQ(store.bytes(), 0u);
}

TEST(Instants, AreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_instant("@41203118554"), (Position{41203118554, 0, 0}));
  EXPECT_EQ(parse_instant("12.3"), (Position{12, 0, 3}));
  for (const char* text : {"", "@", "@x", "@1.", "@.1", "@1.2.3", "-1"})
    EXPECT_FALSE(parse_instant(text)) << text;
}

/// A guest that reads a serial port for ever, writes what it got, and counts in memory. Interrupts are off.
const Code kEcho = out8(0x3fb, 0x03) + Code{0xff, 0x05, 0x00, 0x00, 0x20, 0x00,  // inc dword [200000h]
                                            0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf1,  //
                                            0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xe9};

class HistoryTest : public testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, HistoryTest, testing::Values(EngineKind::Interp, EngineKind::Jit),
                         [](const auto& engine) {
                           return engine.param == EngineKind::Jit ? "jit" : "interp";
                         });

TEST_P(HistoryTest, AnInstantIsTheSameByWhateverWayItIsReached) {
  std::map<Position, u64> states;
  std::string printed;
  Runs run(kEcho, GetParam());
  for (const char c : std::string("some words that are typed")) {
    run.type(c);
    states.insert(run.step(40'000));
  }
  const Position end = run.step(1).first;
  printed = run.printed();
  EXPECT_EQ(printed, "some words that are typed");
  std::minstd_rand random(9);
  for (unsigned i = 0; i < 400; ++i) {
    std::pair<Position, u64> where;
    Position before;
    run.on([&] { before = run.machine().position(); });
    switch (random() % 4) {
      case 0: {
        auto entry = states.begin();
        std::advance(entry, static_cast<std::ptrdiff_t>(random() % states.size()));
        where = run.to(entry->first);
        EXPECT_EQ(where.first, entry->first);
        break;
      }
      case 1: where = run.to({random() % end.retired, 0, 0}); break;
      case 2:
        where = run.go([&] { EXPECT_TRUE(run.machine().step_back(0).ok()); });
        EXPECT_EQ(where.first.retired, before.retired == 0 ? 0 : before.retired - 1);
        break;
      default: where = run.step(1 + random() % 5000);
    }
    const u64 state = states.insert(where).first->second;
    EXPECT_EQ(where.second, state) << i << ": @" << where.first.retired << '.' << where.first.step;
  }
  EXPECT_EQ(run.printed(), printed);
  // It lives on.
  std::optional<Position> present;
  run.on([&] { present = run.machine().present(); });
  run.to(present.value_or(end));
  run.on([&] { EXPECT_FALSE(run.machine().in_past()); });
  run.type('!');
  run.step(40'000);
  EXPECT_EQ(run.printed(), printed + "!");
}

TEST_P(HistoryTest, WhatIsTypedInThePastWaitsForThePresent) {
  Runs run(kEcho, GetParam());
  run.type('a');
  const auto present = run.step(100'000);
  run.to({20'000, 0, 0});
  run.type('b');
  run.step(10'000);
  EXPECT_EQ(run.printed(), "a");
  run.on([&] { EXPECT_TRUE(run.machine().in_past()); });
  EXPECT_EQ(run.to(present.first).first.retired, present.first.retired);
  run.step(10'000);
  EXPECT_EQ(run.printed(), "ab");
}

TEST_P(HistoryTest, ABranchForgetsTheFuture) {
  Runs run(kEcho, GetParam());
  run.type('a');
  run.step(100'000);
  run.type('b');
  run.step(100'000);
  run.to({80'000, 0, 0});
  run.on([&] { run.machine().branch(); });
  run.type('c');
  run.step(100'000);
  EXPECT_EQ(run.printed(), "abc");
  run.on([&] {
    EXPECT_FALSE(run.machine().in_past());
    EXPECT_TRUE(run.machine().recorder().complete());
    std::string text;
    for (const LoggedEvent& event : run.machine().recorder().events())
      if (const auto* bytes = std::get_if<BytesEvent>(&event.event))
        text.append(bytes->bytes.begin(), bytes->bytes.end());
    EXPECT_EQ(text, "ac");
  });
  const auto here = run.step(1);
  run.to({10'000, 0, 0});
  EXPECT_EQ(run.to(here.first), here);
}

TEST_P(HistoryTest, ADebuggerThatWritesBeginsAnotherHistory) {
  Runs run(kEcho, GetParam());
  run.step(100'000);
  run.to({50'000, 0, 0});
  run.on([&] { run.machine().debugger().write_memory(0x200000, std::vector<u8>{1, 2, 3, 4}); });
  const auto further = run.step(60'000);
  run.on([&] { EXPECT_FALSE(run.machine().in_past()); });
  EXPECT_EQ(run.to({0, 0, 0}).first.retired, 50'000u) << "there is nothing before";
  EXPECT_EQ(run.to(further.first), further);
}

TEST_P(HistoryTest, GoesBackToTheLastHit) {
  Runs run(kEcho, GetParam());
  run.step(300'000);
  Position from;
  const auto counter = [&] {
    u32 value = 0;
    run.on([&] { value = read_unaligned<u32>(run.machine().ram().host() + 0x200000); });
    return value;
  };
  u32 before = counter();
  run.on([&] {
    run.machine().debugger().add(cpu::Watchpoint{.address = 0x200000, .bytes = 4});
    from = run.machine().position();
  });
  for (unsigned i = 0; i < 20; ++i) {
    const auto where = run.go([&] { EXPECT_TRUE(run.machine().run_back().ok()); });
    EXPECT_LT(where.first.retired, from.retired);
    EXPECT_EQ(counter(), before - 1);
    run.on([&] { EXPECT_EQ(run.machine().debugger().last_stop().reason, DebugStop::Reason::Watchpoint); });
    --before;
    from = where.first;
  }
  // Where it was hit last lies several checkpoints back.
  run.on([&] { run.machine().debugger().clear(); });
  run.to({290'000, 0, 0});
  run.on([&] {
    run.machine().debugger().add(cpu::Breakpoint{.linear = 0x100020});
    run.machine().debugger().add(cpu::Watchpoint{.space = cpu::Watchpoint::Space::Phys, .address = 0x200004});
  });
  EXPECT_EQ(run.go([&] { EXPECT_TRUE(run.machine().run_back().ok()); }).first.retired, 0u);
  run.on([&] {
    EXPECT_EQ(run.machine().debugger().last_stop().reason, DebugStop::Reason::Breakpoint);
    run.machine().debugger().clear();
    run.machine().debugger().add(cpu::Watchpoint{.address = 0x200000, .bytes = 4});
  });
  run.to(from);
  // Forward again it is hit behind the instruction.
  const auto forward = run.go([&] { run.machine().resume(); });
  EXPECT_EQ(forward.first.retired, from.retired + 1);
  EXPECT_EQ(counter(), before + 1);
  run.on([&] {
    run.machine().debugger().clear();
    run.machine().debugger().add(cpu::Breakpoint{.linear = 0x100020});
  });
  EXPECT_EQ(run.go([&] { EXPECT_TRUE(run.machine().run_back().ok()); }).first.retired, 0u)
      << "its first instruction";
  run.on([&] { EXPECT_EQ(run.machine().debugger().last_stop().reason, DebugStop::Reason::Breakpoint); });
  run.go([&] { EXPECT_TRUE(run.machine().run_back().ok()); });
  run.on([&] { EXPECT_EQ(run.machine().debugger().last_stop().reason, DebugStop::Reason::HistoryBegins); });
}

/// A debugger that goes back from a run's end and leaves does not leave it standing there for ever.
TEST(History, AnEndIsHeldAsLongAsADebuggerIsThere) {
  MachineConfig config;
  config.history = {.on = true, .bytes = 16 << 20, .interval_instructions = 1000};
  Guest guest(kCli + Code(100, 0x90) + Code{0x0f, 0x0b}, config);  // ud2 without an IDT
  Machine& machine = *guest.machine;
  machine.debugger().on_stop([] {});
  RunResult result;
  std::thread running([&] {
    RunLimits limits = kADay;
    limits.attended = true;
    result = machine.run(limits);
  });
  const auto on = [&](const std::function<void()>& call) { EXPECT_TRUE(machine.host_calls().run(call)); };
  const auto wait_until_still = [&] {
    for (bool still = false; !still;) on([&] { still = machine.stopped() && !machine.travels(); });
  };
  wait_until_still();
  on([&] {
    EXPECT_NE(machine.held_ending(), nullptr);
    EXPECT_TRUE(machine.go_to({{50, 0, 0}}).ok());
  });
  wait_until_still();
  on([&] {
    EXPECT_EQ(machine.retired(), 50u);
    machine.debugger().on_stop(nullptr);
    machine.resume();
  });
  running.join();
  EXPECT_EQ(result.reason, ExitReason::TripleFault) << result.message;
}

TEST(History, OneThatIsNotKeptIsSaid) {
  Runs run(kEcho, EngineKind::Interp, false);
  run.step(1000);
  run.on([&] {
    const Result<Done> back = run.machine().step_back(0);
    ASSERT_FALSE(back.ok());
    EXPECT_NE(back.error().message.find("--checkpoints on"), std::string::npos);
  });
}

TEST_P(HistoryTest, CheckpointsAreThinnedOutAndStayWithinTheirMemory) {
  // Writes a page after the other, for ever.
  const Code fills = {0xbf, 0x00, 0x00, 0x20, 0x00,        // again: mov edi, 200000h
                      0x01, 0x07,                          // next: add [edi], eax
                      0x40,                                // inc eax
                      0x81, 0xc7, 0x00, 0x01, 0x00, 0x00,  // add edi, 100h
                      0x81, 0xff, 0x00, 0x00, 0x38, 0x00,  // cmp edi, 380000h
                      0x72, 0xef, 0xeb, 0xe8};             // jb next; jmp again
  Runs run(fills, GetParam());
  std::map<Position, u64> states;
  for (unsigned i = 0; i < 60; ++i) states.insert(run.step(50'000));
  run.on([&] {
    const Checkpoints& checkpoints = run.machine().checkpoints();
    EXPECT_GT(checkpoints.count(), 3u);
    EXPECT_LE(checkpoints.bytes(), checkpoints.most_bytes());
    EXPECT_EQ(checkpoints.first().at.retired, 0u);
    // The last quarter has more than the first.
    const u64 end = run.machine().retired();
    unsigned early = 0, late = 0;
    for (const auto& one : checkpoints.all()) {
      early += one->at.retired < end / 4;
      late += one->at.retired > end - end / 4;
    }
    EXPECT_LT(early, late);
  });
  for (auto entry = states.rbegin(); entry != states.rend(); ++entry)
    EXPECT_EQ(run.to(entry->first), (std::pair<Position, u64>(*entry)));
}

}  // namespace
}  // namespace reprise::machine
