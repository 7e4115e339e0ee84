// Signals that end this process or stop it. A machine that runs is asked to end; before and after its run, and when a second
// signal comes, the process ends at once, with the terminal, the sentence and the report that an end needs.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <string>

#include "machine/machine.h"

namespace reprise::frontend {

/// Takes every signal whose usual action is the end of the process, other than crashes. One that was ignored when the
/// process began stays so (nohup), but for SIGINT: shells without job control start background jobs with it ignored, so
/// that it says nothing of what their user wants, and a script that sends it means it. Once, when a run begins.
void take_signals();

/// Signals that end this process, kept waiting until it can end in order.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals() { release(); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  /// Those that came meanwhile are taken now.
  void release();
  /// Lets time pass in which they are taken.
  void pause(std::chrono::milliseconds time) const;

 private:
  sigset_t usual_ = {};
};

/// While it lives, an end at once writes a short report to a descriptor. One at a time.
class SignalReport {
 public:
  /// `descriptor` -1: there is none. `regular`: a file whose content the report replaces, else a pipe or the like.
  SignalReport(int descriptor, bool regular);
  ~SignalReport();
  SignalReport(const SignalReport&) = delete;
  SignalReport& operator=(const SignalReport&) = delete;

  /// Async-signal-safe.
  void write(int signal) const;

 private:
  const int descriptor_;
  const bool regular_;
  std::array<std::string, NSIG> texts_;  // by signal
};

/// While it lives, a first signal ends `machine`. SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP and SIGABRT restore the
/// terminal before they take their usual course, SIGTSTP lends it out until SIGCONT. One at a time.
class SignalGuard {
 public:
  explicit SignalGuard(machine::Machine& machine);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

}  // namespace reprise::frontend
