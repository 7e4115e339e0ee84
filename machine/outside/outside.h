// Outside: the way in for everything that is not a function of the configuration and the images.
//
//     host threads --post--> Inbox --let_in()--> sinks (com1, power-button, cdrom0, ...) --> devices
//                                        \--> log <-- answered(): what the host said to a device
//
// An event has a type and goes to a named sink that registered for it; what a sink has no room for waits here. The log
// holds, in one order, the events that arrived and the answers that devices got from the host in the middle of an
// access, each stamped with when the guest could first see it. With configuration and images it is all that a second
// run needs. Nobody else knows of it. A log with a hole is worth nothing, so one that grows beyond kMaxLogBytes is given
// up as a whole.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "common/archive.h"
#include "machine/outside/event.h"
#include "machine/outside/inbox.h"

namespace reprise::machine {

/// Who takes events of one type under one name.
struct OutsideSink {
  std::string name;
  EventType type = EventType::Bytes;
  /// How much it can take now: bytes of a BytesEvent; of other types, events.
  std::function<std::size_t()> room;
  /// Gets events of `type`; of bytes at most room().
  std::function<void(const Event& event)> take;
};

/// Room for sinks that always have some.
inline std::size_t always_room() { return 1; }

struct LoggedEvent {
  u64 retired = 0;  // instructions, over all vCPUs
  u64 virtual_ns = 0;
  std::string sink;  // of an answer: who asked
  Event event;
};

class Outside {
 public:
  struct Position {
    u64 retired = 0;
    u64 virtual_ns = 0;
  };
  /// `now` gives the position of the guest.
  explicit Outside(std::function<Position()> now) : now_(std::move(now)) {}

  /// Any thread.
  Inbox& inbox() { return inbox_; }

  // --- Machine thread ---
  /// Before the run. Names are given once. Bytes are handed out in the order of registration.
  void add_sink(OutsideSink sink);
  /// Something may be there to let in.
  bool waits() const;
  /// Hands out what came, in order, as far as there is room. An event without a sink is dropped.
  void let_in();
  /// Lets one event in at once, for a sink that always has room: what a library on this thread has for the guest.
  void enter(std::string_view sink, Event event);
  /// `who`, in the middle of an access, asked the host `question` and got `answer`.
  void answered(std::string_view who, std::string question, std::vector<u8> answer);

  /// Enough for days of typing; a disk whose every request fails, or a pipe of input, can fill it.
  static constexpr u64 kMaxLogBytes = 16 << 20;
  /// Everything so far; empty once log_complete() is false.
  const std::vector<LoggedEvent>& log() const { return log_; }
  bool log_complete() const { return log_complete_; }
  /// Events and answers so far, in the log or not.
  u64 events() const { return events_; }

  /// What waits, by sink. The log is not state: one begins with each run.
  void serialize(Archive& archive);

 private:
  struct Registered {
    OutsideSink sink;
    std::deque<u8> bytes;       // of bytes
    std::deque<Event> waiting;  // of other types
    bool waits() const { return !bytes.empty() || !waiting.empty(); }
  };

  Registered* find(std::string_view name);
  void hand_out(Registered& to);
  void hand_out_bytes(Registered& to);
  void give(Registered& to, Event event);
  void add_to_log(std::string_view sink, Event event);

  std::function<Position()> now_;
  Inbox inbox_;
  std::vector<Registered> sinks_;
  std::vector<LoggedEvent> log_;
  u64 log_bytes_ = 0;
  bool log_complete_ = true;
  u64 events_ = 0;
};

}  // namespace reprise::machine
