// Reset control register, port CF9h. 82371AB (PIIX4) datasheet 4.2.9 "RC: Reset Control Register".
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes port CF9h, byte wide. The port lies inside CONFADD, which only answers to dwords:
/// pci/config_mechanism1 passes byte accesses on to here.
class ResetControl final : public Device, public PioHandler {
 public:
  explicit ResetControl(MachineControl& control) : control_(control) {}

  std::string_view name() const override { return "reset_control"; }
  void reset(ResetKind) override { value_ = 0; }
  void serialize(Archive& archive) override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  MachineControl& control_;
  u8 value_ = 0;
};

}  // namespace reprise::devices
