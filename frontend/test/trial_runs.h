// TrialRuns: runs of one test under schedules that are lists, to see which of them fail as it once did.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/options/run_options.h"
#include "frontend/test/run_plan.h"
#include "machine/board/handover.h"
#include "verdict/outcome.h"

namespace reprise::frontend {

/// A line of --turns.
struct ToldTurn {
  machine::Handover handover;
  std::string position;  // "@9123"
  std::string stops_at;  // "0xffffffff81a01234 race_store+0x1a [race]"
  std::string goes_on_at;
};

/// How a test failed: what two runs have in common that failed for one reason.
struct Failure {
  verdict::VerdictKind kind = verdict::VerdictKind::Pass;
  std::optional<int> command_code;
  std::optional<verdict::ReportKind> report;  // the first that counts

  bool operator==(const Failure&) const = default;
};

Failure failure_of(const verdict::Outcome& outcome);

class TrialRuns {
 public:
  /// In `folder`, so many at a time, of `run`: with another schedule than its own.
  TrialRuns(std::string folder, const PlannedRun& run, std::size_t jobs);

  struct Wanted {
    std::optional<std::vector<machine::Handover>> list;  // nothing: by the run's own schedule
    bool names = false;  // the turns have names, where the run was given symbols
    std::vector<PlaceOfProcessor> places = {};
  };
  struct Done {
    Failure failure;
    std::vector<ToldTurn> turns;
    std::vector<machine::Handover> came_by =
        {};  // at one of the places, as a handover to itself; in the order of time
  };
  /// Error: a run could not be made or left no result, or a signal came.
  Result<std::vector<Done>> run(const std::vector<Wanted>& wanted);

  /// So many were made.
  u64 count() const { return count_; }
  /// The words of `run` with the schedule `list`, as a user types them behind "reprise test".
  std::vector<std::string> words_with(const std::vector<machine::Handover>& list) const;

 private:
  struct Going {
    std::size_t index;  // of those that are wanted
    std::string folder;
  };
  std::vector<std::string> words_for(const Wanted& wanted, const std::string& folder) const;
  Result<pid_t> start(const Wanted& wanted, const std::string& folder);
  Result<Done> result_of(const std::string& folder) const;
  /// Until one of them has ended.
  Result<pid_t> wait(std::map<pid_t, Going>& going) const;

  const std::string folder_;
  const PlannedRun run_;
  const std::size_t jobs_;
  u64 count_ = 0;
};

}  // namespace reprise::frontend
