#include "frontend/options/replay_rows.h"

#include <algorithm>
#include <vector>

#include "frontend/options/jobs_row.h"
#include "frontend/options/moved_row.h"
#include "frontend/options/symbols_row.h"
#include "frontend/options/want.h"

namespace reprise::frontend {
namespace {

constexpr RunOption kBeginRow = {
    .name = "--begin",
    .value = "N",
    .help = "begin at the last checkpoint before N that --keep-checkpoints kept",
    .more =
        "N is a number of instructions, or a position such as @41203118554. Without such a checkpoint it "
        "begins "
        "where the recording does, and a line says so. docs/recording.md.",
    .set = [](RunDraft& draft, const Given& given) { draft.options.begin = want_instant(given); }};

constexpr RunOption kReplayRows[] = {
    {.name = "FILE",
     .help = "the recording, which reprise run --record or the monitor's record wrote",
     .required = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.replay_path = given.value; }},
    {.name = "--to",
     .value = "N",
     .help = "stop when N instructions have retired, or at a position as messages name it: @41203118554.3",
     .set = [](RunDraft& draft, const Given& given) { want_stop(given, draft.options.limits); }},
    kBeginRow,
    {.name = "--narrow",
     .help = "when it differs from the recording: say where, by running it with two engines side by side",
     .set = [](RunDraft& draft, const Given&) { draft.options.narrow = true; }},
    kMovedRow,
};

constexpr RunOption kPackRows[] = {
    {.name = "FILE",
     .help = "the recording",
     .required = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.replay_path = given.value; }},
    {.name = "--output",
     .value = "FILE",
     .help = "what it makes; without it, FILE is replaced when that is done",
     .set = [](RunDraft& draft, const Given& given) { draft.options.packed_path = given.value; }},
    kMovedRow,
};

constexpr RunOption kAskRows[] = {
    {.name = "FILE",
     .help = "the recording",
     .required = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.replay_path = given.value; }},
    {.name = "QUESTION",
     .help = "a line of the monitor's that asks: last-write 0xffffffff82a079c0,8",
     .more = "There are last-write, first-write, last-exec, next-exec, when and bisect, and what else only "
             "looks: memory, print, "
             "disassemble, explain and info. Several are each put into quotes.",
     .counts = Counts::Each,
     .required = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.questions.push_back(given.value); }},
    {.name = "--to",
     .value = "N",
     .help = "ask when N instructions have retired, or at a position such as @41203118554.3, not at the "
             "recording's end",
     .set = [](RunDraft& draft, const Given& given) { want_stop(given, draft.options.limits); }},
    kBeginRow,
    {.name = "--json",
     .help = "for programs: a line for each answer, as the monitor's",
     .set = [](RunDraft& draft, const Given&) { draft.options.answers_as_json = true; }},
    kSymbolsRow,
    kJobsRow,
    kMovedRow,
};

/// Options of `reprise run` that mean nothing here: the recording says it, or there is nobody to say it to.
constexpr std::string_view kNotHere[] = {"--load",          "--image",  "--record",  "--record-on",
                                         "--record-memory", "--clock",  "--stop-at", "--timeout",
                                         "--on-panic",      "--expect", "--net-dump"};

}  // namespace

std::span<const OptionGroup<RunDraft>> replay_option_groups() {
  struct Made {
    std::vector<std::vector<RunOption>> rows;
    std::vector<OptionGroup<RunDraft>> groups;
  };
  static const Made kMade = [] {
    Made made;
    made.groups.push_back({"What to replay", "", kReplayRows});
    for (const OptionGroup<RunDraft>& group : run_option_groups()) {
      std::vector<RunOption> rows;
      for (const RunOption& row : group.rows)
        if (!row.of_machine && std::ranges::find(kNotHere, row.name) == std::end(kNotHere))
          rows.push_back(row);
      if (rows.empty()) continue;
      // Its help goes on from that of an option that is not here.
      const auto wall = std::ranges::find(rows, "--wall-timeout", &RunOption::name);
      if (wall != rows.end()) wall->help = "end after so much of this host's time, exit code 21";
      rows.front().shown = Shown::Line;
      made.rows.push_back(std::move(rows));
      made.groups.push_back({group.heading, group.remark, made.rows.back()});
    }
    return made;
  }();
  return kMade.groups;
}

void add_moved_file(RunDraft& draft, const Given& given) {
  const std::size_t equals = given.value.find('=');
  if (equals == 0 || equals == given.value.npos || equals + 1 == given.value.size())
    throw is_not(given, "NAME=PATH");
  draft.options.moved.push_back({given.value.substr(0, equals), given.value.substr(equals + 1)});
}

std::span<const OptionGroup<RunDraft>> ask_option_groups() {
  static const OptionGroup<RunDraft> kGroups[] = {{"", "", kAskRows}};
  return kGroups;
}

std::span<const OptionGroup<RunDraft>> pack_option_groups() {
  static const OptionGroup<RunDraft> kGroups[] = {{"", "", kPackRows}};
  return kGroups;
}

}  // namespace reprise::frontend
