// The run: its clock, and what ends or interrupts it.
#include <fmt/format.h>

#include "frontend/options/run_rows.h"
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

constexpr RunOption kLimitRows[] = {
    {.name = "--clock",
     .value = "MODE",
     .help = "free: idle time is skipped; paced: it lasts as long as on a real machine;\n"
             "auto (default): paced on a terminal, else free",
     .words = "auto free paced",
     .set = set_clock},
    {.name = "--stop-at",
     .value = "N",
     .help = "stop when N instructions have retired",
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.limits.stop_at_retired = want_number(given); }},
    {.name = "--no-reboot",
     .shown = Shown::SameLine,
     .help = "stop when the guest resets the machine",
     .set = [](RunDraft& draft, const Given&) { draft.options.config.reboot = false; }},
    {.name = "--timeout",
     .value = "SECONDS",
     .help = "end after so much time of the guest's clock, exit code 12",
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.limits.virtual_timeout_ns = static_cast<u64>(want_seconds(given) * 1e9);
         }},
    {.name = "--wall-timeout",
     .value = "SECONDS",
     .help = "end after so much time on this host, exit code 21",
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.limits.wall_timeout_s = want_seconds(given); }},
    {.name = "--hash-every",
     .value = "N",
     .help = "print a digest of the whole state every N instructions",
     .more = "On stderr, and as hashes in the report of --json.",
     .set = set_hash_every},
};

}  // namespace

std::span<const RunOption> limit_rows() { return kLimitRows; }

}  // namespace reprise::frontend
