#include "machine/outside/host_calls.h"

#include <utility>

namespace reprise::machine {

bool HostCalls::run(const std::function<void()>& work) {
  Call call{&work};
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    calls_.push_back(&call);
    waiting_.store(true, std::memory_order_release);
  }
  inbox_.wake();
  std::unique_lock lock(mutex_);
  answered_.wait(lock, [&] { return call.state != State::Waiting; });
  return call.state == State::Done;
}

void HostCalls::serve() {
  std::vector<Call*> taken;
  {
    const std::lock_guard lock(mutex_);
    taken = std::exchange(calls_, {});
    waiting_.store(false, std::memory_order_release);
  }
  for (Call* call : taken) {
    (*call->work)();
    // The caller may be gone as soon as the lock is free: nothing touches its call after that.
    const std::lock_guard lock(mutex_);
    call->state = State::Done;
    answered_.notify_all();
  }
}

void HostCalls::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

void HostCalls::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Call* call : std::exchange(calls_, {})) call->state = State::Dropped;
  waiting_.store(false, std::memory_order_release);
  answered_.notify_all();
}

}  // namespace reprise::machine
