// What comes in from outside, and what the host answered: each of them a type of its own.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/archive.h"
#include "common/keys.h"
#include "common/pointer.h"
#include "common/types.h"

namespace reprise::machine {

/// For a port or console: they wait until the device has room.
struct BytesEvent {
  std::vector<u8> bytes;
};
/// A key went down or up. It is saved by its name.
struct KeyEvent {
  Key key = Key::None;
  bool down = false;
};
/// A pointer moved, its wheel turned, or its buttons changed.
struct PointerEvent {
  PointerChange change;
};
/// A person's hand at a drive, in words: "insert FILE", "eject", "request-eject".
struct MediumEvent {
  std::string change;
};
/// Somebody pressed it.
struct ButtonEvent {};
/// What the host said when a device asked it in the middle of an access. Goes to no sink: the device has had it.
struct AnswerEvent {
  std::string question;
  std::vector<u8> answer;
};
/// A frame arrived for the network cards.
struct PacketEvent {
  std::vector<u8> frame;
};

using Event =
    std::variant<BytesEvent, KeyEvent, MediumEvent, ButtonEvent, AnswerEvent, PointerEvent, PacketEvent>;
/// In the order of Event's alternatives.
enum class EventType : u8 { Bytes, Key, Medium, Button, Answer, Pointer, Packet };
inline EventType type_of(const Event& event) { return static_cast<EventType>(event.index()); }
/// "bytes", "key", ...
std::string_view name_of(EventType type);

/// How much of the host's memory it takes, about.
u64 size_of(const Event& event);

/// Its type and content.
void serialize_event(Archive& archive, Event& event);

}  // namespace reprise::machine
