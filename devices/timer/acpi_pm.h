// ACPI fixed hardware: PM1a event and control blocks, PM timer, 16 general-purpose events, and the APM ports with their SMI, in the
// layout of PIIX4 or of ICH9. 82371AB (PIIX4) datasheet 7.2 (PMBASE registers) and 4.2.8 (APM); ICH9 datasheet (316972-004) 13.8.3; ACPI
// specification 6.4, 4.8.3.
// The commands that the FADT names switch ACPI on and off here and raise no SMI: firmware for virtual machines leaves
// them to the board.
// S3 (suspend to RAM) ends by the RTC's alarm, if RTC_EN is set, or by the power button.
// Missing: processor control, thermal and device activity registers (they read as zero), sleep states other than S3 and
// S5 (a request for one wakes up at once), SMI from anything but the APM control port. GLBCTL.EOS is kept, but not asked
// for: SMI# is a pulse. Nor is ICH9's GBL_SMI_EN, which firmware for virtual machines does not set.
#pragma once

#include "common/ports.h"
#include "devices/device.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

/// Which registers are where.
enum class AcpiPmLayout : u8 { Piix4, Ich9 };

struct AcpiPmConfig {
  AcpiPmLayout layout = AcpiPmLayout::Piix4;
  /// FADT TMR_VAL_EXT: a 32-bit PM timer.
  bool timer_32_bit = false;
  /// SLP_TYP of S5 in the DSDT.
  u8 s5_sleep_type = 0;
  /// SLP_TYP of S3.
  u8 s3_sleep_type = 1;
  /// FADT ACPI_ENABLE and ACPI_DISABLE, written to the SMI command port.
  u8 acpi_enable = 0xf1;
  u8 acpi_disable = 0xf0;
};

class AcpiPm final : public Device {
 public:
  /// From PMBASE on.
  static constexpr u32 ports_of(AcpiPmLayout layout) { return layout == AcpiPmLayout::Ich9 ? 128 : 64; }
  u32 ports() const { return ports_of(config_.layout); }
  static constexpr u64 kTimerHz = 3'579'545;

  /// Of the machine around it. FallsAsleep and WakesUp wait for the machine, between two instructions.
  enum class Power : u8 { Awake, FallsAsleep, Asleep, WakesUp };

  /// `smi` is pulsed, and `power_changes` when power() becomes FallsAsleep or WakesUp.
  AcpiPm(AcpiPmConfig config, Clock& clock, IrqLine sci, IrqLine smi, MachineControl& control,
         IrqLine power_changes = {});

  /// The ports at PMBASE, up to dword wide.
  PioHandler& pm_ports() { return pm_ports_; }
  /// B2h-B3h, byte wide.
  PioHandler& smi_ports() { return smi_ports_; }

  /// PIIX4's DEVACTB.APMC_EN in configuration space. Not state of this device.
  void enable_apm_smi(bool enabled) { apm_smi_enabled_ = enabled; }

  /// The user pressed the power button: the guest decides what happens.
  void press_power_button();
  /// General-purpose event `event` (0 to 15) has happened.
  void raise_event(unsigned event);
  /// The RTC's alarm interrupt, by level.
  void set_rtc_alarm(bool level);

  Power power() const { return power_; }
  /// From FallsAsleep to Asleep: the wake logic is on, everything else off. It may be WakesUp at once.
  void fall_asleep();
  /// From WakesUp to Awake.
  void wake_up();

  std::string_view name() const override { return "acpi_pm"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  u32 read_pm(u16 offset, Width width);
  void write_pm(u16 offset, Width width, u32 value);
  u32 read_smi(u16 offset, Width width);
  void write_smi(u16 offset, Width width, u32 value);
  /// The 16-bit register at an even offset; the timer is two of them.
  u16 read_register(u16 offset) const;
  /// `mask` has ones in the bytes that were written.
  void write_register(u16 offset, u16 value, u16 mask);
  /// Of general-purpose events and SMIs.
  void write_event_register(u16 offset, u16 value, u16 mask);
  void write_control(u16 value);
  struct Layout;
  const Layout& layout() const;
  void raise_apm_smi();
  /// What happened counts while asleep: is it a reason to wake up?
  void look_for_wake_event();
  void change_power(Power power);

  u64 timer_clocks() const;
  u32 timer() const;
  unsigned timer_top_bit() const { return config_.timer_32_bit ? 31 : 23; }
  /// PM1_STS with TMR_STS brought up to now.
  u16 status() const;
  u64 timer_toggles() const { return timer_clocks() >> timer_top_bit(); }
  void update_irq();

  const AcpiPmConfig config_;
  Clock& clock_;
  IrqLine sci_;
  IrqLine smi_;
  MachineControl& control_;
  IrqLine power_changes_;
  Clock::TimerId event_;
  PioPorts<AcpiPm> pm_ports_;
  PioPorts<AcpiPm> smi_ports_;

  Power power_ = Power::Awake;
  bool rtc_alarm_ = false;
  u16 status_ = 0;  // PM1_STS without TMR_STS
  u16 enable_ = 0;
  u16 pm_control_ = 0;
  u16 gpe_status_ = 0;
  u16 gpe_enable_ = 0;
  u64 toggles_seen_ = 0;  // TMR_STS is set when the top bit has changed more often than this
  u16 global_status_ = 0;
  u32 global_control_ = 0;
  bool apm_smi_enabled_ = false;
  u8 apm_command_ = 0;
  u8 apm_status_ = 0;
};

}  // namespace reprise::devices
