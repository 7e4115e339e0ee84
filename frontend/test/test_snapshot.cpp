#include "frontend/test/test_snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "frontend/test/input_digest.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/host_program.h"

namespace reprise::frontend {
namespace {

namespace fs = std::filesystem;

/// Options that differ from run to run of one state.
constexpr std::string_view kOfTheRun[] = {
    "--seed=",           "--env=",        "--timeout=",    "--wall-timeout=",
    "--name=",           "--fail-on=",    "--exit-style=", "--kernel-log=",
    "--from-snapshot=",  "--hash-every=", "--engine=",     "--schedule=",
    "--sched-seed=",     "--quantum=",    "--turns=",      "--turns-at=",
    "--module-symbols=", "--symbols="};

std::vector<std::string> words_of_state(const TestRequest& request) {
  std::vector<std::string> words;
  for (const std::string& word : request.child_words)
    if (std::ranges::none_of(kOfTheRun, [&](std::string_view name) { return word.starts_with(name); }))
      words.push_back(word);
  return words;
}

Result<std::string> cache_folder() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.cache";
  if (folder.empty())
    return Error{"--from-snapshot auto: the environment has neither XDG_CACHE_HOME nor HOME."};
  return folder + "/reprise/snapshots";
}

Result<u64> digest_of(const TestRequest& request, const std::string& initramfs) {
  std::string text = build_and_format();
  for (const std::string& word : words_of_state(request)) text += '\n' + word;
  return digest_of_text(text, TRY(digest_of_files(request, initramfs)));
}

}  // namespace

Result<std::string> usual_snapshot(const TestRequest& request, const std::string& initramfs) {
  const std::string cache = TRY(cache_folder());
  const std::string folder = fmt::format("{}/{:016x}", cache, TRY(digest_of(request, initramfs)));
  const std::string state = folder + "/state";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error{fmt::format("folder '{}' cannot be made: {}.", folder, error.message())};
  // Several processes may want the same one at a time.
  constexpr mode_t kMode = 0644;
  const machine::HostFd lock(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode));
  if (!lock || flock(lock.get(), LOCK_EX) != 0)
    return Error{fmt::format("'{}/lock' cannot be locked: {}.", folder, std::strerror(errno))};
  if (fs::exists(state)) return state;
  std::vector<std::string> words = {fs::read_symlink("/proc/self/exe", error).string(), "test",
                                    "--out=" + folder, "--save-snapshot=" + state};
  std::ranges::copy(words_of_state(request), std::back_inserter(words));
  words.insert(words.end(), {"--", "true"});
  const machine::ProgramResult made = TRY(machine::run_program(words));
  if (made.exit_code != 0 || !fs::exists(state))
    return Error{fmt::format("the state of --from-snapshot cannot be made: {}.",
                             machine::last_complaint(made.errors))};
  return state;
}

}  // namespace reprise::frontend
