#include "devices/misc/generic_event_device.h"

#include <utility>

namespace reprise::devices {

void GenericEventDevice::press_power_button() {
  events_ |= kPowerButtonEvent;
  interrupt_.set(true);
  interrupt_.set(false);
}

u64 GenericEventDevice::mmio_read(u64 offset, Width width) {
  return offset == 0 && width == Width::Dword ? std::exchange(events_, 0) : 0;
}

void GenericEventDevice::mmio_write(u64 offset, Width width, u64 value) {
  constexpr u8 kSleepEnable = 1u << 5;
  if (width != Width::Byte) return;
  if (offset == kReset && value == kResetValue) control_.request(MachineRequest::Reset);
  if (offset == kSleepControl && (value & kSleepEnable) && (value >> 2 & 7) == kSleepTypeSoftOff)
    control_.request(MachineRequest::PowerOff);
}

void GenericEventDevice::serialize(Archive& archive) {
  archive.tag("generic_event_device");
  archive.value(events_);
}

}  // namespace reprise::devices
