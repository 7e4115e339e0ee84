#include "devices/sound/ac97/channel.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "devices/sound/ac97/codec.h"

namespace reprise::devices {
namespace {

// Registers, 12.2.1 to 12.2.7.
constexpr unsigned kCiv = 0x04;
constexpr unsigned kLvi = 0x05;
constexpr unsigned kSr = 0x06;
constexpr unsigned kPicb = 0x08;
constexpr unsigned kPiv = 0x0a;
constexpr unsigned kCr = 0x0b;

constexpr u8 kHalted = 1u << 0;         // SR.DCH
constexpr u8 kAtLastValid = 1u << 1;    // SR.CELV
constexpr u8 kLastValidDone = 1u << 2;  // SR.LVBCI
constexpr u8 kBufferDone = 1u << 3;     // SR.BCIS
constexpr u8 kClearable = 0x1c;         // with FIFOE: by writing ones
constexpr u8 kStatusBits = 0x1e;

constexpr u8 kResetRegisters = 1u << 1;      // CR.RR
constexpr u8 kLastValidInterrupt = 1u << 2;  // CR.LVBIE
constexpr u8 kFifoErrorInterrupt = 1u << 3;  // CR.FEIE
constexpr u8 kBufferInterrupt = 1u << 4;     // CR.IOCE
constexpr u8 kInterruptEnables = 0x1c;
constexpr u8 kControlBits = 0x1d;

constexpr u8 kIndexMask = 31;
constexpr u8 kInterruptOnCompletion = 1u << 7;  // of a descriptor's last byte: IOC
constexpr u8 kDescriptorControlBits = 0xc0;
constexpr u32 kDescriptorBytes = 8;
constexpr u64 kLinkHz = Ac97Codec::kLinkHz;

u8 behind(u8 index) { return static_cast<u8>((index + 1) & kIndexMask); }

}  // namespace

u8 Ac97Channel::read(unsigned offset) const {
  switch (offset) {
    case kCiv: return current_;
    case kLvi: return last_valid_;
    case kSr: return static_cast<u8>(status_ | (running() ? 0 : kHalted));
    case kPicb: return static_cast<u8>(samples_left_);
    case kPicb + 1: return static_cast<u8>(samples_left_ >> 8);
    case kPiv: return next_;
    case kCr: return control_;
    default: return offset < kCiv ? static_cast<u8>(base_ >> 8 * offset) : u8{0};
  }
}

void Ac97Channel::write(unsigned offset, u8 value) {
  if (offset < kCiv) {
    const u32 mask = 0xffu << 8 * offset;
    base_ = ((base_ & ~mask) | u32{value} << 8 * offset) & ~(kDescriptorBytes - 1);
  } else if (offset == kLvi) {
    last_valid_ = value & kIndexMask;
    if (last_valid_ != current_) status_ &= static_cast<u8>(~kAtLastValid);
    start();
  } else if (offset == kSr) {
    status_ &= static_cast<u8>(~(value & kClearable));
  } else if (offset == kCr) {
    if (value & kResetRegisters) reset();
    control_ = value & (value & kResetRegisters ? kInterruptEnables : kControlBits);
    start();
  }
}

/// CR.RR: everything but the enabled interrupts.
void Ac97Channel::reset() {
  base_ = address_ = phase_ = 0;
  current_ = last_valid_ = next_ = status_ = descriptor_control_ = 0;
  control_ &= kInterruptEnables;
  samples_left_ = 0;
  fetched_ = false;
}

bool Ac97Channel::interrupts() const {
  return ((status_ & kLastValidDone) && (control_ & kLastValidInterrupt)) ||
         ((status_ & kBufferDone) && (control_ & kBufferInterrupt)) ||
         ((status_ & kFifoError) && (control_ & kFifoErrorInterrupt));
}

/// An engine that was stopped goes on where it was; one that halted at the last valid buffer waits for another.
void Ac97Channel::start() {
  if (!(control_ & kRun) || fetched_ || (status_ & kAtLastValid)) return;
  current_ = next_;
  next_ = behind(current_);
  fetch();
}

void Ac97Channel::fetch() {
  u8 bytes[kDescriptorBytes] = {};
  if (!memory_.dma_read(base_ + current_ * kDescriptorBytes, bytes)) {
    fifo_error();
    std::ranges::fill(bytes, u8{0});
  }
  address_ = read_unaligned<u32>(bytes) & ~1u;
  samples_left_ = read_unaligned<u16>(bytes + 4);
  descriptor_control_ = bytes[7] & kDescriptorControlBits;
  fetched_ = true;
}

void Ac97Channel::finish_buffer() {
  if (descriptor_control_ & kInterruptOnCompletion) status_ |= kBufferDone;
  if (current_ == last_valid_) {
    status_ |= kLastValidDone | kAtLastValid;
    fetched_ = false;
    return;
  }
  current_ = next_;
  next_ = behind(current_);
  fetch();
}

// A buffer without samples takes a frame, so that a ring of them takes time.
u64 Ac97Channel::frames_left(u32 hz) const {
  const u64 wanted = takes_left() * kLinkHz;
  return wanted <= phase_ + hz ? 1 : (wanted - phase_ + hz - 1) / hz;
}

Ac97Channel::Step Ac97Channel::advance(u64 frames, u32 hz, std::vector<i16>& samples) {
  const u64 left = frames_left(hz);
  const Step step = {std::min(frames, left), phase_};
  const u64 asked = phase_ + step.frames * hz;
  const u64 takes = std::min(asked / kLinkHz, takes_left());
  phase_ = static_cast<u32>(asked % kLinkHz);

  samples.assign(takes * samples_at_once_, 0);
  const u16 count = static_cast<u16>(std::min<u64>(samples.size(), samples_left_));
  std::vector<u8> bytes(count * sizeof(i16));
  const bool ok = count == 0 || (direction_ == Direction::ToMemory ? memory_.dma_write(address_, bytes)
                                                                   : memory_.dma_read(address_, bytes));
  if (!ok) fifo_error();
  if (ok && direction_ == Direction::FromMemory)
    for (unsigned i = 0; i < count; ++i) samples[i] = read_unaligned<i16>(&bytes[i * sizeof(i16)]);
  address_ += count * u32{sizeof(i16)};
  samples_left_ = static_cast<u16>(samples_left_ - count);
  if (step.frames == left) finish_buffer();
  return step;
}

void Ac97Channel::serialize(Archive& archive) {
  archive.value(base_);
  archive.at_most(current_, kIndexMask);
  archive.at_most(last_valid_, kIndexMask);
  archive.at_most(next_, kIndexMask);
  archive.value(status_);
  archive.value(control_);
  archive.value(fetched_);
  archive.value(address_);
  archive.value(samples_left_);
  archive.value(descriptor_control_);
  archive.at_most(phase_, static_cast<u32>(kLinkHz - 1));
  if (!archive.loading()) return;
  if (base_ % kDescriptorBytes != 0 || (status_ & ~kStatusBits) || (control_ & ~kControlBits) ||
      address_ % 2 != 0 || (descriptor_control_ & ~kDescriptorControlBits))
    archive.fail();
}

std::string Ac97Channel::debug_dump() const {
  return fmt::format("BDBAR={:08x} CIV={} LVI={} SR={:02x} PICB={} PIV={} CR={:02x}", base_, current_,
                     last_valid_, read(kSr), samples_left_, next_, control_);
}

}  // namespace reprise::devices
