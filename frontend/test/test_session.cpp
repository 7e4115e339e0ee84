#include "frontend/test/test_session.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>

#include "common/words.h"
#include "frontend/test/guest_files.h"
#include "frontend/test/place_text.h"
#include "machine/storage/host_file.h"
#include "verdict/outcome.h"
#include "verdict/result_text.h"
#include "verdict/shell_words.h"

namespace reprise::frontend {
namespace {

using machine::ExitReason;
using verdict::RunEnd;

RunEnd end_of(ExitReason reason) {
  switch (reason) {
    case ExitReason::PowerOff: return RunEnd::PowerOff;
    case ExitReason::Panic: return RunEnd::Panic;
    case ExitReason::Hang: return RunEnd::Hang;
    case ExitReason::Timeout: return RunEnd::TimeOut;
    case ExitReason::TripleFault: return RunEnd::TripleFault;
    case ExitReason::Usage: return RunEnd::Usage;
    case ExitReason::WallTimeout: return RunEnd::HostTimeOut;
    case ExitReason::Signal: return RunEnd::Signal;
    case ExitReason::HostError:
    case ExitReason::EnginesDiffer:
    case ExitReason::ReplayDiffers: return RunEnd::HostTrouble;
    case ExitReason::Reset:
    case ExitReason::DebugExit:
    case ExitReason::StopAt:
    case ExitReason::Quit:
    case ExitReason::NoBoot: return RunEnd::Other;
  }
  return RunEnd::HostTrouble;
}

/// What became of tests that told of no result.
std::string_view why_no_result(ExitReason reason) {
  switch (reason) {
    case ExitReason::Panic: return "the kernel panicked before it told of a result";
    case ExitReason::Hang: return "the guest hung before it told of a result";
    case ExitReason::Timeout: return "the time was over before it told of a result";
    case ExitReason::TripleFault: return "a triple fault ended the run before it told of a result";
    default: return "the run ended before it told of a result";
  }
}

std::unique_ptr<Output> file_output(const std::string& what, machine::HostFd file, StandardOutputs& outputs) {
  return std::make_unique<Output>(what, std::move(file), outputs.losses);
}

/// A few lines of many.
constexpr std::size_t kShownLines = 60;

}  // namespace

TestSession::TestSession(const TestRequest& request, StandardOutputs& outputs)
    : request_(request),
      outputs_(outputs),
      log_words_(request.token, {.printed = [this](std::string_view bytes) { take_log(bytes); },
                                 .said = [this](std::string_view text) { hear(text); }}),
      log_lines_([this](std::string_view line) {
        reports_.take(line, log_line_at_);
        const std::size_t before = log_results_.count();
        log_results_.take(line, log_line_at_);
        note_result(before, log_results_.count(), log_line_at_);
      }),
      output_words_(request.token, {.printed = [this](std::string_view bytes) { take_output(bytes); },
                                    .said = [this](std::string_view text) { hear(text); }}),
      output_lines_([this](std::string_view line) {
        const std::size_t before = output_results_.count() + ltp_results_.count();
        output_results_.take(line, output_line_at_);
        ltp_results_.take(line, output_line_at_);
        note_result(before, output_results_.count() + ltp_results_.count(), output_line_at_);
      }) {}

Result<std::unique_ptr<TestSession>> TestSession::open(const TestRequest& request, StandardOutputs& outputs,
                                                       OutputOpener& opener) {
  auto session = std::unique_ptr<TestSession>(new TestSession(request, outputs));
  const auto open_file = [&](File& file, std::string_view what, const std::string& path) -> Result<Done> {
    file.path = path;
    file.file = TRY(ReportFile::open(what, path == "-" ? "" : path, opener));
    return Done{};
  };
  if (request.goes_on) {
    constexpr u64 kMaxBytes = u64{4} << 30;
    session->earlier_ = TRY(read_progress(request.folder));
    for (const auto& [name, content] : {std::pair("kernel.log", &session->earlier_log_),
                                        std::pair("output.log", &session->earlier_output_)}) {
      const std::string path = request.folder + '/' + name;
      if (std::error_code error; std::filesystem::file_size(path, error) == 0 && !error) continue;
      const std::vector<u8> bytes = TRY(machine::read_host_file(name, path, kMaxBytes));
      content->assign(bytes.begin(), bytes.end());
    }
  }
  session->comparison_ = TRY(CostComparison::open(request.costs));
  session->log_file_ =
      file_output("kernel.log", TRY(opener.open("kernel's log", request.folder + "/kernel.log")), outputs);
  session->output_file_ =
      file_output("output.log", TRY(opener.open("output", request.folder + "/output.log")), outputs);
  TRY(open_file(session->result_, "result", request.folder + "/result.json"));
  TRY(open_file(session->json_, "result", request.json_path));
  TRY(open_file(session->junit_, "JUnit file", request.junit_path));
  TRY(open_file(session->tap_, "TAP file", request.tap_path));
  return session;
}

void TestSession::give_up_when(const std::function<bool()>& wanted) {
  log_file_->give_up_when(wanted);
  output_file_->give_up_when(wanted);
  for (File* file : {&result_, &json_, &junit_, &tap_}) file->file.give_up_when(wanted);
}

void TestSession::take_log(std::string_view bytes) {
  log_bytes_ += bytes.size();
  log_file_->write(bytes);
  if (request_.log_to_stderr && !taking_earlier_) outputs_.err.write(bytes);
  for (const char byte : bytes) {
    if (log_lines_.at_beginning()) log_line_at_ = line_at(log_stream_);
    log_lines_.write({&byte, 1});
  }
}

void TestSession::take_output(std::string_view bytes) {
  output_file_->write(bytes);
  if (!taking_earlier_) outputs_.out.write(bytes);
  for (const char byte : bytes) {
    if (output_lines_.at_beginning()) output_line_at_ = line_at(output_stream_);
    output_lines_.write({&byte, 1});
  }
}

std::string TestSession::line_at(Progress::Stream& stream) {
  if (taking_earlier_ && earlier_lines_ < stream.lines_at.size()) return stream.lines_at[earlier_lines_++];
  std::string at = now();
  if (can_go_on()) stream.lines_at.push_back(at);
  return at;
}

Result<Done> TestSession::take_progress() {
  if (!earlier_) return Done{};
  taking_earlier_ = true;
  const auto take = [&](const std::string& content, const Progress::Stream& from, Progress::Stream& into,
                        verdict::GuestWords& words, void (TestSession::*take_bytes)(std::string_view)) {
    into.lines_at = from.lines_at;
    earlier_lines_ = 0;
    (this->*take_bytes)(content);
    words.hold(from.held);
  };
  take(earlier_log_, earlier_->log, log_stream_, log_words_, &TestSession::take_log);
  take(earlier_output_, earlier_->output, output_stream_, output_words_, &TestSession::take_output);
  taking_earlier_ = false;
  begun_ = earlier_->begun;
  begun_at_ = earlier_->begun_at;
  spent_ = earlier_->spent;
  verdict::Costs before = earlier_->costs;
  // The machine's own count goes on.
  before.instructions = 0;
  costs_ = [costs = std::move(costs_), before] { return verdict::sum(before, costs()); };
  std::error_code error;
  std::filesystem::remove(progress_path(request_.folder), error);
  return Done{};
}

Result<Done> TestSession::keep_progress(const std::function<Result<Done>(const std::string& path)>& save) {
  TRY(save(checkpoint_path(request_.folder)));
  Progress progress;
  progress.inputs = request_.inputs;
  progress.log = log_stream_;
  progress.log.held = log_words_.held();
  progress.output = output_stream_;
  progress.output.held = output_words_.held();
  progress.begun = begun_;
  progress.begun_at = begun_at_;
  progress.costs = costs_();
  progress.spent = spent_;
  TRY(write_progress(request_.folder, progress));
  kept_ = true;
  return Done{};
}

void TestSession::end_run() {
  ran_costs_ = costs_();
  // What is flushed behind it belongs to the end.
  costs_ = [costs = *ran_costs_] { return costs; };
  position_ = [at = now()] { return at; };
}

void TestSession::hear(std::string_view text) {
  constexpr std::string_view kExit = "exit ", kRefused = "refused ";
  if (text == "ready" && ready_) ready_();
  if (text == "begins") {
    begun_ = true;
    if (costs_) begun_at_ = costs_();
  }
  if (text.starts_with(kRefused)) refusal_ = text.substr(kRefused.size());
  if (!text.starts_with(kExit)) return;
  int code = 0;
  const std::string_view number = text.substr(kExit.size());
  if (std::from_chars(number.data(), number.data() + number.size(), code).ec == std::errc())
    exit_code_ = code;
  if (costs_) ended_at_ = costs_();
}

void TestSession::note_result(std::size_t before, std::size_t after, const std::string& at) {
  if (after != before && costs_ && !taking_earlier_) spent_.push_back({at, costs_()});
}

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void TestSession::add_costs(std::vector<verdict::TestResult>& results,
                            const std::map<std::string_view, std::size_t>& places) const {
  for (verdict::TestResult& result : results) {
    add_costs(result.children, places);
    const auto found = places.find(result.at);
    if (result.at.empty() || found == places.end()) continue;
    const std::size_t place = found->second;
    // A suite without a line of its own ends with its last test.
    const bool own = result.children.empty() || result.children.back().at != result.at;
    result.costs = own ? verdict::since(spent_[place].costs, place == 0 ? begun_at_ : spent_[place - 1].costs)
                       : verdict::Costs{};
    for (const verdict::TestResult& child : result.children)
      if (child.costs) result.costs = verdict::sum(*result.costs, *child.costs);
  }
}

void TestSession::save_when_still(const std::function<Result<Done>(const std::string& path)>& save) {
  const Result<Done> saved = save(request_.snapshot_to);
  if (saved)
    exit_code_ = 0;
  else
    refusal_ = saved.error().message;
}

void TestSession::decode(std::vector<verdict::KernelReport>& reports) const {
  if (reports.empty() || symbols_.empty()) return;
  PlaceText places(symbols_, request_.module_symbols, request_.root);
  for (verdict::KernelReport& report : reports) {
    for (const std::string& line : report.lines) report.decoded.push_back(places.with_source(line));
    if (report.decoded == report.lines) report.decoded.clear();
  }
}

void TestSession::take_log_of_memory(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) take_log(line + '\n');
}

void TestSession::write_file(File& file, std::string_view what, const std::string& text) {
  if (file.path == "-") return outputs_.out.write(text);
  if (const auto written = file.file.write({&text, 1}); !written)
    outputs_.losses.add(fmt::format("{} '{}'", what, file.path), written.error().message, text.size());
}

int TestSession::finish(const machine::RunResult& result, const std::vector<std::string>& command) {
  for (verdict::GuestWords* words : {&log_words_, &output_words_}) words->end();
  for (verdict::LineSplitter* lines : {&log_lines_, &output_lines_}) lines->end();
  for (verdict::TapParser* results : {&output_results_, &log_results_})
    results->end(why_no_result(result.reason));
  ltp_results_.end(why_no_result(result.reason));

  verdict::Evidence evidence;
  evidence.end = end_of(result.reason);
  evidence.end_message = result.message;
  evidence.signal_code = result.exit_code;
  evidence.kernel_tests = request_.kernel_tests;
  evidence.begun = begun_;
  evidence.exit_code = exit_code_;
  evidence.refusal = refusal_;
  evidence.results = output_results_.results();
  std::ranges::copy(ltp_results_.results(), std::back_inserter(evidence.results));
  std::ranges::copy(log_results_.results(), std::back_inserter(evidence.results));
  evidence.reports = reports_.reports();
  evidence.failing = request_.failing;

  verdict::Outcome outcome;
  outcome.verdict = verdict::judge(evidence);
  outcome.name = !request_.name.empty()         ? request_.name
                 : request_.kernel_tests        ? "the kernel's tests"
                 : request_.command.size() == 1 ? request_.command[0]
                                                : verdict::shell_words(request_.command);
  outcome.results = std::move(evidence.results);
  outcome.reports = std::move(evidence.reports);
  decode(outcome.reports);
  outcome.failing = request_.failing;
  outcome.end = machine::exit_reason_name(result.reason);
  outcome.position = result.position;
  outcome.state_hash = fmt::format("{:016x}", result.state_hash);
  outcome.instructions = result.retired;
  outcome.virtual_ns = result.virtual_ns;
  outcome.command = command;
  if (ran_costs_) outcome.run_costs = ran_costs_;
  if (exit_code_ && begun_) outcome.command_costs = verdict::since(ended_at_, begun_at_);
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < spent_.size(); ++i) places.emplace(spent_[i].at, i);
  add_costs(outcome.results, places);
  comparison_->judge(outcome, outputs_);
  outcome.exit_code = verdict::exit_code_of(outcome.verdict, request_.exit_style);
  if (kept_) {
    constexpr int kGoesOn = 75;  // EX_TEMPFAIL
    outcome.exit_code = kGoesOn;
    outcome.verdict.message += ": the same command goes on from there";
  }

  const bool passed = outcome.verdict.kind == verdict::VerdictKind::Pass;
  const verdict::KernelReport* first = nullptr;
  for (const verdict::KernelReport& report : outcome.reports)
    if (first == nullptr && verdict::fails(report, outcome.failing)) first = &report;
  const bool ran = !result.position.empty();
  const bool stays = !request_.folder_is_ours || (ran && !passed);
  if (stays && ran) {
    std::error_code error;
    const std::string recording = std::filesystem::absolute(request_.folder, error).string() + "/recording";
    outcome.replay = fmt::format("reprise replay {}", verdict::shell_word(recording));
    if (first != nullptr && first->at.size() > 1) outcome.replay += " --to " + first->at;
  }

  if (first != nullptr) {
    const std::vector<std::string>& lines = first->shown();
    for (std::size_t i = 0; i < std::min(lines.size(), kShownLines); ++i)
      outputs_.err.write(in_one_line(lines[i]) + '\n');
    if (lines.size() > kShownLines)
      outputs_.err.write(fmt::format("... {} lines more in kernel.log\n", lines.size() - kShownLines));
  }
  outputs_.say(fmt::format("{}: {}{}", verdict::verdict_name(outcome.verdict.kind), outcome.verdict.message,
                           !ran ? "" : fmt::format(" (at {})", result.position)));
  if (outcome.command_costs)
    outputs_.say(fmt::format("costs: {}", verdict::costs_text(*outcome.command_costs)));
  if (!passed && !outcome.replay.empty()) outputs_.say(fmt::format("to look at it: {}", outcome.replay));
  if (!passed && ran && stays) outputs_.say(fmt::format("what is left of it is in {}", request_.folder));

  switch (request_.annotations) {
    case AnnotationForm::None: break;
    case AnnotationForm::GitHub: outputs_.err.write(verdict::github_annotations(outcome)); break;
    case AnnotationForm::GitLab: outputs_.err.write(verdict::gitlab_annotations(outcome)); break;
  }
  write_file(result_, "result", verdict::json_text(outcome));
  write_file(json_, "result", verdict::json_text(outcome));
  write_file(junit_, "JUnit file", verdict::junit_text(outcome));
  write_file(tap_, "TAP file", verdict::tap_text(outcome));
  if (!stays) remove_test_folder(request_);
  return outcome.exit_code;
}

}  // namespace reprise::frontend
