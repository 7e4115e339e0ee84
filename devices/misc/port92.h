// Port 92h, "system control port A": fast A20 and fast reset. IBM PS/2 Hardware Interface Technical Reference;
// 82371AB datasheet 4.2.7. The other bits (lamps, password lock) are memory.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes port 92h, byte wide.
class Port92 final : public Device, public PioHandler {
 public:
  /// `a20` is this port's word on address line 20, to be ORed with that of the keyboard controller.
  Port92(IrqLine a20, MachineControl& control) : a20_(a20), control_(control) {}

  std::string_view name() const override { return "port92"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  IrqLine a20_;
  MachineControl& control_;
  u8 value_ = 0;
};

}  // namespace reprise::devices
