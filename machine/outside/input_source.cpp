#include "machine/outside/input_source.h"

#include <algorithm>

#include "machine/outside/sink_names.h"

namespace reprise::machine {

void InputSource::key(Key key, bool down) {
  const auto index = static_cast<u8>(key);
  if (held_[index] == down || find_key(key) == nullptr) return;
  held_[index] = down;
  inbox_.post({std::string(kKeyboardSink), KeyEvent{key, down}});
}

bool InputSource::key(std::string_view name, bool down) {
  const KeyRow* row = find_key(name);
  if (row != nullptr) key(row->key, down);
  return row != nullptr;
}

void InputSource::post(PointerChange change) {
  change.buttons = buttons_;
  inbox_.post({std::string(kPointerSink), PointerEvent{change}});
}

void InputSource::move_by(i32 dx, i32 dy) {
  if (dx != 0 || dy != 0) post({.motion = PointerChange::Motion::Relative, .x = dx, .y = dy});
}

void InputSource::move_to(i32 x, i32 y, i32 width, i32 height) {
  const auto place = [](i32 at, i32 size) {
    if (size < 2) return 0;
    return static_cast<i32>(i64{std::clamp(at, 0, size - 1)} * kPointerMax / (size - 1));
  };
  const i32 dx = has_place_ ? x - x_ : 0;
  const i32 dy = has_place_ ? y - y_ : 0;
  has_place_ = true;
  x_ = x;
  y_ = y;
  if (!status_.absolute_pointer()) return move_by(dx, dy);
  post({.motion = PointerChange::Motion::Absolute, .x = place(x, width), .y = place(y, height)});
}

void InputSource::move_to_place(i32 x, i32 y) {
  post({.motion = PointerChange::Motion::Absolute, .x = x, .y = y});
}

void InputSource::wheel(i32 notches) {
  if (notches != 0) post({.wheel = notches});
}

void InputSource::button(u8 button, bool down) {
  set_buttons(static_cast<u8>(down ? buttons_ | button : buttons_ & ~button));
}

void InputSource::set_buttons(u8 buttons) {
  buttons &= pointer_buttons::kAll;
  if (buttons == buttons_) return;
  buttons_ = buttons;
  post({});
}

void InputSource::release_all() {
  for (unsigned index = 0; index < held_.size(); ++index)
    if (held_[index]) key(static_cast<Key>(index), false);
  set_buttons(0);
}

}  // namespace reprise::machine
