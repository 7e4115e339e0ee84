#include "machine/board/input_router.h"

#include <algorithm>

namespace reprise::machine {
namespace {

using Motion = PointerChange::Motion;

/// Pixels that lie between two absolute positions.
i32 pixels(i32 from, i32 to, i32 size) {
  return to * size / (kPointerMax + 1) - from * size / (kPointerMax + 1);
}

}  // namespace

void InputRouter::key(Key key, bool down) {
  const auto code = static_cast<u8>(key);
  if (held_[code] == down) return;
  held_[code] = down;
  if (down) held_on_virtio_[code] = active(keyboard_);
  if (!held_on_virtio_[code]) return i8042_.press(key, down);
  if (active(keyboard_)) keyboard_->press(key, down);
}

InputRouter::Pointer InputRouter::pointer_for(Motion motion) const {
  if (motion != Motion::Relative && active(tablet_)) return Pointer::Tablet;
  return active(mouse_) ? Pointer::Mouse : Pointer::Ps2;
}

void InputRouter::pointer(const PointerChange& given) {
  PointerChange change = given;
  change.buttons &= pointer_buttons::kAll;
  change.x = change.motion == Motion::Absolute ? std::clamp(change.x, 0, kPointerMax) : change.x;
  change.y = change.motion == Motion::Absolute ? std::clamp(change.y, 0, kPointerMax) : change.y;
  const Pointer target = pointer_for(change.motion);
  // What is held elsewhere can only come up there.
  for (unsigned i = 0; i < kPointers; ++i) {
    const u8 left = buttons_[i] & change.buttons;
    if (i == static_cast<unsigned>(target) || left == buttons_[i]) continue;
    tell(static_cast<Pointer>(i), {.buttons = left});
  }
  // A button that another pointer holds is not pressed here as well.
  for (unsigned i = 0; i < kPointers; ++i)
    if (i != static_cast<unsigned>(target)) change.buttons &= static_cast<u8>(~buttons_[i]);
  if (change.motion != Motion::Absolute) return tell(target, change);
  const PointerChange relative = on_a_mouse(change);
  tell(target, target == Pointer::Tablet ? change : relative);
}

void InputRouter::tell(Pointer pointer, const PointerChange& change) {
  buttons_[static_cast<unsigned>(pointer)] = change.buttons;
  if (pointer == Pointer::Ps2) return i8042_.change_pointer(change);
  devices::InputDevice* const device = pointer == Pointer::Mouse ? mouse_ : tablet_;
  if (active(device)) device->change_pointer(change);
}

PointerChange InputRouter::on_a_mouse(PointerChange change) {
  constexpr i32 kWidth = 1024, kHeight = 768;
  const i32 dx = has_place_ ? pixels(x_, change.x, kWidth) : 0;
  const i32 dy = has_place_ ? pixels(y_, change.y, kHeight) : 0;
  has_place_ = true;
  x_ = change.x;
  y_ = change.y;
  change.motion = Motion::Relative;
  change.x = dx;
  change.y = dy;
  return change;
}

bool InputRouter::waits_for_keys() const {
  return active(keyboard_) ? keyboard_->idle() : i8042_.waits_for_keys();
}

bool InputRouter::has_room_for_pointer() const {
  return active(tablet_) || active(mouse_) || i8042_.mouse().has_room();
}

void InputRouter::publish(InputStatus& status) const {
  status.set(active(keyboard_) ? keyboard_->leds() : i8042_.keyboard().leds(), active(tablet_));
}

void InputRouter::serialize(Archive& archive) {
  archive.tag("input_router");
  archive.value(held_);
  archive.value(held_on_virtio_);
  archive.value(buttons_);
  archive.value(has_place_);
  archive.value(x_);
  archive.value(y_);
  if (archive.loading() && (x_ < 0 || x_ > kPointerMax || y_ < 0 || y_ > kPointerMax)) {
    x_ = y_ = 0;
    archive.fail();
  }
}

}  // namespace reprise::machine
