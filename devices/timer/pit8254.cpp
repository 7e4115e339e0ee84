#include "devices/timer/pit8254.h"

#include <fmt/format.h>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Control word, datasheet figure 7; read-back command, figure 10; status byte, figure 11.
constexpr u8 kReadBackSelect = 3;
constexpr u8 kReadBackNoCount = 0x20;
constexpr u8 kReadBackNoStatus = 0x10;
constexpr u8 kStatusOut = 0x80;
constexpr u8 kStatusNullCount = 0x40;

// Port 61h. PIIX4 datasheet 4.2.5.1.
constexpr u8 kTimer2Gate = 0x01;
constexpr u8 kSpeakerData = 0x02;
constexpr u8 kPort61Writable = 0x0f;
constexpr u8 kRefreshToggle = 0x10;
constexpr u8 kTimer2Out = 0x20;
constexpr i64 kRefreshClocks = 18;

}  // namespace

u16 PitChannel::to_register(u32 count) const {
  if (!bcd_) return static_cast<u16>(count);
  const u32 c = count % 10000;
  return static_cast<u16>(c % 10 | c / 10 % 10 << 4 | c / 100 % 10 << 8 | c / 1000 << 12);
}

// Undefined: BCD digits past 9 count with their weight, and a count of 1 in modes 2 and 3 is taken as 2.
u32 PitChannel::programmed_count() const {
  const u32 value = count_register_;
  u32 count = value;
  if (bcd_) count = (value & 15) + (value >> 4 & 15) * 10 + (value >> 8 & 15) * 100 + (value >> 12) * 1000;
  if (count == 0) return modulus();
  return periodic() && count == 1 ? 2 : count;
}

void PitChannel::settle(i64 now) {
  if (now < switch_) return;
  count_ = programmed_count();
  epoch_ = switch_ - (switch_to_low_half_ ? high_half(count_) : 0);
  switch_ = kNoClock;
  null_count_ = false;
}

bool PitChannel::out(i64 now) {
  settle(now);
  if (!counting_) return mode_ != 0;
  const i64 e = elapsed(now);
  switch (mode_) {
    case 0: return e >= count_;
    case 1: return e < 0 || e >= count_;
    case 2: return frozen_ || e < 0 || e % count_ != count_ - 1;
    case 3: return frozen_ || e < 0 || e % count_ < high_half(count_);
    default: return e != count_;
  }
}

i64 PitChannel::next_edge(i64 now) {
  settle(now);
  if (!counting_ || frozen_) return kNoClock;
  const i64 e = now - epoch_;
  const i64 count = count_;
  i64 edge = kNoClock;
  switch (mode_) {
    case 0:
      if (e < count) edge = epoch_ + count;
      break;
    case 1:
      if (e < 0)
        edge = epoch_;
      else if (e < count)
        edge = epoch_ + count;
      break;
    case 2:
    case 3: {
      const i64 cycle = e < 0 ? 0 : e / count;
      const i64 falls = epoch_ + cycle * count + (mode_ == 2 ? count - 1 : high_half(count_));
      edge = now < falls ? falls : epoch_ + (cycle + 1) * count;
      break;
    }
    default:
      if (e < count)
        edge = epoch_ + count;
      else if (e == count)
        edge = epoch_ + count + 1;
      break;
  }
  return edge < switch_ ? edge : switch_;
}

u16 PitChannel::counting_element(i64 now) {
  settle(now);
  if (!counting_) return to_register(count_);
  const i64 e = elapsed(now) < 0 ? 0 : elapsed(now);
  if (mode_ == 2) return to_register(static_cast<u32>(count_ - e % count_));
  if (mode_ == 3) {  // counts down by two, twice a cycle; odd counts from one less
    i64 position = e % count_;
    if (position >= high_half(count_)) position -= high_half(count_);
    return to_register(static_cast<u32>((count_ & ~1u) - 2 * position));
  }
  const i64 left = (count_ - e) % i64{modulus()};
  return to_register(static_cast<u32>(left < 0 ? left + modulus() : left));
}

void PitChannel::write_control(u8 control, i64) {
  access_ = static_cast<Access>(control >> 4 & 3);
  mode_ = control >> 1 & 7;
  if (mode_ > 5) mode_ &= 3;  // X10 and X11
  bcd_ = (control & 1) != 0;
  written_ = false;
  counting_ = false;
  null_count_ = true;
  frozen_ = false;
  switch_ = kNoClock;
  write_high_next_ = false;
  read_high_next_ = false;
  latched_bytes_ = 0;
  status_latched_ = false;
}

void PitChannel::restart(i64 now) {
  count_ = programmed_count();
  epoch_ = now + 1;
  counting_ = true;
  null_count_ = false;
  switch_ = kNoClock;
  frozen_ = !gate_ && !gate_triggered();
  frozen_elapsed_ = 0;
}

void PitChannel::load(i64 now) {
  written_ = true;
  null_count_ = true;
  if (gate_triggered()) return;  // waits for the gate
  if (!periodic() || !counting_) return restart(now);
  if (frozen_) return;
  settle(now);
  if (switch_ != kNoClock) return;  // the later count wins at the same instant
  const i64 e = now - epoch_;
  const i64 cycle = e < 0 ? 0 : e / count_;
  const i64 falls = epoch_ + cycle * count_ + high_half(count_);
  switch_to_low_half_ = mode_ == 3 && now < falls;
  switch_ = switch_to_low_half_ ? falls : epoch_ + (cycle + 1) * count_;
}

void PitChannel::write_count(u8 byte, i64 now) {
  switch (access_) {
    case Access::Latch: return;
    case Access::Low: count_register_ = byte; break;
    case Access::High: count_register_ = static_cast<u16>(byte << 8); break;
    case Access::LowThenHigh:
      if (!write_high_next_) {
        count_register_ = static_cast<u16>((count_register_ & 0xff00) | byte);
        write_high_next_ = true;
        if (mode_ == 0 && counting_) {  // half a count stops mode 0 and pulls OUT low
          frozen_ = true;
          frozen_elapsed_ = 0;
        }
        return;
      }
      count_register_ = static_cast<u16>((count_register_ & 0xff) | byte << 8);
      write_high_next_ = false;
      break;
  }
  load(now);
}

u8 PitChannel::read_count(i64 now) {
  if (status_latched_) {
    status_latched_ = false;
    return latched_status_;
  }
  const u16 value = latched_bytes_ ? latched_count_ : counting_element(now);
  if (latched_bytes_) --latched_bytes_;
  bool high = access_ == Access::High;
  if (access_ == Access::LowThenHigh) {
    high = read_high_next_;
    read_high_next_ = !read_high_next_;
  }
  return static_cast<u8>(high ? value >> 8 : value);
}

void PitChannel::latch_count(i64 now) {
  if (latched_bytes_) return;  // the first latch holds until it is read
  latched_count_ = counting_element(now);
  latched_bytes_ = access_ == Access::LowThenHigh && !read_high_next_ ? 2 : 1;
}

u8 PitChannel::status(i64 now) {
  const bool null_count = null_count_ || (counting_ && !frozen_ && now < epoch_);
  return static_cast<u8>((out(now) ? kStatusOut : 0) | (null_count ? kStatusNullCount : 0) |
                         static_cast<u8>(access_) << 4 | mode_ << 1 | (bcd_ ? 1 : 0));
}

void PitChannel::latch_status(i64 now) {
  if (status_latched_) return;
  settle(now);
  latched_status_ = status(now);
  status_latched_ = true;
}

// Datasheet figure 21, "Gate Pin Operations Summary".
void PitChannel::set_gate(bool level, i64 now) {
  if (level == gate_) return;
  gate_ = level;
  if (gate_triggered()) {
    if (level && written_) restart(now);
    return;
  }
  if (!counting_) return;
  settle(now);
  if (!level) {
    if (!frozen_) frozen_elapsed_ = now - epoch_;
    frozen_ = true;
    switch_ = kNoClock;
  } else if (periodic()) {
    restart(now);
  } else if (!(mode_ == 0 && write_high_next_)) {
    epoch_ = now - frozen_elapsed_;
    frozen_ = false;
  }
}

void PitChannel::serialize(Archive& archive) {
  archive.value(mode_);
  archive.value(bcd_);
  archive.at_most(access_, Access::LowThenHigh);
  archive.value(gate_);
  archive.value(count_register_);
  archive.value(count_);
  archive.value(written_);
  archive.value(counting_);
  archive.value(null_count_);
  archive.value(epoch_);
  archive.value(frozen_);
  archive.value(frozen_elapsed_);
  archive.value(switch_);
  archive.value(switch_to_low_half_);
  archive.value(write_high_next_);
  archive.value(read_high_next_);
  archive.value(latched_bytes_);
  archive.value(latched_count_);
  archive.value(status_latched_);
  archive.value(latched_status_);
  const auto sane = [](i64 clocks) { return clocks > -(i64{1} << 60) && clocks < i64{1} << 60; };
  if (mode_ > 5 || count_ == 0 || count_ > 65536 || !sane(epoch_) || !sane(frozen_elapsed_)) {
    *this = PitChannel();
    archive.fail();
  }
}

std::string PitChannel::debug_dump(i64 now) {
  return fmt::format("mode={} count={} ce={:04x} status={:02x} gate={}\n", mode_, count_,
                     counting_element(now), status(now), gate_);
}

Pit8254::Pit8254(Clock& clock, IrqLine irq0)
    : clock_(clock),
      irq0_(irq0),
      event_(clock.create_timer("pit8254", [this] { on_edge(); })),
      counter_ports_(*this, &Pit8254::read_counter, &Pit8254::write_counter),
      port61_(*this, &Pit8254::read_port61, &Pit8254::write_port61) {
  channels_[2].set_gate(false, 0);
}

i64 Pit8254::now_clocks() const { return static_cast<i64>(ns_to_clocks(clock_.now_ns(), kPitHz)); }

void Pit8254::update_irq(i64 at_clock) {
  irq0_.set(channels_[0].out(at_clock));
  next_edge_ = channels_[0].next_edge(at_clock);
  if (next_edge_ == PitChannel::kNoClock)
    clock_.cancel(event_);
  else
    clock_.arm(event_, clocks_to_ns(static_cast<u64>(next_edge_), kPitHz));
}

// Looks at the clock of the edge itself, so that a pulse of one clock is seen however late the call is.
void Pit8254::on_edge() {
  if (next_edge_ <= now_clocks()) update_irq(next_edge_);
}

u32 Pit8254::read_counter(u16 offset, Width) {
  if (offset >= 3) return 0xff;  // the control word cannot be read
  return channels_[offset].read_count(now_clocks());
}

void Pit8254::write_counter(u16 offset, Width, u32 value) {
  const i64 now = now_clocks();
  const u8 byte = static_cast<u8>(value);
  if (offset < 3) {
    channels_[offset].write_count(byte, now);
    if (offset == 0) update_irq(now);
    if (offset == 2) tell_speaker();
    return;
  }
  const unsigned select = byte >> 6;
  if (select == kReadBackSelect) {
    for (unsigned i = 0; i < 3; ++i) {
      if (!(byte >> (i + 1) & 1)) continue;
      if (!(byte & kReadBackNoCount)) channels_[i].latch_count(now);
      if (!(byte & kReadBackNoStatus)) channels_[i].latch_status(now);
    }
    return;
  }
  if ((byte >> 4 & 3) == 0) {
    channels_[select].latch_count(now);
    return;
  }
  channels_[select].write_control(byte, now);
  if (select == 0) update_irq(now);
  if (select == 2) tell_speaker();
}

void Pit8254::tell_speaker() {
  if (speaker_ != nullptr) speaker_->speaker_changed(channels_[2], (port61_control_ & kSpeakerData) != 0);
}

u32 Pit8254::read_port61(u16, Width) {
  const i64 now = now_clocks();
  u32 value = port61_control_;
  if (now / kRefreshClocks & 1) value |= kRefreshToggle;
  if (channels_[2].out(now)) value |= kTimer2Out;
  return value;
}

void Pit8254::write_port61(u16, Width, u32 value) {
  port61_control_ = value & kPort61Writable;
  channels_[2].set_gate((value & kTimer2Gate) != 0, now_clocks());
  tell_speaker();
}

// The 8254 has no reset pin; software programs each counter before use. Undefined: as after power-on.
void Pit8254::reset(ResetKind) {
  channels_ = {};
  channels_[2].set_gate(false, 0);
  port61_control_ = 0;
  update_irq(now_clocks());
  tell_speaker();
}

void Pit8254::serialize(Archive& archive) {
  archive.tag("pit8254");
  for (PitChannel& channel : channels_) channel.serialize(archive);
  archive.value(next_edge_);
  archive.value(port61_control_);
  serialize_timer(archive, clock_, event_);
  if (archive.loading()) tell_speaker();
}

std::string Pit8254::debug_dump() const {
  std::string text;
  for (PitChannel channel : channels_) text += channel.debug_dump(now_clocks());
  return text;
}

}  // namespace reprise::devices
