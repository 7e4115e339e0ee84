#include "machine/narrow/device_accesses.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/machine.h"

namespace reprise::machine {

void DeviceAccesses::port_accessed(AccessKind kind, u16 port, Width width, u32 value) {
  if (machine_ != nullptr) add(0, port, kind, width, value);
}

void DeviceAccesses::mmio_accessed(AccessKind kind, std::string_view name, u64 offset, Width width,
                                   u64 value) {
  if (machine_ == nullptr) return;
  auto region = std::ranges::find(regions_, name);
  if (region == regions_.end()) region = regions_.emplace(region, name);
  add(1 + static_cast<u32>(region - regions_.begin()), offset, kind, width, value);
}

void DeviceAccesses::add(u32 region, u64 place, AccessKind kind, Width width, u64 value) {
  if (accesses_.size() < kMost)
    accesses_.push_back({machine_->position(), place, value, region, width, kind});
}

std::string DeviceAccesses::text(const Access& access) const {
  const std::string what = access.region == 0 ? port_access_text(access.kind, static_cast<u16>(access.place),
                                                                 access.width, static_cast<u32>(access.value))
                                              : mmio_access_text(access.kind, regions_[access.region - 1],
                                                                 access.place, access.width, access.value);
  return fmt::format("{} {}", position_text(access.at), what);
}

}  // namespace reprise::machine
