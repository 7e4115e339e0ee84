// The host side of devices, as devices see it. Host input comes the other way: the machine pushes it into the device.
#pragma once

#include <span>

#include "common/types.h"

namespace reprise::devices {

/// Where a character device sends its bytes. Called on the thread that runs the machine; must not block the guest
/// and must not call back into the device.
class CharBackend {
 public:
  virtual ~CharBackend() = default;
  virtual void write(std::span<const u8> bytes) = 0;
};

}  // namespace reprise::devices
