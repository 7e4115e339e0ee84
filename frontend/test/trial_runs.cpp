#include "frontend/test/trial_runs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/words.h"
#include "frontend/test/run_folder.h"
#include "machine/run_result.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/host_file.h"
#include "machine/storage/host_program.h"
#include "verdict/result_text.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;
using machine::Handover;

constexpr std::string_view kOfSchedule[] = {"--schedule=", "--sched-seed=", "--quantum="};
constexpr std::string_view kSymbols = "--symbols=";

/// Options and, from "--" on, the command.
std::vector<std::string> words_without(const std::vector<std::string>& words,
                                       std::span<const std::string_view> names) {
  std::vector<std::string> rest;
  const auto command = std::ranges::find(words, "--");
  std::copy_if(words.begin(), command, std::back_inserter(rest), [&](const std::string& word) {
    return std::ranges::none_of(names, [&](std::string_view name) { return word.starts_with(name); });
  });
  rest.insert(rest.end(), command, words.end());
  return rest;
}

Result<reprise::Done> read_turns(const std::string& path, TrialRuns::Done& done) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const bool came_by = line.starts_with('#');
    const std::vector<std::string_view> parts =
        words_between(std::string_view(line).substr(came_by ? 1 : 0), "\t");
    if (parts.size() != 4) return Error{fmt::format("'{}' is no file of --turns.", path)};
    const auto handover = TRY(machine::parse_handovers(parts[0]));
    if (handover.size() != 1) return Error{fmt::format("'{}' is no file of --turns.", path)};
    if (came_by)
      done.came_by.push_back(handover[0]);
    else
      done.turns.push_back(
          {handover[0], std::string(parts[1]), std::string(parts[2]), std::string(parts[3])});
  }
  return reprise::Done{};
}

}  // namespace

Failure failure_of(const verdict::Outcome& outcome) {
  Failure failure{.kind = outcome.verdict.kind, .command_code = outcome.verdict.command_code, .report = {}};
  for (const verdict::KernelReport& report : outcome.reports)
    if (!failure.report && verdict::fails(report, outcome.failing)) failure.report = report.kind;
  return failure;
}

TrialRuns::TrialRuns(std::string folder, const PlannedRun& run, std::size_t jobs)
    : folder_(std::move(folder)), run_(run), jobs_(std::max<std::size_t>(jobs, 1)) {}

std::vector<std::string> TrialRuns::words_with(const std::vector<Handover>& list) const {
  std::vector<std::string> words = words_without(run_.words, kOfSchedule);
  words.insert(std::ranges::find(words, "--"),
               list.empty() ? "--schedule=list" : "--schedule=list:" + machine::handovers_text(list));
  return words;
}

std::vector<std::string> TrialRuns::words_for(const Wanted& wanted, const std::string& folder) const {
  std::vector<std::string> words = run_.words;
  if (wanted.list) {
    words = words_without(words, kOfSchedule);
    words.insert(std::ranges::find(words, "--"), "--schedule=file:" + folder + "/schedule");
  }
  if (!wanted.names) words = words_without(words, {&kSymbols, 1});
  words.insert(std::ranges::find(words, "--"), "--turns=" + folder + "/turns");
  if (!wanted.places.empty()) {
    std::string places;
    for (const PlaceOfProcessor& place : wanted.places)
      places += fmt::format("{}{}/{:#x}", places.empty() ? "" : ",", place.processor, place.linear);
    words.insert(std::ranges::find(words, "--"), "--turns-at=" + places);
  }
  return words;
}

Result<pid_t> TrialRuns::start(const Wanted& wanted, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error{fmt::format("folder '{}' cannot be made: {}.", folder, error.message())};
  if (wanted.list) {
    std::ofstream file(folder + "/schedule");
    file << "# Who hands over, after so many instructions, to whom.\n";
    for (const Handover& handover : *wanted.list) file << machine::handover_text(handover) << '\n';
    file.close();
    if (!file) return Error{fmt::format("'{}/schedule' cannot be written.", folder)};
  }
  constexpr mode_t kMode = 0644;
  const machine::HostFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const machine::HostFd messages(
      ::open((folder + "/messages.log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kMode));
  if (!nothing || !messages)
    return Error{fmt::format("'{}/messages.log' cannot be made: {}.", folder, std::strerror(errno))};
  std::vector<std::string> words = {fs::read_symlink("/proc/self/exe", error).string(), "test",
                                    "--out=" + folder};
  std::ranges::copy(words_for(wanted, folder), std::back_inserter(words));
  ++count_;
  return machine::start_program(words, -1, nothing.get(), messages.get());
}

Result<TrialRuns::Done> TrialRuns::result_of(const std::string& folder) const {
  auto outcome = read_result(folder);
  if (!outcome) {
    const auto said = machine::read_host_head("messages", folder + "/messages.log", 65536);
    const std::string text = said ? std::string(said.value().begin(), said.value().end()) : std::string();
    return Error{fmt::format("a run of it left no result: {}.", machine::last_complaint(text))};
  }
  Done done{.failure = failure_of(outcome.value()), .turns = {}};
  TRY(read_turns(folder + "/turns", done));
  std::error_code error;
  fs::remove_all(folder, error);
  return done;
}

Result<pid_t> TrialRuns::wait(std::map<pid_t, Going>& going) const {
  sigset_t wanted;
  pthread_sigmask(SIG_BLOCK, nullptr, &wanted);
  sigaddset(&wanted, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  while (true) {
    for (const auto& [process, what] : going) {
      int status = 0;
      if (waitpid(process, &status, WNOHANG) == process) return process;
    }
    // Not for ever: one may have ended before.
    constexpr timespec kLookAgain = {0, 100'000'000};
    const int signal = sigtimedwait(&wanted, nullptr, &kLookAgain);
    if (signal > 0 && signal != SIGCHLD) return Error{machine::ended_by_signal(signal) + "."};
  }
}

Result<std::vector<TrialRuns::Done>> TrialRuns::run(const std::vector<Wanted>& wanted) {
  std::vector<Done> all(wanted.size());
  std::map<pid_t, Going> going;
  std::optional<Error> problem;
  for (std::size_t next = 0; !problem && (next < wanted.size() || !going.empty());) {
    if (next < wanted.size() && going.size() < jobs_) {
      const std::string folder = fmt::format("{}/trial-{}", folder_, count_ + 1);
      const Result<pid_t> process = start(wanted[next], folder);
      if (!process)
        problem = process.error();
      else
        going[process.value()] = {next++, folder};
      continue;
    }
    const Result<pid_t> ended = wait(going);
    if (!ended) {
      problem = ended.error();
      break;
    }
    const Going one = going.at(ended.value());
    going.erase(ended.value());
    auto done = result_of(one.folder);
    if (done)
      all[one.index] = done.take();
    else
      problem = done.error();
  }
  for (const auto& [process, one] : going) {
    kill(process, SIGTERM);
    machine::wait_program(process);
  }
  if (problem) return *problem;
  return all;
}

}  // namespace reprise::frontend
