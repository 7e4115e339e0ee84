// PanicWatch: notices a Linux panic in what the guest prints on a serial port.
//
// A line that starts with "Kernel panic - not syncing" (2.4: "Kernel panic: "), after an optional "[ 12.345678] " time
// stamp, makes a panic likely. A program in the guest may print the same (a nested Linux that panics), so it becomes
// certain only when no user-mode code has run and no processor has gone idle for a while afterwards: a panicked
// kernel does neither. A kernel that has nothing left to do says so in a line of its own; one that starts a crash kernel
// is silent without it. All of it happens in virtual time.
#pragma once

#include <string>
#include <string_view>

#include "common/archive.h"
#include "devices/backend.h"

namespace reprise::machine {

class PanicWatch final : public devices::CharBackend {
 public:
  /// Bytes are passed on to `next`.
  explicit PanicWatch(devices::CharBackend& next) : next_(next) {}

  void write(std::span<const u8> bytes) override;

  /// Bytes printed so far.
  u64 bytes() const { return bytes_; }
  /// A panic line was seen and not yet refuted.
  bool suspected() const { return suspected_; }
  /// The kernel that panicked will do nothing more but wait or reset: it has started no other.
  bool ended() const { return ended_; }
  /// User-mode code ran, or a processor went idle: it was not the kernel, or another one took its place.
  void refute() { suspected_ = ended_ = false; }
  /// The line, without the time stamp.
  const std::string& message() const { return message_; }

  void serialize(Archive& archive);

 private:
  void end_line();

  devices::CharBackend& next_;
  std::string line_;  // bounded: what is beyond kMaxLine cannot matter
  std::string message_;
  bool suspected_ = false;
  bool ended_ = false;
  u64 bytes_ = 0;
};

/// The panic line on a text screen (rows of at most `columns` characters), or an empty one; what did not fit into its row
/// is in the next. For guests whose console is the screen.
std::string panic_line_on_screen(std::string_view screen, u32 columns);

}  // namespace reprise::machine
