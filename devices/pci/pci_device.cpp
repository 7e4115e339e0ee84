#include "devices/pci/pci_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "common/bits.h"
#include "devices/pci/pci_bus.h"

namespace reprise::devices {
namespace {

constexpr u8 kMultiFunction = 0x80;
// 6.2.5.1.
constexpr u32 kBarIo = 1;
constexpr u32 kBarPrefetchable = 8;
constexpr u32 kRomEnable = 1;
constexpr u16 kStatusErrors = 0xf900;  // PCI 2.2 6.2.3: cleared by writing 1

}  // namespace

PciFunction::PciFunction(PciIdentity identity) {
  define16(pci::kVendorId, identity.vendor);
  define16(pci::kDeviceId, identity.device);
  define32(pci::kRevision, identity.class_code << 8 | identity.revision);
  define16(pci::kSubsystemVendorId, identity.subsystem_vendor);
  define16(pci::kSubsystemId, identity.subsystem);
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

void PciFunction::define_io_bar(unsigned index, u32 bytes, PioHandler& ports, Width widest) {
  bars_.at(index) = {
      .space = PciBar::Space::Io, .bytes = bytes, .ports = &ports, .widest = widest, .memory = nullptr};
  define32(pci::kBar0 + 4 * index, kBarIo, ~(bytes - 1) & ~3u);
  writable_[pci::kCommand] |= pci::kCommandIo | pci::kCommandBusMaster;
}

void PciFunction::define_memory_bar(unsigned index, u64 bytes, MmioHandler& memory) {
  bars_.at(index) = {.space = PciBar::Space::Memory32,
                     .bytes = bytes,
                     .ports = nullptr,
                     .widest = Width::Byte,
                     .memory = &memory};
  define32(pci::kBar0 + 4 * index, 0, ~(static_cast<u32>(bytes) - 1) & ~15u);
  writable_[pci::kCommand] |= pci::kCommandMemory | pci::kCommandBusMaster;
}

void PciFunction::define_ram_bar(unsigned index, const VideoRam& ram) {
  const u64 bytes = ram.bytes().size();
  bars_.at(index) = {.space = PciBar::Space::Memory32, .bytes = bytes, .ram = &ram};
  define32(pci::kBar0 + 4 * index, kBarPrefetchable, ~(static_cast<u32>(bytes) - 1) & ~15u);
  writable_[pci::kCommand] |= pci::kCommandMemory | pci::kCommandBusMaster;
}

void PciFunction::set_rom(std::vector<u8> content) {
  rom_ = std::move(content);
  rom_.resize(std::bit_ceil(std::max<u64>(rom_.size(), kPageBytes)));
  bars_[pci::kRomBar] = {.space = PciBar::Space::Rom32, .bytes = rom_.size(), .rom = rom_};
  define32(pci::kRomAddress, 0, ~(static_cast<u32>(rom_.size()) - 1) | kRomEnable);
}

u8 PciFunction::add_capability(u8 id, unsigned body_bytes) {
  const u8 offset = next_capability_;
  define8(offset, id);
  define8(offset + 1, 0);
  define8(last_capability_link_, offset);
  reset_values_[pci::kStatus] |= pci::kStatusCapabilities;
  last_capability_link_ = static_cast<u8>(offset + 1);
  next_capability_ = static_cast<u8>(align_up(offset + 2 + body_bytes, 4));
  return offset;
}

std::optional<u64> PciFunction::bar_base(unsigned index) const {
  const PciBar& bar = bars_.at(index);
  const unsigned offset = index == pci::kRomBar ? pci::kRomAddress : pci::kBar0 + 4 * index;
  const u32 low = u32{word(offset)} | u32{word(offset + 2)} << 16;
  u64 base = 0;
  u64 limit = u64{1} << 32;
  switch (bar.space) {
    case PciBar::Space::None: return std::nullopt;
    case PciBar::Space::Io:
      if (!(word(pci::kCommand) & pci::kCommandIo)) return std::nullopt;
      base = low & ~3u;
      limit = 0x1'0000;
      break;
    case PciBar::Space::Memory32:
      if (!(word(pci::kCommand) & pci::kCommandMemory)) return std::nullopt;
      base = low & ~15u;
      break;
    case PciBar::Space::Rom32:
      if (!(word(pci::kCommand) & pci::kCommandMemory) || !(low & kRomEnable)) return std::nullopt;
      base = low & ~0x7ffu;
      break;
  }
  if (base == 0 || base >= limit || bar.bytes > limit - base) return std::nullopt;
  if (bus_ != nullptr && !bus_->is_reached(bar.space, base, bar.bytes)) return std::nullopt;
  return base;
}

bool PciFunction::bus_master() const {
  return (word(pci::kCommand) & pci::kCommandBusMaster) != 0 && (bus_ == nullptr || bus_->reaches_memory());
}

u32 PciFunction::config_peek(u8 offset, Width width) const {
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
