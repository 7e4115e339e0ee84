// Inbox: the one way by which the outside world reaches guest state.
//
// Host threads post; the machine takes what is there between two slices of execution.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "machine/outside/event.h"

namespace reprise::machine {

struct InputMessage {
  std::string sink;  // who is to get it: machine/outside/outside.h
  Event event;
};

class Inbox {
 public:
  /// Any thread.
  void post(InputMessage message);
  /// Any thread. Wakes a waiting machine without giving it anything.
  void wake();
  /// Any thread. One more source may post from now on. While there is none, an idle machine need not wait for
  /// input.
  void add_source();
  /// Any thread. A source has ended.
  void remove_source();

  /// Any thread. Somebody outside waits for what the machine does (a client of the monitor): idle time must not pass
  /// faster than theirs.
  void add_companion() { companions_.fetch_add(1, std::memory_order_relaxed); }
  void remove_companion() { companions_.fetch_sub(1, std::memory_order_relaxed); }
  bool accompanied() const { return companions_.load(std::memory_order_relaxed) != 0; }

  /// Any thread; one relaxed load.
  bool has_messages() const { return waiting_.load(std::memory_order_acquire); }
  /// No message is left and no source that could post one.
  bool closed() const;

  /// Machine thread. Takes all messages, in the order in which they were posted.
  std::vector<InputMessage> take();
  enum class Wait : u8 { ForMessages, ForWake };
  /// Machine thread. Returns when something was posted (unless ForWake), on wake(), when the inbox closes, or after `limit`.
  void wait(std::chrono::nanoseconds limit, Wait what = Wait::ForMessages);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InputMessage> messages_;  // under mutex_
  unsigned sources_ = 0;                // under mutex_
  bool woken_ = false;                  // under mutex_
  std::atomic<bool> waiting_{false};
  std::atomic<unsigned> companions_{0};
};

}  // namespace reprise::machine
