// A PS/2 mouse as its host sees it on the wire. IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft,
// "IntelliMouse" and "IntelliMouse Explorer" for the wheel and buttons four and five, which a driver asks for by setting the
// sample rate to 200, 100, 80 (three bytes and a wheel), then 200, 200, 80 (five buttons).
//
//     byte 1   0 | 0 | Y sign | X sign | 1 | middle | right | left
//     byte 2, 3   X to the right, Y up, in two's complement with the signs above
//     byte 4   id 3: wheel, -8 to 7, towards the person; id 4: 0 | 0 | fifth | fourth | wheel
//
// Movement adds up between two samples, which are as far apart in virtual time as the sample rate says. Differs from
// hardware: what does not fit into a packet comes with the next, so the overflow bits are never set; a count of the
// host's pointer is a count here, whatever resolution is set, because no ball rolls over any millimetres.
#pragma once

#include <functional>

#include "common/archive.h"
#include "common/pointer.h"
#include "common/ports.h"
#include "devices/byte_fifo.h"

namespace reprise::devices {

class Ps2Mouse {
 public:
  /// `output_ready`: there may be bytes that nobody asked for.
  Ps2Mouse(Clock& clock, std::function<void()> output_ready);

  /// A byte from the host.
  void write(u8 byte);
  bool has_output() const { return !output_.empty(); }
  /// The next byte for the host.
  u8 take();

  /// Relative, or buttons alone. Lost while the host wants no reports.
  void change(const PointerChange& change);
  /// Another change would neither hide one of buttons that the host has not been told of, nor be told before movement that
  /// came before it: what waits fits into one report.
  bool has_room() const { return !reports() || (!buttons_changed() && fits_one_report()); }

  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  void command(u8 byte);
  void parameter(u8 byte);
  void refuse();
  void set_defaults();
  void set_sample_rate(u8 rate);
  void forget_movement();
  u8 status() const;

  /// Reports go out by themselves.
  bool reports() const { return enabled_ && !remote_ && !wrap_; }
  bool buttons_changed() const;
  struct Movement {
    i32 x, y, wheel;
  };
  /// How much of what waits.
  Movement of_one_report() const;
  bool fits_one_report() const;
  bool changed() const;
  bool doubles() const { return scale_2_to_1_ && !remote_; }
  u64 sample_ns() const { return 1'000'000'000 / sample_rate_; }
  void want_report();
  void sample();
  void send_report();

  Clock& clock_;
  std::function<void()> output_ready_;
  Clock::TimerId timer_;

  ByteFifo<16> output_;
  u8 last_sent_ = 0;
  u8 pending_command_ = 0;  // waits for its parameter
  bool refused_ = false;    // the byte before: a second time is an error
  bool enabled_ = false;
  bool remote_ = false;
  bool wrap_ = false;
  bool scale_2_to_1_ = false;
  u8 resolution_ = 2;
  u8 sample_rate_ = 100;
  u8 id_ = 0;
  u8 knock_[3] = {};  // the last sample rates, the latest last

  // Since the last report.
  i32 x_ = 0;
  i32 y_ = 0;  // up
  i32 wheel_ = 0;
  u8 buttons_ = 0;
  u8 reported_buttons_ = 0;
  u64 next_sample_ns_ = 0;
};

}  // namespace reprise::devices
