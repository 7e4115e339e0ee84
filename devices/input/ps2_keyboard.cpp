#include "devices/input/ps2_keyboard.h"

#include <utility>

#include "devices/timer_state.h"

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
constexpr u8 kAllTypematic = 0xf7;  // this and the next six: types of keys in set 3
constexpr u8 kAllMakeBreak = 0xf8;
constexpr u8 kAllMakeOnly = 0xf9;
constexpr u8 kAllTypematicMakeBreak = 0xfa;
constexpr u8 kKeyTypematic = 0xfb;
constexpr u8 kKeyMakeBreak = 0xfc;
constexpr u8 kKeyMakeOnly = 0xfd;
constexpr u8 kResend = 0xfe;
constexpr u8 kReset = 0xff;
// To the host.
constexpr u8 kAck = 0xfa;
constexpr u8 kTestPassed = 0xaa;
constexpr u8 kIdFirst = 0xab;
constexpr u8 kIdSecond = 0x83;
constexpr u8 kOverrun = 0x00;
constexpr u8 kOverrunOfSet1 = 0xff;
constexpr u8 kExtended = 0xe0;
constexpr u8 kBreak = 0xf0;

constexpr u8 kTypematicDefault = 0x2b;  // after 500 ms, 10.9 a second

// Bits of modifiers_ and wrapped_.
constexpr u8 kLeftShift = 0x01;
constexpr u8 kRightShift = 0x02;
constexpr u8 kShifts = kLeftShift | kRightShift;
constexpr u8 kCtrls = 0x0c;
constexpr u8 kAlts = 0x30;
constexpr u8 kAddedShift = 0x80;  // wrapped_ only: Left Shift went down; the other two: it went up
constexpr u8 kNumLockLed = 0x02;

constexpr std::pair<Key, u8> kModifiers[] = {{Key::LeftShift, kLeftShift}, {Key::RightShift, kRightShift},
                                             {Key::LeftCtrl, 0x04},        {Key::RightCtrl, 0x08},
                                             {Key::LeftAlt, 0x10},         {Key::RightAlt, 0x20}};

/// Ctrl-Pause is a key of its own; these are the codes of Pause.
constexpr u8 kPauseOfSet1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
constexpr u8 kPauseOfSet2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
/// Print with Alt: the SysRq of the 84-key keyboard.
constexpr u16 kSysRqOfSet1 = 0x54;
constexpr u16 kSysRqOfSet2 = 0x84;

/// The grey keys between the letters and the numeric pad, which the 84-key keyboard had on the pad alone: with Num Lock
/// they come inside a Shift, so that software of that time takes them for what they are.
bool is_navigation(Key key) {
  switch (static_cast<unsigned>(key)) {
    case 102:
    case 103:
    case 104:
    case 105:
    case 106:
    case 107:
    case 108:
    case 109:
    case 110:
    case 111: return true;
    default: return false;
  }
}

}  // namespace

Ps2Keyboard::Ps2Keyboard(Clock& clock, std::function<void()> output_ready)
    : clock_(clock),
      output_ready_(std::move(output_ready)),
      timer_(clock.create_timer("ps2-keyboard", [this] { repeat(); })) {
  set_defaults();
}

void Ps2Keyboard::set_defaults() {
  scan_code_set_ = 2;
  typematic_ = kTypematicDefault;
  types_ = {};
  for (const KeyRow& row : key_rows()) {
    if (row.set3_type == KeyType::MakeBreak) types_.of[row.set3] = kSendsBreak;
    if (row.set3_type == KeyType::Typematic) types_.of[row.set3] = kRepeats;
  }
}

void Ps2Keyboard::set_all_types(u8 type) { types_.of.fill(type); }

void Ps2Keyboard::reset() {
  answers_.clear();
  typed_.clear();
  in_sequence_ = false;
  last_sent_ = 0;
  pending_command_ = 0;
  leds_ = 0;
  scanning_ = true;
  modifiers_ = wrapped_ = 0;
  wrapped_key_ = Key::None;
  sysrq_ = false;
  end_repeat();
  set_defaults();
}

// --- Commands ---

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
    case kKeyTypematic:
    case kKeyMakeBreak:
    case kKeyMakeOnly:
      pending_command_ = byte;
      answers_.push(kAck);
      return;
    case kEcho: answers_.push(kEcho); return;
    case kIdentify:
      answers_.push(kAck);
      answers_.push(kIdFirst);
      answers_.push(kIdSecond);
      return;
    case kEnable:
      scanning_ = true;
      answers_.push(kAck);
      return;
    case kDisable:
    case kDefaults:
    case kReset:
      answers_.clear();
      typed_.clear();
      in_sequence_ = false;
      wrapped_ = 0;
      wrapped_key_ = Key::None;
      end_repeat();
      set_defaults();
      scanning_ = byte != kDisable && (scanning_ || byte == kReset);
      answers_.push(kAck);
      if (byte == kReset) {
        leds_ = 0;
        answers_.push(kTestPassed);
      }
      return;
    case kAllTypematic: set_all_types(kRepeats); break;
    case kAllMakeBreak: set_all_types(kSendsBreak); break;
    case kAllMakeOnly: set_all_types(0); break;
    case kAllTypematicMakeBreak: set_all_types(kRepeats | kSendsBreak); break;
    case kResend: answers_.push(last_sent_); return;
    default: answers_.push(kResend); return;  // asked for again
  }
  answers_.push(kAck);
}

void Ps2Keyboard::parameter(u8 byte) {
  const u8 of_command = pending_command_;
  pending_command_ = 0;
  switch (of_command) {
    case kSetLeds: leds_ = byte & 7; break;
    case kSetTypematic: typematic_ = byte & 0x7f; break;
    case kScanCodeSet:
      if (byte > 3) return (void)answers_.push(kResend);
      end_repeat();
      if (byte != 0) {
        scan_code_set_ = byte;
        break;
      }
      answers_.push(kAck);
      answers_.push(scan_code_set_);
      return;
    default:  // a key whose type changes; more may follow, up to the next command
      pending_command_ = of_command;
      types_.of[byte] = of_command == kKeyTypematic   ? kRepeats
                        : of_command == kKeyMakeBreak ? kSendsBreak
                                                      : 0;
      break;
  }
  answers_.push(kAck);
}

u8 Ps2Keyboard::take() {
  if (!answers_.empty() && !(in_sequence_ && !typed_.empty())) return last_sent_ = answers_.pop();
  if (typed_.empty()) return last_sent_;
  last_sent_ = typed_.pop();
  in_sequence_ = last_sent_ == kExtended || last_sent_ == kBreak;
  return last_sent_;
}

// --- Keys ---

void Ps2Keyboard::note_modifier(Key key, bool down) {
  for (const auto& [modifier, bit] : kModifiers)
    if (key == modifier) modifiers_ = static_cast<u8>(down ? modifiers_ | bit : modifiers_ & ~bit);
}

void Ps2Keyboard::press(Key key, bool down) {
  const KeyRow* row = find_key(key);
  if (row == nullptr) return;
  note_modifier(key, down);
  if (down || key == repeating_) end_repeat();
  if (!scanning_) return;
  constexpr std::size_t kLongestSequence = 16;
  if (typed_.free() <= (down ? kKeptForReleases : kLongestSequence)) {
    const u8 overrun = scan_code_set_ == 1 ? kOverrunOfSet1 : kOverrun;
    if (typed_.back() != overrun) typed_.push(overrun);
    return;
  }
  if (scan_code_set_ == 3)
    send_key_of_set3(*row, down);
  else
    send_key(*row, down);
  if (down && may_repeat(*row)) begin_repeat(key);
}

void Ps2Keyboard::send_key_of_set3(const KeyRow& row, bool down) {
  if (row.set3 != 0 && (down || (types_.of[row.set3] & kSendsBreak))) send(row.set3, down);
}

void Ps2Keyboard::send_key(const KeyRow& row, bool down) {
  const Key key = row.key;
  const bool unwraps_behind = !down && key == wrapped_key_;
  if (!unwraps_behind) unwrap();
  if (key == Key::Pause) {
    if (down) send_pause();
    return;
  }
  if (key == Key::Print) {
    if (down) sysrq_ = held(kAlts);
    if (sysrq_) return send(scan_code_set_ == 1 ? kSysRqOfSet1 : kSysRqOfSet2, down);
    if (down && !held(kShifts | kCtrls)) wrap(kAddedShift);
  } else if (down && is_navigation(key)) {
    const bool num_lock = (leds_ & kNumLockLed) != 0;
    if (num_lock && !held(kShifts)) wrap(kAddedShift);
    if (!num_lock) wrap(modifiers_ & kShifts);
  } else if (down && key == Key::KpDivide) {
    wrap(modifiers_ & kShifts);
  }
  if (wrapped_ != 0) wrapped_key_ = key;
  send(code_of(row), down);
  if (unwraps_behind) unwrap();
}

void Ps2Keyboard::send_pause() {
  const std::span<const u8> pause = scan_code_set_ == 1 ? std::span<const u8>(kPauseOfSet1) : kPauseOfSet2;
  const u16 with_ctrl = code_of(*find_key(Key::Pause));
  if (held(kCtrls)) {
    send(with_ctrl, true);
    send(with_ctrl, false);
  } else {
    for (const u8 byte : pause) typed_.push(byte);
  }
}

void Ps2Keyboard::send(u16 code, bool down) {
  const u8 low = static_cast<u8>(code);
  if (code >> 8 != 0) typed_.push(static_cast<u8>(code >> 8));
  if (scan_code_set_ == 1) {
    typed_.push(down ? low : low | 0x80);
    return;
  }
  if (!down) typed_.push(kBreak);
  typed_.push(low);
}

void Ps2Keyboard::send_shift(Key shift, bool down) {
  send(static_cast<u16>(kExtended << 8 | code_of(*find_key(shift))), down);
}

void Ps2Keyboard::wrap(u8 shifts) {
  if (shifts & kAddedShift) send_shift(Key::LeftShift, true);
  if (shifts & kLeftShift) send_shift(Key::LeftShift, false);
  if (shifts & kRightShift) send_shift(Key::RightShift, false);
  wrapped_ = shifts;
}

/// Behind the key's release, ahead of any other key: what was sent around it is taken back.
void Ps2Keyboard::unwrap() {
  if (wrapped_ & kAddedShift) send_shift(Key::LeftShift, false);
  if (wrapped_ & modifiers_ & kLeftShift) send_shift(Key::LeftShift, true);
  if (wrapped_ & modifiers_ & kRightShift) send_shift(Key::RightShift, true);
  wrapped_ = 0;
  wrapped_key_ = Key::None;
}

// --- Typematic ---

bool Ps2Keyboard::may_repeat(const KeyRow& row) const {
  if (scan_code_set_ == 3) return row.set3 != 0 && (types_.of[row.set3] & kRepeats);
  return row.key != Key::Pause;
}

void Ps2Keyboard::begin_repeat(Key key) {
  constexpr u64 kStepNs = 250'000'000;
  repeating_ = key;
  clock_.arm(timer_, clock_.now_ns() + ((typematic_ >> 5 & 3) + 1u) * kStepNs);
}

void Ps2Keyboard::end_repeat() {
  repeating_ = Key::None;
  clock_.cancel(timer_);
}

void Ps2Keyboard::repeat() {
  const KeyRow* row = find_key(repeating_);
  if (row == nullptr || !scanning_) return end_repeat();
  constexpr u64 kUnitNs = 4'166'667;  // 1/240 s
  clock_.arm(timer_, clock_.now_ns() + ((8u + (typematic_ & 7)) << (typematic_ >> 3 & 3)) * kUnitNs);
  if (has_output()) return;
  if (scan_code_set_ == 3)
    send(row->set3, true);
  else
    send(row->key == Key::Print && sysrq_ ? (scan_code_set_ == 1 ? kSysRqOfSet1 : kSysRqOfSet2)
                                          : code_of(*row),
         true);
  output_ready_();
}

void Ps2Keyboard::serialize(Archive& archive) {
  answers_.serialize(archive);
  typed_.serialize(archive);
  archive.value(in_sequence_);
  archive.value(last_sent_);
  archive.value(pending_command_);
  archive.value(leds_);
  u8 set = scan_code_set_;
  archive.value(set);
  if (set < 1 || set > 3) return archive.fail();
  scan_code_set_ = set;
  archive.value(typematic_);
  archive.value(scanning_);
  archive.value(types_.of);
  archive.value(modifiers_);
  archive.value(wrapped_);
  archive.value(wrapped_key_);
  archive.value(sysrq_);
  archive.value(repeating_);
  serialize_timer(archive, clock_, timer_);
}

}  // namespace reprise::devices
