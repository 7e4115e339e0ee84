// The processors: how many, of what kind, and who runs when.
#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "cpu/profile/cpu_model.h"
#include "cpu/profile/cpu_names.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"
#include "machine/storage/host_file.h"

namespace reprise::frontend {
namespace {

using machine::Schedule;

/// N, or N with sockets, cores and threads, of which those that were not given make up the rest: cores first.
void set_cpus(RunDraft& draft, const Given& given) {
  const std::vector<std::string> words = words_of_list(given);
  const std::optional<u64> count = words.empty() ? std::nullopt : parse_number(words.front());
  if (!count) throw is_not(given, "a number of processors such as 4 or 4,sockets=1,cores=2,threads=2");
  if (*count < 1 || *count > cpu::kMaxProcessors)
    throw BadValue{fmt::format("{} {} is not between 1 and {}", given.name, *count, cpu::kMaxProcessors)};
  constexpr std::string_view kLevels[] = {"sockets", "cores", "threads"};
  std::optional<u64> numbers[std::size(kLevels)];
  for (const std::string_view word : std::span(words).subspan(1)) {
    const std::string_view key = word.substr(0, word.find('='));
    const auto level = std::ranges::find(kLevels, key);
    if (level == std::end(kLevels))
      throw BadValue{
          fmt::format("{} '{}': '{}' is none of sockets=, cores=, threads=", given.name, given.value, word)};
    std::optional<u64>& number = numbers[level - kLevels];
    if (number) throw BadValue{fmt::format("{} '{}' has {}= twice", given.name, given.value, key)};
    number = parse_number(word.substr(std::min(word.size(), key.size() + 1)));
    if (!number || *number < 1 || *number > cpu::kMaxProcessors)
      throw BadValue{fmt::format("{} '{}': '{}' is not a number from 1 to {}", given.name, given.value, word,
                                 cpu::kMaxProcessors)};
  }
  auto& [sockets, cores, threads] = numbers;
  const auto rest = [&](std::optional<u64> one, std::optional<u64> other) {
    return std::max<u64>(1, *count / (one.value_or(1) * other.value_or(1)));
  };
  if (!cores) cores = rest(sockets, threads);
  if (!sockets) sockets = rest(cores, threads);
  if (!threads) threads = rest(sockets, cores);
  if (*sockets * *cores * *threads != *count) {
    throw BadValue{fmt::format("{} '{}': sockets={}, cores={} and threads={} are {} processors, not {}",
                               given.name, given.value, *sockets, *cores, *threads,
                               *sockets * *cores * *threads, *count)};
  }
  draft.options.config.cpu.topology = {.sockets = static_cast<unsigned>(*sockets),
                                       .cores = static_cast<unsigned>(*cores),
                                       .threads = static_cast<unsigned>(*threads)};
}

void set_cpu(RunDraft& draft, const Given& given) {
  if (given.value == "help") {
    draft.answer = cpu::cpu_model_help();
    return;
  }
  refuse_empty_parts(given);
  const std::optional<std::string> nearest = cpu::with_nearest_model(given.value);
  cpu::CpuProfile& profile = draft.options.config.cpu;
  const cpu::Topology topology = profile.topology;
  profile = want(given, cpu::parse_cpu_model(nearest.value_or(given.value)));
  profile.topology = topology;
  if (nearest)
    draft.options.remarks.push_back(
        fmt::format("{} {}: the nearest processor here is {}.", given.name, given.value, *nearest));
}

std::vector<WordsBehind> words_behind_cpu() { return {{"*", cpu::words_behind_model()}}; }

/// MIN or MIN-MAX.
void set_quantum(RunDraft& draft, const Given& given) {
  const std::string_view text = given.value;
  const std::size_t dash = text.find('-');
  const std::optional<u64> shortest = parse_number(text.substr(0, dash));
  const std::optional<u64> longest = dash == text.npos ? shortest : parse_number(text.substr(dash + 1));
  constexpr u64 kMost = 1'000'000'000;
  if (!shortest || !longest) throw is_not(given, "a number of instructions such as 10000 or 5000-50000");
  if (*shortest < 1 || *longest < *shortest || *longest > kMost)
    throw BadValue{fmt::format("{} '{}': turns are of 1 to {} instructions, the shorter bound first",
                               given.name, text, kMost)};
  draft.options.config.schedule.shortest = *shortest;
  draft.options.config.schedule.longest = *longest;
}

/// What follows "list:", or the content of the file that follows "file:".
std::vector<machine::Handover> handovers_of(const Given& given, std::string_view text, bool in_file) {
  std::string listed(text);
  if (in_file) {
    constexpr u64 kMaxBytes = u64{64} << 20;
    const auto bytes = machine::read_host_file("schedule", listed, kMaxBytes);
    if (!bytes) throw BadValue{bytes.error().message.substr(0, bytes.error().message.size() - 1)};
    listed.assign(bytes.value().begin(), bytes.value().end());
  }
  auto handovers = machine::parse_handovers(listed);
  if (!handovers) throw BadValue{fmt::format("{}: {}", given.name, handovers.error().message)};
  return handovers.take();
}

/// round-robin, pct:DEPTH,LENGTH, list[:HANDOVER,...] or file:FILE.
void set_schedule(RunDraft& draft, const Given& given) {
  constexpr std::string_view kPct = "pct:", kList = "list:", kFile = "file:";
  Schedule& schedule = draft.options.config.schedule;
  const std::string_view text = given.value;
  if (text == "round-robin") {
    schedule.policy = Schedule::Policy::RoundRobin;
    return;
  }
  if (text == "list" || text.starts_with(kList) || text.starts_with(kFile)) {
    if (!text.starts_with(kFile)) refuse_empty_parts(given);
    schedule.handovers =
        handovers_of(given, text.substr(std::min(text.size(), kList.size())), text.starts_with(kFile));
    schedule.policy = Schedule::Policy::List;
    return;
  }
  refuse_empty_parts(given);
  const std::vector<std::string_view> numbers =
      words_between(text.starts_with(kPct) ? text.substr(kPct.size()) : std::string_view(), ",");
  const std::optional<u64> depth = numbers.size() == 2 ? parse_number(numbers[0]) : std::nullopt;
  const std::optional<u64> length = numbers.size() == 2 ? parse_number(numbers[1]) : std::nullopt;
  if (!depth || !length)
    throw is_not(
        given,
        "round-robin, pct:DEPTH,LENGTH (for example pct:3,1000000000), list:FROM/AFTER/TO,... or file:FILE");
  constexpr u64 kMaxDepth = 1000;
  constexpr u64 kMaxLength = 1'000'000'000'000'000;
  if (*depth < 1 || *depth > kMaxDepth || *length < 1 || *length > kMaxLength)
    throw BadValue{fmt::format("{} '{}': the depth is from 1 to {}, the length from 1 to {} instructions",
                               given.name, text, kMaxDepth, kMaxLength)};
  if (*length < *depth - 1)
    throw BadValue{
        fmt::format("{} '{}': {} instructions have no room for {} changes: the length comes second",
                    given.name, text, *length, *depth - 1)};
  schedule.policy = Schedule::Policy::Pct;
  schedule.depth = *depth;
  schedule.length = *length;
}

constexpr RunOption kProcessorRows[] = {
    {.name = "--cpus",
     .value = "N",
     .help = "how many, 1 to 64 (default 1)",
     .more = "N[,sockets=S][,cores=C][,threads=T]; by default they are cores of one socket. See \"Several "
             "processors\" in docs/command.md.",
     .words = "1 2 4 8 16",
     .of_machine = true,
     .set = set_cpus},
    {.name = "--cpu",
     .value = "MODEL",
     .shown = Shown::SameLine,
     .help = "x86-64-v2,+aes for example; help lists models",
     .more = "MODEL[,+FEATURE][,-FEATURE][,vendor=intel|amd][,tlb=ENTRIES]; names of QEMU's lead to the "
             "nearest. See "
             "\"The processor\" in docs/command.md.",
     .words = "default max x86-64 x86-64-v2 x86-64-v3 help",
     .behind = words_behind_cpu,
     .of_machine = true,
     .set = set_cpu},
    {.name = "--schedule",
     .value = "POLICY",
     .help = "round-robin (default), pct:DEPTH,LENGTH for races",
     .more = "list:FROM/AFTER/TO,... or file:FILE with such parts, a line for each: after so many of its own "
             "instructions processor FROM hands over to TO; else each runs until it waits. See \"Several "
             "processors\" in docs/command.md.",
     .words = "round-robin pct:3,1000000000 list: file:",
     .of_machine = true,
     .set = set_schedule},
    {.name = "--sched-seed",
     .value = "N",
     .shown = Shown::SameLine,
     .help = "another",
     .more = "The default is 1.",
     .of_machine = true,
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.config.schedule.seed = want_number(given); }},
    {.name = "--quantum",
     .value = "MIN[-MAX]",
     .shown = Shown::Name,
     .help = "instructions of a processor's turn",
     .more = "The lengths are drawn from the schedule's seed.",
     .of_machine = true,
     .set = set_quantum},
};

}  // namespace

std::span<const RunOption> processor_rows() { return kProcessorRows; }

}  // namespace reprise::frontend
