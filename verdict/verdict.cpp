#include "verdict/verdict.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::verdict {
namespace {

struct KindRow {
  VerdictKind kind;
  std::string_view name;
  int code;         // of ExitStyle::Reprise
  int bisect_code;  // 125: it says nothing of the kernel
};

constexpr KindRow kKinds[] = {
    {VerdictKind::Pass, "pass", 0, 0},
    {VerdictKind::Fail, "fail", 1, 1},
    {VerdictKind::Panic, "panic", 10, 1},
    {VerdictKind::Hang, "hang", 11, 1},
    {VerdictKind::TimeOut, "time-out", 12, 1},
    {VerdictKind::TripleFault, "triple-fault", 13, 1},
    {VerdictKind::NoResult, "no-result", 14, 1},
    {VerdictKind::Refused, "refused", 2, 125},
    {VerdictKind::Usage, "usage", 2, 125},
    {VerdictKind::HostTrouble, "host-trouble", 20, 125},
    {VerdictKind::HostTimeOut, "host-time-out", 21, 125},
    {VerdictKind::Signal, "signal", 128, 128},
};

const KindRow& row_of(VerdictKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

/// Codes by which this program says something else.
constexpr bool is_taken(int code) {
  return code == 2 || (code >= 10 && code <= 23) || code == 75 || code >= 128;
}

std::string results_sentence(const TapCounts& counts) {
  std::string text;
  const auto add = [&](u64 count, std::string_view what) {
    if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, what);
  };
  add(counts.failed, "failed");
  add(counts.errors, counts.errors == 1 ? "gave no result" : "gave no results");
  return fmt::format("of {} tests {}", counts.all(), text);
}

const KernelReport* first_failing(const Evidence& evidence) {
  for (const KernelReport& report : evidence.reports)
    if (std::ranges::find(evidence.failing, report.kind) != evidence.failing.end()) return &report;
  return nullptr;
}

VerdictKind kind_of(RunEnd end) {
  switch (end) {
    case RunEnd::PowerOff:
    case RunEnd::Other: return VerdictKind::NoResult;
    case RunEnd::Panic: return VerdictKind::Panic;
    case RunEnd::Hang: return VerdictKind::Hang;
    case RunEnd::TimeOut: return VerdictKind::TimeOut;
    case RunEnd::TripleFault: return VerdictKind::TripleFault;
    case RunEnd::Usage: return VerdictKind::Usage;
    case RunEnd::HostTrouble: return VerdictKind::HostTrouble;
    case RunEnd::HostTimeOut: return VerdictKind::HostTimeOut;
    case RunEnd::Signal: return VerdictKind::Signal;
  }
  return VerdictKind::HostTrouble;
}

/// Ends that count whatever the command has said before: the guest did not get to its power-off, or nobody can judge it.
bool is_final(const Evidence& evidence) {
  switch (evidence.end) {
    case RunEnd::PowerOff:
    case RunEnd::Other: return false;
    // A kernel that cannot switch its machine off halts when all is done.
    case RunEnd::Hang: return !evidence.exit_code && !evidence.refusal;
    default: return true;
  }
}

/// Of the kernel's own tests, when it has ended the run.
Verdict of_kernel_tests(const Evidence& evidence) {
  Verdict verdict{.kind = VerdictKind::Fail, .message = {}, .command_code = {}};
  const TapCounts counts = count_results(evidence.results);
  const KernelReport* const report = first_failing(evidence);
  if (counts.all() == 0) {
    verdict.kind = VerdictKind::NoResult;
    verdict.message = fmt::format("the kernel told of no test's result: {}", evidence.end_message);
  } else if (!counts.good()) {
    verdict.message = results_sentence(counts);
  } else if (report != nullptr) {
    verdict.message = fmt::format("the kernel reported {} {}: {}", report_kind_name(report->kind), report->at,
                                  report->title);
  } else {
    verdict.kind = VerdictKind::Pass;
    verdict.message = fmt::format("{} tests passed", counts.passed);
  }
  return verdict;
}

Verdict of_ended_command(const Evidence& evidence) {
  Verdict verdict{.kind = VerdictKind::Fail, .message = {}, .command_code = evidence.exit_code};
  const TapCounts counts = count_results(evidence.results);
  const KernelReport* const report = first_failing(evidence);
  const int code = evidence.exit_code.value_or(0);
  if (code != 0) {
    verdict.message = fmt::format("the command ended with exit code {}", code);
    if (!counts.good()) verdict.message += "; " + results_sentence(counts);
  } else if (!counts.good()) {
    verdict.message = results_sentence(counts);
  } else if (report != nullptr) {
    verdict.message = fmt::format("the kernel reported {} {}: {}", report_kind_name(report->kind), report->at,
                                  report->title);
  } else {
    verdict.kind = VerdictKind::Pass;
    verdict.message = counts.all() != 0 ? fmt::format("{} tests passed", counts.passed)
                                        : "the command ended with exit code 0";
  }
  return verdict;
}

}  // namespace

std::string_view verdict_name(VerdictKind kind) { return row_of(kind).name; }

Verdict judge(const Evidence& evidence) {
  if (is_final(evidence)) {
    Verdict verdict{
        .kind = kind_of(evidence.end), .message = evidence.end_message, .command_code = evidence.exit_code};
    verdict.signal_code = evidence.signal_code;
    return verdict;
  }
  if (evidence.refusal)
    return {.kind = VerdictKind::Refused, .message = *evidence.refusal, .command_code = {}};
  if (evidence.exit_code) return of_ended_command(evidence);
  // No console told of it: the guest was reset.
  const auto panic = std::ranges::find(evidence.reports, ReportKind::Panic, &KernelReport::kind);
  if (panic != evidence.reports.end())
    return {.kind = VerdictKind::Panic, .message = panic->title, .command_code = {}};
  if (evidence.kernel_tests) return of_kernel_tests(evidence);
  const std::string_view when =
      evidence.begun ? "before the command had ended" : "before the command was started";
  return {.kind = VerdictKind::NoResult,
          .message = fmt::format("the run ended {}: {}", when, evidence.end_message),
          .command_code = {}};
}

std::optional<ExitStyle> exit_style_of_name(std::string_view name) {
  if (name == "reprise") return ExitStyle::Reprise;
  if (name == "pass-through") return ExitStyle::PassThrough;
  if (name == "bisect") return ExitStyle::Bisect;
  if (name == "vng") return ExitStyle::Vng;
  if (name == "qemu") return ExitStyle::Qemu;
  return std::nullopt;
}

int exit_code_of(const Verdict& verdict, ExitStyle style) {
  if (verdict.kind == VerdictKind::Signal) return verdict.signal_code;
  const KindRow& row = row_of(verdict.kind);
  const bool says_code =
      verdict.command_code && (verdict.kind == VerdictKind::Pass || verdict.kind == VerdictKind::Fail);
  // Of a command that succeeded while results or the kernel say otherwise.
  const int own = !says_code || (verdict.kind == VerdictKind::Fail && *verdict.command_code == 0)
                      ? row.code
                      : *verdict.command_code;
  switch (style) {
    case ExitStyle::Reprise: return says_code && is_taken(own) ? 1 : own;
    case ExitStyle::PassThrough: return own;
    case ExitStyle::Bisect: return says_code && verdict.command_code == 125 ? 125 : row.bisect_code;
    case ExitStyle::Vng: return says_code ? own : 255;
    case ExitStyle::Qemu: return says_code ? (own << 1 | 1) & 0xff : 0;
  }
  return row.code;
}

}  // namespace reprise::verdict
