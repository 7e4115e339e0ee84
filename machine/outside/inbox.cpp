#include "machine/outside/inbox.h"

#include <utility>

namespace reprise::machine {

void Inbox::post(InputMessage message) {
  {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    waiting_.store(true, std::memory_order_release);
  }
  changed_.notify_all();
}

void Inbox::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Inbox::add_source() {
  const std::lock_guard lock(mutex_);
  ++sources_;
}

void Inbox::remove_source() {
  {
    const std::lock_guard lock(mutex_);
    if (sources_ != 0) --sources_;
  }
  changed_.notify_all();
}

bool Inbox::closed() const {
  const std::lock_guard lock(mutex_);
  return sources_ == 0 && messages_.empty();
}

std::vector<InputMessage> Inbox::take() {
  const std::lock_guard lock(mutex_);
  waiting_.store(false, std::memory_order_release);
  return std::exchange(messages_, {});
}

void Inbox::wait(std::chrono::nanoseconds limit, Wait what) {
  std::unique_lock lock(mutex_);
  const unsigned sources = sources_;
  changed_.wait_for(lock, limit, [&] {
    return woken_ || (what == Wait::ForMessages && !messages_.empty()) || sources_ != sources;
  });
  woken_ = false;
}

}  // namespace reprise::machine
