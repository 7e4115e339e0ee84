// Inbox: the one way by which the outside world reaches guest state.
//
// Host threads post; the machine takes what is there between two slices of execution, and stamps each message
// with the instruction count and the virtual time at which it was taken. The log of stamped messages is all
// that a second run needs in order to see the same outside.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

/// Console: the virtio console's. PowerButton and Reset carry no bytes: the user pressed the button. Medium:
/// a change of removable media, told in words ("insert cdrom0 FILE").
enum class InputChannel : u8 { Com1, Com2, Console, PowerButton, Reset, Medium };
/// Com1, Com2, Console: bytes that wait until the device has room.
inline constexpr unsigned kByteChannels = 3;

struct InputMessage {
  InputChannel channel = InputChannel::Com1;
  std::vector<u8> bytes;
};

struct StampedInput {
  u64 retired = 0;  // instructions, over all vCPUs
  u64 virtual_ns = 0;
  InputMessage message;
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

  /// Any thread; one relaxed load.
  bool has_messages() const { return waiting_.load(std::memory_order_acquire); }
  /// No message is left and no source that could post one.
  bool closed() const;

  /// Machine thread. Takes all messages, in the order in which they were posted.
  std::vector<InputMessage> take();
  /// Machine thread. Returns when something was posted, on wake(), when the inbox closes, or after `limit`.
  void wait(std::chrono::nanoseconds limit);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InputMessage> messages_;  // under mutex_
  unsigned sources_ = 0;                // under mutex_
  bool woken_ = false;                  // under mutex_
  std::atomic<bool> waiting_{false};
};

}  // namespace reprise::machine
