#include "machine/net/descriptor_watch.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace reprise::machine {
namespace {

bool same(std::span<const pollfd> a, std::span<const pollfd> b) {
  return std::ranges::equal(
      a, b, [](const pollfd& x, const pollfd& y) { return x.fd == y.fd && x.events == y.events; });
}

}  // namespace

DescriptorWatch::~DescriptorWatch() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  kick();
  thread_.join();
}

void DescriptorWatch::kick() {
  const u64 one = 1;
  [[maybe_unused]] const ssize_t written = ::write(kick_.get(), &one, sizeof one);
}

void DescriptorWatch::watch(std::span<const pollfd> descriptors) {
  if (!thread_.joinable()) {
    if (descriptors.empty()) return;
    kick_ = HostFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    thread_ = std::thread([this] { loop(); });
  }
  {
    const std::lock_guard lock(mutex_);
    if (armed_ && same(wanted_, descriptors)) return;
    wanted_.assign(descriptors.begin(), descriptors.end());
    armed_ = true;
  }
  changed_.notify_all();
  kick();
}

void DescriptorWatch::loop() {
  std::vector<pollfd> now;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return armed_ || ends_; });
    if (ends_) return;
    now = wanted_;
    lock.unlock();
    now.push_back({kick_.get(), POLLIN, 0});
    const int count = ::poll(now.data(), now.size(), -1);
    const bool kicked = now.back().revents != 0;
    if (kicked) {
      u64 kicks;
      [[maybe_unused]] const ssize_t got = ::read(kick_.get(), &kicks, sizeof kicks);
    }
    const bool found = count > (kicked ? 1 : 0);
    lock.lock();
    if (!found) continue;
    armed_ = false;
    lock.unlock();
    ready_.store(true, std::memory_order_release);
    wake_();
    lock.lock();
  }
}

}  // namespace reprise::machine
