#include "devices/display/dispi.h"

#include <algorithm>

namespace reprise::devices {

void DispiRegisters::serialize(Archive& archive, u64 memory_bytes) {
  for (u16* field : {&index, &id, &xres, &yres, &bpp, &enable, &bank, &virtual_width, &virtual_height,
                     &x_offset, &y_offset})
    archive.value(*field);
  if (!archive.loading() || !enabled()) return;
  const DispiRegisters loaded = *this;
  make_fit(memory_bytes);
  if (loaded.xres != xres || loaded.yres != yres || loaded.bpp != bpp ||
      loaded.virtual_width != virtual_width || loaded.x_offset != x_offset || loaded.y_offset != y_offset ||
      loaded.bank != bank)
    archive.fail();
}

u16 DispiRegisters::read(u64 memory_bytes) const {
  const bool capabilities = (enable & kGetCapabilities) != 0;
  switch (index) {
    case kId: return id;
    case kXres: return capabilities ? kMaxXres : xres;
    case kYres: return capabilities ? kMaxYres : yres;
    case kBpp: return capabilities ? kMaxBpp : bpp;
    case kEnable: return enable;
    case kBank: return bank;
    case kVirtualWidth: return virtual_width;
    case kVirtualHeight: return virtual_height;
    case kXOffset: return x_offset;
    case kYOffset: return y_offset;
    case kMemory64K: return static_cast<u16>(memory_bytes / kBankBytes);
    default: return 0;
  }
}

bool DispiRegisters::write(u16 value, u64 memory_bytes) {
  switch (index) {
    case kId:
      if (value >= kFirstId && value <= kLastId) id = value;
      return false;
    case kXres: xres = value; break;
    case kYres: yres = value; break;
    case kBpp: bpp = value == 0 ? u16{8} : value; break;
    case kBank: bank = value; break;
    case kVirtualWidth: virtual_width = value; break;
    case kXOffset: x_offset = value; break;
    case kYOffset: y_offset = value; break;
    case kEnable: {
      const bool begins = (value & kEnabled) != 0 && !enabled();
      enable = value;
      if (!begins) break;
      bank = x_offset = y_offset = 0;
      virtual_width = xres;
      make_fit(memory_bytes);
      return (value & kKeepMemory) == 0;
    }
    default: return false;
  }
  if (enabled()) make_fit(memory_bytes);
  bank = static_cast<u16>(std::min<u64>(bank, memory_bytes / kBankBytes - 1));
  return false;
}

void DispiRegisters::make_fit(u64 memory_bytes) {
  constexpr u16 kDepths[] = {4, 8, 15, 16, 24, 32};
  if (std::ranges::find(kDepths, bpp) == std::end(kDepths)) bpp = 8;
  const auto width = [](u16 pixels) { return static_cast<u16>(std::clamp<u32>(pixels & ~7u, 8, kMaxXres)); };
  xres = width(xres);
  virtual_width = std::max(width(virtual_width), xres);
  const u64 most_lines = memory_bytes / bytes_per_line();
  yres = static_cast<u16>(std::clamp<u64>(yres, 1, std::min<u64>(kMaxYres, most_lines)));
  virtual_height = static_cast<u16>(std::min<u64>(most_lines, 0xffff));
  // A planar picture begins at a whole byte.
  if (planar()) x_offset &= u16{0xfff8};
  if (u64{x_offset} * bits_stored() / 8 + u64{y_offset} * bytes_per_line() + picture_bytes() > memory_bytes)
    y_offset = 0;
  if (u64{x_offset} * bits_stored() / 8 + picture_bytes() > memory_bytes) x_offset = 0;
  bank = static_cast<u16>(std::min<u64>(bank, memory_bytes / kBankBytes - 1));
}

}  // namespace reprise::devices
