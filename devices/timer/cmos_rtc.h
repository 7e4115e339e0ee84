// MC146818 real-time clock with 128 bytes of CMOS memory, as in PIIX. Motorola MC146818 datasheet (ADI1018);
// 82371AB (PIIX4) datasheet 4.2.4 and 12.6.
// The time of day is register bytes that step once a second of virtual time, as in the chip: formats are never
// converted, and whatever the guest wrote is where counting goes on. Byte 32h is the century and steps too.
// Missing: daylight saving, the square wave, time bases other than 32768 Hz (they stop the clock).
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

struct RtcConfig {
  /// The time of day (UTC, or local time for guests that want that) at virtual time zero, as seconds since 1970.
  i64 base_unix_seconds = 0;
};

class CmosRtc final : public Device {
 public:
  static constexpr unsigned kBytes = 128;

  /// `alarm` is up while the alarm interrupts: for those that wake up by it.
  CmosRtc(RtcConfig config, Clock& clock, IrqLine irq8, IrqLine alarm = {});

  /// 70h-71h, byte wide.
  PioHandler& ports() { return ports_; }
  /// For the machine: memory bytes that firmware expects to find. Time and control registers are not for this.
  void set_memory(u8 index, u8 value) { registers_[index & (kBytes - 1)] = value; }

  std::string_view name() const override { return "cmos_rtc"; }
  /// The RESET pin: interrupts off; time and memory live on the battery.
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  /// The alarm will interrupt, within a day.
  bool alarm_is_set() const;

 private:
  u32 read_port(u16 offset, Width width);
  void write_port(u16 offset, Width width, u32 value);
  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);
  void write_a(u8 value);
  void write_b(u8 value);

  u8 encode(unsigned value) const;
  unsigned decode(u8 value) const;
  u8 encode_hour(unsigned hour) const;
  unsigned decode_hour(u8 value) const;

  bool running() const;
  bool updating() const;
  bool update_in_progress() const;
  u64 elapsed_ns() const { return clock_.now_ns() - phase_ns_; }
  /// In 32768 Hz clocks; 0 when there are no periodic interrupts.
  u64 period_clocks() const;
  u64 periods_elapsed() const;
  void advance(u64 seconds);
  /// 1 to 86400, or 0 when the alarm never matches.
  u32 seconds_to_alarm() const;
  /// Brings registers and flags up to now.
  void catch_up();
  /// Drives IRQ8 from registers B and C, and asks for the next event that could change it.
  void update_irq();

  Clock& clock_;
  IrqLine irq8_;
  IrqLine alarm_;
  Clock::TimerId event_;
  PioPorts<CmosRtc> ports_;

  std::array<u8, kBytes> registers_{};
  u8 index_ = 0;
  /// When the divider chain was at zero, modulo 2^64: seconds end at whole seconds after this.
  u64 phase_ns_ = 0;
  u64 seconds_done_ = 0;  // since phase_ns_
  u64 periods_done_ = 0;
};

}  // namespace reprise::devices
