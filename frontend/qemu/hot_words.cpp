#include "frontend/qemu/hot_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"
#include "frontend/qemu/plug.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend::qemu {
namespace {

Error sentence(std::string_view phrase) { return Error{fmt::format("{}.", phrase)}; }

}  // namespace

HotWords::HotWords(Draft draft) : draft_(std::move(draft)) {
  const auto net = std::ranges::find(draft_.words, "--net");
  has_network_ = net != draft_.words.end() && net + 1 != draft_.words.end() && *(net + 1) != "none";
}

void HotWords::forget_gone(const std::function<bool(const std::string& id)>& has) {
  for (auto holding = holdings_.begin(); holding != holdings_.end();) {
    if (has(holding->first)) {
      ++holding;
      continue;
    }
    const std::string& drive = holding->second.drive;
    if (holding->second.was_added) {
      std::erase_if(draft_.drives, [&](const Drive& one) { return one.id == drive; });
      added_.erase(drive);
    } else if (Drive* const one = draft_.find_drive(drive)) {
      one->used = false;
    }
    holding = holdings_.erase(holding);
  }
}

Result<machine::DeviceConfig> HotWords::device(const std::string& text) {
  Draft draft = draft_;
  draft.words.clear();
  std::string id, drive;
  try {
    KeyValues keys = KeyValues::parse("device_add", text, "driver");
    KeyValues copy = keys;
    id = copy.take_or_empty("id");
    drive = copy.take_or_empty("drive");
    draft.devices = {std::move(keys)};
    Plug plug{.draft = draft};
    plug.add_devices();
  } catch (const BadValue& bad) {
    return sentence(bad.message);
  }
  if (draft.words.size() != 2) return sentence("device_add: it is there already, and no card");
  const machine::DeviceConfig device = TRY(machine::parse_device("device_add", draft.words[1]));
  draft_.drives = std::move(draft.drives);
  draft_.nodes = std::move(draft.nodes);
  draft_.netdevs = std::move(draft.netdevs);
  if (!id.empty() && !drive.empty()) holdings_[id] = {drive, added_.contains(drive)};
  return device;
}

Result<Done> HotWords::add(std::string_view option, std::string_view command, const std::string& text) {
  Draft draft = draft_;
  try {
    find_option(option)->set(draft, command, text);
  } catch (const BadValue& bad) {
    return sentence(bad.message);
  }
  draft_ = std::move(draft);
  return Done{};
}

Result<Done> HotWords::add_drive(const std::string& text) {
  std::string id;
  try {
    KeyValues keys = KeyValues::parse("drive_add", text);
    id = keys.take_or_empty("id");
    if (id.empty()) return sentence("drive_add: it has no id=");
    if (keys.take("if").value_or("none") != "none")
      return sentence("drive_add: only if=none is possible while the guest runs");
  } catch (const BadValue& bad) {
    return sentence(bad.message);
  }
  if (draft_.find_drive(id) != nullptr) return sentence(fmt::format("Duplicate ID '{}' for drive", id));
  TRY(add("drive", "drive_add", text));
  added_[id] = true;
  return Done{};
}

Result<Done> HotWords::add_node(const std::string& text) {
  std::string id;
  try {
    id = KeyValues::parse("blockdev-add", text, "driver").take_or_empty("node-name");
  } catch (const BadValue& bad) {
    return sentence(bad.message);
  }
  if (draft_.find_drive(id) != nullptr)
    return sentence(fmt::format("Duplicate nodes with node-name='{}'", id));
  return add("blockdev", "blockdev-add", text);
}

Result<Done> HotWords::add_netdev(const std::string& text) {
  if (!has_network_)
    return sentence(
        "netdev_add: this run has no network; it has one that began with -netdev user or -nic user");
  return add("netdev", "netdev_add", text);
}

Result<Done> HotWords::remove_drive(const std::string& id) {
  const auto drive = std::ranges::find(draft_.drives, id, &Drive::id);
  if (id.empty() || drive == draft_.drives.end()) return sentence(fmt::format("Device '{}' not found", id));
  if (drive->used)
    return sentence(fmt::format("drive_del: '{}' is the medium of a device: device_del it first", id));
  draft_.drives.erase(drive);
  added_.erase(id);
  return Done{};
}

Result<Done> HotWords::remove_node(const std::string& id) {
  const auto node = draft_.nodes.find(id);
  if (node == draft_.nodes.end()) return sentence(fmt::format("Failed to find node with node-name='{}'", id));
  const bool below = std::ranges::any_of(draft_.over, [&](const auto& one) { return one.second == id; });
  if (node->second.used || below) return sentence(fmt::format("Node '{}' is in use", id));
  draft_.over.erase(id);
  draft_.nodes.erase(node);
  return Done{};
}

Result<Done> HotWords::remove_netdev(const std::string& id) {
  if (draft_.netdevs.erase(id) == 0) return sentence(fmt::format("Device '{}' not found", id));
  return Done{};
}

}  // namespace reprise::frontend::qemu
