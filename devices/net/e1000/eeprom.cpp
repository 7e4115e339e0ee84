#include "devices/net/e1000/eeprom.h"

namespace reprise::devices {
namespace {

// EECD, 13.4.3.
constexpr u32 kClock = 1u << 0, kSelect = 1u << 1, kDataIn = 1u << 2, kDataOut = 1u << 3,
              kFlashWrites = 3u << 4, kRequest = 1u << 6, kGrant = 1u << 7, kPresent = 1u << 8;
// EERD, 13.4.4.
constexpr u32 kStart = 1u << 0, kDone = 1u << 4;
constexpr unsigned kAddressShift = 8, kDataShift = 16;

// A command is a start bit, two bits that say which, and six of the address.
constexpr u8 kCommandBits = 9;
constexpr u16 kRead = 0b110;
constexpr unsigned kChecksumWord = 63;
constexpr u16 kChecksum = 0xbaba;

}  // namespace

// 5.6: what software and the card itself read. The last word makes the sum of all right.
E1000Eeprom::E1000Eeprom(const MacAddress& mac) {
  for (unsigned i = 0; i < 3; ++i) words_[i] = static_cast<u16>(mac[2 * i] | mac[2 * i + 1] << 8);
  words_[0x0a] = 0x640b;  // initialization control: the identities below are valid
  words_[0x0b] = 0x1100;  // subsystem, its vendor, device, vendor
  words_[0x0c] = 0x1af4;
  words_[0x0d] = 0x100e;
  words_[0x0e] = 0x8086;
  words_[0x0f] = 0x3040;
  u16 sum = 0;
  for (unsigned i = 0; i < kChecksumWord; ++i) sum = static_cast<u16>(sum + words_[i]);
  words_[kChecksumWord] = static_cast<u16>(kChecksum - sum);
}

u32 E1000Eeprom::read_at_once(u32 eerd) const {
  if (!(eerd & kStart)) return eerd;
  const u32 address = eerd >> kAddressShift & 0xff;
  const u32 data = address < kWords ? words_[address] : 0xffffu;
  return address << kAddressShift | data << kDataShift | kDone;
}

u32 E1000Eeprom::eecd() const {
  return wires_ | kPresent | (wires_ & kRequest ? kGrant : 0) | (data_out_ ? kDataOut : 0);
}

void E1000Eeprom::write_eecd(u32 value) {
  const u32 before = wires_;
  wires_ = value & (kClock | kSelect | kDataIn | kFlashWrites | kRequest);
  if (!(wires_ & kSelect)) {
    command_ = 0;
    command_bits_ = bits_left_ = 0;
    data_out_ = true;
    return;
  }
  const bool rises = (wires_ & ~before & kClock) != 0;
  if (!rises) return;
  if (bits_left_ != 0) {
    data_out_ = (out_ >> --bits_left_ & 1) != 0;
    return;
  }
  const bool in = (wires_ & kDataIn) != 0;
  if (command_bits_ == 0 && !in) return;  // until the start bit
  if (command_bits_ == kCommandBits) return;
  command_ = static_cast<u16>(command_ << 1 | (in ? 1 : 0));
  if (++command_bits_ != kCommandBits || command_ >> 6 != kRead) return;
  out_ = words_[command_ & 0x3f];
  bits_left_ = 16;
  data_out_ = false;  // the dummy bit before the first
}

void E1000Eeprom::reset() {
  wires_ = 0;
  command_ = 0;
  command_bits_ = bits_left_ = 0;
  out_ = 0;
  data_out_ = true;
}

void E1000Eeprom::serialize(Archive& archive) {
  archive.value(wires_);
  archive.value(command_);
  archive.at_most(command_bits_, kCommandBits);
  archive.at_most(bits_left_, 16);
  archive.value(out_);
  archive.value(data_out_);
}

}  // namespace reprise::devices
