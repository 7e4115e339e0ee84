// saved_state: runs a machine as `reprise run` does, and saves it at given instructions or begins with a saved state.
//
//     saved_state save FOLDER POINT,POINT,... run OPTIONS     writes FOLDER/POINT.state at each point
//     saved_state load FILE run OPTIONS                       begins with the state in FILE
//
// Prints a line per hash that --hash-every asks for, "N HASH", and at the end "end REASON N HASH". Output of the guest
// is dropped.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include "frontend/command_line.h"
#include "machine/machine.h"
#include "machine/snapshot/run_origin.h"

namespace reprise {
namespace {

struct NoOutput final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

int complain(std::string_view text) {
  fmt::print(stderr, "saved_state: {}\n", text);
  return 1;
}

std::vector<u64> numbers(std::string_view text) {
  std::vector<u64> list;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    u64 value = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc{}) return {};
    list.push_back(value);
  }
  return list;
}

Result<Done> load(machine::Machine& machine, const std::string& path) {
  const auto file = TRY(machine::StateFileReader::open(path));
  machine::load_origin(file->stream());
  return machine.load(file->stream(), file->ram());
}

int run(machine::Machine& machine, machine::RunLimits limits, const std::string& folder,
        const std::vector<u64>& points) {
  machine.on_hash(
      [](const machine::HashPoint& point) { fmt::print("{} {:016x}\n", point.retired, point.state_hash); });
  const std::optional<u64> end = limits.stop_at_retired;
  for (const u64 point : points) {
    limits.stop_at_retired = point;
    const machine::RunResult result = machine.run(limits);
    if (result.reason != machine::ExitReason::StopAt)
      return complain(fmt::format("the run ended before {}: {}", point, result.message));
    const Result<Done> saved =
        machine.save_file(fmt::format("{}/{}.state", folder, point), machine::StateForm::Pages);
    if (!saved) return complain(saved.error().message);
  }
  limits.stop_at_retired = end;
  const machine::RunResult result = machine.run(limits);
  fmt::print("end {} {} {:016x}\n", machine::exit_reason_name(result.reason), result.retired,
             result.state_hash);
  if (!result.details.empty() || result.reason == machine::ExitReason::EnginesDiffer)
    fmt::print(stderr, "{}\n{}", result.message, result.details);
  return 0;
}

int main_of(const std::vector<std::string>& words) {
  const bool saves = words.size() > 3 && words[0] == "save";
  const bool loads = words.size() > 2 && words[0] == "load";
  if (!saves && !loads)
    return complain("usage: saved_state save FOLDER POINTS run OPTIONS | load FILE run OPTIONS");
  auto parsed = frontend::parse_options({words.begin() + (saves ? 3 : 2), words.end()});
  if (const frontend::EarlyExit* exit = std::get_if<frontend::EarlyExit>(&parsed))
    return complain(exit->text);
  const frontend::RunOptions& options = std::get<frontend::RunOptions>(parsed);
  NoOutput none;
  const Log log;
  auto machine = machine::Machine::create(
      options.config, {.com1 = none, .com2 = none, .console = options.console ? &none : nullptr}, log);
  if (!machine) return complain(machine.error().message);
  if (loads) {
    const Result<Done> loaded = load(*machine.value(), words[1]);
    if (!loaded) return complain(loaded.error().message);
  }
  return run(*machine.value(), options.limits, saves ? words[1] : "",
             saves ? numbers(words[2]) : std::vector<u64>{});
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) { return reprise::main_of({argv + 1, argv + argc}); }
