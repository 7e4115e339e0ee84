// The port by which a guest's kernel tells that it panicked. QEMU docs/specs/pvpanic; Linux finds it through
// the ACPI device QEMU0001.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes port 505h, byte wide. A read says which events are heard, a write tells of some.
class Pvpanic final : public Device, public PioHandler {
 public:
  explicit Pvpanic(MachineControl& control) : control_(control) {}

  std::string_view name() const override { return "pvpanic"; }
  void reset(ResetKind) override {}
  void serialize(Archive& archive) override { archive.tag("pvpanic"); }
  u32 pio_read(u16, Width) override { return kPanicked | kCrashLoaded; }
  void pio_write(u16, Width, u32 value) override {
    if (value & kPanicked) control_.request(MachineRequest::Panic);
  }

 private:
  static constexpr u32 kPanicked = 1;
  /// The guest starts a crash kernel of its own: it lives on.
  static constexpr u32 kCrashLoaded = 2;

  MachineControl& control_;
};

}  // namespace reprise::devices
