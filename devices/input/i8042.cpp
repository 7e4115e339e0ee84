#include "devices/input/i8042.h"

#include <fmt/format.h>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Status register.
constexpr u8 kOutputFull = 0x01;
constexpr u8 kSystemFlag = 0x04;
constexpr u8 kCommandWritten = 0x08;
constexpr u8 kUnlocked = 0x10;
constexpr u8 kAuxOutputFull = 0x20;

// Configuration byte.
constexpr u8 kConfigKeyboardInterrupt = 0x01;
constexpr u8 kConfigAuxInterrupt = 0x02;
constexpr u8 kConfigSystemFlag = 0x04;
constexpr u8 kConfigKeyboardDisabled = 0x10;
constexpr u8 kConfigAuxDisabled = 0x20;
constexpr u8 kConfigTranslate = 0x40;
constexpr u8 kConfigWritable = 0x77;
// As firmware leaves it.
constexpr u8 kConfigReset = kConfigTranslate | kConfigSystemFlag | kConfigKeyboardInterrupt;

// Output port.
constexpr u8 kOutputNoReset = 0x01;
constexpr u8 kOutputA20 = 0x02;
constexpr u8 kOutputKeyboardFull = 0x10;
constexpr u8 kOutputAuxFull = 0x20;
constexpr u8 kOutputIdleLines = 0xc0;

// Commands at port 64h.
constexpr u8 kReadMemory = 0x20;
constexpr u8 kWriteMemory = 0x60;
constexpr u8 kLastWriteMemory = 0x7f;
constexpr u8 kTestPassword = 0xa4;
constexpr u8 kLoadPassword = 0xa5;
constexpr u8 kDisableAux = 0xa7;
constexpr u8 kEnableAux = 0xa8;
constexpr u8 kTestAux = 0xa9;
constexpr u8 kSelfTest = 0xaa;
constexpr u8 kTestKeyboard = 0xab;
constexpr u8 kDisableKeyboard = 0xad;
constexpr u8 kEnableKeyboard = 0xae;
constexpr u8 kReadInputPort = 0xc0;
constexpr u8 kPollInputLow = 0xc1;
constexpr u8 kPollInputHigh = 0xc2;
constexpr u8 kReadOutputPort = 0xd0;
constexpr u8 kWriteOutputPort = 0xd1;
constexpr u8 kWriteKeyboardBuffer = 0xd2;
constexpr u8 kWriteAuxBuffer = 0xd3;
constexpr u8 kWriteAux = 0xd4;
constexpr u8 kDisableA20 = 0xdd;
constexpr u8 kEnableA20 = 0xdf;
constexpr u8 kReadTestInputs = 0xe0;
constexpr u8 kPulseOutputPort = 0xf0;

constexpr u8 kSelfTestPassed = 0x55;
constexpr u8 kInterfaceTestPassed = 0x00;
constexpr u8 kNoPassword = 0xf1;
constexpr u8 kInputPortIdle = 0xa0;  // keyboard not inhibited

constexpr u64 kReplyNs = 20'000;
constexpr u64 kDeviceByteNs = 500'000;  // eleven bits on the wire, and some thought

// Scan code set 2 to set 1, the table in every controller's ROM. Codes past 84h stay as they are.
constexpr u8 kTranslation[] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,  // 00
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,  // 10
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,  // 20
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,  // 30
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,  // 40
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,  // 50
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,  // 60
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,  // 70
    0x80, 0x81, 0x82, 0x41, 0x54,                                                                    // 80
};

}  // namespace

I8042::I8042(Clock& clock, IrqLine irq1, IrqLine irq12, IrqLine a20, MachineControl& control)
    : clock_(clock),
      irq1_(irq1),
      irq12_(irq12),
      a20_line_(a20),
      control_(control),
      event_(clock.create_timer("i8042", [this] { fill_output_buffer(); })),
      data_port_(*this, &I8042::read_data, &I8042::write_data),
      command_port_(*this, &I8042::read_status, &I8042::write_command),
      keyboard_(clock, [this] { schedule(); }),
      mouse_(clock, [this] { schedule(); }) {
  config_ = kConfigReset;
}

void I8042::reset(ResetKind) {
  config_ = kConfigReset;
  output_buffer_ = 0;
  buffer_status_ = 0;
  last_write_was_command_ = false;
  a20_ = true;
  pending_command_ = 0;
  release_prefix_ = false;
  memory_ = {};
  reply_waits_ = false;
  buffer_is_reply_ = false;
  polled_ = 0;
  mouse_was_last_ = false;
  keyboard_.reset();
  mouse_.reset();
  clock_.cancel(event_);
  a20_line_.set(a20_);
  update_irq();
}

void I8042::update_irq() {
  const bool full = (buffer_status_ & kOutputFull) != 0;
  const bool aux = (buffer_status_ & kAuxOutputFull) != 0;
  irq1_.set(full && !aux && (config_ & kConfigKeyboardInterrupt));
  irq12_.set(full && aux && (config_ & kConfigAuxInterrupt));
}

bool I8042::keyboard_ready() const { return !(config_ & kConfigKeyboardDisabled) && keyboard_.has_output(); }
bool I8042::mouse_ready() const { return !(config_ & kConfigAuxDisabled) && mouse_.has_output(); }

void I8042::schedule() {
  if (buffer_status_ & kOutputFull) return;
  u64 delay_ns = 0;
  if (reply_waits_)
    delay_ns = kReplyNs;
  else if (keyboard_ready() || mouse_ready())
    delay_ns = kDeviceByteNs;
  else
    return;
  const u64 deadline_ns = clock_.now_ns() + delay_ns;
  if (deadline_ns < clock_.deadline_ns(event_)) clock_.arm(event_, deadline_ns);
}

void I8042::fill_output_buffer() {
  if (buffer_status_ & kOutputFull) return;
  if (reply_waits_) {
    reply_waits_ = false;
    buffer_is_reply_ = true;
    output_buffer_ = reply_;
    buffer_status_ = kOutputFull | reply_status_;
  } else if (mouse_ready() && !(keyboard_ready() && mouse_was_last_)) {
    send_mouse_byte();
  } else if (keyboard_ready()) {
    send_keyboard_byte();
  }
  update_irq();
}

void I8042::send_keyboard_byte() {
  const u8 byte = keyboard_.take();
  mouse_was_last_ = false;
  if ((config_ & kConfigTranslate) && byte == 0xf0) {
    release_prefix_ = true;
    return schedule();
  }
  output_buffer_ = config_ & kConfigTranslate ? translate(byte) : byte;
  buffer_status_ = kOutputFull;
  buffer_is_reply_ = false;
}

void I8042::send_mouse_byte() {
  output_buffer_ = mouse_.take();
  mouse_was_last_ = true;
  buffer_status_ = kOutputFull | kAuxOutputFull;
  buffer_is_reply_ = false;
}

u8 I8042::translate(u8 byte) {
  const u8 code = byte < sizeof kTranslation ? kTranslation[byte] : byte;
  const u8 released = release_prefix_ ? 0x80 : 0;
  release_prefix_ = false;
  return code | released;
}

void I8042::reply(u8 byte, u8 status) {
  reply_ = byte;
  reply_status_ = status;
  reply_waits_ = true;
  if (buffer_is_reply_) {
    buffer_status_ = 0;
    update_irq();
  }
  schedule();
}

u32 I8042::read_data(u16, Width) {
  buffer_status_ = 0;
  update_irq();
  schedule();
  return output_buffer_;
}

u32 I8042::read_status(u16, Width) {
  if (polled_ == kPollInputLow) return static_cast<u8>(kInputPortIdle << 4) | (buffer_status_ & kOutputFull);
  if (polled_ == kPollInputHigh) return (kInputPortIdle & 0xf0) | (buffer_status_ & kOutputFull);
  u8 status = buffer_status_ | kUnlocked;
  if (config_ & kConfigSystemFlag) status |= kSystemFlag;
  if (last_write_was_command_) status |= kCommandWritten;
  return status;
}

void I8042::write_data(u16, Width, u32 value) {
  const u8 byte = static_cast<u8>(value);
  last_write_was_command_ = false;
  if (pending_command_) {
    const u8 command = pending_command_;
    pending_command_ = 0;
    command_parameter(command, byte);
  } else {
    config_ &= static_cast<u8>(~kConfigKeyboardDisabled);  // talking to the keyboard opens its interface
    keyboard_.write(byte);
  }
  update_irq();
  schedule();
}

void I8042::command_parameter(u8 command, u8 byte) {
  switch (command) {
    case kWriteMemory: config_ = byte & kConfigWritable; break;
    case kWriteOutputPort: write_output_port(byte); break;
    case kWriteKeyboardBuffer: reply(byte); break;
    case kWriteAuxBuffer: reply(byte, kAuxOutputFull); break;
    case kWriteAux:
      config_ &= static_cast<u8>(~kConfigAuxDisabled);
      mouse_.write(byte);
      break;
    case kLoadPassword:
      if (byte != 0) pending_command_ = command;  // more of it comes
      break;
    default: memory_[command & 0x1f] = byte; break;
  }
}

u8 I8042::output_port() const {
  const bool full = (buffer_status_ & kOutputFull) != 0;
  const bool aux = (buffer_status_ & kAuxOutputFull) != 0;
  return static_cast<u8>(kOutputIdleLines | kOutputNoReset | (a20_ ? kOutputA20 : 0) |
                         (full && !aux ? kOutputKeyboardFull : 0) | (full && aux ? kOutputAuxFull : 0));
}

void I8042::write_output_port(u8 value) {
  a20_ = (value & kOutputA20) != 0;
  a20_line_.set(a20_);
  if (!(value & kOutputNoReset)) control_.request(MachineRequest::Reset);
}

void I8042::write_command(u16, Width, u32 value) {
  const u8 command = static_cast<u8>(value);
  last_write_was_command_ = true;
  pending_command_ = 0;
  polled_ = 0;
  if (command >= kReadMemory && command < kReadMemory + 0x20) {
    reply(command == kReadMemory ? config_ : memory_[command & 0x1f]);
    return;
  }
  if (command >= kWriteMemory && command <= kLastWriteMemory) {
    pending_command_ = command;
    return;
  }
  if (command >= kPulseOutputPort) {
    if (!(command & kOutputNoReset)) control_.request(MachineRequest::Reset);
    return;
  }
  switch (command) {
    case kTestPassword: reply(kNoPassword); break;
    case kDisableAux: config_ |= kConfigAuxDisabled; break;
    case kEnableAux: config_ &= static_cast<u8>(~kConfigAuxDisabled); break;
    case kTestAux:
    case kTestKeyboard: reply(kInterfaceTestPassed); break;
    case kSelfTest:
      config_ |= kConfigSystemFlag;
      reply(kSelfTestPassed);
      break;
    case kDisableKeyboard: config_ |= kConfigKeyboardDisabled; break;
    case kEnableKeyboard: config_ &= static_cast<u8>(~kConfigKeyboardDisabled); break;
    case kReadInputPort: reply(kInputPortIdle); break;
    case kPollInputLow:
    case kPollInputHigh: polled_ = command; break;
    case kReadOutputPort: reply(output_port()); break;
    case kLoadPassword:
    case kWriteOutputPort:
    case kWriteKeyboardBuffer:
    case kWriteAuxBuffer:
    case kWriteAux: pending_command_ = command; break;
    case kDisableA20:
    case kEnableA20:
      a20_ = command == kEnableA20;
      a20_line_.set(a20_);
      break;
    case kReadTestInputs: reply(0); break;
    default: break;  // unknown commands are taken and do nothing
  }
  schedule();
}

void I8042::press(Key key, bool down) {
  keyboard_.press(key, down);
  schedule();
}

bool I8042::waits_for_keys() const {
  const bool shows_one = (buffer_status_ & kOutputFull) && !(buffer_status_ & kAuxOutputFull);
  return keyboard_.waits_for_keys() && !shows_one;
}

void I8042::change_pointer(const PointerChange& change) { mouse_.change(change); }

void I8042::serialize(Archive& archive) {
  archive.tag("i8042");
  archive.value(config_);
  archive.value(output_buffer_);
  archive.value(buffer_status_);
  archive.value(last_write_was_command_);
  archive.value(a20_);
  archive.value(pending_command_);
  archive.value(release_prefix_);
  archive.value(memory_);
  archive.value(reply_waits_);
  archive.value(reply_);
  archive.value(reply_status_);
  archive.value(buffer_is_reply_);
  archive.value(polled_);
  archive.value(mouse_was_last_);
  keyboard_.serialize(archive);
  mouse_.serialize(archive);
  serialize_timer(archive, clock_, event_);
}

std::string I8042::debug_dump() const {
  return fmt::format("config={:02x} output={:02x} status={:02x} port={:02x} answer={} leds={:x}\nmouse: {}\n",
                     config_, output_buffer_, buffer_status_, output_port(), reply_waits_, keyboard_.leds(),
                     mouse_.debug_dump());
}

}  // namespace reprise::devices
