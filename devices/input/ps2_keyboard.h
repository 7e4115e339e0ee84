// A PS/2 keyboard as its host sees it on the wire. IBM PS/2 Hardware Interface Technical Reference, "Keyboard"; scan code
// sets 1 to 3, typematic repeat in virtual time, and the shifts that keys from outside the 84-key layout bring along in sets
// 1 and 2.
// Answers to commands go out ahead of what was typed, but not into the middle of a key's sequence. Differs from hardware:
// a key repeats only while the host has taken everything before it, so that a slow guest is not flooded.
#pragma once

#include <array>
#include <functional>

#include "common/archive.h"
#include "common/keys.h"
#include "common/ports.h"
#include "devices/byte_fifo.h"

namespace reprise::devices {

class Ps2Keyboard {
 public:
  static constexpr std::size_t kQueueBytes = 64;
  /// Room is kept for so many bytes of keys that go up, lest they stay down.
  static constexpr std::size_t kKeptForReleases = 24;

  /// `output_ready`: there may be bytes that nobody asked for.
  Ps2Keyboard(Clock& clock, std::function<void()> output_ready);

  /// A byte from the host.
  void write(u8 byte);
  bool has_output() const { return !answers_.empty() || !typed_.empty(); }
  /// The next byte for the host.
  u8 take();

  /// A finger presses `key` or lets it go. Lost while scanning is off; without room the host gets an overrun code.
  void press(Key key, bool down);
  /// The host wants keys, and has taken all there were.
  bool waits_for_keys() const { return scanning_ && !has_output(); }
  /// Scroll, Num and Caps lock in bits 0 to 2.
  u8 leds() const { return leds_; }

  void reset();
  void serialize(Archive& archive);

 private:
  /// Of set 3, by make code.
  struct KeyTypes {
    std::array<u8, 256> of{};
    bool operator==(const KeyTypes&) const = default;
  };
  static constexpr u8 kSendsBreak = 1;
  static constexpr u8 kRepeats = 2;

  void command(u8 byte);
  void parameter(u8 byte);
  void set_defaults();
  void set_all_types(u8 type);

  void note_modifier(Key key, bool down);
  bool held(u8 modifiers) const { return (modifiers_ & modifiers) != 0; }
  void send_key(const KeyRow& row, bool down);
  void send_key_of_set3(const KeyRow& row, bool down);
  /// Code of the set in use, as in the table.
  u16 code_of(const KeyRow& row) const { return scan_code_set_ == 1 ? row.set1 : row.set2; }
  void send(u16 code, bool down);
  /// A Shift that nobody pressed or let go.
  void send_shift(Key shift, bool down);
  void wrap(u8 shifts);
  void unwrap();
  void send_pause();

  bool may_repeat(const KeyRow& row) const;
  void begin_repeat(Key key);
  void end_repeat();
  void repeat();

  Clock& clock_;
  std::function<void()> output_ready_;
  Clock::TimerId timer_;

  ByteFifo<16> answers_;
  ByteFifo<kQueueBytes> typed_;
  bool in_sequence_ = false;  // the byte before was a prefix of the one in typed_
  u8 last_sent_ = 0;
  u8 pending_command_ = 0;  // waits for its parameter
  u8 leds_ = 0;
  u8 scan_code_set_ = 2;
  u8 typematic_ = 0x2b;
  bool scanning_ = true;
  KeyTypes types_;

  u8 modifiers_ = 0;  // under fingers
  u8 wrapped_ = 0;    // shifts that were sent around the last key and are still to be taken back
  Key wrapped_key_ = Key::None;
  bool sysrq_ = false;  // Print went down as Alt's
  Key repeating_ = Key::None;
};

}  // namespace reprise::devices
