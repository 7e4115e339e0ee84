#include "devices/misc/smbus_host.h"

#include <fmt/format.h>

namespace reprise::devices {
namespace {

enum Register : u16 {
  kHostStatus = 0x0,
  kHostControl = 0x2,
  kHostCommand = 0x3,
  kHostAddress = 0x4,
  kHostData0 = 0x5,
  kHostData1 = 0x6,
};

constexpr u8 kStatusDeviceError = 0x04;
constexpr u8 kStatusClearable = 0x1e;  // by writing 1

constexpr u8 kControlStart = 0x40;  // reads as 0
constexpr u8 kControlKept = 0x1d;   // command protocol, interrupt enable

}  // namespace

void SmbusHost::reset(ResetKind) { *this = SmbusHost(); }

void SmbusHost::serialize(Archive& archive) {
  archive.tag("smbus_host");
  for (u8* value : {&status_, &control_, &command_, &address_, &data0_, &data1_}) archive.value(*value);
}

std::string SmbusHost::debug_dump() const {
  return fmt::format("SMBHSTSTS={:02x} SMBHSTCNT={:02x} SMBHSTCMD={:02x} SMBHSTADD={:02x}\n", status_,
                     control_, command_, address_);
}

u32 SmbusHost::pio_read(u16 offset, Width) {
  switch (offset) {
    case kHostStatus: return status_;
    case kHostControl: return control_;
    case kHostCommand: return command_;
    case kHostAddress: return address_;
    case kHostData0: return data0_;
    case kHostData1: return data1_;
    default: return 0;
  }
}

void SmbusHost::pio_write(u16 offset, Width, u32 value) {
  const u8 byte = static_cast<u8>(value);
  switch (offset) {
    case kHostStatus: status_ &= static_cast<u8>(~(byte & kStatusClearable)); break;
    case kHostControl:
      control_ = byte & kControlKept;
      if (byte & kControlStart) status_ |= kStatusDeviceError;
      break;
    case kHostCommand: command_ = byte; break;
    case kHostAddress: address_ = byte; break;
    case kHostData0: data0_ = byte; break;
    case kHostData1: data1_ = byte; break;
    default: break;
  }
}

}  // namespace reprise::devices
