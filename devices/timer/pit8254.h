// 8254 programmable interval timer with port 61h (NMI status and control). Intel 8254 datasheet (231164-005);
// 82371AB (PIIX4) datasheet 4.2.5 for port 61h. The clock is 1193182 Hz, derived exactly from virtual time.
// OUT and the counting element are pure functions of virtual time between register writes; the clock is asked for an
// event only for the edges of OUT0.
// Missing: parity and I/O check sources of port 61h; the refresh bit is a fixed 15 us square wave, whatever channel 1 does.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

inline constexpr u64 kPitHz = 1'193'182;

/// One counter. Time is in clocks of the 8254 since virtual time zero, and never goes back.
class PitChannel {
 public:
  static constexpr i64 kNoClock = INT64_MAX;

  void write_control(u8 control, i64 now);
  void write_count(u8 byte, i64 now);
  u8 read_count(i64 now);
  void latch_count(i64 now);
  void latch_status(i64 now);
  void set_gate(bool level, i64 now);
  bool gate() const { return gate_; }

  bool out(i64 now);
  /// The next clock after `now` at which OUT may change, or kNoClock.
  i64 next_edge(i64 now);

  void serialize(Archive& archive);
  std::string debug_dump(i64 now);

 private:
  /// Control word bits 5:4.
  enum class Access : u8 { Latch, Low, High, LowThenHigh };

  void load(i64 now);
  void restart(i64 now);
  /// Applies a new count that was waiting for the end of a cycle (modes 2 and 3).
  void settle(i64 now);
  bool periodic() const { return mode_ == 2 || mode_ == 3; }
  bool gate_triggered() const { return mode_ == 1 || mode_ == 5; }
  u32 programmed_count() const;
  u32 modulus() const { return bcd_ ? 10000 : 65536; }
  /// Clocks since the count was loaded; negative when that is still to come.
  i64 elapsed(i64 now) const { return frozen_ ? frozen_elapsed_ : now - epoch_; }
  /// Mode 3: the clocks for which OUT is high.
  static i64 high_half(u32 count) { return (i64{count} + 1) / 2; }
  u16 counting_element(i64 now);
  u16 to_register(u32 count) const;
  u8 status(i64 now);

  u8 mode_ = 0;
  bool bcd_ = false;
  Access access_ = Access::LowThenHigh;
  bool gate_ = true;

  u16 count_register_ = 0;  // as written, CR
  u32 count_ = 65536;       // what the current cycle counts from, 1 to 65536
  bool written_ = false;    // a count was written since the control word
  bool counting_ = false;   // and has been, or is about to be, loaded
  bool null_count_ = true;  // CR is not yet in the counting element
  i64 epoch_ = 0;           // the clock at which count_ was loaded
  bool frozen_ = false;     // stopped by the gate (or by half a count, mode 0) after frozen_elapsed_ clocks
  i64 frozen_elapsed_ = 0;
  i64 switch_ = kNoClock;  // modes 2 and 3: the clock at which a waiting count takes over
  bool switch_to_low_half_ = false;

  bool write_high_next_ = false;
  bool read_high_next_ = false;
  u8 latched_bytes_ = 0;  // of the count latch, still to be read
  u16 latched_count_ = 0;
  bool status_latched_ = false;
  u8 latched_status_ = 0;
};

/// Three channels: 0 drives IRQ0, 1 drives nothing, 2 drives the speaker and port 61h.
class Pit8254 final : public Device {
 public:
  /// Who listens to channel 2: a host-side observer, no part of the device.
  class SpeakerListener {
   public:
    virtual ~SpeakerListener() = default;
    /// From now on the speaker has what `channel` gives, if `enabled` (bit 1 of port 61h).
    virtual void speaker_changed(const PitChannel& channel, bool enabled) = 0;
  };

  Pit8254(Clock& clock, IrqLine irq0);
  /// `listener` outlives it.
  void on_speaker(SpeakerListener* listener) { speaker_ = listener; }

  /// 40h-43h and 61h, byte wide.
  PioHandler& counter_ports() { return counter_ports_; }
  PioHandler& port61() { return port61_; }

  std::string_view name() const override { return "pit8254"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  u32 read_counter(u16 offset, Width width);
  void write_counter(u16 offset, Width width, u32 value);
  u32 read_port61(u16 offset, Width width);
  void write_port61(u16 offset, Width width, u32 value);
  i64 now_clocks() const;
  /// Drives IRQ0 from OUT0 and asks for the next edge.
  void update_irq(i64 at_clock);
  void on_edge();
  void tell_speaker();

  Clock& clock_;
  IrqLine irq0_;
  Clock::TimerId event_;
  PioPorts<Pit8254> counter_ports_;
  PioPorts<Pit8254> port61_;
  std::array<PitChannel, 3> channels_;
  i64 next_edge_ = PitChannel::kNoClock;
  u8 port61_control_ = 0;
  SpeakerListener* speaker_ = nullptr;
};

}  // namespace reprise::devices
