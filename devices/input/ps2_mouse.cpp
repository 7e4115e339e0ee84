#include "devices/input/ps2_mouse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// From the host.
constexpr u8 kScale1To1 = 0xe6;
constexpr u8 kScale2To1 = 0xe7;
constexpr u8 kSetResolution = 0xe8;
constexpr u8 kStatusRequest = 0xe9;
constexpr u8 kStreamMode = 0xea;
constexpr u8 kReadData = 0xeb;
constexpr u8 kResetWrap = 0xec;
constexpr u8 kSetWrap = 0xee;
constexpr u8 kRemoteMode = 0xf0;
constexpr u8 kReadId = 0xf2;
constexpr u8 kSetSampleRate = 0xf3;
constexpr u8 kEnable = 0xf4;
constexpr u8 kDisable = 0xf5;
constexpr u8 kDefaults = 0xf6;
constexpr u8 kResend = 0xfe;
constexpr u8 kReset = 0xff;
// To the host.
constexpr u8 kAck = 0xfa;
constexpr u8 kTestPassed = 0xaa;
constexpr u8 kError = 0xfc;

constexpr u8 kWheelId = 3;
constexpr u8 kExplorerId = 4;

constexpr u8 kSampleRates[] = {10, 20, 40, 60, 80, 100, 200};
constexpr u8 kWheelKnock[] = {200, 100, 80};
constexpr u8 kExplorerKnock[] = {200, 200, 80};

constexpr i32 kMostCounts = 1 << 20;
constexpr u8 kThreeButtons = 0x07;

// First byte of a report.
constexpr u8 kAlwaysOne = 0x08;
constexpr u8 kXSign = 0x10;
constexpr u8 kYSign = 0x20;

/// 2:1 scaling, of a report in stream mode.
i32 scaled(i32 counts) {
  constexpr i32 kSmall[] = {0, 1, 1, 3, 6, 9};
  const i32 size = std::abs(counts);
  const i32 result = size < 6 ? kSmall[size] : 2 * size;
  return counts < 0 ? -result : result;
}

void add(i32& sum, i32 counts) {
  sum = static_cast<i32>(std::clamp<i64>(i64{sum} + counts, -kMostCounts, kMostCounts));
}

}  // namespace

Ps2Mouse::Ps2Mouse(Clock& clock, std::function<void()> output_ready)
    : clock_(clock),
      output_ready_(std::move(output_ready)),
      timer_(clock.create_timer("ps2-mouse", [this] { sample(); })) {}

void Ps2Mouse::set_defaults() {
  enabled_ = remote_ = wrap_ = scale_2_to_1_ = false;
  resolution_ = 2;
  sample_rate_ = 100;
  forget_movement();
}

void Ps2Mouse::forget_movement() {
  x_ = y_ = wheel_ = 0;
  clock_.cancel(timer_);
}

void Ps2Mouse::reset() {
  output_.clear();
  last_sent_ = pending_command_ = 0;
  refused_ = false;
  id_ = 0;
  std::ranges::fill(knock_, u8{0});
  buttons_ = reported_buttons_ = 0;
  next_sample_ns_ = 0;
  set_defaults();
}

// --- Commands ---

void Ps2Mouse::write(u8 byte) {
  if (wrap_ && byte != kResetWrap && byte != kReset) {
    output_.push(byte);
    return;
  }
  // A report that the host has not fetched is void once it says something.
  output_.clear();
  // A byte from E6h up is a command even where a parameter is due.
  if (pending_command_ && byte < kScale1To1) {
    parameter(byte);
  } else {
    pending_command_ = 0;
    command(byte);
  }
  if (changed()) want_report();
}

void Ps2Mouse::command(u8 byte) {
  switch (byte) {
    case kScale1To1:
    case kScale2To1: scale_2_to_1_ = byte == kScale2To1; break;
    case kSetResolution:
    case kSetSampleRate: pending_command_ = byte; break;
    case kStatusRequest:
      for (const u8 answer : {kAck, status(), resolution_, sample_rate_}) output_.push(answer);
      refused_ = false;
      return;
    case kStreamMode:
      remote_ = false;
      forget_movement();
      break;
    case kReadData:
      output_.push(kAck);
      send_report();
      refused_ = false;
      return;
    case kSetWrap:
    case kResetWrap:
      wrap_ = byte == kSetWrap;
      forget_movement();
      break;
    case kRemoteMode:
      remote_ = true;
      forget_movement();
      break;
    case kReadId:
      output_.push(kAck);
      output_.push(id_);
      refused_ = false;
      return;
    case kEnable:
      enabled_ = true;
      forget_movement();
      break;
    case kDisable:
      enabled_ = false;
      forget_movement();
      break;
    case kDefaults: set_defaults(); break;
    case kResend: output_.push(last_sent_); return;
    case kReset: {
      const u8 held = buttons_;
      reset();
      buttons_ = reported_buttons_ = held;
      for (const u8 answer : {kAck, kTestPassed, id_}) output_.push(answer);
      return;
    }
    default: return refuse();
  }
  refused_ = false;
  output_.push(kAck);
}

/// "Again, please"; the second time in a row: "error".
void Ps2Mouse::refuse() {
  output_.push(refused_ ? kError : kResend);
  refused_ = !refused_;
}

void Ps2Mouse::parameter(u8 byte) {
  const u8 of_command = std::exchange(pending_command_, u8{0});
  const bool valid = of_command == kSetResolution
                         ? byte <= 3
                         : std::ranges::find(kSampleRates, byte) != std::end(kSampleRates);
  if (!valid) return refuse();
  refused_ = false;
  if (of_command == kSetResolution)
    resolution_ = byte;
  else
    set_sample_rate(byte);
  output_.push(kAck);
}

void Ps2Mouse::set_sample_rate(u8 rate) {
  sample_rate_ = rate;
  knock_[0] = knock_[1];
  knock_[1] = knock_[2];
  knock_[2] = rate;
  if (std::ranges::equal(knock_, kWheelKnock) && id_ == 0) id_ = kWheelId;
  if (std::ranges::equal(knock_, kExplorerKnock)) id_ = kExplorerId;
}

/// Status byte: bit 6 remote mode, 5 enabled, 4 scaling 2:1, 2 left, 1 middle, 0 right.
u8 Ps2Mouse::status() const {
  using namespace pointer_buttons;
  return static_cast<u8>((remote_ ? 0x40 : 0) | (enabled_ ? 0x20 : 0) | (scale_2_to_1_ ? 0x10 : 0) |
                         (buttons_ & kLeft ? 4 : 0) | (buttons_ & kMiddle ? 2 : 0) |
                         (buttons_ & kRight ? 1 : 0));
}

u8 Ps2Mouse::take() {
  if (!output_.empty()) last_sent_ = output_.pop();
  if (output_.empty() && changed()) want_report();
  return last_sent_;
}

// --- Movement ---

void Ps2Mouse::change(const PointerChange& change) {
  buttons_ = change.buttons & pointer_buttons::kAll;
  if (wrap_ || !(enabled_ || remote_)) {
    reported_buttons_ = buttons_;
    return;
  }
  if (change.motion == PointerChange::Motion::Relative) {
    add(x_, change.x);
    add(y_, change.y > -kMostCounts ? -change.y : kMostCounts);
  }
  if (id_ != 0) add(wheel_, change.wheel > -kMostCounts ? -change.wheel : kMostCounts);
  if (changed()) want_report();
}

bool Ps2Mouse::buttons_changed() const {
  const u8 shown = id_ == kExplorerId ? pointer_buttons::kAll : kThreeButtons;
  return ((buttons_ ^ reported_buttons_) & shown) != 0;
}

bool Ps2Mouse::fits_one_report() const {
  const Movement movement = of_one_report();
  return movement.x == x_ && movement.y == y_ && movement.wheel == wheel_;
}

bool Ps2Mouse::changed() const {
  return reports() && (x_ != 0 || y_ != 0 || wheel_ != 0 || buttons_changed());
}

void Ps2Mouse::want_report() {
  if (!output_.empty() || clock_.deadline_ns(timer_) != Clock::kNever) return;
  clock_.arm(timer_, std::max(clock_.now_ns(), next_sample_ns_));
}

void Ps2Mouse::sample() {
  if (!changed() || !output_.empty()) return;
  next_sample_ns_ = clock_.now_ns() + sample_ns();
  send_report();
  output_ready_();
}

Ps2Mouse::Movement Ps2Mouse::of_one_report() const {
  // Not -256: its byte is 0, which Linux's psmouse takes for no movement whatever the sign says.
  constexpr i32 kLeast = -255, kMost = 255;
  constexpr i32 kWheelLeast = -8, kWheelMost = 7;
  // Half of it where it will be doubled, so that it fits.
  const i32 reach = doubles() ? 2 : 1;
  return {.x = std::clamp(x_, kLeast / reach, kMost / reach),
          .y = std::clamp(y_, kLeast / reach, kMost / reach),
          .wheel = std::clamp(wheel_, kWheelLeast, kWheelMost)};
}

void Ps2Mouse::send_report() {
  const bool doubled = doubles();
  const auto [x, y, wheel] = of_one_report();
  x_ -= x;
  y_ -= y;
  wheel_ -= wheel;
  reported_buttons_ = buttons_;
  const i32 shown_x = doubled ? scaled(x) : x;
  const i32 shown_y = doubled ? scaled(y) : y;
  output_.push(static_cast<u8>(kAlwaysOne | (buttons_ & kThreeButtons) | (shown_x < 0 ? kXSign : 0) |
                               (shown_y < 0 ? kYSign : 0)));
  output_.push(static_cast<u8>(shown_x));
  output_.push(static_cast<u8>(shown_y));
  if (id_ == kWheelId) output_.push(static_cast<u8>(wheel));
  if (id_ == kExplorerId) output_.push(static_cast<u8>((wheel & 0x0f) | (buttons_ & ~kThreeButtons) << 1));
}

void Ps2Mouse::serialize(Archive& archive) {
  output_.serialize(archive);
  archive.value(last_sent_);
  archive.value(pending_command_);
  archive.value(refused_);
  archive.value(enabled_);
  archive.value(remote_);
  archive.value(wrap_);
  archive.value(scale_2_to_1_);
  archive.at_most(resolution_, 3);
  u8 rate = sample_rate_;
  archive.value(rate);
  if (std::ranges::find(kSampleRates, rate) == std::end(kSampleRates)) return archive.fail();
  sample_rate_ = rate;
  archive.value(id_);
  archive.value(knock_);
  for (i32* sum : {&x_, &y_, &wheel_}) {
    i32 counts = *sum;
    archive.value(counts);
    if (counts < -kMostCounts || counts > kMostCounts) return archive.fail();
    *sum = counts;
  }
  archive.value(buttons_);
  archive.value(reported_buttons_);
  archive.value(next_sample_ns_);
  serialize_timer(archive, clock_, timer_);
}

std::string Ps2Mouse::debug_dump() const {
  return fmt::format("id={} status={:02x} resolution={} rate={} buttons={:02x}", id_, status(), resolution_,
                     sample_rate_, buttons_);
}

}  // namespace reprise::devices
