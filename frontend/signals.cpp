#include "frontend/signals.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>

#include "frontend/report.h"
#include "frontend/terminal.h"

namespace reprise::frontend {
namespace {

// A signal handler has no argument: these are the process's.
std::atomic<machine::Machine*> running{nullptr};
std::atomic<const SignalReport*> last_report{nullptr};
std::array<std::string, NSIG> sentences;  // by signal; empty: it was not taken

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP, SIGABRT};
/// What does not end a process, cannot be taken, or is an error of a write.
constexpr int kOtherSignals[] = {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN,  SIGTTOU, SIGCONT,
                                 SIGCHLD, SIGURG,  SIGPIPE, SIGWINCH, SIGXFSZ};

bool is_among(int signal, std::span<const int> signals) {
  return std::ranges::find(signals, signal) != signals.end();
}

int exit_code_of_signal(int signal) { return machine::exit_code_of(machine::ExitReason::Signal) + signal; }

/// As much of `text` as there is room for now.
void put_now(int descriptor, std::string_view text) {
  pollfd file = {descriptor, POLLOUT, 0};
  if (poll(&file, 1, 0) != 1) return;
  [[maybe_unused]] const ssize_t told = write(descriptor, text.data(), text.size());
}

[[noreturn]] void end_at_once(int signal) {
  Terminal::restore();
  put_now(STDERR_FILENO, sentences[static_cast<std::size_t>(signal)]);
  if (const SignalReport* report = last_report.load()) report->write(signal);
  _exit(exit_code_of_signal(signal));
}

void on_end(int signal) {
  machine::Machine* machine = running.exchange(nullptr);
  if (machine == nullptr) end_at_once(signal);
  machine->request_end(machine::ExitReason::Signal, exit_code_of_signal(signal));
}

/// The signal's default action, with the terminal as it was.
void on_crash(int signal) {
  Terminal::restore();
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void on_stop(int) {
  const int error = errno;
  Terminal::lend();
  raise(SIGSTOP);
  errno = error;
}

void on_continue(int) {
  const int error = errno;
  Terminal::take_back();
  errno = error;
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

/// Installs `handler` where nobody has said that `signal` is to do anything else.
void install_over_default(int signal, void (*handler)(int)) {
  struct sigaction now = {};
  if (sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) install(signal, handler);
}

}  // namespace

void take_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction now = {};
    if (is_among(signal, kCrashSignals) || is_among(signal, kOtherSignals) ||
        sigaction(signal, nullptr, &now) != 0)
      continue;
    const bool ignored = now.sa_handler == SIG_IGN;
    if (now.sa_handler != SIG_DFL && !(ignored && signal == SIGINT)) continue;
    sentences[static_cast<std::size_t>(signal)] = "reprise: " + machine::ended_by_signal(signal) + '\n';
    install(signal, on_end);
  }
}

HeldSignals::HeldSignals() {
  sigset_t held;
  sigfillset(&held);
  for (const int signal : kCrashSignals) sigdelset(&held, signal);
  for (const int signal : kOtherSignals) sigdelset(&held, signal);
  pthread_sigmask(SIG_BLOCK, &held, &usual_);
}

void HeldSignals::release() { pthread_sigmask(SIG_SETMASK, &usual_, nullptr); }

void HeldSignals::pause(std::chrono::milliseconds time) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const timespec limit = {static_cast<time_t>(seconds.count()),
                          static_cast<long>(std::chrono::nanoseconds(time - seconds).count())};
  ppoll(nullptr, 0, &limit, &usual_);
}

SignalReport::SignalReport(int descriptor, bool regular) : descriptor_(descriptor), regular_(regular) {
  for (int signal = 1; signal < NSIG; ++signal) {
    machine::RunResult result;
    result.reason = machine::ExitReason::Signal;
    result.exit_code = exit_code_of_signal(signal);
    result.message = machine::ended_by_signal(signal);
    texts_[static_cast<std::size_t>(signal)] = short_report_text(result, {});
  }
  last_report.store(this);
}

SignalReport::~SignalReport() { last_report.store(nullptr); }

void SignalReport::write(int signal) const {
  if (descriptor_ < 0) return;
  const std::string_view text = texts_[static_cast<std::size_t>(signal)];
  if (!regular_) return put_now(descriptor_, text);
  const bool whole = pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  [[maybe_unused]] const int cut = ftruncate(descriptor_, whole ? static_cast<off_t>(text.size()) : 0);
}

SignalGuard::SignalGuard(machine::Machine& machine) {
  running.store(&machine);
  for (const int signal : kCrashSignals) install(signal, on_crash);
  install_over_default(SIGTSTP, on_stop);
  install_over_default(SIGCONT, on_continue);
}

SignalGuard::~SignalGuard() {
  running.store(nullptr);
  for (const int signal : kCrashSignals) std::signal(signal, SIG_DFL);
}

}  // namespace reprise::frontend
