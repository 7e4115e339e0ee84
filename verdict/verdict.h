// Verdict: what a run says about the test that it ran. A function of the run alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/kernel_reports.h"
#include "verdict/tap.h"

namespace reprise::verdict {

enum class VerdictKind : u8 {
  Pass,
  Fail,         // the command's exit code, a result or a report of the kernel's says so
  Panic,        // of the kernel
  Hang,         // nothing can ever happen again
  TimeOut,      // in the guest's time
  TripleFault,  // of the processor
  NoResult,     // the machine was switched off or reset before the command had ended
  Refused,      // the guest cannot do what was asked for
  Usage,        // the command line asked for what cannot be
  HostTrouble,  // a file, memory or device of the host's, or an output that lost something
  HostTimeOut,
  Signal,  // somebody ended this process
};

/// "pass", "time-out".
std::string_view verdict_name(VerdictKind kind);

/// How the run ended, apart from what the guest said.
enum class RunEnd : u8 {
  PowerOff,
  Other,
  Panic,
  Hang,
  TimeOut,
  TripleFault,
  Usage,
  HostTrouble,
  HostTimeOut,
  Signal
};

/// What the guest said, and how its run ended.
struct Evidence {
  RunEnd end = RunEnd::PowerOff;
  std::string end_message;             // a sentence without a full stop, or with
  int signal_code = 0;                 // of Signal: 128 and the signal
  bool kernel_tests = false;           // there is no command: the kernel's own tests are the test
  bool begun = false;                  // the command was started
  std::optional<int> exit_code;        // of the command
  std::optional<std::string> refusal;  // of the guest's first program
  std::vector<TestResult> results;     // of the command's output and the kernel's log
  std::vector<KernelReport> reports;
  std::vector<ReportKind> failing;  // which reports a test does not pass with
};

struct Verdict {
  VerdictKind kind = VerdictKind::Pass;
  std::string message;  // a sentence
  std::optional<int> command_code;
  int signal_code = 0;
};

Verdict judge(const Evidence& evidence);

/// What the process's exit code says. Reprise: 0 pass, 1 failed or, where it means nothing else here, the command's own; 10 panic, 11 hang, ... PassThrough: the
/// command's own wherever it ended. Bisect: as `git bisect run` wants it: 0 good, 1 bad, 125 nobody knows. Vng: the command's own, 255
/// where it did not end. Qemu: as isa-debug-exit with the command's code, 0 where it did not end.
enum class ExitStyle : u8 { Reprise, PassThrough, Bisect, Vng, Qemu };

std::optional<ExitStyle> exit_style_of_name(std::string_view name);

int exit_code_of(const Verdict& verdict, ExitStyle style);

}  // namespace reprise::verdict
