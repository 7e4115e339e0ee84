#include "devices/input/ps2_keyboard.h"

namespace reprise::devices {
namespace {

// From the host.
constexpr u8 kSetLeds = 0xed;
constexpr u8 kEcho = 0xee;
constexpr u8 kScanCodeSet = 0xf0;
constexpr u8 kIdentify = 0xf2;
constexpr u8 kSetTypematic = 0xf3;
constexpr u8 kEnable = 0xf4;
constexpr u8 kDisable = 0xf5;
constexpr u8 kDefaults = 0xf6;
constexpr u8 kFirstSet3Command = 0xf7;
constexpr u8 kLastSet3Command = 0xfd;
constexpr u8 kResend = 0xfe;
constexpr u8 kReset = 0xff;
// To the host.
constexpr u8 kAck = 0xfa;
constexpr u8 kTestPassed = 0xaa;
constexpr u8 kIdFirst = 0xab;
constexpr u8 kIdSecond = 0x83;

constexpr u8 kTypematicDefault = 0x2b;

}  // namespace

void Ps2Keyboard::set_defaults() {
  scan_code_set_ = 2;
  typematic_ = kTypematicDefault;
}

void Ps2Keyboard::reset() { *this = Ps2Keyboard(); }

void Ps2Keyboard::write(u8 byte) {
  // A byte from EDh up is a command even where a parameter is due.
  if (pending_command_ && byte < kSetLeds) return parameter(byte);
  pending_command_ = 0;
  command(byte);
}

void Ps2Keyboard::command(u8 byte) {
  switch (byte) {
    case kSetLeds:
    case kScanCodeSet:
    case kSetTypematic:
      pending_command_ = byte;
      output_.push(kAck);
      return;
    case kEcho: output_.push(kEcho); return;
    case kIdentify:
      output_.push(kAck);
      output_.push(kIdFirst);
      output_.push(kIdSecond);
      return;
    case kEnable:
      scanning_ = true;
      output_.push(kAck);
      return;
    case kDisable:
    case kDefaults:
      output_.clear();
      set_defaults();
      if (byte == kDisable) scanning_ = false;
      output_.push(kAck);
      return;
    case kResend: output_.push(last_sent_); return;
    case kReset:
      output_.clear();
      set_defaults();
      leds_ = 0;
      scanning_ = true;
      output_.push(kAck);
      output_.push(kTestPassed);
      return;
    default:
      // Key types of set 3 make no difference here; anything else is asked for again.
      output_.push(byte >= kFirstSet3Command && byte <= kLastSet3Command ? kAck : kResend);
      return;
  }
}

void Ps2Keyboard::parameter(u8 byte) {
  const u8 of_command = pending_command_;
  pending_command_ = 0;
  switch (of_command) {
    case kSetLeds: leds_ = byte & 7; break;
    case kSetTypematic: typematic_ = byte & 0x7f; break;
    default:
      if (byte > 3) {
        output_.push(kResend);
        return;
      }
      if (byte == 0) {
        output_.push(kAck);
        output_.push(scan_code_set_);
        return;
      }
      scan_code_set_ = byte;
      break;
  }
  output_.push(kAck);
}

u8 Ps2Keyboard::take() {
  if (!output_.empty()) last_sent_ = output_.pop();
  return last_sent_;
}

bool Ps2Keyboard::press(std::span<const u8> scan_codes) {
  if (!scanning_ || scan_codes.size() > output_.free()) return false;
  for (u8 byte : scan_codes) output_.push(byte);
  return true;
}

void Ps2Keyboard::serialize(Archive& archive) {
  output_.serialize(archive);
  archive.value(last_sent_);
  archive.value(pending_command_);
  archive.value(leds_);
  archive.value(scan_code_set_);
  archive.value(typematic_);
  archive.value(scanning_);
}

}  // namespace reprise::devices
