// Debugger: breakpoints, watchpoints and steps of a machine, and why it stands still. docs/debugging.md.
//
// It only watches: nothing here is state of the machine, and a run that was stopped and went on is the run that was not.
// Machine::stop() and resume() make the guest stand still and go on; what this finds makes the machine stop, too.
//
// Thread: the one that runs the machine, between turns, or any outside of Machine::run().
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/board/pc.h"

namespace reprise::machine {

/// Why the guest stands still, and which processor is concerned: the running one, if it was asked for from outside.
struct DebugStop {
  /// HistoryBegins, HistoryEnds: there is nothing before, and nothing behind.
  enum class Reason : u8 { Asked, Breakpoint, Watchpoint, Step, HistoryBegins, HistoryEnds };
  Reason reason = Reason::Asked;
  unsigned processor = 0;
  bool by_device = false;  // Watchpoint: `processor` only happened to run
  cpu::DebugHit hit = {};  // Breakpoint, Watchpoint
};

/// Rip values in [begin, end).
struct RipRange {
  u64 begin = 0;
  u64 end = 0;
};

class Debugger {
 public:
  /// `pc` outlives this.
  explicit Debugger(Pc& pc) : pc_(pc) {}

  // As cpu/debug/debug_stops.h says: remove() takes away one that is equal, and false says that there is none.
  void add(const cpu::Breakpoint& breakpoint);
  void add(const cpu::Watchpoint& watchpoint);
  bool remove(const cpu::Breakpoint& breakpoint);
  bool remove(const cpu::Watchpoint& watchpoint);
  /// All of them.
  void clear();

  /// When the machine next goes on, it stops after one more instruction of this processor, or event that it takes, of
  /// which delivering an interrupt is one; with a range, after the first behind which rip lies outside. The others run
  /// meanwhile as ever.
  void step(unsigned processor, RipRange range = {});

  // --- A debugger that writes: the run no longer follows from what it was begun with ---
  /// False: not all of it is RAM, which alone was written.
  bool write_memory(u64 phys, std::span<const u8> bytes);
  /// Registers of `processor` were changed: it may be at a breakpoint again.
  void moved(unsigned processor) {
    changed_ = changed_now_ = true;
    pc_.processors().at(processor).cpu.breakpoint_passed = cpu::Cpu::kNoStop;
  }
  bool has_changed_guest() const { return changed_; }
  /// It has since the last time this was asked.
  bool take_change() { return std::exchange(changed_now_, false); }

  /// Begins to listen for debuggers at an address, or ends that ("none"); the answer says where it listens. Error: why not, a
  /// sentence.
  using Server = std::function<Result<std::string>(std::string_view address)>;
  void serve_with(Server server) { server_ = std::move(server); }
  Result<std::string> serve(std::string_view address) {
    return server_ ? server_(address) : Error{"no debugger can come in here."};
  }

  /// Called whenever the guest begins to stand still, whoever asked for it. At most one; none by nullptr.
  void on_stop(std::function<void()> listener) { listener_ = std::move(listener); }
  /// Somebody waits for that.
  bool is_attached() const { return listener_ != nullptr; }
  /// Why it stood still last.
  const DebugStop& last_stop() const { return last_stop_; }

  // --- For Machine ---
  /// Something was hit, or a step is done: the machine is to stop before the next instruction.
  bool due() { return !away_ && (!pc_.debug_stops().hits().empty() || (!steps_.empty() && step_done())); }
  void stopped() { stopped_as(stop_now()); }
  /// The machine stops for another reason than what was hit.
  void stopped_as(const DebugStop& stop);
  /// Why it would stop now.
  DebugStop stop_now() const;
  void resumed();
  /// Breakpoints and watchpoints do nothing.
  void suspend(bool suspended);

  // --- For questions about the past (machine/past/excursion.h): nothing of the user's counts meanwhile ---
  /// What the user would be told, and when.
  struct Standing {
    std::vector<cpu::DebugHit> hits;
    struct OfCpu {
      bool debug_stop;
      u64 breakpoint_passed;
      u64 stop_at_retired;
    };
    std::vector<OfCpu> cpus;
    bool suspended;
    cpu::DebugStops::Wanted wanted;
  };
  Standing leave();
  void come_back(Standing standing);
  /// What is wanted makes place for `wanted`, which becomes what was: a second call ends it.
  void exchange(cpu::DebugStops::Wanted& wanted);

 private:
  struct Step {
    unsigned processor;
    RipRange range;
  };
  void update();
  bool step_done();

  Pc& pc_;
  std::vector<Step> steps_;
  std::optional<unsigned> stepped_;  // whose step is done
  DebugStop last_stop_;
  std::function<void()> listener_;
  Server server_;
  bool changed_ = false;
  bool changed_now_ = false;
  bool suspended_ = false;
  bool away_ = false;
};

}  // namespace reprise::machine
