#include "devices/irq/lapic_timer.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr u64 kMinPeriodNs = 1000;
constexpr u32 kDivideMask = 0b1011;

}  // namespace

LapicTimer::LapicTimer(Clock& clock, std::function<void()> expired)
    : clock_(clock),
      expired_(std::move(expired)),
      event_(clock.create_timer("lapic", [this] { on_event(); })) {}

// SDM 3A figure 10-10: 000 divides by 2, 110 by 128, 111 by 1.
unsigned LapicTimer::divisor() const {
  const u32 code = (divide_configuration_ & 3) | (divide_configuration_ & 8) >> 1;
  return 1u << ((code + 1) & 7);
}

u64 LapicTimer::expiry_after(u64 now_ns) const {
  if (expiry_ns_ == Clock::kNever || expiry_ns_ > now_ns) return expiry_ns_;
  if (mode_ != Mode::Periodic || period_ns() == 0) return Clock::kNever;
  return expiry_ns_ + ((now_ns - expiry_ns_) / period_ns() + 1) * period_ns();
}

void LapicTimer::roll_forward() {
  expiry_ns_ = expiry_after(clock_.now_ns());
  if (mode_ == Mode::TscDeadline && expiry_ns_ == Clock::kNever) tsc_deadline_ = 0;
}

void LapicTimer::update_event() {
  if (masked_ || expiry_ns_ == Clock::kNever)
    clock_.cancel(event_);
  else
    clock_.arm(event_, expiry_ns_);
}

void LapicTimer::on_event() {
  if (masked_ || expiry_ns_ > clock_.now_ns()) return;
  roll_forward();
  if (mode_ == Mode::Periodic && period_ns() < kMinPeriodNs && expiry_ns_ != Clock::kNever)
    expiry_ns_ += (kMinPeriodNs - 1) / period_ns() * period_ns();
  update_event();
  expired_();
}

void LapicTimer::set_lvt(Mode mode, bool masked) {
  if (masked_) roll_forward();
  if ((mode == Mode::TscDeadline) != (mode_ == Mode::TscDeadline)) {
    expiry_ns_ = Clock::kNever;
    tsc_deadline_ = 0;
    initial_count_ = 0;
  }
  mode_ = mode;
  masked_ = masked;
  update_event();
}

void LapicTimer::set_initial_count(u32 count) {
  if (mode_ == Mode::TscDeadline) return;
  initial_count_ = count;
  expiry_ns_ = count ? clock_.now_ns() + period_ns() : Clock::kNever;
  update_event();
}

u32 LapicTimer::current_count() const {
  if (mode_ == Mode::TscDeadline) return 0;
  const u64 now_ns = clock_.now_ns();
  const u64 expiry_ns = expiry_after(now_ns);
  if (expiry_ns == Clock::kNever) return 0;
  u64 left_ns = expiry_ns - now_ns;
  if (mode_ == Mode::Periodic && left_ns > period_ns()) left_ns = (left_ns - 1) % period_ns() + 1;
  return static_cast<u32>((left_ns + divisor() - 1) / divisor());
}

void LapicTimer::set_divide_configuration(u32 value) {
  const u32 count = current_count();
  divide_configuration_ = value & kDivideMask;
  if (mode_ == Mode::TscDeadline) return;
  expiry_ns_ = count ? clock_.now_ns() + u64{count} * divisor() : Clock::kNever;
  update_event();
}

void LapicTimer::aim_at_tsc_deadline() {
  const u64 now_ns = clock_.now_ns();
  expiry_ns_ = tsc_deadline_ == 0 ? Clock::kNever : std::clamp(tsc_deadline_, now_ns, Clock::kNever - 1);
  update_event();
}

void LapicTimer::set_tsc_deadline(u64 deadline_ns) {
  if (mode_ != Mode::TscDeadline) return;
  tsc_deadline_ = deadline_ns;
  aim_at_tsc_deadline();
}

u64 LapicTimer::tsc_deadline() const {
  const bool passed_unseen = masked_ && expiry_after(clock_.now_ns()) == Clock::kNever;
  return mode_ != Mode::TscDeadline || passed_unseen ? 0 : tsc_deadline_;
}

void LapicTimer::reset() {
  mode_ = Mode::OneShot;
  masked_ = true;
  initial_count_ = 0;
  divide_configuration_ = 0;
  expiry_ns_ = Clock::kNever;
  tsc_deadline_ = 0;
  update_event();
}

void LapicTimer::serialize(Archive& archive) {
  archive.at_most(mode_, Mode::TscDeadline);
  archive.value(masked_);
  archive.value(initial_count_);
  archive.value(divide_configuration_);
  archive.value(expiry_ns_);
  archive.value(tsc_deadline_);
  if (!archive.loading()) return;
  divide_configuration_ &= kDivideMask;
  // An expiry comes of a count, which is divided by.
  if (mode_ != Mode::TscDeadline && expiry_ns_ != Clock::kNever && initial_count_ == 0) {
    reset();
    archive.fail();
  }
  update_event();
}

}  // namespace reprise::devices
