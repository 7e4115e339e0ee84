// A run of the options of a command line, for programs that compare runs. Output of the guest is dropped.
#pragma once

#include <memory>

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

}  // namespace reprise
