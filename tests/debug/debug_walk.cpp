// debug_walk: runs a machine twice as `reprise run` does, the second time with a debugger that stops it at random, sets
// breakpoints and watchpoints where it happens to be, steps, and lets it go on. Both runs must be the same.
//
//     debug_walk SEED STOPS run OPTIONS       OPTIONS with --hash-every and --stop-at
//
// Prints how much it did, and exits 1 with the first hash that differs. Output of the guest is dropped.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "frontend/command_line.h"
#include "machine/machine.h"

namespace reprise {
namespace {

using machine::DebugStop;

struct NoOutput final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

int complain(std::string_view text) {
  fmt::print(stderr, "debug_walk: {}\n", text);
  return 1;
}

/// What a debugger does at each stop, all at random.
class Walker {
 public:
  Walker(machine::Machine& machine, u64 seed, u64 stops, u64 length)
      : machine_(machine), random_(seed), stops_left_(stops), usual_gap_(2 * length / (stops + 1) + 1) {
    machine_.debugger().on_stop([this] { stopped(); });
    machine_.step(1 + draw(usual_gap_));
  }

  std::string text() const {
    return fmt::format(
        "{} stops at will, {} steps, {} hits of breakpoints, {} of watchpoints ({} by devices)", counts_[0],
        counts_[3], counts_[1], counts_[2], by_devices_);
  }

 private:
  u64 draw(u64 below) { return random_() % below; }

  void stopped() {
    const DebugStop& stop = machine_.debugger().last_stop();
    ++counts_[static_cast<unsigned>(stop.reason)];
    by_devices_ += stop.by_device ? 1 : 0;
    switch (stop.reason) {
      case DebugStop::Reason::Breakpoint:
      case DebugStop::Reason::Watchpoint:
        // In a loop it would never end.
        if (++hits_ > kMaxHits) forget_all();
        if (draw(16) != 0) return go_on();
        break;
      case DebugStop::Reason::Step:
      case DebugStop::Reason::Asked:
      case DebugStop::Reason::HistoryBegins:  // it only goes forward
      case DebugStop::Reason::HistoryEnds: break;
    }
    if (stops_left_ == 0) {
      forget_all();
      return machine_.resume();
    }
    --stops_left_;
    change();
    go_on();
  }

  void go_on() {
    const unsigned processor = static_cast<unsigned>(draw(machine_.pc().processors().count()));
    if (draw(3) == 0) {
      machine_.debugger().step(processor);
      return machine_.step(200'000);  // it may be halted
    }
    machine_.step(1 + draw(draw(2) == 0 ? 300 : usual_gap_));
  }

  void forget_all() {
    machine_.debugger().clear();
    hits_ = 0;
  }

  void change() {
    machine::Debugger& debugger = machine_.debugger();
    const cpu::Cpu& cpu = machine_.pc().processors().running().cpu;
    const u64 mask = cpu.mode.is64() ? ~u64{0} : 0xffff'ffff;
    const u64 rip = (cpu.state.rip + cpu.state.seg[cpu::CS].base) & mask;
    const u64 stack = (cpu.state.gpr[cpu::RSP] + cpu.state.seg[cpu::SS].base) & mask;
    const auto phys_of = [&](u64 linear) {
      u64 phys = linear;
      return cpu.mmu.peek_translate(linear, phys) ? phys : u64{0x1000};
    };
    using Space = cpu::Watchpoint::Space;
    const auto on = static_cast<cpu::Watchpoint::On>(draw(3));
    const u64 bytes = u64{1} << draw(7);
    switch (draw(9)) {
      case 0: return debugger.add(cpu::Breakpoint{rip});
      case 1: return debugger.add(cpu::Breakpoint{(rip + 1 + draw(64)) & mask});
      case 2: return debugger.add(cpu::Breakpoint{rip, cpu.state.cr3 & cpu::DebugStops::kRootMask});
      case 3: return debugger.add(cpu::Watchpoint{Space::Linear, on, (stack - draw(64)) & mask, bytes});
      case 4: return debugger.add(cpu::Watchpoint{Space::Phys, on, phys_of(stack) + draw(64), bytes});
      case 5: return debugger.add(cpu::Watchpoint{Space::Linear, on, cpu.state.gpr[draw(16)] & mask, bytes});
      case 6: {  // an entry of the page tables
        const u64 root = cpu.state.cr3 & cpu::DebugStops::kRootMask;
        return debugger.add(cpu::Watchpoint{Space::Phys, on, root + 8 * draw(512), 8});
      }
      case 7: return debugger.add(cpu::Breakpoint{rip ^ 0x20});
      default: return forget_all();
    }
  }

  static constexpr u64 kMaxHits = 300;
  machine::Machine& machine_;
  std::mt19937_64 random_;
  u64 stops_left_;
  const u64 usual_gap_;
  u64 hits_ = 0;  // since all were forgotten
  u64 counts_[4] = {};
  u64 by_devices_ = 0;
};

/// With a walker, if the length of the run is known.
Result<machine::RunResult> run(const frontend::RunOptions& options, u64 seed, u64 stops, u64 length) {
  NoOutput none;
  const Log log;
  const auto machine = TRY(machine::Machine::create(
      options.config, {.com1 = none, .com2 = none, .console = options.console ? &none : nullptr}, log));
  std::optional<Walker> walker;
  if (length != 0) walker.emplace(*machine, seed, stops, length);
  const machine::RunResult result = machine->run(options.limits);
  if (walker) fmt::print("seed {}: {}\n", seed, walker->text());
  return result;
}

int main_of(const std::vector<std::string>& words) {
  if (words.size() < 4) return complain("usage: debug_walk SEED STOPS run OPTIONS");
  auto parsed = frontend::parse_options({words.begin() + 2, words.end()});
  if (const frontend::EarlyExit* exit = std::get_if<frontend::EarlyExit>(&parsed))
    return complain(exit->text);
  const frontend::RunOptions& options = std::get<frontend::RunOptions>(parsed);
  const Result<machine::RunResult> plain = run(options, 0, 0, 0);
  if (!plain) return complain(plain.error().message);
  const Result<machine::RunResult> walked =
      run(options, std::stoull(words[0]), std::stoull(words[1]), plain.value().retired);
  if (!walked) return complain(walked.error().message);
  const machine::RunResult& one = plain.value();
  const machine::RunResult& other = walked.value();
  for (std::size_t i = 0; i < std::min(one.hashes.size(), other.hashes.size()); ++i) {
    if (one.hashes[i].state_hash != other.hashes[i].state_hash ||
        one.hashes[i].retired != other.hashes[i].retired)
      return complain(fmt::format("the runs differ before instruction {}", one.hashes[i].retired));
  }
  if (one.hashes.size() != other.hashes.size() || one.state_hash != other.state_hash ||
      one.retired != other.retired || one.message != other.message)
    return complain(fmt::format("the ends differ: {} ({}), {} ({})\n{}", one.message, one.retired,
                                other.message, other.retired, other.details));
  fmt::print("{} hashes and the end agree: {}\n", one.hashes.size(), one.message);
  return 0;
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) { return reprise::main_of({argv + 1, argv + argc}); }
