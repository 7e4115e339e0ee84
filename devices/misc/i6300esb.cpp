#include "devices/misc/i6300esb.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Configuration space, 16.2.
constexpr unsigned kWdtConfig = 0x60;
constexpr u16 kFastPrescaler = 1u << 2;   // WDT_PRE_SEL: the clock divided by 2^5 rather than 2^15
constexpr u16 kOutputDisabled = 1u << 5;  // WDT_OUTPUT
constexpr u16 kConfigWritable = 0x0027;
constexpr unsigned kWdtLock = 0x68;
constexpr u8 kLocked = 1u << 0;
constexpr u8 kEnable = 1u << 1;
constexpr u8 kFreeRunning = 1u << 2;  // WDT_TOUT_CNF

// Memory-mapped registers, 16.3.
constexpr u64 kPreload1 = 0x00;
constexpr u64 kPreload2 = 0x04;
constexpr u64 kInterruptStatus = 0x08;
constexpr u64 kReload = 0x0c;
constexpr u32 kBarBytes = 16;
constexpr u32 kPreloadMask = 0xf'ffff;
constexpr u16 kReloadNow = 1u << 8;
constexpr u16 kTimedOut = 1u << 9;
constexpr u8 kUnlockFirst = 0x80;
constexpr u8 kUnlockSecond = 0x86;

constexpr u64 kPciHz = 33'000'000;

}  // namespace

I6300Esb::I6300Esb(Clock& clock, std::function<void()> expired)
    : PciFunction({.vendor = 0x8086, .device = 0x25ab, .class_code = 0x088000}),
      clock_(clock),
      expired_(std::move(expired)),
      timer_(clock.create_timer("i6300esb", [this] { timer_event(); })) {
  define_memory_bar(0, kBarBytes, *this);
  define16(kWdtConfig, 0, kConfigWritable);
  define8(kWdtLock, 0, kLocked | kEnable | kFreeRunning);
  apply_reset_values();
}

void I6300Esb::reset(ResetKind kind) {
  PciFunction::reset(kind);
  stop();
  preload_[0] = preload_[1] = kPreloadMask;
  unlock_step_ = 0;
  interrupt_active_ = false;
  if (kind == ResetKind::PowerOn) expired_before_ = false;
}

bool I6300Esb::enabled() const { return (byte(kWdtLock) & kEnable) != 0; }

/// Once locked, only a reset unlocks.
u8 I6300Esb::writable(unsigned offset) const {
  if (offset == kWdtLock && (byte(kWdtLock) & kLocked)) return 0;
  return PciFunction::writable(offset);
}

void I6300Esb::config_changed(ConfigChange change) {
  if (!change.touches(kWdtLock, 1)) return;
  if (!enabled())
    stop();
  else if (stage_ == Stage::Stopped)
    start(Stage::First);
}

void I6300Esb::start(Stage stage) {
  stage_ = stage;
  const u32 preload = std::max(preload_[stage == Stage::First ? 0 : 1], u32{1});
  const unsigned prescaler_bits = word(kWdtConfig) & kFastPrescaler ? 5 : 15;
  clock_.arm(timer_, clock_.now_ns() + clocks_to_ns(u64{preload} << prescaler_bits, kPciHz));
}

void I6300Esb::stop() {
  stage_ = Stage::Stopped;
  clock_.cancel(timer_);
}

void I6300Esb::timer_event() {
  if (stage_ == Stage::First) {
    interrupt_active_ = true;
    return start(Stage::Second);
  }
  if (byte(kWdtLock) & kFreeRunning)
    start(Stage::First);
  else
    stage_ = Stage::Stopped;
  if (word(kWdtConfig) & kOutputDisabled) return;
  expired_before_ = true;
  expired_();
}

// Reads are of the register at the dword below, in any width.
u64 I6300Esb::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  switch (offset & ~u64{3}) {
    case kPreload1: value = preload_[0]; break;
    case kPreload2: value = preload_[1]; break;
    case kInterruptStatus: value = interrupt_active_; break;
    default: value = expired_before_ ? kTimedOut : 0;
  }
  return value >> (8 * (offset & 3)) & width_mask(width);
}

// 16.1: a register takes a write only right after 80h and 86h were written to the reload register.
void I6300Esb::mmio_write(u64 offset, Width width, u64 value) {
  if (offset == kInterruptStatus) {
    if (value & 1) interrupt_active_ = false;
    return;
  }
  const bool unlocked = unlock_step_ == 2;
  if (offset == kReload && !unlocked) {
    if (value == kUnlockFirst)
      unlock_step_ = 1;
    else
      unlock_step_ = unlock_step_ == 1 && value == kUnlockSecond ? 2 : 0;
    return;
  }
  if (!unlocked || width < Width::Word) return;
  if (offset == kReload) {
    if ((value & kReloadNow) && enabled()) start(Stage::First);
    if (value & kTimedOut) expired_before_ = false;
  } else if (offset == kPreload1 || offset == kPreload2) {
    preload_[offset / 4] = static_cast<u32>(value) & kPreloadMask;
  } else {
    return;
  }
  unlock_step_ = 0;
}

void I6300Esb::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.tag("i6300esb");
  archive.value(preload_);
  archive.value(unlock_step_);
  archive.at_most(stage_, Stage::Second);
  archive.value(interrupt_active_);
  archive.value(expired_before_);
  serialize_timer(archive, clock_, timer_);
}

std::string I6300Esb::debug_dump() const {
  return fmt::format("config={:04x} lock={:02x} preload={:x},{:x} stage={} timed_out={}\n", word(kWdtConfig),
                     byte(kWdtLock), preload_[0], preload_[1], static_cast<unsigned>(stage_),
                     expired_before_);
}

}  // namespace reprise::devices
