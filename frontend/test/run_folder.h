// The folder of many runs: which there are to be, of what, and what became of them. It is what `reprise merge` reads.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/test/run_plan.h"
#include "verdict/outcome.h"

namespace reprise::frontend {

/// One run as the manifest has it.
struct ListedRun {
  u64 index = 0;
  std::string name;
};

struct RunManifest {
  std::vector<std::string> command;  // the words behind "reprise"
  std::string inputs;                // a digest of kernels, initramfs and options
  bool done = false;
  std::vector<ListedRun> runs;
};

std::string manifest_path(const std::string& folder);
/// Error: a sentence that names the file.
Result<RunManifest> read_manifest(const std::string& folder);
Result<Done> write_manifest(const std::string& folder, const RunManifest& manifest);

/// What became of the run in `folder`. Error: it has not ended, or the file is damaged.
Result<verdict::Outcome> read_result(const std::string& folder);

}  // namespace reprise::frontend
