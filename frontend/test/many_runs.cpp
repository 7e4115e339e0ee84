#include "frontend/test/many_runs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "common/words.h"
#include "frontend/test/guest_files.h"
#include "frontend/test/input_digest.h"
#include "frontend/test/progress.h"
#include "frontend/test/run_folder.h"
#include "frontend/test/run_plan.h"
#include "frontend/test/shrink.h"
#include "frontend/test/test_rows.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/host_program.h"
#include "verdict/merged.h"
#include "verdict/shard.h"
#include "verdict/shell_words.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

constexpr int kGoesOn = 75;  // EX_TEMPFAIL: the same command goes on

std::optional<std::string> variable(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// A digest of the options, the kernel and the initramfs of each test: results of others are not those of this command. What is wrong with them is
/// found here, before the first run.
Result<std::string> inputs_of(const std::vector<PlannedTest>& tests, const std::string& folder) {
  u64 digest = 0;
  for (const PlannedTest& test : tests) {
    std::vector<std::string> words = test.words;
    words.insert(words.end(), {"--out=" + folder + "/inputs", "--"});
    std::ranges::copy(test.command, std::back_inserter(words));
    TestRequest request;
    try {
      take_test_words(words, request);
    } catch (const BadValue& bad) {
      return wrong_usage(
          fmt::format("{}{}.", test.name.empty() ? "" : fmt::format("test '{}': ", test.name), bad.message));
    }
    TRY(prepare_test(request));
    digest = TRY(digest_of_files(request, request.folder + "/initramfs.cpio", digest));
    for (const std::string& word : test.words) digest = digest_of_text(word, digest);
    std::error_code error;
    fs::remove_all(request.folder, error);
  }
  return fmt::format("{:016x}", digest);
}

/// A run that left no result.
verdict::Outcome without_result(const PlannedRun& run, const std::string& folder, int exit_code) {
  verdict::Outcome outcome;
  outcome.name = run.name;
  const auto said = machine::read_host_head("messages", folder + "/messages.log", 65536);
  const std::string text = said ? std::string(said.value().begin(), said.value().end()) : std::string();
  outcome.verdict.kind = exit_code == 2 ? verdict::VerdictKind::Usage : verdict::VerdictKind::HostTrouble;
  outcome.verdict.message = text.empty()
                                ? fmt::format("it ended with exit code {} and said nothing", exit_code)
                                : machine::last_complaint(text);
  constexpr int kHostError = 20;
  outcome.exit_code = exit_code == 0 ? kHostError : exit_code;
  return outcome;
}

/// The runs of one command, some of them going on.
class Fleet {
 public:
  Fleet(std::string folder, std::vector<PlannedRun> runs, unsigned jobs, StandardOutputs& outputs)
      : folder_(std::move(folder)),
        runs_(std::move(runs)),
        jobs_(jobs),
        outputs_(outputs),
        outcomes_(runs_.size()) {}

  /// Takes results that are there from an earlier process.
  void take_earlier() {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      auto result = read_result(folder_of(i));
      if (result && result.value().verdict.kind != verdict::VerdictKind::Signal) outcomes_[i] = result.take();
    }
    told_ = 0;
  }

  /// Until all are done, or a signal came: that signal, else 0.
  Result<int> run() {
    sigset_t wanted;
    pthread_sigmask(SIG_BLOCK, nullptr, &wanted);
    sigaddset(&wanted, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
    std::size_t next = 0;
    while (true) {
      tell();
      while (next < runs_.size() && outcomes_[next]) ++next;
      while (next < runs_.size() && going_on_.size() < jobs_) {
        if (!outcomes_[next]) TRY(start(next));
        ++next;
      }
      if (going_on_.empty()) return 0;
      // Not for ever: a child may have ended before.
      constexpr timespec kLookAgain = {0, 100'000'000};
      const int signal = sigtimedwait(&wanted, nullptr, &kLookAgain);
      if (signal > 0 && signal != SIGCHLD) {
        stop();
        return signal;
      }
      reap();
    }
  }

  std::size_t done() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(outcomes_, [](const auto& one) { return one.has_value(); }));
  }
  /// All of them, once they are done.
  std::vector<verdict::Outcome> outcomes() const {
    std::vector<verdict::Outcome> all;
    for (const auto& one : outcomes_)
      if (one) all.push_back(*one);
    return all;
  }

 private:
  std::string folder_of(std::size_t run) const { return folder_ + '/' + runs_[run].name; }

  Result<Done> start(std::size_t run) {
    const std::string folder = folder_of(run);
    std::error_code error;
    // What was ended in the middle goes on.
    if (!fs::exists(progress_path(folder))) fs::remove_all(folder, error);
    fs::create_directories(folder, error);
    if (error) return Error{fmt::format("folder '{}' cannot be made: {}.", folder, error.message())};
    constexpr mode_t kMode = 0644;
    const machine::HostFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    const machine::HostFd messages(
        ::open((folder + "/messages.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
    if (!nothing || !messages)
      return Error{fmt::format("'{}/messages.log' cannot be made: {}.", folder, std::strerror(errno))};
    std::vector<std::string> words = {"/proc/self/exe", "test", "--out=" + folder};
    words[0] = fs::read_symlink(words[0], error).string();
    std::ranges::copy(runs_[run].words, std::back_inserter(words));
    const pid_t process = TRY(machine::start_program(words, -1, nothing.get(), messages.get()));
    going_on_[process] = run;
    return Done{};
  }

  void reap() {
    for (auto one = going_on_.begin(); one != going_on_.end();) {
      int status = 0;
      if (waitpid(one->first, &status, WNOHANG) != one->first) {
        ++one;
        continue;
      }
      take_result(one->second, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      one = going_on_.erase(one);
    }
  }

  void take_result(std::size_t run, int exit_code) {
    const std::string folder = folder_of(run);
    auto result = read_result(folder);
    outcomes_[run] = result ? result.take() : without_result(runs_[run], folder, exit_code);
    // Somebody ended this one alone.
    if (outcomes_[run]->verdict.kind != verdict::VerdictKind::Pass) return;
    std::error_code error;
    for (const char* file : {"initramfs.cpio", "recording", "run.json", "checkpoint"})
      fs::remove(folder + '/' + file, error);
  }

  /// Ends those that go on. What they have left is no result.
  void stop() {
    for (const auto& [process, run] : going_on_) kill(process, SIGTERM);
    for (const auto& [process, run] : going_on_) {
      machine::wait_program(process);
      std::error_code error;
      fs::remove(folder_of(run) + "/result.json", error);
    }
    going_on_.clear();
  }

  /// A line for each run, in their order.
  void tell() {
    for (; told_ < runs_.size() && outcomes_[told_]; ++told_) {
      const verdict::Outcome& outcome = *outcomes_[told_];
      std::string line = fmt::format("{} {}", verdict::verdict_name(outcome.verdict.kind), runs_[told_].name);
      if (outcome.verdict.kind != verdict::VerdictKind::Pass) {
        std::vector<std::string> again = {"reprise", "test"};
        std::ranges::copy(runs_[told_].words, std::back_inserter(again));
        line += fmt::format(": {}: {}", in_one_line(outcome.verdict.message), verdict::shell_words(again));
      }
      outputs_.out.write(line + '\n');
    }
  }

  const std::string folder_;
  const std::vector<PlannedRun> runs_;
  const std::size_t jobs_;
  StandardOutputs& outputs_;
  std::vector<std::optional<verdict::Outcome>> outcomes_;
  std::map<pid_t, std::size_t> going_on_;
  std::size_t told_ = 0;
};

struct Prepared {
  std::string folder;
  std::vector<PlannedRun> runs;
  RunManifest manifest;
  bool goes_on = false;
};

Result<Prepared> prepare(TestRequest& request, const std::vector<std::string>& command) {
  Prepared prepared;
  // What is wrong with it is known before the first run.
  TRY(CostComparison::open(request.costs));
  const std::vector<PlannedTest> tests = TRY(planned_tests(request));
  const verdict::Shard shard =
      request.shard.empty() ? verdict::Shard{} : TRY(verdict::parse_shard(request.shard, variable));
  TRY(make_test_folder(request));
  prepared.folder = request.folder;
  if (shard.count > 1) prepared.folder += fmt::format("/shard-{}-of-{}", shard.index + 1, shard.count);
  std::error_code error;
  fs::create_directories(prepared.folder, error);
  if (error) return Error{fmt::format("folder '{}' cannot be made: {}.", prepared.folder, error.message())};
  prepared.runs = planned_runs(tests);
  std::erase_if(prepared.runs, [&](const PlannedRun& run) { return !shard.has(run.index); });
  prepared.manifest.command = command;
  prepared.manifest.inputs = TRY(inputs_of(tests, prepared.folder));
  for (const PlannedRun& run : prepared.runs) prepared.manifest.runs.push_back({run.index, run.name});
  // Bazel wants to be told that somebody knows of shards.
  if (const auto status = variable("TEST_SHARD_STATUS_FILE"); status && request.shard == "auto")
    const machine::HostFd touched(::open(status->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

  if (fs::exists(manifest_path(prepared.folder))) {
    const RunManifest earlier = TRY(read_manifest(prepared.folder));
    const auto same = [](const ListedRun& a, const ListedRun& b) {
      return a.index == b.index && a.name == b.name;
    };
    prepared.goes_on = !earlier.done && earlier.inputs == prepared.manifest.inputs &&
                       std::ranges::equal(earlier.runs, prepared.manifest.runs, same);
    // What others left there must not pass for results of this command.
    if (!prepared.goes_on)
      for (const ListedRun& run : earlier.runs)
        fs::remove(prepared.folder + '/' + run.name + "/result.json", error);
  }
  TRY(write_manifest(prepared.folder, prepared.manifest));
  return prepared;
}

int refused(const Error& error, StandardOutputs& outputs) {
  outputs.say(error.message);
  return machine::exit_code_of(error.kind == ErrorKind::Usage ? machine::ExitReason::Usage
                                                              : machine::ExitReason::HostError);
}

/// Of the first run that failed by what its guest did.
Result<Done> shrink_first(const TestRequest& request, const Prepared& all,
                          const std::vector<verdict::Outcome>& outcomes, unsigned jobs,
                          StandardOutputs& outputs) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (verdict::summarize({&outcomes[i], 1}).not_passed == 0) continue;
    const PlannedRun& run = all.runs[i];
    if (!have_several_processors(run.words)) continue;
    const auto shrunk = shrink_run(run, request, all.folder + "/shrink", jobs, outputs);
    if (!shrunk) return Error{fmt::format("{} cannot be shrunk: {}", run.name, shrunk.error().message)};
    return Done{};
  }
  return Done{};
}

Result<Done> write_text(const std::string& path, const std::string& text, StandardOutputs& outputs) {
  if (path.empty()) return Done{};
  if (path == "-") {
    outputs.out.write(text);
    return Done{};
  }
  constexpr mode_t kMode = 0666;
  machine::HostFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!file) return Error{fmt::format("'{}' cannot be written: {}.", path, std::strerror(errno))};
  Output output(fmt::format("'{}'", path), std::move(file), outputs.losses);
  output.write(text);
  return Done{};
}

}  // namespace

int tell_of_all(std::vector<verdict::Outcome> outcomes, const ResultPaths& paths, StandardOutputs& outputs) {
  const auto comparison = CostComparison::open(paths.costs);
  if (!comparison) return refused(comparison.error(), outputs);
  for (verdict::Outcome& outcome : outcomes) comparison.value().judge(outcome, outputs);
  const verdict::Summary summary = verdict::summarize(outcomes);
  std::string text = fmt::format("of {} runs {} passed", outcomes.size(), summary.passed);
  if (summary.not_passed != 0) text += fmt::format(", {} did not", summary.not_passed);
  if (summary.nobody_knows != 0) text += fmt::format(", of {} nobody knows", summary.nobody_knows);
  outputs.say(text);
  if (paths.annotations != AnnotationForm::None)
    for (const verdict::Outcome& outcome : outcomes)
      outputs.err.write(paths.annotations == AnnotationForm::GitHub ? verdict::github_annotations(outcome)
                                                                    : verdict::gitlab_annotations(outcome));
  const std::pair<const std::string&, std::string> kFiles[] = {
      {paths.junit, verdict::junit_text_of_all(outcomes)},
      {paths.json, verdict::json_text_of_all(outcomes)},
      {paths.tap, verdict::tap_text_of_all(outcomes)}};
  int exit_code = summary.exit_code;
  for (const auto& [path, content] : kFiles)
    if (const auto written = write_text(path, content, outputs); !written)
      exit_code = refused(written.error(), outputs);
  return outputs.code_after_losses(exit_code);
}

int many_runs(TestRequest request, const std::vector<std::string>& command, StandardOutputs& outputs) {
  auto prepared = prepare(request, command);
  if (!prepared) {
    remove_test_folder(request);
    return refused(prepared.error(), outputs);
  }
  Prepared& all = prepared.value();
  const unsigned jobs = request.jobs.value_or(std::max(1U, std::thread::hardware_concurrency()));
  Fleet fleet(all.folder, all.runs, jobs, outputs);
  if (all.goes_on) fleet.take_earlier();
  if (all.goes_on)
    outputs.say(
        fmt::format("{} of {} runs were done before: the others follow", fleet.done(), all.runs.size()));
  const Result<int> signal = fleet.run();
  if (!signal) return refused(signal.error(), outputs);
  if (signal.value() != 0) {
    outputs.say(fmt::format("{}: {} of {} runs are done; the same command goes on with the others{}",
                            machine::ended_by_signal(signal.value()), fleet.done(), all.runs.size(),
                            request.folder_is_ours ? ", if it has an --out" : ""));
    return signal.value() == SIGTERM ? kGoesOn : 128 + signal.value();
  }
  all.manifest.done = true;
  if (const auto written = write_manifest(all.folder, all.manifest); !written)
    return refused(written.error(), outputs);
  const std::vector<verdict::Outcome> outcomes = fleet.outcomes();
  int exit_code = tell_of_all(
      outcomes, {request.junit_path, request.json_path, request.tap_path, request.annotations, request.costs},
      outputs);
  if (request.shrink)
    if (const auto shrunk = shrink_first(request, all, outcomes, jobs, outputs); !shrunk)
      exit_code = refused(shrunk.error(), outputs);
  if (exit_code == 0)
    remove_test_folder(request);
  else
    outputs.say(fmt::format("what is left of them is in {}", all.folder));
  return exit_code;
}

}  // namespace reprise::frontend
