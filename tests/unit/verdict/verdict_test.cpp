#include "verdict/verdict.h"

#include <gtest/gtest.h>

namespace reprise::verdict {
namespace {

TestResult one(TestOutcome outcome) {
  TestResult result;
  result.outcome = outcome;
  return result;
}

Evidence ended_with(int code) {
  Evidence evidence;
  evidence.begun = true;
  evidence.exit_code = code;
  return evidence;
}

TEST(Verdict, FollowsFromCodeResultsAndReports) {
  EXPECT_EQ(judge(ended_with(0)).kind, VerdictKind::Pass);
  EXPECT_EQ(judge(ended_with(3)).kind, VerdictKind::Fail);
  Evidence evidence = ended_with(0);
  evidence.results = {one(TestOutcome::Pass), one(TestOutcome::Skip), one(TestOutcome::ExpectedFailure)};
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Pass);
  EXPECT_EQ(judge(evidence).message, "1 tests passed");
  evidence.results.push_back(one(TestOutcome::Error));
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Fail);
  EXPECT_EQ(judge(evidence).message, "of 4 tests 1 gave no result");
  evidence.results.clear();
  evidence.reports.push_back({.kind = ReportKind::Warning, .title = "WARNING: x", .at = "@7", .lines = {}});
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Pass);
  evidence.failing = {ReportKind::Warning};
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Fail);
  EXPECT_EQ(judge(evidence).message, "the kernel reported warning @7: WARNING: x");
}

TEST(Verdict, OfTheKernelsOwnTestsThereIsNoCommand) {
  Evidence evidence;
  evidence.kernel_tests = true;
  evidence.end = RunEnd::Other;  // it resets the machine
  EXPECT_EQ(judge(evidence).kind, VerdictKind::NoResult);
  evidence.results = {one(TestOutcome::Pass), one(TestOutcome::Skip)};
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Pass);
  EXPECT_EQ(judge(evidence).message, "1 tests passed");
  EXPECT_EQ(exit_code_of(judge(evidence), ExitStyle::PassThrough), 0);
  evidence.reports.push_back({.kind = ReportKind::Oops, .title = "Oops: 2", .at = "@7", .lines = {}});
  evidence.failing = {ReportKind::Oops};
  EXPECT_EQ(judge(evidence).message, "the kernel reported oops @7: Oops: 2");
  evidence.results.push_back(one(TestOutcome::Error));
  EXPECT_EQ(judge(evidence).message, "of 3 tests 1 gave no result");
  EXPECT_EQ(exit_code_of(judge(evidence), ExitStyle::Reprise), 1);
  evidence.end = RunEnd::Panic;
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Panic);
}

TEST(Verdict, EndsThatCountWhateverWasSaid) {
  const std::pair<RunEnd, VerdictKind> kCases[] = {{RunEnd::Panic, VerdictKind::Panic},
                                                   {RunEnd::TimeOut, VerdictKind::TimeOut},
                                                   {RunEnd::TripleFault, VerdictKind::TripleFault},
                                                   {RunEnd::HostTrouble, VerdictKind::HostTrouble},
                                                   {RunEnd::HostTimeOut, VerdictKind::HostTimeOut},
                                                   {RunEnd::Signal, VerdictKind::Signal},
                                                   {RunEnd::Usage, VerdictKind::Usage}};
  for (const auto& [end, kind] : kCases) {
    Evidence evidence = ended_with(0);
    evidence.end = end;
    EXPECT_EQ(judge(evidence).kind, kind);
  }
  // A machine that cannot be switched off stands still in the end.
  Evidence halted = ended_with(0);
  halted.end = RunEnd::Hang;
  EXPECT_EQ(judge(halted).kind, VerdictKind::Pass);
  halted.exit_code.reset();
  EXPECT_EQ(judge(halted).kind, VerdictKind::Hang);
}

TEST(Verdict, WithoutAResultItSaysWhen) {
  Evidence evidence;
  evidence.end_message = "the guest switched itself off";
  EXPECT_EQ(judge(evidence).kind, VerdictKind::NoResult);
  EXPECT_EQ(judge(evidence).message,
            "the run ended before the command was started: the guest switched itself off");
  evidence.begun = true;
  EXPECT_EQ(judge(evidence).message,
            "the run ended before the command had ended: the guest switched itself off");
  evidence.refusal = "there is no 9p";
  EXPECT_EQ(judge(evidence).kind, VerdictKind::Refused);
}

struct Codes {
  VerdictKind kind;
  std::optional<int> own;
  int reprise, pass_through, bisect, vng, qemu;
};

TEST(Verdict, ExitCodesByStyle) {
  constexpr Codes kCases[] = {
      {VerdictKind::Pass, 0, 0, 0, 0, 0, 1},
      {VerdictKind::Fail, 3, 3, 3, 1, 3, 7},
      {VerdictKind::Fail, 0, 1, 1, 1, 1, 3},      // of results
      {VerdictKind::Fail, 10, 1, 10, 1, 10, 21},  // 10 would be a panic
      {VerdictKind::Fail, 139, 1, 139, 1, 139, 23},
      {VerdictKind::Fail, 125, 125, 125, 125, 125, 251},
      {VerdictKind::Panic, std::nullopt, 10, 10, 1, 255, 0},
      {VerdictKind::Panic, 0, 10, 10, 1, 255, 0},
      {VerdictKind::Hang, std::nullopt, 11, 11, 1, 255, 0},
      {VerdictKind::TimeOut, std::nullopt, 12, 12, 1, 255, 0},
      {VerdictKind::TripleFault, std::nullopt, 13, 13, 1, 255, 0},
      {VerdictKind::NoResult, std::nullopt, 14, 14, 1, 255, 0},
      {VerdictKind::Refused, std::nullopt, 2, 2, 125, 255, 0},
      {VerdictKind::HostTrouble, std::nullopt, 20, 20, 125, 255, 0},
      {VerdictKind::HostTimeOut, std::nullopt, 21, 21, 125, 255, 0},
  };
  for (const Codes& one : kCases) {
    const Verdict verdict{.kind = one.kind, .message = {}, .command_code = one.own};
    EXPECT_EQ(exit_code_of(verdict, ExitStyle::Reprise), one.reprise) << verdict_name(one.kind);
    EXPECT_EQ(exit_code_of(verdict, ExitStyle::PassThrough), one.pass_through) << verdict_name(one.kind);
    EXPECT_EQ(exit_code_of(verdict, ExitStyle::Bisect), one.bisect) << verdict_name(one.kind);
    EXPECT_EQ(exit_code_of(verdict, ExitStyle::Vng), one.vng) << verdict_name(one.kind);
    EXPECT_EQ(exit_code_of(verdict, ExitStyle::Qemu), one.qemu) << verdict_name(one.kind);
  }
  Verdict ended{.kind = VerdictKind::Signal, .message = {}, .command_code = {}};
  ended.signal_code = 143;
  EXPECT_EQ(exit_code_of(ended, ExitStyle::Bisect), 143);
}

}  // namespace
}  // namespace reprise::verdict
