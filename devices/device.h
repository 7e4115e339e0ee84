// Device: what every emulated device is, besides the small bus interfaces of common/ports.h that it implements.
#pragma once

#include <string>
#include <string_view>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

/// PowerOn: the machine was switched on. Warm: RESET# pulsed (port 92h, CF9h, i8042, triple fault).
enum class ResetKind : u8 { PowerOn, Warm };

/// Everything a device needs (wires, clock, DMA port, back end, log) is a constructor argument.
/// All methods run on the thread that runs the machine.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;
  virtual void reset(ResetKind kind) = 0;
  /// All guest-visible state, once, for saving, loading and hashing. Timers are re-armed by a load.
  virtual void serialize(Archive& archive) = 0;
  /// A few lines of text for a person: registers by their datasheet names.
  virtual std::string debug_dump() const { return {}; }
};

}  // namespace reprise::devices
