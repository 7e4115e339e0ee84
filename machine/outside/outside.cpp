#include "machine/outside/outside.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxWaitingBytes = 64 << 20;
/// More are dropped: somebody moves a mouse that the guest has long stopped to look at.
constexpr u64 kMaxWaitingEvents = 1 << 16;

}  // namespace

void Outside::add_sink(OutsideSink sink) {
  CHECK(find(sink.name) == nullptr && sink.type != EventType::Answer);
  sinks_.push_back({std::move(sink), {}, {}});
}

Outside::Registered* Outside::find(std::string_view name) {
  const auto found = std::ranges::find(sinks_, name, [](const Registered& one) { return one.sink.name; });
  return found == sinks_.end() ? nullptr : &*found;
}

bool Outside::waits() const {
  return inbox_.has_messages() || std::ranges::any_of(sinks_, &Registered::waits);
}

void Outside::let_in() {
  for (InputMessage& message : inbox_.take()) {
    if (inbox_is_closed_) continue;
    Registered* const to = find(message.sink);
    if (to == nullptr || to->sink.type != type_of(message.event)) continue;
    if (const BytesEvent* const more = std::get_if<BytesEvent>(&message.event)) {
      to->bytes.insert(to->bytes.end(), more->bytes.begin(), more->bytes.end());
    } else {
      // What was typed before a button was pressed is there before it.
      for (Registered& one : sinks_) hand_out_bytes(one);
      if (to->waiting.size() < kMaxWaitingEvents) to->waiting.push_back(std::move(message.event));
      hand_out(*to);
    }
  }
  for (Registered& to : sinks_) {
    hand_out_bytes(to);
    hand_out(to);
  }
}

void Outside::follow_recording() {
  inbox_is_closed_ = true;
  for (Registered& one : sinks_) {
    one.bytes.clear();
    one.waiting.clear();
  }
}

void Outside::hand_out(Registered& to) {
  while (!to.waiting.empty() && to.sink.room() != 0) {
    Event event = std::move(to.waiting.front());
    to.waiting.pop_front();
    give(to, event);
  }
}

void Outside::hand_out_bytes(Registered& to) {
  if (to.bytes.empty()) return;
  const std::size_t count = std::min(to.bytes.size(), to.sink.room());
  if (count == 0) return;
  const auto end = to.bytes.begin() + static_cast<std::ptrdiff_t>(count);
  BytesEvent event{{to.bytes.begin(), end}};
  to.bytes.erase(to.bytes.begin(), end);
  give(to, event);
}

void Outside::give(Registered& to, const Event& event) {
  // Stamped with the position before what it does.
  log(to.sink.name, event);
  to.sink.take(event);
  entered_();
}

void Outside::enter(std::string_view sink, const Event& event) {
  if (Registered* const to = find(sink); to != nullptr && to->sink.type == type_of(event)) give(*to, event);
}

void Outside::answered(std::string_view who, std::string question, std::vector<u8> answer) {
  log(who, AnswerEvent{std::move(question), std::move(answer)});
}

void Outside::log(std::string_view sink, const Event& event) {
  ++events_;
  if (listener_) listener_({now_(), std::string(sink), event});
}

void Outside::let_in_recorded(const LoggedEvent& logged) {
  if (Registered* const to = find(logged.sink); to != nullptr && to->sink.type == type_of(logged.event))
    give(*to, logged.event);
}

void Outside::serialize(Archive& archive, Waiting what) {
  archive.tag("outside");
  for (Registered& one : sinks_) {
    archive.tag(one.sink.name);
    const bool all = archive.loading() || what == Waiting::All;
    std::vector<u8> bytes;
    if (all) bytes.assign(one.bytes.begin(), one.bytes.end());
    archive.value(bytes, kMaxWaitingBytes);
    u64 count = all ? one.waiting.size() : 0;
    archive.at_most(count, kMaxWaitingEvents);
    if (!archive.loading()) {
      if (all)
        for (Event& event : one.waiting) serialize_event(archive, event);
      continue;
    }
    one.bytes.assign(bytes.begin(), bytes.end());
    one.waiting.clear();
    for (u64 i = 0; i < count; ++i) {
      Event event;
      serialize_event(archive, event);
      if (!archive.ok() || type_of(event) != one.sink.type) return archive.fail();
      one.waiting.push_back(std::move(event));
    }
    if (one.sink.type == EventType::Bytes ? count != 0 : !bytes.empty()) return archive.fail();
  }
}

}  // namespace reprise::machine
