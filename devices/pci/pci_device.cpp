#include "devices/pci/pci_device.h"

#include <fmt/format.h>

namespace reprise::devices {
namespace {

constexpr u8 kMultiFunction = 0x80;
constexpr u16 kStatusErrors = 0xf900;  // PCI 2.2 6.2.3: cleared by writing 1

}  // namespace

PciFunction::PciFunction(PciIdentity identity) {
  define16(pci::kVendorId, identity.vendor);
  define16(pci::kDeviceId, identity.device);
  define32(pci::kRevision, identity.class_code << 8 | identity.revision);
  define8(pci::kHeaderType, identity.multi_function ? kMultiFunction : 0);
  define8(pci::kInterruptLine, 0, 0xff);
  write_one_to_clear16(pci::kStatus, kStatusErrors);
  apply_reset_values();
}

void PciFunction::define8(unsigned offset, u8 reset_value, u8 writable_bits) {
  reset_values_[offset] = reset_value;
  writable_[offset] = writable_bits;
}

void PciFunction::define16(unsigned offset, u16 reset_value, u16 writable_bits) {
  define8(offset, static_cast<u8>(reset_value), static_cast<u8>(writable_bits));
  define8(offset + 1, static_cast<u8>(reset_value >> 8), static_cast<u8>(writable_bits >> 8));
}

void PciFunction::define32(unsigned offset, u32 reset_value, u32 writable_bits) {
  define16(offset, static_cast<u16>(reset_value), static_cast<u16>(writable_bits));
  define16(offset + 2, static_cast<u16>(reset_value >> 16), static_cast<u16>(writable_bits >> 16));
}

void PciFunction::write_one_to_clear16(unsigned offset, u16 mask) {
  clear_mask_[offset] = static_cast<u8>(mask);
  clear_mask_[offset + 1] = static_cast<u8>(mask >> 8);
}

u32 PciFunction::config_read(u8 offset, Width width) const {
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width) && i < 4; ++i) {
    const unsigned at = offset + i;
    value |= u32{at < kBytes ? config_[at] : u8{0xff}} << (8 * i);
  }
  return value;
}

ConfigChange PciFunction::config_write(u8 offset, Width width, u32 value) {
  unsigned first = kBytes, last = 0;
  for (unsigned i = 0; i < width_bytes(width) && i < 4 && offset + i < kBytes; ++i) {
    const unsigned at = offset + i;
    const u8 written = static_cast<u8>(value >> (8 * i));
    const u8 mask = writable(at);
    const u8 old = config_[at];
    config_[at] = static_cast<u8>(((old & ~mask) | (written & mask)) & ~(written & clear_mask_[at]));
    if (config_[at] == old) continue;
    if (first == kBytes) first = at;
    last = at;
  }
  if (first == kBytes) return {};
  const ConfigChange change{static_cast<u8>(first), static_cast<u8>(last - first + 1)};
  config_changed(change);
  return change;
}

void PciFunction::reset(ResetKind) {
  apply_reset_values();
  config_changed({0, 255});
}

void PciFunction::serialize(Archive& archive) {
  archive.tag("pci");
  archive.value(config_);
}

std::string PciFunction::debug_dump() const {
  std::string text;
  for (unsigned row = 0; row < kBytes; row += 16) {
    text += fmt::format("{:02x}:", row);
    for (unsigned i = 0; i < 16; ++i) text += fmt::format(" {:02x}", config_[row + i]);
    text += '\n';
  }
  return text;
}

}  // namespace reprise::devices
