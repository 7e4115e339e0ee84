// A PS/2 keyboard as its host sees it on the wire. IBM PS/2 Hardware Interface Technical Reference, "Keyboard";
// scan code set 2 only. Missing: sets 1 and 3 (accepted, but keys stay in set 2), typematic repeat.
#pragma once

#include <span>

#include "common/archive.h"
#include "devices/byte_fifo.h"

namespace reprise::devices {

class Ps2Keyboard {
 public:
  static constexpr std::size_t kQueueBytes = 64;

  /// A byte from the host.
  void write(u8 byte);
  bool has_output() const { return !output_.empty(); }
  /// The next byte for the host.
  u8 take();

  /// Keys of scan code set 2, whole sequences. False, taking nothing, while scanning is off or the queue is full.
  bool press(std::span<const u8> scan_codes);
  /// Scroll, Num and Caps lock in bits 0 to 2.
  u8 leds() const { return leds_; }

  void reset();
  void serialize(Archive& archive);

 private:
  void command(u8 byte);
  void parameter(u8 byte);
  void set_defaults();

  ByteFifo<kQueueBytes> output_;
  u8 last_sent_ = 0;
  u8 pending_command_ = 0;  // waits for its parameter
  u8 leds_ = 0;
  u8 scan_code_set_ = 2;
  u8 typematic_ = 0x2b;
  bool scanning_ = true;
};

}  // namespace reprise::devices
