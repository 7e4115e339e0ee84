#include "frontend/options/replay_rows.h"

#include <algorithm>
#include <vector>

#include "frontend/options/want.h"

namespace reprise::frontend {
namespace {

constexpr RunOption kReplayRows[] = {
    {.name = "FILE",
     .help = "the recording, which reprise run --record or the monitor's record wrote",
     .required = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.replay_path = given.value; }},
    {.name = "--to",
     .value = "N",
     .help = "stop when N instructions have retired, as messages name positions: 41203118554 or @41203118554",
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.limits.stop_at_retired = want_position(given); }},
};

/// Options of `reprise run` that mean nothing here: the recording says it, or there is nobody to say it to.
constexpr std::string_view kNotHere[] = {"--load",    "--record",   "--clock",  "--stop-at",
                                         "--timeout", "--on-panic", "--expect", "--net-dump"};

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
      rows.front().shown = Shown::Line;
      made.rows.push_back(std::move(rows));
      made.groups.push_back({group.heading, group.remark, made.rows.back()});
    }
    return made;
  }();
  return kMade.groups;
}

}  // namespace reprise::frontend
