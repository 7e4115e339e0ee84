// What the command line of `reprise test` asks for, beside the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/types.h"
#include "frontend/test/cost_comparison.h"
#include "verdict/guest_task.h"
#include "verdict/kernel_report_rows.h"
#include "verdict/verdict.h"

namespace reprise::frontend {

enum class AnnotationForm : u8 { None, GitHub, GitLab };

struct TestRequest {
  std::vector<std::string> command;            // behind "--"
  bool kernel_tests = false;                   // the kernel's own are the test: there is no command
  std::vector<verdict::Variable> environment;  // of --env
  std::string kernel;                          // of -k
  std::string append;                          // behind what the guest's first program needs
  std::string root;            // of --root: a folder, an image, an archive; empty: busybox alone
  bool root_shared = false;    // --root DIR,by=9p
  std::string share;           // of --share; empty: none
  std::string share_words;     // behind its first comma
  std::string busybox;         // of --busybox; empty: where Debian has it
  std::string modules;         // of --modules; empty: where the kernel's are by custom
  std::string module_symbols;  // of --module-symbols: a folder; empty: none
  std::string out;             // of --out; empty: a folder that stays only when the test did not pass
  verdict::ExitStyle exit_style = verdict::ExitStyle::Reprise;
  std::vector<verdict::ReportKind> failing;  // which reports of the kernel's the test does not pass with
  bool log_to_stderr = false;                // of --kernel-log
  std::string junit_path;                    // empty: none, "-": standard output; as those below
  std::string json_path;
  std::string tap_path;
  AnnotationForm annotations = AnnotationForm::None;
  std::string snapshot;     // of --from-snapshot: auto, or a file; empty: it boots
  std::string snapshot_to;  // of --save-snapshot; empty: the command is run
  std::string input;        // for the guest's second port, at the beginning
  std::string name;         // of --name, in results; empty: the command
  // Many runs.
  std::optional<u64> first_seed, last_seed;  // of --seeds
  std::optional<u32> jobs;
  std::string shard;    // of --shard; empty: all
  std::string suite;    // of --suite; empty: none
  bool shrink = false;  // --shrink
  CostLimits costs;     // of --compare and --fail-over
  std::vector<std::string>
      child_words;  // the options of each run, but for those that are about many runs or results
  // The files of the run, by prepare_test().
  std::string folder;           // where they are
  bool folder_is_ours = false;  // it is to go when the test passes
  std::string token;            // of the guest's words
  std::string inputs;           // a digest of what the command is about; empty: it cannot go on
  bool goes_on = false;         // from what an earlier process left in the folder

  /// Each run is a process of its own.
  bool many() const { return first_seed || !suite.empty() || shrink; }
};

}  // namespace reprise::frontend
