#include "devices/pci/config_mechanism1.h"

#include "common/bits.h"

namespace reprise::devices {
namespace {

constexpr u16 kConfAdd = 0;
constexpr u16 kResetControl = 1;
constexpr u16 kConfData = 4;

constexpr u32 kEnable = 0x8000'0000;
constexpr u32 kWritable = 0x80ff'fffc;

}  // namespace

ConfigMechanism1::ConfigMechanism1(PciConfigListener& listener, PioHandler& reset_control)
    : listener_(listener), reset_control_(reset_control) {}

std::optional<ConfigMechanism1::Address> ConfigMechanism1::selected() const {
  if (!(address_ & kEnable)) return std::nullopt;
  return Address{address_ >> 16 & 0xff, address_ >> 8 & 0xff};
}

u32 ConfigMechanism1::read(const Address& address, u8 offset, Width width) {
  PciFunction* const function = root_.find(address.bus, address.number);
  return function != nullptr ? function->config_read(offset, width) : static_cast<u32>(width_mask(width));
}

void ConfigMechanism1::write(const Address& address, u8 offset, Width width, u32 value) {
  PciFunction* const function = root_.find(address.bus, address.number);
  if (function == nullptr) return;
  const ConfigChange change = function->config_write(offset, width, value);
  if (change.any()) listener_.pci_config_changed(*function, change);
}

u8 ConfigMechanism1::selected_register(u16 offset) const {
  return static_cast<u8>((address_ & 0xfc) | (offset & 3u));
}

u32 ConfigMechanism1::pio_read(u16 offset, Width width) {
  const u32 ones = static_cast<u32>(width_mask(width));
  if (offset == kConfAdd && width == Width::Dword) return address_;
  if (offset == kResetControl && width == Width::Byte) return reset_control_.pio_read(0, width);
  if (offset < kConfData) return ones;
  const std::optional<Address> address = selected();
  return address ? read(*address, selected_register(offset), width) : ones;
}

void ConfigMechanism1::pio_write(u16 offset, Width width, u32 value) {
  if (offset == kConfAdd && width == Width::Dword) {
    address_ = value & kWritable;
    return;
  }
  if (offset == kResetControl && width == Width::Byte) return reset_control_.pio_write(0, width, value);
  if (offset < kConfData) return;
  if (const std::optional<Address> address = selected())
    write(*address, selected_register(offset), width, value);
}

void ConfigMechanism1::serialize(Archive& archive) {
  archive.tag("pci_config");
  archive.value(address_);
}

}  // namespace reprise::devices
