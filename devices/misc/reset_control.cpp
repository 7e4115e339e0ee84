#include "devices/misc/reset_control.h"

namespace reprise::devices {
namespace {

constexpr u8 kResetCpu = 0x04;  // a rising edge resets, hard or soft as SRST (bit 1) says
constexpr u8 kWritable = 0x0e;

}  // namespace

u32 ResetControl::pio_read(u16, Width) { return value_; }

void ResetControl::pio_write(u16, Width, u32 value) {
  const u8 old = value_;
  value_ = value & kWritable;
  if (value_ & ~old & kResetCpu) control_.request(MachineRequest::Reset);
}

void ResetControl::serialize(Archive& archive) {
  archive.tag("reset_control");
  archive.value(value_);
}

}  // namespace reprise::devices
