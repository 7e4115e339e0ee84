// A run of the options of a command line, for programs that compare runs. Output of the guest is dropped.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "frontend/command_line.h"
#include "machine/machine.h"

namespace reprise {

struct NoOutput final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

struct Run {
  explicit Run(const frontend::RunOptions& its_options) : options(its_options) {}
  NoOutput none;
  Log log;
  frontend::RunOptions options;
  std::unique_ptr<machine::Machine> machine;

  /// At instruction `begin`.
  Result<Done> start(u64 begin) {
    machine = TRY(machine::Machine::create(
        options.config, {.com1 = none, .com2 = none, .console = options.console ? &none : nullptr}, log));
    if (begin != 0) (void)run_to(begin);
    return Done{};
  }
  machine::RunResult run_to(u64 end) {
    machine::RunLimits limits = options.limits;
    limits.stop_at_retired = end;
    return machine->run(limits);
  }
};

/// What "BEGIN LENGTH run OPTIONS" asks for.
struct Stretch {
  u64 begin = 0;
  u64 end = 0;
  frontend::RunOptions options;
};
/// Error: what is wrong with `words`.
inline Result<Stretch> parse_stretch(const std::vector<std::string>& words) {
  if (words.size() < 4) return Error{"usage: BEGIN LENGTH run OPTIONS"};
  auto parsed = frontend::parse_options({words.begin() + 2, words.end()});
  if (const frontend::EarlyExit* exit = std::get_if<frontend::EarlyExit>(&parsed)) return Error{exit->text};
  const u64 begin = std::stoull(words[0]);
  return Stretch{begin, begin + std::stoull(words[1]), std::get<frontend::RunOptions>(std::move(parsed))};
}

}  // namespace reprise
