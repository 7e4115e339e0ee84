#include "devices/misc/port92.h"

namespace reprise::devices {
namespace {

constexpr u8 kFastReset = 0x01;
constexpr u8 kA20 = 0x02;

}  // namespace

u32 Port92::pio_read(u16, Width) { return value_; }

void Port92::pio_write(u16, Width, u32 value) {
  const u8 old = value_;
  value_ = static_cast<u8>(value);
  a20_.set((value_ & kA20) != 0);
  if (value_ & ~old & kFastReset) control_.request(MachineRequest::Reset);
}

void Port92::reset(ResetKind) {
  value_ = 0;
  a20_.set(false);
}

void Port92::serialize(Archive& archive) {
  archive.tag("port92");
  archive.value(value_);
}

}  // namespace reprise::devices
