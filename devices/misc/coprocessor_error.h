// The PC's handling of x87 errors: FERR# of the processor raises IRQ 13; a write to port F0h takes the
// request back and asserts IGNNE#, until the next error. 82371AB (PIIX4) datasheet 4.2.10 "Coprocessor
// Error"; SDM 1 appendix D.2. The processor does not tell when FERR# goes low: the flip-flop of IGNNE# is
// cleared by the next rise instead, which no program can tell apart.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes port F0h, byte wide, which reads as nothing.
class CoprocessorError final : public Device, public PioHandler {
 public:
  explicit CoprocessorError(IrqLine irq13) : irq13_(irq13) {}

  /// FERR# rises.
  void begin();
  /// FERR# is high and the processor asks for IGNNE#. Raises IRQ 13 unless that is asserted.
  bool ignored();

  std::string_view name() const override { return "coprocessor_error"; }
  void reset(ResetKind) override;
  void serialize(Archive& archive) override;
  u32 pio_read(u16, Width) override { return 0xff; }
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  void set_request(bool request);

  IrqLine irq13_;
  bool ferr_ = false;
  bool ignne_ = false;
  bool request_ = false;
};

}  // namespace reprise::devices
