#include "machine/firmware/boot_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace reprise::machine {

Result<std::vector<std::size_t>> boot_order(const std::vector<std::string>& wanted,
                                            const std::vector<Drive>& drives) {
  std::vector<std::size_t> order;
  const auto take = [&](std::size_t index) {
    if (std::ranges::find(order, index) == order.end()) order.push_back(index);
  };
  for (const std::string& word : wanted) {
    bool found = false;
    for (std::size_t i = 0; i < drives.size(); ++i) {
      const AttachedDisk& disk = drives[i].disk;
      if (disk.name != word && kind_name(disk.media) != word) continue;
      take(i);
      found = true;
    }
    if (found) continue;
    std::vector<std::string> names;
    for (const Drive& drive : drives) names.push_back(drive.disk.name);
    return wrong_usage(
        fmt::format("--boot {}: there is no such drive; there {} {}.", word, names.size() == 1 ? "is" : "are",
                    names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "))));
  }
  for (std::size_t i = 0; i < drives.size(); ++i) take(i);
  return order;
}

std::string firmware_path(const Drive& drive, unsigned slot) {
  constexpr const char* kRoot = "/pci@i0cf8";
  switch (drive.disk.bus) {
    case DiskBus::Auto: break;
    case DiskBus::Ide:
      return fmt::format("{}/ide@1,1/drive@{:x}/disk@{:x}", kRoot, drive.place / 2, drive.place % 2);
    case DiskBus::Ahci:
      return fmt::format("{}/pci8086,2922@{:x}/drive@{:x}/disk@0", kRoot, slot, drive.place);
    case DiskBus::Virtio: return fmt::format("{}/scsi@{:x}/disk@0,0", kRoot, slot);
    case DiskBus::Floppy: return fmt::format("{}/isa@1/fdc@03f0/floppy@{:x}", kRoot, drive.place);
  }
  return {};
}

}  // namespace reprise::machine
