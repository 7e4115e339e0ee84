// High Precision Event Timers: IA-PC HPET specification 1.0a. One 64-bit main counter at 100 MHz (10 ns) and three
// 64-bit comparators, all able to be periodic; legacy replacement routing; edge and level interrupts.
// FSB (MSI) delivery is not offered.
// Differs from hardware: periods under 1 us expire at most once a microsecond, so that no guest can swamp its host.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As MmioHandler it is the 1 KiB register block, usually at FED00000h. As IrqSink it takes IRQ0 of the PIT (line 0)
/// and IRQ8 of the RTC (line 1), and passes them on unless legacy replacement is active.
class Hpet final : public Device, public MmioHandler, public IrqSink {
 public:
  static constexpr unsigned kTimers = 3;
  static constexpr u64 kTickNs = 10;

  /// `ioapic` gets one line per pin in `routes` (the pins timers may be routed to); `irq0` and `irq8` go wherever the PIT
  /// and the RTC would.
  Hpet(Clock& clock, IrqSink& ioapic, IrqLine irq0, IrqLine irq8, u32 routes = 0x00f0'0000);

  std::string_view name() const override { return "hpet"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;
  void set_irq(unsigned line, bool level) override;

 private:
  struct Comparator {
    Clock::TimerId event = 0;
    u64 config = 0;
    u64 value = 0;
    u64 period = 0;
  };
  enum class MatchNow : u8 { No, Yes };

  u64 read_register(u64 offset) const;
  void write_register(u64 offset, u64 value, u64 written_mask);
  void write_config(u64 value);
  void write_timer_config(unsigned index, u64 value);
  void write_comparator(unsigned index, u64 value, u64 written_mask);

  bool enabled() const { return config_ & 1; }
  bool legacy() const { return config_ & 2; }
  u64 counter() const;
  void set_counter(u64 value);
  u64 timer_config_fixed() const;
  /// All ones of the timer's width.
  u64 mask_of(const Comparator& timer) const;
  /// Asks for the event of the next match; a match at this very tick counts only with MatchNow::Yes.
  void arm(unsigned index, MatchNow match_now);
  void arm_all(MatchNow match_now);
  void on_match(unsigned index);
  void update_irq();
  void pulse(unsigned index);
  unsigned route(unsigned index) const;

  Clock& clock_;
  IrqSink& ioapic_;
  IrqLine irq0_;
  IrqLine irq8_;
  const u32 routes_;

  u64 config_ = 0;
  u32 status_ = 0;  // level-triggered timers that wait to be cleared
  u64 counter_base_ = 0;
  u64 counter_start_ns_ = 0;  // when the counter held counter_base_; meaningful while enabled
  std::array<Comparator, kTimers> timers_{};
  std::array<bool, 2> legacy_inputs_{};
  // By timer: an edge went out to IRQ0 or IRQ8, whose line stays up until the next: the 8259 forgets a request that drops.
  std::array<bool, 2> legacy_edges_{};
  u32 asserted_pins_ = 0;
};

}  // namespace reprise::devices
