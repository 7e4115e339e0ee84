#include "machine/outside/event.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxContentBytes = 64 << 20;

void serialize_text(Archive& archive, std::string& text) {
  std::vector<u8> bytes(text.begin(), text.end());
  archive.value(bytes, kMaxContentBytes);
  text.assign(bytes.begin(), bytes.end());
}

void serialize_content(Archive& archive, BytesEvent& event) { archive.value(event.bytes, kMaxContentBytes); }
void serialize_content(Archive& archive, KeyEvent& event) {
  std::string name(name_of(event.key));
  serialize_text(archive, name);
  archive.value(event.down);
  if (!archive.loading() || !archive.ok()) return;
  const KeyRow* row = find_key(name);
  if (row == nullptr) return archive.fail();
  event.key = row->key;
}
void serialize_content(Archive& archive, PointerEvent& event) {
  PointerChange& change = event.change;
  archive.at_most(change.motion, PointerChange::Motion::Absolute);
  archive.value(change.x);
  archive.value(change.y);
  archive.value(change.wheel);
  archive.value(change.buttons);
}
void serialize_content(Archive& archive, MediumEvent& event) { serialize_text(archive, event.change); }
void serialize_content(Archive&, ButtonEvent&) {}
void serialize_content(Archive& archive, AnswerEvent& event) {
  serialize_text(archive, event.question);
  archive.value(event.answer, kMaxContentBytes);
}
void serialize_content(Archive& archive, PacketEvent& event) { archive.value(event.frame, kMaxContentBytes); }

/// An empty event of that type.
Event empty_event(EventType type) {
  switch (type) {
    case EventType::Bytes: return BytesEvent{};
    case EventType::Key: return KeyEvent{};
    case EventType::Medium: return MediumEvent{};
    case EventType::Button: return ButtonEvent{};
    case EventType::Answer: return AnswerEvent{};
    case EventType::Pointer: return PointerEvent{};
    case EventType::Packet: return PacketEvent{};
  }
  return ButtonEvent{};
}

}  // namespace

std::string_view name_of(EventType type) {
  switch (type) {
    case EventType::Bytes: return "bytes";
    case EventType::Key: return "key";
    case EventType::Medium: return "medium";
    case EventType::Button: return "button";
    case EventType::Answer: return "answer";
    case EventType::Pointer: return "pointer";
    case EventType::Packet: return "packet";
  }
  return "unknown";
}

u64 size_of(const Event& event) {
  struct Content {
    u64 operator()(const BytesEvent& event) const { return event.bytes.size(); }
    u64 operator()(const KeyEvent&) const { return 0; }
    u64 operator()(const PointerEvent&) const { return 0; }
    u64 operator()(const MediumEvent& event) const { return event.change.size(); }
    u64 operator()(const ButtonEvent&) const { return 0; }
    u64 operator()(const AnswerEvent& event) const { return event.question.size() + event.answer.size(); }
    u64 operator()(const PacketEvent& event) const { return event.frame.size(); }
  };
  return sizeof event + std::visit(Content{}, event);
}

void serialize_event(Archive& archive, Event& event) {
  EventType type = type_of(event);
  archive.at_most(type, EventType::Packet);
  if (archive.loading()) event = empty_event(type);
  std::visit([&](auto& content) { serialize_content(archive, content); }, event);
}

}  // namespace reprise::machine
