#include "machine/storage/host_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace reprise::machine {
namespace {

constexpr int kListenerFd = 3;  // sd_listen_fds(3): SD_LISTEN_FDS_START

/// Between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* words, char* const* environment, char* pid_digits, int listener,
                         int output, int errors, int failure, pid_t parent) {
  setsid();  // Ctrl-C at the terminal is not for it
#ifdef PR_SET_PDEATHSIG
  if (listener < 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
  }
#endif
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // What is ignored stays ignored, and a file that grows too large is an error of its write there, too.
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction now;
    if (sigaction(number, nullptr, &now) == 0 && (now.sa_handler != SIG_IGN || number == SIGPIPE))
      signal(number, SIG_DFL);
  }
  const int null = open("/dev/null", O_RDWR);
  // Out of the way of the numbers they are to have.
  const int high_listener = listener < 0 ? -1 : fcntl(listener, F_DUPFD_CLOEXEC, 16);
  const int high_output = fcntl(output < 0 ? null : output, F_DUPFD_CLOEXEC, 16);
  const int high_errors = fcntl(errors < 0 ? null : errors, F_DUPFD_CLOEXEC, 16);
  const int high_failure = fcntl(failure, F_DUPFD_CLOEXEC, 16);
  dup2(null, 0);
  dup2(high_output, 1);
  dup2(high_errors, 2);
  if (high_listener >= 0) dup2(high_listener, kListenerFd);
  for (int fd = high_listener >= 0 ? kListenerFd + 1 : kListenerFd; fd < 16; ++fd) close(fd);
  // LISTEN_PID names this very process.
  char reversed[24];
  int count = 0;
  for (long pid = getpid(); pid != 0 && count < 24; pid /= 10)
    reversed[count++] = static_cast<char>('0' + pid % 10);
  while (count > 0) *pid_digits++ = reversed[--count];
  *pid_digits = '\0';
  execve(words[0], words, environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(high_failure, &error, sizeof error);
  _exit(127);
}

int exit_code_of_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<std::string> find_program(std::string_view name, std::string_view package, std::string_view why) {
  const char* path = std::getenv("PATH");
  std::string_view folders = path != nullptr ? path : "/usr/bin:/bin";
  while (!folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
    const std::string candidate = fmt::format("{}/{}", folder, name);
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error{fmt::format("{} is not installed, and {}: install Debian's package {}.", name, why, package)};
}

Result<pid_t> start_program(const std::vector<std::string>& words, int listener, int output, int errors) {
  std::vector<std::string> word_copies = words;
  const std::vector<char*> word_pointers = pointers_to(word_copies);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("LISTEN_")) environment.emplace_back(*entry);
  }
  if (listener >= 0) environment.emplace_back("LISTEN_FDS=1");
  constexpr std::string_view kPid = "LISTEN_PID=";
  environment.push_back(std::string(kPid) + std::string(24, '0'));
  std::vector<char*> environment_pointers = pointers_to(environment);
  char* const pid_digits = environment.back().data() + kPid.size();
  if (listener < 0) environment_pointers[environment.size() - 1] = nullptr;

  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0)
    return Error{fmt::format("no pipe could be made: {}.", std::strerror(errno))};
  HostFd failure_read(failure[0]), failure_write(failure[1]);
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    become(word_pointers.data(), environment_pointers.data(), pid_digits, listener, output, errors,
           failure_write.get(), self);
  }
  if (pid < 0) return Error{fmt::format("'{}' could not be started: {}.", words[0], std::strerror(errno))};
  failure_write.close();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure_read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof error)) {
    wait_program(pid);
    return Error{fmt::format("'{}' could not be started: {}.", words[0], std::strerror(error))};
  }
  return pid;
}

int wait_program(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return exit_code_of_status(status);
}

std::string content_of(int fd) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  std::string text(kMaxBytes, '\0');
  const HostRead done = host_read(fd, 0, {reinterpret_cast<u8*>(text.data()), text.size()});
  text.resize(done.bytes);
  return text;
}

namespace {

/// As wait_program, but a signal that is blocked ends the program first: that signal, or 0.
int wait_unless_signal(pid_t pid, int& exit_code) {
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  sigset_t child, usual;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child, &usual);
  sigaddset(&blocked, SIGCHLD);
  int came = 0;
  int status = 0;
  while (came == 0 && waitpid(pid, &status, WNOHANG) == 0) {
    // Not for ever: the SIGCHLD may be taken by another thread.
    constexpr timespec kLookAgain = {0, 100'000'000};
    const int signal = sigtimedwait(&blocked, nullptr, &kLookAgain);
    if (signal > 0 && signal != SIGCHLD) came = signal;
  }
  if (came != 0) {
    kill(pid, SIGTERM);
    exit_code = wait_program(pid);
    raise(came);
  } else {
    exit_code = exit_code_of_status(status);
  }
  pthread_sigmask(SIG_SETMASK, &usual, nullptr);
  return came;
}

}  // namespace

Result<ProgramResult> run_program(const std::vector<std::string>& words, Output output) {
  const HostFd out = open_unnamed_file();
  const HostFd errors = open_unnamed_file();
  if (!out || !errors) return temporary_file_error(words[0]);
  const bool captured = output == Output::Captured;
  const pid_t pid = TRY(start_program(words, -1, captured ? out.get() : STDOUT_FILENO, errors.get()));
  ProgramResult result;
  result.signal = wait_unless_signal(pid, result.exit_code);
  result.output = content_of(out.get());
  result.errors = content_of(errors.get());
  return result;
}

std::string last_complaint(std::string_view errors) {
  while (!errors.empty() && (errors.back() == '\n' || errors.back() == '.' || errors.back() == ' '))
    errors.remove_suffix(1);
  // QEMU's tools add a hint on a line of its own: it belongs to the sentence.
  constexpr std::string_view kHint = "\nIs another process using the image";
  if (const std::size_t hint = errors.find(kHint); hint != std::string_view::npos)
    errors = errors.substr(0, hint);
  if (const std::size_t line = errors.rfind('\n'); line != std::string_view::npos)
    errors.remove_prefix(line + 1);
  for (const std::string_view name : {"qemu-nbd: ", "qemu-img: "}) {
    if (errors.starts_with(name)) errors.remove_prefix(name.size());
  }
  return errors.empty() ? "it did not say why" : std::string(errors);
}

}  // namespace reprise::machine
