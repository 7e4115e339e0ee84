// Text output ports: E9h (Bochs) and 402h (SeaBIOS, OVMF). Reads give E9h, which is how firmware finds them.
#pragma once

#include "common/ports.h"
#include "devices/backend.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes one port, byte wide; the same object may be mapped at both.
class DebugPort final : public Device, public PioHandler {
 public:
  explicit DebugPort(CharBackend& backend) : backend_(backend) {}

  std::string_view name() const override { return "debug_port"; }
  void reset(ResetKind) override {}
  void serialize(Archive& archive) override { archive.tag("debug_port"); }
  u32 pio_read(u16, Width) override { return 0xe9; }
  void pio_write(u16, Width, u32 value) override {
    const u8 byte = static_cast<u8>(value);
    backend_.write({&byte, 1});
  }

 private:
  CharBackend& backend_;
};

}  // namespace reprise::devices
