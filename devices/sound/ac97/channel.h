// Ac97Channel: one DMA engine of an AC'97 controller. It works through a ring of 32 descriptors in guest memory, at the rate
// at which the codec takes or gives samples. Intel 82801AA datasheet (290655-003), 12.2.
//
//     descriptor: address (4 bytes), samples left and right together (2), control (2): IOC, BUP
//     CIV   the descriptor in work;  PIV  the next one;  LVI  the last that is valid: behind it the engine halts
#pragma once

#include <string>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

class Ac97Channel {
 public:
  static constexpr unsigned kRegisterBytes = 0x0c;
  enum class Direction : u8 { ToMemory, FromMemory };

  /// `memory` outlives it. `samples_at_once` of 16 bits: 2 for stereo.
  Ac97Channel(Direction direction, unsigned samples_at_once, DmaPort& memory)
      : direction_(direction), samples_at_once_(samples_at_once), memory_(memory) {}

  /// Registers, by bytes: `offset` is below kRegisterBytes.
  u8 read(unsigned offset) const;
  void write(unsigned offset, u8 value);
  void reset();

  /// A buffer is being worked on.
  bool running() const { return (control_ & kRun) != 0 && fetched_; }
  /// An event waits whose interrupt is enabled.
  bool interrupts() const;
  /// The last descriptor wants silence behind its samples, not the last of them held.
  bool silent_behind() const { return !running() && (descriptor_control_ & kSilenceBehind) != 0; }

  struct Step {
    u64 frames;  // of the link
    u32 phase;   // before the first, in 48000ths of a sample
  };
  /// Goes on for `frames` of the link or up to the buffer's end, whichever is first. While it runs and `hz`, which is
  /// 1 to 48000, samples are taken a second. `samples` are those that were read from memory; others are written as silence.
  Step advance(u64 frames, u32 hz, std::vector<i16>& samples);
  /// Frames of the link up to the end of the buffer, at least one. While it runs.
  u64 frames_left(u32 hz) const;
  /// The bus did not let it have what it needed.
  void fifo_error() { status_ |= kFifoError; }

  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  static constexpr u8 kRun = 1u << 0;            // CR.RPBM
  static constexpr u8 kFifoError = 1u << 4;      // SR.FIFOE
  static constexpr u8 kSilenceBehind = 1u << 6;  // of a descriptor's last byte: BUP

  void start();
  void fetch();
  void finish_buffer();
  /// Times that samples are taken until the buffer's end.
  u64 takes_left() const { return (samples_left_ + samples_at_once_ - 1) / samples_at_once_; }

  const Direction direction_;
  const unsigned samples_at_once_;
  DmaPort& memory_;
  u32 base_ = 0;       // BDBAR
  u8 current_ = 0;     // CIV
  u8 last_valid_ = 0;  // LVI
  u8 next_ = 0;        // PIV
  u8 status_ = 0;      // SR without DCH, which is !running()
  u8 control_ = 0;     // CR
  bool fetched_ = false;
  u32 address_ = 0;
  u16 samples_left_ = 0;  // PICB
  u8 descriptor_control_ = 0;
  u32 phase_ = 0;  // 48000ths of a sample that the link's frames have asked for
};

}  // namespace reprise::devices
