// Typist: presses keys for a script, in the guest's time: one after another, and none before the guest has taken what
// came before, so that a slow guest loses nothing. All of it follows from when the keys were asked for.
#pragma once

#include <deque>

#include "common/archive.h"
#include "common/ports.h"
#include "machine/board/input_router.h"
#include "machine/outside/event.h"

namespace reprise::machine {

class Typist {
 public:
  /// Keys that are remembered at a time.
  static constexpr std::size_t kMostKeys = 256;
  /// Between two of them: 25 characters a second.
  static constexpr u64 kPaceNs = 20'000'000;
  /// A guest that has taken no keys for so long is not waited for, and loses them.
  static constexpr u64 kPatienceNs = 10'000'000'000;

  Typist(Clock& clock, InputRouter& router);

  std::size_t room() const { return kMostKeys - keys_.size(); }
  /// Only with room.
  void take(const KeyEvent& event);

  void serialize(Archive& archive);

 private:
  void press_next();

  Clock& clock_;
  InputRouter& router_;
  Clock::TimerId timer_;
  std::deque<KeyEvent> keys_;
  u64 next_ns_ = 0;    // not before
  u64 waited_ns_ = 0;  // for the guest
};

}  // namespace reprise::machine
