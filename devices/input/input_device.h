// Where keys and pointer changes end up besides the PS/2 ports: a keyboard or pointer that a driver of the guest runs.
#pragma once

#include "common/keys.h"
#include "common/pointer.h"

namespace reprise::devices {

class InputDevice {
 public:
  virtual ~InputDevice() = default;
  /// The guest's driver runs it.
  virtual bool active() const = 0;
  /// The guest has taken all there was.
  virtual bool idle() const = 0;
  virtual void press(Key key, bool down) = 0;
  virtual void change_pointer(const PointerChange& change) = 0;
  /// As InputStatus has them.
  virtual u8 leds() const = 0;
};

}  // namespace reprise::devices
