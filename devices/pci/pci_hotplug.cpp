#include "devices/pci/pci_hotplug.h"

#include <fmt/format.h>

#include <utility>

namespace reprise::devices {
namespace {

constexpr u16 kUp = 0x00, kDown = 0x04, kEject = 0x08, kRemovable = 0x0c, kBus = 0x10;

}  // namespace

void PciHotplug::card_came(unsigned slot) {
  up_ |= u32{1} << slot;
  event_();
}

void PciHotplug::ask_to_eject(unsigned slot) {
  down_ |= u32{1} << slot;
  event_();
}

void PciHotplug::eject(u32 slots) {
  for (unsigned slot = 0; slot < kSlots; ++slot)
    if (slots & removable_ & u32{1} << slot) {
      up_ &= ~(u32{1} << slot);
      down_ &= ~(u32{1} << slot);
      ejected_(slot);
    }
}

void PciHotplug::reset(ResetKind) {
  eject(down_);
  up_ = down_ = bus_ = 0;
}

u32 PciHotplug::pio_read(u16 offset, Width width) {
  if (width != Width::Dword) return static_cast<u32>(width_mask(width));
  if (offset == kBus) return bus_;
  if (bus_ != 0) return 0;
  switch (offset) {
    case kUp: return std::exchange(up_, 0);
    case kDown: return down_;
    case kRemovable: return removable_;
    default: return 0;
  }
}

void PciHotplug::pio_write(u16 offset, Width width, u32 value) {
  if (width != Width::Dword) return;
  if (offset == kBus) bus_ = value;
  if (offset == kEject && bus_ == 0) eject(value);
}

void PciHotplug::serialize(Archive& archive) {
  archive.tag("pci_hotplug");
  archive.value(up_);
  archive.value(down_);
  archive.value(bus_);
}

std::string PciHotplug::debug_dump() const {
  return fmt::format("up={:08x} down={:08x} removable={:08x}\n", up_, down_, removable_);
}

}  // namespace reprise::devices
