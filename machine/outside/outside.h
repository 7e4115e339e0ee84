// Outside: the way in for everything that is not a function of the configuration and the images.
//
//     host threads --post--> Inbox --let_in()--> sinks (com1, power-button, cdrom0, ...) --> devices
//                                        \--> listener <-- answered(): what the host said to a device
//
// An event has a type and goes to a named sink that registered for it; what a sink has no room for waits here. A listener (the
// recorder) is told, in one order, of the events that arrived and of the answers that devices got from the host in the middle of
// an access, each stamped with when the guest could first see it. With configuration and images it is all that a second
// run needs, in which events come from a recording instead of from the inbox. Nobody else knows of it.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "common/archive.h"
#include "machine/outside/event.h"
#include "machine/outside/inbox.h"
#include "machine/outside/logged_event.h"

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

class Outside {
 public:
  using Listener = std::function<void(LoggedEvent logged)>;
  /// `now` gives the position of the guest; `entered` is told behind each event.
  explicit Outside(
      std::function<Position()> now, std::function<void()> entered = [] {})
      : now_(std::move(now)), entered_(std::move(entered)) {}

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
  void enter(std::string_view sink, const Event& event);
  /// `who`, in the middle of an access, asked the host `question` and got `answer`.
  void answered(std::string_view who, std::string question, std::vector<u8> answer);
  /// The same, as in the run that is repeated.
  void answered_again() { ++events_; }

  /// Takes what is to be recorded, before it shows. Before the run.
  void on_logged(Listener listener) { listener_ = std::move(listener); }
  /// From now on what comes in comes from a recording: nothing of the inbox, nor what waits of a saved state.
  void follow_recording();
  /// Lets in what a recording has, whatever room there is.
  void let_in_recorded(const LoggedEvent& logged);

  /// Events and answers so far.
  u64 events() const { return events_; }

  enum class Waiting : u8 { All, None };
  /// What waits, by sink; or as if nothing did.
  void serialize(Archive& archive, Waiting what = Waiting::All);

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
  void give(Registered& to, const Event& event);
  void log(std::string_view sink, const Event& event);

  std::function<Position()> now_;
  std::function<void()> entered_;
  Listener listener_;
  Inbox inbox_;
  std::vector<Registered> sinks_;
  bool inbox_is_closed_ = false;
  u64 events_ = 0;
};

}  // namespace reprise::machine
