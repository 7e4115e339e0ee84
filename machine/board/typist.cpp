#include "machine/board/typist.h"

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::machine {

Typist::Typist(Clock& clock, InputRouter& router)
    : clock_(clock), router_(router), timer_(clock.create_timer("typist", [this] { press_next(); })) {}

void Typist::take(const KeyEvent& event) {
  keys_.push_back(event);
  if (keys_.size() == 1) clock_.arm(timer_, std::max(clock_.now_ns(), next_ns_));
}

void Typist::press_next() {
  if (keys_.empty()) return;
  const KeyEvent& next = keys_.front();
  if (router_.waits_for_keys())
    waited_ns_ = 0;
  else if (next.down)
    waited_ns_ += kPaceNs;
  // A finger does not stay on a key because the guest is slow: the keyboard would repeat it.
  if (!next.down || waited_ns_ == 0 || waited_ns_ > kPatienceNs) {
    router_.key(next.key, next.down);
    keys_.pop_front();
  }
  next_ns_ = clock_.now_ns() + kPaceNs;
  if (!keys_.empty()) clock_.arm(timer_, next_ns_);
}

void Typist::serialize(Archive& archive) {
  archive.tag("typist");
  u64 count = keys_.size();
  archive.at_most(count, kMostKeys);
  if (archive.loading()) keys_.assign(archive.ok() ? count : 0, {});
  for (KeyEvent& key : keys_) {
    archive.value(key.key);
    archive.value(key.down);
  }
  archive.value(next_ns_);
  archive.value(waited_ns_);
  devices::serialize_timer(archive, clock_, timer_);
}

}  // namespace reprise::machine
