// DescriptorWatch: a host thread that says when a descriptor is ready, for a machine that sleeps. It reads nothing.
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "machine/storage/host_fd.h"

namespace reprise::machine {

class DescriptorWatch {
 public:
  /// `wake` is called on the thread of this when something is ready.
  explicit DescriptorWatch(std::function<void()> wake) : wake_(std::move(wake)) {}
  ~DescriptorWatch();
  DescriptorWatch(const DescriptorWatch&) = delete;
  DescriptorWatch& operator=(const DescriptorWatch&) = delete;

  // --- Machine thread ---
  /// Watches these from now on, until one is ready; then it must be called again. The first call starts the thread.
  void watch(std::span<const pollfd> descriptors);
  /// One has been ready since the last clear_ready(), or may have been.
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  void clear_ready() { ready_.store(false, std::memory_order_release); }

 private:
  void loop();
  void kick();

  const std::function<void()> wake_;
  HostFd kick_;  // an eventfd: the list has changed
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<pollfd> wanted_;  // under mutex_
  bool armed_ = false;          // under mutex_
  bool ends_ = false;           // under mutex_
  std::atomic<bool> ready_{false};
};

}  // namespace reprise::machine
