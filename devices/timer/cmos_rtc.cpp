#include "devices/timer/cmos_rtc.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Registers, datasheet figure 10.
constexpr u8 kSeconds = 0x00;
constexpr u8 kSecondsAlarm = 0x01;
constexpr u8 kMinutes = 0x02;
constexpr u8 kMinutesAlarm = 0x03;
constexpr u8 kHours = 0x04;
constexpr u8 kHoursAlarm = 0x05;
constexpr u8 kDayOfWeek = 0x06;
constexpr u8 kDayOfMonth = 0x07;
constexpr u8 kMonth = 0x08;
constexpr u8 kYear = 0x09;
constexpr u8 kA = 0x0a;
constexpr u8 kB = 0x0b;
constexpr u8 kC = 0x0c;
constexpr u8 kD = 0x0d;
constexpr u8 kCentury = 0x32;  // by IBM PC/AT convention

// Register A.
constexpr u8 kUpdateInProgress = 0x80;
constexpr u8 kDivider = 0x70;
constexpr u8 kDivider32k = 0x20;
constexpr u8 kDividerReset = 0x60;  // 110 and 111
constexpr u8 kRate = 0x0f;
// Register B.
constexpr u8 kSet = 0x80;
constexpr u8 kPeriodicEnable = 0x40;
constexpr u8 kAlarmEnable = 0x20;
constexpr u8 kUpdateEndedEnable = 0x10;
constexpr u8 kSquareWaveEnable = 0x08;
constexpr u8 kBinary = 0x04;
constexpr u8 k24Hours = 0x02;
// Register C; the enable bits of B are at the same places.
constexpr u8 kInterrupt = 0x80;
constexpr u8 kPeriodic = 0x40;
constexpr u8 kAlarm = 0x20;
constexpr u8 kUpdateEnded = 0x10;
constexpr u8 kSources = kPeriodic | kAlarm | kUpdateEnded;
// Register D.
constexpr u8 kValid = 0x80;

constexpr u8 kPm = 0x80;
constexpr u8 kAlarmDontCare = 0xc0;

constexpr u64 kSecondNs = 1'000'000'000;
constexpr u64 kCrystalHz = 32768;
// Datasheet figure 16: UIP rises 244 us before an update cycle of 1984 us.
constexpr u64 kUpdateNs = 244'000 + 1'984'000;
constexpr u32 kDaySeconds = 86400;

}  // namespace

CmosRtc::CmosRtc(RtcConfig config, Clock& clock, IrqLine irq8, IrqLine alarm)
    : clock_(clock),
      irq8_(irq8),
      alarm_(alarm),
      event_(clock.create_timer("cmos_rtc",
                                [this] {
                                  catch_up();
                                  update_irq();
                                })),
      ports_(*this, &CmosRtc::read_port, &CmosRtc::write_port) {
  registers_[kA] = kDivider32k | 0x06;
  registers_[kB] = k24Hours;
  registers_[kD] = kValid;
  registers_[kDayOfMonth] = registers_[kMonth] = 1;
  registers_[kYear] = 0x70;
  registers_[kCentury] = 0x19;
  registers_[kDayOfWeek] = 5;  // Thursday, 1 January 1970
  phase_ns_ = clock.now_ns();
  constexpr i64 kYear9999 = 253'402'300'799;
  advance(static_cast<u64>(std::clamp<i64>(config.base_unix_seconds, 0, kYear9999)));
}

u8 CmosRtc::encode(unsigned value) const {
  return static_cast<u8>(registers_[kB] & kBinary ? value : value / 10 << 4 | value % 10);
}

unsigned CmosRtc::decode(u8 value) const {
  return registers_[kB] & kBinary ? value : (value >> 4) * 10u + (value & 15u);
}

u8 CmosRtc::encode_hour(unsigned hour) const {
  if (registers_[kB] & k24Hours) return encode(hour);
  const unsigned on_dial = hour % 12 ? hour % 12 : 12;
  return static_cast<u8>(encode(on_dial) | (hour >= 12 ? kPm : 0));
}

unsigned CmosRtc::decode_hour(u8 value) const {
  if (registers_[kB] & k24Hours) return decode(value);
  return decode(value & 0x7f) % 12 + (value & kPm ? 12 : 0);
}

// Undefined: fields outside their range carry into the next larger field; a month out of range is the nearest month.
void CmosRtc::advance(u64 seconds) {
  using namespace std::chrono;
  const unsigned month_now = std::clamp(decode(registers_[kMonth]), 1u, 12u);
  const unsigned year_now = decode(registers_[kCentury]) * 100 + decode(registers_[kYear]);
  const u64 time_of_day = decode_hour(registers_[kHours]) * u64{3600} +
                          decode(registers_[kMinutes]) * u64{60} + decode(registers_[kSeconds]) +
                          seconds % kDaySeconds;
  const u64 whole_days = seconds / kDaySeconds + time_of_day / kDaySeconds;
  const u32 rest = static_cast<u32>(time_of_day % kDaySeconds);
  // The calendar repeats every 400 years, 146097 days.
  const sys_days date =
      sys_days{year{static_cast<int>(year_now)} / month{month_now} / day{1}} +
      days{static_cast<int>(decode(registers_[kDayOfMonth])) - 1 + static_cast<int>(whole_days % 146097)};
  const year_month_day civil{date};
  const unsigned year_then =
      static_cast<unsigned>(static_cast<u64>(static_cast<int>(civil.year())) + whole_days / 146097 * 400) %
      10000;

  registers_[kSeconds] = encode(rest % 60);
  registers_[kMinutes] = encode(rest / 60 % 60);
  registers_[kHours] = encode_hour(rest / 3600);
  registers_[kDayOfWeek] =
      encode(static_cast<unsigned>((decode(registers_[kDayOfWeek]) + 6 + whole_days) % 7) + 1);
  registers_[kDayOfMonth] = encode(static_cast<unsigned>(civil.day()));
  registers_[kMonth] = encode(static_cast<unsigned>(civil.month()));
  registers_[kYear] = encode(year_then % 100);
  registers_[kCentury] = encode(year_then / 100);
}

bool CmosRtc::alarm_is_set() const { return (registers_[kB] & kAlarmEnable) != 0 && seconds_to_alarm() != 0; }

u32 CmosRtc::seconds_to_alarm() const {
  const auto care = [&](u8 index) { return (registers_[index] & kAlarmDontCare) != kAlarmDontCare; };
  bool second_exists = !care(kSecondsAlarm);
  for (unsigned second = 0; second < 60 && !second_exists; ++second)
    second_exists = encode(second) == registers_[kSecondsAlarm];
  if (!second_exists) return 0;

  const u32 now = decode_hour(registers_[kHours]) * 3600 + decode(registers_[kMinutes]) * 60 +
                  decode(registers_[kSeconds]);
  const u32 end = now + kDaySeconds;
  for (u32 at = now + 1; at <= end;) {
    const u32 of_day = at % kDaySeconds;
    if (care(kHoursAlarm) && encode_hour(of_day / 3600) != registers_[kHoursAlarm]) {
      at += 3600 - of_day % 3600;
    } else if (care(kMinutesAlarm) && encode(of_day / 60 % 60) != registers_[kMinutesAlarm]) {
      at += 60 - of_day % 60;
    } else if (care(kSecondsAlarm) && encode(of_day % 60) != registers_[kSecondsAlarm]) {
      ++at;
    } else {
      return at - now;
    }
  }
  return 0;
}

bool CmosRtc::running() const { return (registers_[kA] & kDivider) == kDivider32k; }
bool CmosRtc::updating() const { return running() && !(registers_[kB] & kSet); }

bool CmosRtc::update_in_progress() const {
  return updating() && kSecondNs - elapsed_ns() % kSecondNs <= kUpdateNs;
}

// Datasheet table 5, 32768 Hz column.
u64 CmosRtc::period_clocks() const {
  const unsigned rate = registers_[kA] & kRate;
  if (rate == 0) return 0;
  return u64{1} << (rate <= 2 ? rate + 6 : rate - 1);
}

u64 CmosRtc::periods_elapsed() const {
  return running() && period_clocks() ? ns_to_clocks(elapsed_ns(), kCrystalHz) / period_clocks() : 0;
}

void CmosRtc::catch_up() {
  if (!running()) return;
  if (const u64 periods = periods_elapsed(); periods != periods_done_) {
    periods_done_ = periods;
    registers_[kC] |= kPeriodic;
  }
  const u64 seconds = elapsed_ns() / kSecondNs;
  if (seconds == seconds_done_) return;
  const u64 passed = seconds - seconds_done_;
  seconds_done_ = seconds;
  if (!updating()) return;
  const u32 to_alarm = seconds_to_alarm();
  if (to_alarm && to_alarm <= passed) registers_[kC] |= kAlarm;
  registers_[kC] |= kUpdateEnded;
  advance(passed);
}

void CmosRtc::update_irq() {
  u8& c = registers_[kC];
  const bool interrupt = (c & registers_[kB] & kSources) != 0;
  c = static_cast<u8>((c & kSources) | (interrupt ? kInterrupt : 0));
  irq8_.set(interrupt);
  alarm_.set((c & registers_[kB] & kAlarm) != 0);

  const u8 waiting = registers_[kB] & static_cast<u8>(~c) & kSources;
  u64 wait_from_phase_ns = Clock::kNever;
  const auto want = [&](u64 ns) { wait_from_phase_ns = std::min(wait_from_phase_ns, ns); };
  if (running() && (waiting & kPeriodic) && period_clocks())
    want(clocks_to_ns((periods_done_ + 1) * period_clocks(), kCrystalHz));
  if (updating() && (waiting & kUpdateEnded)) want((seconds_done_ + 1) * kSecondNs);
  if (updating() && (waiting & kAlarm))
    if (const u32 seconds = seconds_to_alarm()) want((seconds_done_ + seconds) * kSecondNs);
  if (wait_from_phase_ns == Clock::kNever)
    clock_.cancel(event_);
  else
    clock_.arm(event_, phase_ns_ + wait_from_phase_ns);
}

u32 CmosRtc::read_port(u16 offset, Width) {
  if (offset == 0) return 0xff;  // the index cannot be read back
  return read_register(index_);
}

void CmosRtc::write_port(u16 offset, Width, u32 value) {
  if (offset == 0) {
    // Bit 7 masks NMIs of SERR# and IOCHK#, which nothing here raises.
    index_ = value & (kBytes - 1);
    return;
  }
  write_register(index_, static_cast<u8>(value));
}

u8 CmosRtc::read_register(u8 index) {
  catch_up();
  switch (index) {
    case kA: return registers_[kA] | (update_in_progress() ? kUpdateInProgress : 0);
    case kC: {
      update_irq();
      const u8 value = registers_[kC];
      registers_[kC] = 0;
      update_irq();
      return value;
    }
    default: return registers_[index];
  }
}

void CmosRtc::write_register(u8 index, u8 value) {
  catch_up();
  switch (index) {
    case kA: write_a(value); break;
    case kB: write_b(value); break;
    case kC:
    case kD: return;  // read-only
    case kSeconds: registers_[kSeconds] = value & 0x7f; break;
    default: registers_[index] = value; break;
  }
  if (index < kD) update_irq();
}

void CmosRtc::write_a(u8 value) {
  const bool was_running = running();
  const bool was_reset = (registers_[kA] & kDividerReset) == kDividerReset;
  registers_[kA] = value & (kDivider | kRate);
  if (running() && !was_running) {
    // The first update comes half a second after the divider chain is let go (datasheet, "DV2, DV1, DV0").
    phase_ns_ = clock_.now_ns() - (was_reset ? kSecondNs / 2 : 0);
    seconds_done_ = 0;
  }
  periods_done_ = periods_elapsed();
}

void CmosRtc::write_b(u8 value) {
  if (value & kSet) value &= static_cast<u8>(~kUpdateEndedEnable);
  registers_[kB] = value;
}

void CmosRtc::reset(ResetKind) {
  catch_up();
  registers_[kB] &=
      static_cast<u8>(~(kPeriodicEnable | kAlarmEnable | kUpdateEndedEnable | kSquareWaveEnable));
  registers_[kC] = 0;
  index_ = 0;
  update_irq();
}

void CmosRtc::serialize(Archive& archive) {
  archive.tag("cmos_rtc");
  archive.value(registers_);
  archive.value(index_);
  archive.value(phase_ns_);
  archive.value(seconds_done_);
  archive.value(periods_done_);
  serialize_timer(archive, clock_, event_);
  index_ &= kBytes - 1;
}

std::string CmosRtc::debug_dump() const {
  std::string text = fmt::format("{:02x}{:02x}-{:02x}-{:02x} {:02x}:{:02x}:{:02x}\n", registers_[kCentury],
                                 registers_[kYear], registers_[kMonth], registers_[kDayOfMonth],
                                 registers_[kHours], registers_[kMinutes], registers_[kSeconds]);
  text += fmt::format("a={:02x} b={:02x} c={:02x} index={:02x}\n", registers_[kA], registers_[kB],
                      registers_[kC], index_);
  return text;
}

}  // namespace reprise::devices
