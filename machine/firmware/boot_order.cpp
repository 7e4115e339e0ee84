#include "machine/firmware/boot_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace reprise::machine {

namespace {

constexpr const char* kRoot = "/pci@i0cf8";

Error no_such_source(const std::string& word, const std::vector<BootSource>& sources) {
  if (word.starts_with(kNetworkKind) &&
      std::ranges::find(sources, kNetworkKind, &BootSource::kind) == sources.end())
    return wrong_usage(fmt::format("--boot {}: there is no network card: add --net user.", word));
  std::vector<std::string> names;
  names.reserve(sources.size());
  for (const BootSource& source : sources) names.push_back(source.name);
  return wrong_usage(fmt::format(
      "--boot {}: there is no such drive or card; there {} {}.", word, names.size() == 1 ? "is" : "are",
      names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace

Result<std::vector<std::string>> boot_order(const std::vector<std::string>& wanted,
                                            const std::vector<BootSource>& sources) {
  std::vector<std::string> order;
  const auto take = [&](const BootSource& source) {
    if (std::ranges::find(order, source.path) == order.end()) order.push_back(source.path);
  };
  for (const std::string& word : wanted) {
    bool found = false;
    for (const BootSource& source : sources) {
      if (source.name != word && source.kind != word) continue;
      take(source);
      found = true;
    }
    if (!found) return no_such_source(word, sources);
  }
  for (const BootSource& source : sources)
    if (source.kind != kNetworkKind) take(source);
  if (order.empty())
    for (const BootSource& source : sources) take(source);
  return order;
}

std::string firmware_path(const Drive& drive, unsigned slot) {
  switch (drive.disk.bus) {
    case DiskBus::Auto: break;
    case DiskBus::Ide:
      return fmt::format("{}/ide@1,1/drive@{:x}/disk@{:x}", kRoot, drive.place / 2, drive.place % 2);
    case DiskBus::Ahci:
      return fmt::format("{}/pci8086,2922@{:x}{}/drive@{:x}/disk@0", kRoot, slot,
                         drive.function != 0 ? fmt::format(",{:x}", drive.function) : "", drive.place);
    case DiskBus::Virtio: return fmt::format("{}{}/scsi@{:x}/disk@0,0", kRoot, drive.behind, slot);
    case DiskBus::Scsi:
      return fmt::format("{}{}/scsi@{:x}/channel@0/disk@{:x},{:x}", kRoot, drive.behind, slot, drive.place,
                         drive.disk.lun);
    case DiskBus::Floppy: return fmt::format("{}/isa@1/fdc@03f0/floppy@{:x}", kRoot, drive.place);
  }
  return {};
}

std::string firmware_path_of_network(unsigned slot, std::string_view behind) {
  return fmt::format("{}{}/ethernet@{:x}/ethernet-phy@0", kRoot, behind, slot);
}

}  // namespace reprise::machine
