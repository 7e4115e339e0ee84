#include "machine/plug/display_row.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "common/numbers.h"
#include "machine/layout/memory_map.h"
#include "machine/plug/card_rows.h"

namespace reprise::machine {
namespace {

constexpr std::string_view kMemory = "vgamem_mb";
constexpr std::string_view kWidth = "xres";
constexpr std::string_view kHeight = "yres";
constexpr u64 kLeastMib = 16, kMostMib = 64;

/// The names are those of QEMU.
constexpr PropertySpec kProperties[] = {
    {.name = kMemory,
     .type = PropertyType::Choice,
     .values = "16, 32, 64",
     .by_default = {},
     .help = "its memory, in MiB",
     .otherwise = "16, or what two pictures of the preferred size take"},
    {kWidth, PropertyType::Number, "up to 4088", "1280",
     "the width that the monitor prefers, in pixels: a multiple of 8", devices::kMaxDisplaySize.width},
    {kHeight, PropertyType::Number, "up to 4095", "800", "the height that the monitor prefers, in pixels",
     devices::kMaxDisplaySize.height}};

u64 number(const DeviceConfig* device, std::string_view property) {
  const std::string* given = device != nullptr ? device->find(property) : nullptr;
  const auto value =
      parse_number(given != nullptr ? std::string_view(*given) : kVgaRow.find(property)->by_default);
  CHECK(value.has_value());
  return *value;
}

/// Linux's driver offers no size of which the memory does not hold two.
u64 memory_mib_for(devices::DisplaySize size) {
  constexpr u64 kPixelBytes = 4;
  const u64 wanted = 2 * kPixelBytes * size.width * size.height;
  u64 mib = kLeastMib;
  while (mib < kMostMib && mib * kMiB < wanted) mib *= 2;
  return mib;
}

}  // namespace

constinit const DeviceRow kVgaRow = {
    .driver = "VGA",
    .qemu_name = "VGA",
    .help = "properties of the graphics card, which is there anyway: VGA with Bochs VBE",
    .properties = kProperties,
    .place = {},
    .most = 1};

std::string why_not_vga(const DeviceConfig& device) {
  const devices::DisplaySize size = {static_cast<u32>(number(&device, kWidth)),
                                     static_cast<u32>(number(&device, kHeight))};
  const std::string why = why_not_display_size(size);
  return why.empty() ? why
                     : fmt::format("a size of {}x{} cannot be preferred: {}", size.width, size.height, why);
}

VgaProperties vga_properties(const std::vector<DeviceConfig>& devices) {
  const auto found = std::ranges::find(devices, kVgaRow.driver, &DeviceConfig::driver);
  const DeviceConfig* const device = found == devices.end() ? nullptr : &*found;
  const devices::DisplaySize preferred = {static_cast<u32>(number(device, kWidth)),
                                          static_cast<u32>(number(device, kHeight))};
  const bool given = device != nullptr && device->find(kMemory) != nullptr;
  return {.memory_bytes = (given ? number(device, kMemory) : memory_mib_for(preferred)) * kMiB,
          .preferred = preferred};
}

void prefer_display_size(std::vector<DeviceConfig>& devices, devices::DisplaySize size) {
  auto found = std::ranges::find(devices, kVgaRow.driver, &DeviceConfig::driver);
  if (found == devices.end()) found = devices.insert(devices.end(), {.driver = std::string(kVgaRow.driver)});
  found->set(kWidth, fmt::format("{}", size.width));
  found->set(kHeight, fmt::format("{}", size.height));
}

std::string why_not_display_size(devices::DisplaySize size) {
  constexpr devices::DisplaySize kLeast = devices::kMinDisplaySize, kMost = devices::kMaxDisplaySize;
  if (size.width < kLeast.width || size.height < kLeast.height || size.width > kMost.width ||
      size.height > kMost.height)
    return fmt::format("it is not between {}x{} and {}x{}", kLeast.width, kLeast.height, kMost.width,
                       kMost.height);
  // To which the card rounds down, as QEMU's does.
  if (const u32 below = size.width / 8 * 8; below != size.width)
    return fmt::format("the card shows whole multiples of 8 pixels in a line: give {0}x{2} or {1}x{2}", below,
                       below + 8, size.height);
  return {};
}

}  // namespace reprise::machine
