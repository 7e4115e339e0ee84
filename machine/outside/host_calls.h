// HostCalls: work that other host threads have the machine thread do between two turns of its run loop, while
// the guest stands still. This is how a monitor looks at a machine; what changes the guest goes through the
// Inbox.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "machine/outside/inbox.h"

namespace reprise::machine {

class HostCalls {
 public:
  /// `inbox` outlives this: an idle machine waits there.
  explicit HostCalls(Inbox& inbox) : inbox_(inbox) {}

  /// Any thread but the machine's. Returns when the machine thread has done `work`, true; or false at once
  /// when the run is over. Before the run it waits for its beginning.
  [[nodiscard]] bool run(const std::function<void()>& work);

  /// Any thread; one load.
  bool waiting() const { return waiting_.load(std::memory_order_acquire); }

  // --- Machine thread ---
  /// Does what waits, in the order in which it came.
  void serve();
  /// Calls are taken (again).
  void open();
  /// The run is over: whoever waits is sent away.
  void close();

 private:
  enum class State : unsigned char { Waiting, Done, Dropped };
  struct Call {
    const std::function<void()>* work;
    State state = State::Waiting;  // under mutex_
  };

  Inbox& inbox_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::vector<Call*> calls_;  // under mutex_
  bool closed_ = false;       // under mutex_
  std::atomic<bool> waiting_{false};
};

}  // namespace reprise::machine
