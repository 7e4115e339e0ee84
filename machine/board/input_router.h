// InputRouter: to which of the board's keyboards and pointers goes what hands do. A virtio device takes it while the guest's
// driver runs it; otherwise the PS/2 ports do.
//
// A key comes up where it went down, whichever keyboard takes keys by then. An absolute position for a guest that has no
// tablet becomes the way from the position before, on a screen of 1024 by 768.
#pragma once

#include <array>

#include "common/archive.h"
#include "common/keys.h"
#include "common/pointer.h"
#include "devices/input/i8042.h"
#include "devices/input/input_device.h"
#include "machine/outside/input_status.h"

namespace reprise::machine {

class InputRouter {
 public:
  explicit InputRouter(devices::I8042& i8042) : i8042_(i8042) {}

  /// What is plugged in, before the run; nullptr: nothing.
  void attach_keyboard(devices::InputDevice* keyboard) { keyboard_ = keyboard; }
  void attach_mouse(devices::InputDevice* mouse) { mouse_ = mouse; }
  void attach_tablet(devices::InputDevice* tablet) { tablet_ = tablet; }

  void key(Key key, bool down);
  void pointer(const PointerChange& change);

  /// The guest wants keys, and has taken all there were.
  bool waits_for_keys() const;
  /// The guest can be told of another change: it misses no buttons of before, and the pointer is nearly where it was sent.
  bool has_room_for_pointer() const;

  void publish(InputStatus& status) const;
  void serialize(Archive& archive);

 private:
  enum class Pointer : u8 { Ps2, Mouse, Tablet };
  static constexpr unsigned kPointers = 3;

  static bool active(const devices::InputDevice* device) { return device != nullptr && device->active(); }
  Pointer pointer_for(PointerChange::Motion motion) const;
  void tell(Pointer pointer, const PointerChange& change);
  PointerChange on_a_mouse(PointerChange change);

  devices::I8042& i8042_;
  devices::InputDevice* keyboard_ = nullptr;
  devices::InputDevice* mouse_ = nullptr;
  devices::InputDevice* tablet_ = nullptr;

  std::array<bool, 256> held_{};            // keys, by code
  std::array<bool, 256> held_on_virtio_{};  // of these, where they went down
  std::array<u8, kPointers> buttons_{};     // that each pointer shows as held
  bool has_place_ = false;
  i32 x_ = 0, y_ = 0;  // the last absolute position
};

}  // namespace reprise::machine
