// GenericEventDevice: what a machine with hardware-reduced ACPI has in place of power management: an event that the guest asks for after
// an interrupt, and the registers for sleeping and reset. ACPI specification 6.4, 4.8.3.6, 4.8.3.7 and 5.6.9; QEMU's
// document of ACPI for reduced hardware for the event selector.
//
//     000h  events since it was read last, a dword
//     200h  sleep control    201h  sleep status    202h  reset
//
// Missing: sleep states other than S5, as there.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

class GenericEventDevice final : public Device, public MmioHandler {
 public:
  static constexpr u64 kBytes = 0x203;
  static constexpr u64 kSleepControl = 0x200;
  static constexpr u64 kSleepStatus = 0x201;
  static constexpr u64 kReset = 0x202;
  static constexpr u8 kResetValue = 0x42;
  static constexpr u8 kSleepTypeSoftOff = 5;
  static constexpr u32 kPowerButtonEvent = 2;

  /// `interrupt` is pulsed.
  GenericEventDevice(IrqLine interrupt, MachineControl& control) : interrupt_(interrupt), control_(control) {}

  /// The user pressed the power button: the guest decides what happens.
  void press_power_button();

  std::string_view name() const override { return "generic_event_device"; }
  void reset(ResetKind) override { events_ = 0; }
  void serialize(Archive& archive) override;

  // MmioHandler
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  const IrqLine interrupt_;
  MachineControl& control_;
  u32 events_ = 0;
};

}  // namespace reprise::devices
