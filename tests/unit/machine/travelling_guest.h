// A guest whose run keeps a history, on a thread of its own.
#pragma once

#include <functional>
#include <thread>

#include "machine/outside/sink_names.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {

/// A guest on a thread, which does what it is told between turns.
class Runs {
 public:
  explicit Runs(const Code& code, EngineKind engine, bool history = true, const MachineConfig& base = {})
      : guest(code, config(engine, history, base)) {
    guest.machine->stop();
    thread_ = std::thread([this] {
      RunLimits limits = kADay;
      limits.attended = true;
      result = guest.machine->run(limits);
    });
  }
  ~Runs() {
    guest.machine->request_end(ExitReason::Quit, 0);
    thread_.join();
    EXPECT_EQ(result.reason, ExitReason::Quit) << result.message << result.details;
  }
  Machine& machine() { return *guest.machine; }
  template <class Work>
  bool on(Work&& work) {
    const std::function<void()> call = work;
    const bool done = guest.machine->host_calls().run(call);
    EXPECT_TRUE(done) << "the run has ended";
    return done;
  }
  /// Lets `begin` begin something, and waits until the guest stands still.
  template <class Begin>
  std::pair<Position, u64> go(Begin&& begin) {
    on(begin);
    std::pair<Position, u64> where;
    bool stopped = false;
    while (!stopped && on([&] {
      stopped = machine().stopped() && !machine().travels();
      if (stopped) where = {machine().position(), machine().state_hash()};
    })) {
    }
    return where;
  }
  std::pair<Position, u64> to(const Position& at) {
    return go([&] { EXPECT_TRUE(machine().go_to({at}).ok()); });
  }
  std::pair<Position, u64> step(u64 count) {
    return go([&] { machine().step(count); });
  }
  void type(char c) { machine().inbox().post({std::string(kCom1Sink), BytesEvent{{static_cast<u8>(c)}}}); }
  std::string printed() {
    std::string text;
    on([&] { text = guest.com1.text; });
    return text;
  }

  Guest guest;
  RunResult result;

 private:
  static MachineConfig config(EngineKind engine, bool history, const MachineConfig& base) {
    MachineConfig config = base;
    config.engine = engine;
    config.history = {.on = history, .bytes = 24 << 20, .interval_instructions = 20'000};
    return config;
  }
  std::thread thread_;
};

}  // namespace reprise::machine
