// Progress: how far a test has come whose run was ended in the middle, beside the saved state of its machine: so the same command goes on.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "verdict/costs.h"

namespace reprise::frontend {

struct Progress {
  /// What was spent when a result came, and when that was.
  struct Spent {
    std::string at;
    verdict::Costs costs;
  };
  /// Of one port of the guest's.
  struct Stream {
    std::vector<std::string> lines_at;  // the instants at which its lines began
    std::string held;                   // what may become a word of the guest's first program
  };

  std::string inputs;  // a digest of what the command is about
  Stream log, output;
  bool begun = false;  // the command was started
  verdict::Costs begun_at, costs;
  std::vector<Spent> spent;
};

/// The files of a test's folder.
std::string checkpoint_path(const std::string& folder);
std::string progress_path(const std::string& folder);

/// Error: there is none, or it is damaged.
Result<Progress> read_progress(const std::string& folder);
Result<Done> write_progress(const std::string& folder, const Progress& progress);

}  // namespace reprise::frontend
