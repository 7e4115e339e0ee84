#include <fmt/format.h>

#include <set>

#include "common/check.h"
#include "devices/virtio/virtio_9p.h"
#include "machine/plug/pc_slots.h"
#include "machine/plug/share_device.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kShare[] = {
    {"path", PropertyType::File, "a folder's name", "", "the folder"},
    {"tag", PropertyType::Serial, "up to 31 letters, digits, '-', '.' and '_'", "",
     "by which the guest mounts it", devices::Virtio9p::kMaxTagBytes},
    {"readonly", PropertyType::Switch, "yes, no", "no", "the guest changes nothing in it"},
    {"times", PropertyType::Choice, "host, fixed", "host",
     "what the guest sees: those of the host's files, or one for all"},
    {"owner", PropertyType::Choice, "mapped, real", "mapped",
     "of files: the guest's, kept beside them, or the host's"},
};

bool is_yes(const std::string* value) { return value != nullptr && (*value == "yes" || *value == "on"); }
bool is(const std::string* value, std::string_view word) { return value != nullptr && *value == word; }

std::unique_ptr<devices::VirtioDevice> make_virtio_9p(const DeviceSite& site) {
  CHECK(site.nth < site.board.shares.size());
  return std::make_unique<devices::Virtio9p>(*site.board.shares[site.nth], site.text("tag"),
                                             site.board.clock);
}

}  // namespace

constinit const DeviceRow kVirtio9pRow = {.driver = "virtio-9p",
                                          .qemu_name = "virtio-9p-pci",
                                          .help = "a folder of the host's: as --share",
                                          .properties = kShare,
                                          .place = kPciSlot,
                                          .most = kAnyNumber,
                                          .virtio = make_virtio_9p};

Result<ShareConfig> share_config(const DeviceConfig& device) {
  const std::string* const path = device.find("path");
  const std::string* const tag = device.find("tag");
  if (path == nullptr) return Error{"it names no folder: give --share FOLDER,tag=NAME"};
  if (tag == nullptr) return Error{"it has no tag: add tag=NAME, by which the guest mounts it"};
  return ShareConfig{.path = *path,
                     .tag = *tag,
                     .read_only = is_yes(device.find("readonly")),
                     .fixed_times = is(device.find("times"), "fixed"),
                     .owner = is(device.find("owner"), "real") ? ShareOwner::Real : ShareOwner::Mapped};
}

std::vector<ShareConfig> share_configs(const std::vector<DeviceConfig>& devices) {
  std::vector<ShareConfig> shares;
  for (const DeviceConfig& device : devices) {
    if (device.driver != kVirtio9pRow.driver) continue;
    Result<ShareConfig> share = share_config(device);
    CHECK(share.ok());
    shares.push_back(share.take());
  }
  return shares;
}

Result<Done> check_share_tags(const std::vector<DeviceConfig>& devices) {
  std::set<std::string> tags;
  for (const DeviceConfig& device : devices) {
    const std::string* const tag = device.find("tag");
    if (device.driver == kVirtio9pRow.driver && tag != nullptr && !tags.insert(*tag).second)
      return Error{fmt::format("two shares have the tag '{}'", *tag)};
  }
  return Done{};
}

}  // namespace reprise::machine
