// The run: its clock, and what ends or interrupts it.
#include <fmt/format.h>

#include <utility>

#include "common/numbers.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"

namespace reprise::frontend {
namespace {

void set_clock(RunDraft& draft, const Given& given) {
  ClockChoice& clock = draft.options.clock_choice;
  if (given.value == "auto")
    clock = ClockChoice::Auto;
  else if (given.value == "paced")
    clock = ClockChoice::Paced;
  else if (given.value == "free")
    clock = ClockChoice::Free;
  else
    throw BadValue{fmt::format("{} '{}' is none of auto, paced, free", given.name, given.value)};
}

void set_hash_every(RunDraft& draft, const Given& given) {
  draft.options.limits.hash_every_retired = want_number(given);
  if (draft.options.limits.hash_every_retired == 0)
    throw BadValue{fmt::format("{} 0 is not possible: give a number of instructions", given.name)};
}

void set_on_panic(RunDraft& draft, const Given& given) {
  using machine::OnPanic;
  constexpr std::pair<std::string_view, OnPanic> kChoices[] = {
      {"end", OnPanic::End}, {"wait", OnPanic::Wait}, {"continue", OnPanic::Continue}};
  for (const auto& [name, choice] : kChoices) {
    if (given.value != name) continue;
    draft.options.limits.on_panic = choice;
    return;
  }
  throw BadValue{fmt::format("{} '{}' is none of end, wait, continue", given.name, given.value)};
}

void set_expect(RunDraft& draft, const Given& given) {
  using machine::ExitReason;
  const std::string reason = given.value.substr(0, given.value.find('='));
  ExpectedEnd expected;
  expected.reason = machine::exit_reason_of_name(reason).value_or(ExitReason::HostError);
  switch (expected.reason) {
    case ExitReason::PowerOff:
    case ExitReason::Reset:
    case ExitReason::Panic:
    case ExitReason::DebugExit: break;
    default:
      throw BadValue{fmt::format("{} '{}' is none of poweroff, reset, panic, debug-exit, debug-exit=V",
                                 given.name, given.value)};
  }
  if (reason.size() != given.value.size()) {
    const std::optional<u64> value = parse_number(std::string_view(given.value).substr(reason.size() + 1));
    if (expected.reason != ExitReason::DebugExit || !value || *value > 0xff)
      throw BadValue{
          fmt::format("{} '{}': only debug-exit takes a value, 0 to 255", given.name, given.value)};
    expected.debug_value = static_cast<u8>(*value);
  }
  draft.options.expected = expected;
}

constexpr RunOption kLimitRows[] = {
    {.name = "--clock",
     .value = "MODE",
     .help = "idle time is skipped (free) or lasts (paced); auto (default): paced on a terminal",
     .more = "A run that is paced waits as long as a real machine would.",
     .words = "auto free paced",
     .set = set_clock},
    {.name = "--stop-at",
     .value = "N",
     .help = "stop when N instructions have retired",
     .more = "Also @N and @N.K, as messages name positions; docs/recording.md.",
     .set = [](RunDraft& draft, const Given& given) { want_stop(given, draft.options.limits); }},
    {.name = "--no-reboot",
     .shown = Shown::SameLine,
     .help = "stop when the guest resets the machine",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given&) { draft.options.config.reboot = false; }},
    {.name = "--timeout",
     .value = "SECONDS",
     .help = "end after so much of the guest's time, exit code 12",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.limits.virtual_timeout_ns = static_cast<u64>(want_seconds(given) * 1e9);
         }},
    {.name = "--wall-timeout",
     .value = "SECONDS",
     .shown = Shown::SameLine,
     .help = "of this host's, 21",
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.limits.wall_timeout_s = want_seconds(given); }},
    {.name = "--on-panic",
     .value = "ACTION",
     .help = "when the kernel panics: end (default), wait, continue",
     .more = "end, with exit code 10, lets a crash kernel run that the guest has loaded. wait: the guest "
             "stands still, for a "
             "look with "
             "the monitor. continue: what the guest does next is its own affair.",
     .words = "end wait continue",
     .set = set_on_panic},
    {.name = "--expect",
     .value = "END",
     .shown = Shown::SameLine,
     .help = "exit code 0 for that end",
     .more = "poweroff, reset, panic, debug-exit, or debug-exit=V with what the guest is to write. Another "
             "end that has exit code 0 gets 16.",
     .words = "poweroff reset panic debug-exit",
     .set = set_expect},
    {.name = "--hash-every",
     .value = "N",
     .help = "print a digest of the state every N instructions",
     .more = "On stderr, and as hashes in the report of --json.",
     .set = set_hash_every},
    {.name = "--record-on",
     .value = "failure=FILE",
     .shown = Shown::Name,
     .help = "writes such a recording, from the beginning, when the run ends with an exit code other than 0",
     .words = "failure=",
     .set =
         [](RunDraft& draft, const Given& given) {
           constexpr std::string_view kFailure = "failure=";
           if (!given.value.starts_with(kFailure) || given.value.size() == kFailure.size())
             throw is_not(given, "failure=FILE");
           draft.options.record_failure_path = given.value.substr(kFailure.size());
         }},
    {.name = "--record-memory",
     .value = "SIZE",
     .shown = Shown::Name,
     .help = "memory for what repeats a run that is not recorded (256M); what is more goes to TMPDIR",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.record_memory_bytes = want(given, parse_size(given.value), "a size such as 64M");
         }},
};

}  // namespace

std::span<const RunOption> limit_rows() { return kLimitRows; }

}  // namespace reprise::frontend
