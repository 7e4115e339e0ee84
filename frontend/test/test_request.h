// What the command line of `reprise test` asks for, beside the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/types.h"
#include "verdict/guest_task.h"
#include "verdict/kernel_report_rows.h"
#include "verdict/verdict.h"

namespace reprise::frontend {

enum class AnnotationForm : u8 { None, GitHub, GitLab };

struct TestRequest {
  std::vector<std::string> command;            // behind "--"
  std::vector<verdict::Variable> environment;  // of --env
  std::string kernel;                          // of -k
  std::string append;                          // behind what the guest's first program needs
  std::string root;          // of --root: a folder, an image, an archive; empty: busybox alone
  bool root_shared = false;  // --root DIR,by=9p
  std::string share;         // of --share; empty: none
  std::string share_words;   // behind its first comma
  std::string busybox;       // of --busybox; empty: where Debian has it
  std::string modules;       // of --modules; empty: where the kernel's are by custom
  std::string out;           // of --out; empty: a folder that stays only when the test did not pass
  verdict::ExitStyle exit_style = verdict::ExitStyle::Reprise;
  std::vector<verdict::ReportKind> failing;  // which reports of the kernel's the test does not pass with
  bool log_to_stderr = false;                // of --kernel-log
  std::string junit_path;                    // empty: none, "-": standard output; as those below
  std::string json_path;
  std::string tap_path;
  AnnotationForm annotations = AnnotationForm::None;
  // The files of the run, by prepare_test().
  std::string folder;           // where they are
  bool folder_is_ours = false;  // it is to go when the test passes
  std::string token;            // of the guest's words
};

}  // namespace reprise::frontend
