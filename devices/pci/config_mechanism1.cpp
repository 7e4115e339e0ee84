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

Result<Done, PciAttachError> ConfigMechanism1::attach(unsigned device, unsigned function_number,
                                                      PciFunction& function) {
  if (device >= 32 || function_number >= 8) return PciAttachError::NoSuchSlot;
  PciFunction*& slot = functions_[device * 8 + function_number];
  if (slot) return PciAttachError::SlotTaken;
  slot = &function;
  return Done{};
}

void ConfigMechanism1::detach(unsigned device, unsigned function_number) {
  functions_.at(device * 8 + function_number) = nullptr;
}

PciFunction* ConfigMechanism1::function(unsigned device, unsigned function_number) const {
  return device < 32 && function_number < 8 ? functions_[device * 8 + function_number] : nullptr;
}

std::optional<unsigned> ConfigMechanism1::selected() const {
  if (!(address_ & kEnable) || field(address_, 16, 8) != 0) return std::nullopt;
  return field(address_, 8, 8);
}

u32 ConfigMechanism1::read(unsigned number, u8 offset, Width width) {
  PciFunction* const function = functions_.at(number);
  return function != nullptr ? function->config_read(offset, width) : static_cast<u32>(width_mask(width));
}

void ConfigMechanism1::write(unsigned number, u8 offset, Width width, u32 value) {
  PciFunction* const function = functions_.at(number);
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
  const std::optional<unsigned> number = selected();
  return number ? read(*number, selected_register(offset), width) : ones;
}

void ConfigMechanism1::pio_write(u16 offset, Width width, u32 value) {
  if (offset == kConfAdd && width == Width::Dword) {
    address_ = value & kWritable;
    return;
  }
  if (offset == kResetControl && width == Width::Byte) return reset_control_.pio_write(0, width, value);
  if (offset < kConfData) return;
  if (const std::optional<unsigned> number = selected())
    write(*number, selected_register(offset), width, value);
}

void ConfigMechanism1::serialize(Archive& archive) {
  archive.tag("pci_config");
  archive.value(address_);
}

}  // namespace reprise::devices
