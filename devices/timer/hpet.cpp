#include "devices/timer/hpet.h"

#include <fmt/format.h>

#include "common/bits.h"
#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Registers, specification 2.3.
constexpr u64 kCapabilities = 0x000;
constexpr u64 kConfig = 0x010;
constexpr u64 kStatus = 0x020;
constexpr u64 kCounter = 0x0f0;
constexpr u64 kTimersBase = 0x100;
constexpr u64 kTimerStride = 0x20;
constexpr u64 kTimerConfig = 0x00;
constexpr u64 kTimerComparator = 0x08;

// 2.3.4: 10 ns in femtoseconds, vendor 8086h, legacy replacement and 64-bit counter, three timers, revision 1.
constexpr u64 kCapabilitiesValue = u64{10'000'000} << 32 | 0x8086'a001 | (Hpet::kTimers - 1) << 8;

// 2.3.5.
constexpr u64 kConfigWritable = 3;

// 2.3.8.
constexpr u64 kLevel = 1u << 1;
constexpr u64 kInterruptEnable = 1u << 2;
constexpr u64 kPeriodic = 1u << 3;
constexpr u64 kPeriodicCapable = 1u << 4;
constexpr u64 k64BitCapable = 1u << 5;
constexpr u64 kSetValue = 1u << 6;
constexpr u64 k32BitMode = 1u << 8;
constexpr u64 kRoute = 0x1fu << 9;
constexpr u64 kTimerWritable = kLevel | kInterruptEnable | kPeriodic | kSetValue | k32BitMode;

constexpr u64 kMinPeriodTicks = 100;

/// What reading the counter takes longer than an instruction: docs/decisions/0008-deliveries-and-timer-reads-stall.md.
constexpr u64 kCounterReadNs = 500;

}  // namespace

Hpet::Hpet(Clock& clock, IrqSink& ioapic, IrqLine irq0, IrqLine irq8, u32 routes)
    : clock_(clock), ioapic_(ioapic), irq0_(irq0), irq8_(irq8), routes_(routes) {
  for (unsigned i = 0; i < kTimers; ++i)
    timers_[i].event = clock.create_timer("hpet", [this, i] { on_match(i); });
  reset(ResetKind::PowerOn);
}

void Hpet::reset(ResetKind) {
  config_ = 0;
  status_ = 0;
  counter_base_ = 0;
  counter_start_ns_ = 0;
  for (Comparator& timer : timers_) {
    timer.config = 0;
    timer.value = ~u64{0};
    timer.period = 0;
    clock_.cancel(timer.event);
  }
  update_irq();
}

u64 Hpet::counter() const {
  return enabled() ? counter_base_ + (clock_.now_ns() - counter_start_ns_) / kTickNs : counter_base_;
}

void Hpet::set_counter(u64 value) {
  counter_base_ = value;
  counter_start_ns_ = clock_.now_ns();
}

u64 Hpet::mask_of(const Comparator& timer) const { return timer.config & k32BitMode ? 0xffff'ffff : ~u64{0}; }
u64 Hpet::timer_config_fixed() const { return u64{routes_} << 32 | kPeriodicCapable | k64BitCapable; }
unsigned Hpet::route(unsigned index) const {
  return static_cast<unsigned>(field(timers_[index].config, 9, 5));
}

void Hpet::arm(unsigned index, MatchNow match_now) {
  const Comparator& timer = timers_[index];
  clock_.cancel(timer.event);
  if (!enabled() || !(timer.config & (kInterruptEnable | kLevel | kPeriodic))) return;
  const u64 count = counter();
  u128 ticks = (timer.value - count) & mask_of(timer);
  if (ticks == 0 && match_now == MatchNow::No) ticks = u128{mask_of(timer)} + 1;
  const u128 deadline_ns = counter_start_ns_ + (u128{count - counter_base_} + ticks) * kTickNs;
  if (deadline_ns < Clock::kNever) clock_.arm(timer.event, static_cast<u64>(deadline_ns));
}

void Hpet::arm_all(MatchNow match_now) {
  for (unsigned i = 0; i < kTimers; ++i) arm(i, match_now);
}

void Hpet::on_match(unsigned index) {
  Comparator& timer = timers_[index];
  if (!enabled()) return;
  if ((timer.config & kPeriodic) && timer.period != 0) {
    const u64 mask = mask_of(timer);
    u64 steps = ((counter() - timer.value) & mask) / timer.period + 1;
    if (timer.period < kMinPeriodTicks) steps += (kMinPeriodTicks - 1) / timer.period;
    timer.value = (timer.value + steps * timer.period) & mask;
  }
  if (timer.config & kLevel)
    status_ |= 1u << index;
  else if (timer.config & kInterruptEnable)
    pulse(index);
  arm(index, MatchNow::No);
  update_irq();
}

void Hpet::pulse(unsigned index) {
  if (legacy() && index < 2) {
    const IrqLine& line = index == 0 ? irq0_ : irq8_;
    line.set(false);
    line.set(true);
    legacy_edges_[index] = true;
    return;
  }
  const unsigned pin = route(index);
  if (!bit(routes_, pin) || bit(asserted_pins_, pin)) return;
  ioapic_.set_irq(pin, true);
  ioapic_.set_irq(pin, false);
}

void Hpet::update_irq() {
  u32 pins = 0;
  bool legacy_level[2] = {};
  for (unsigned i = 0; i < kTimers; ++i) {
    const bool may = enabled() && (timers_[i].config & kInterruptEnable);
    const bool active = may && bit(status_, i);
    if (i < 2 && !(may && legacy() && !(timers_[i].config & kLevel))) legacy_edges_[i] = false;
    if (legacy() && i < 2)
      legacy_level[i] = active || legacy_edges_[i];
    else if (active)
      pins |= 1u << route(i) & routes_;
  }
  irq0_.set(legacy() ? legacy_level[0] : legacy_inputs_[0]);
  irq8_.set(legacy() ? legacy_level[1] : legacy_inputs_[1]);
  for (u32 changed = pins ^ asserted_pins_; changed; changed &= changed - 1) {
    const unsigned pin = static_cast<unsigned>(std::countr_zero(changed));
    ioapic_.set_irq(pin, bit(pins, pin));
  }
  asserted_pins_ = pins;
}

void Hpet::set_irq(unsigned line, bool level) {
  if (line > 1 || legacy_inputs_[line] == level) return;
  legacy_inputs_[line] = level;
  if (!legacy()) (line == 0 ? irq0_ : irq8_).set(level);
}

u64 Hpet::read_register(u64 offset) const {
  switch (offset) {
    case kCapabilities: return kCapabilitiesValue;
    case kConfig: return config_;
    case kStatus: return status_;
    case kCounter: return counter();
    default: break;
  }
  if (offset < kTimersBase || offset >= kTimersBase + kTimers * kTimerStride) return 0;
  const Comparator& timer = timers_[(offset - kTimersBase) / kTimerStride];
  switch ((offset - kTimersBase) % kTimerStride) {
    case kTimerConfig: return timer.config | timer_config_fixed();
    case kTimerComparator: return timer.value;
    default: return 0;
  }
}

u64 Hpet::mmio_read(u64 offset, Width width) {
  if ((offset & ~u64{7}) == kCounter) clock_.stall(kCounterReadNs);
  const u64 value = read_register(offset & ~u64{7});
  return (value >> (8 * (offset & 7))) & width_mask(width);
}

// Specification 2.3: registers are accessed as dwords or qwords; narrower writes are dropped.
void Hpet::mmio_write(u64 offset, Width width, u64 value) {
  if (width < Width::Dword) return;
  const unsigned shift = 8 * static_cast<unsigned>(offset & 7);
  const u64 written_mask = width_mask(width) << shift;
  const u64 old = read_register(offset & ~u64{7});
  const u64 merged = (old & ~written_mask) | (value << shift & written_mask);
  write_register(offset & ~u64{7}, merged, written_mask);
}

void Hpet::write_register(u64 offset, u64 value, u64 written_mask) {
  switch (offset) {
    case kConfig: return write_config(value);
    case kStatus: status_ &= ~static_cast<u32>(value & written_mask); return update_irq();
    case kCounter: set_counter(value); return arm_all(MatchNow::Yes);
    default: break;
  }
  if (offset < kTimersBase || offset >= kTimersBase + kTimers * kTimerStride) return;
  const unsigned index = static_cast<unsigned>((offset - kTimersBase) / kTimerStride);
  switch ((offset - kTimersBase) % kTimerStride) {
    case kTimerConfig: return write_timer_config(index, value);
    case kTimerComparator: return write_comparator(index, value, written_mask);
    default: return;
  }
}

void Hpet::write_config(u64 value) {
  const u64 count = counter();
  const bool was_enabled = enabled();
  config_ = value & kConfigWritable;
  if (enabled() != was_enabled) {
    set_counter(count);
    arm_all(MatchNow::Yes);
  }
  update_irq();
}

void Hpet::write_timer_config(unsigned index, u64 value) {
  Comparator& timer = timers_[index];
  u64 config = (value & kTimerWritable) | (timer.config & kRoute);
  // 2.3.8: a route that the timer cannot take does not stick.
  if (bit(routes_, static_cast<unsigned>(field(value, 9, 5)))) config = (config & ~kRoute) | (value & kRoute);
  timer.config = config;
  if (config & k32BitMode) {
    timer.value &= 0xffff'ffff;
    timer.period &= 0xffff'ffff;
  }
  if (!(config & kLevel)) status_ &= ~(1u << index);
  arm(index, MatchNow::No);
  update_irq();
}

// 2.3.9.2.2: in periodic mode a write sets the period, and the accumulator too while Tn_VAL_SET_CNF stands.
void Hpet::write_comparator(unsigned index, u64 value, u64 written_mask) {
  Comparator& timer = timers_[index];
  const u64 mask = mask_of(timer);
  if (timer.config & kPeriodic) {
    timer.period = ((timer.period & ~written_mask) | (value & written_mask)) & mask;
    if (timer.config & kSetValue) timer.value = value & mask;
    timer.config &= ~kSetValue;
  } else {
    timer.value = value & mask;
  }
  arm(index, MatchNow::Yes);
}

void Hpet::serialize(Archive& archive) {
  archive.tag("hpet");
  archive.value(config_);
  archive.value(status_);
  archive.value(counter_base_);
  archive.value(counter_start_ns_);
  for (Comparator& timer : timers_) {
    archive.value(timer.config);
    archive.value(timer.value);
    archive.value(timer.period);
    serialize_timer(archive, clock_, timer.event);
  }
  archive.value(legacy_inputs_);
  archive.value(legacy_edges_);
  archive.value(asserted_pins_);
}

std::string Hpet::debug_dump() const {
  std::string text = fmt::format("config={:x} status={:x} counter={:x}\n", config_, status_, counter());
  for (const Comparator& timer : timers_)
    text += fmt::format("timer config={:x} comparator={:x} period={:x}\n",
                        timer.config | timer_config_fixed(), timer.value, timer.period);
  return text;
}

}  // namespace reprise::devices
