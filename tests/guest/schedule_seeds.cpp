// schedule_seeds: runs a machine as `reprise run` does, again and again, each time by another seed of its schedule.
//
//     schedule_seeds FIRST COUNT EXIT-CODE run OPTIONS
//
// Seeds from FIRST on, COUNT of them, or until one ends with EXIT-CODE (0: none). Prints a line per seed: its exit code.
// Output of the guest is dropped.
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "frontend/command_line.h"
#include "machine/machine.h"

namespace reprise {
namespace {

struct NoOutput final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

int complain(std::string_view text) {
  fmt::print(stderr, "schedule_seeds: {}\n", text);
  return 1;
}

std::optional<u64> number(const std::string& word) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

int main_of(const std::vector<std::string>& words) {
  if (words.size() < 4 || !number(words[0]) || !number(words[1]) || !number(words[2]))
    return complain("usage: schedule_seeds FIRST COUNT EXIT-CODE run OPTIONS");
  auto parsed = frontend::parse_options({words.begin() + 3, words.end()});
  if (const frontend::EarlyExit* exit = std::get_if<frontend::EarlyExit>(&parsed))
    return complain(exit->text);
  const frontend::RunOptions& options = std::get<frontend::RunOptions>(parsed);
  machine::MachineConfig config = options.config;
  NoOutput none;
  const Log log;
  const u64 first = *number(words[0]);
  for (u64 i = 0; i < *number(words[1]); ++i) {
    config.schedule.seed = first + i;
    auto machine = machine::Machine::create(
        config, {.com1 = none, .com2 = none, .console = options.console ? &none : nullptr}, log);
    if (!machine) return complain(machine.error().message);
    const int code = machine.value()->run(options.limits).exit_code;
    fmt::print("{}\n", code);
    if (code != 0 && static_cast<u64>(code) == *number(words[2])) break;
  }
  return 0;
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) { return reprise::main_of({argv + 1, argv + argc}); }
