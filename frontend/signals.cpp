#include "frontend/signals.h"

#include <atomic>
#include <csignal>

#include "frontend/terminal.h"

namespace reprise::frontend {
namespace {

// A signal handler has no argument: this is the process's.
std::atomic<machine::Machine*> running{nullptr};

constexpr int kEndSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/// The signal's default action, with the terminal as it was.
void die(int signal) {
  Terminal::restore();
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void on_end(int signal) {
  machine::Machine* machine = running.exchange(nullptr);
  if (machine == nullptr) return die(signal);
  constexpr int kSignalExitBase = 128;
  machine->request_end(machine::ExitReason::Signal, kSignalExitBase + signal);
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

}  // namespace

SignalGuard::SignalGuard(machine::Machine& machine) {
  running.store(&machine);
  for (const int signal : kEndSignals) install(signal, on_end);
  for (const int signal : kCrashSignals) install(signal, die);
}

SignalGuard::~SignalGuard() {
  running.store(nullptr);
  for (const int signal : kEndSignals) std::signal(signal, SIG_DFL);
  for (const int signal : kCrashSignals) std::signal(signal, SIG_DFL);
}

}  // namespace reprise::frontend
