// Disks by the names that QEMU's command line gives them. QEMU, "QEMU QMP Reference Manual": "Block devices".
#include <fmt/format.h>

#include <algorithm>

#include "machine/monitor/emulator_tables.h"
#include "machine/monitor/qmp_handlers.h"

namespace reprise::machine::monitor {
namespace {

using Names = EmulatorTables::Disk;

/// Of one that was plugged in while the guest ran.
Names plugged_names(Machine& machine, const std::string& name) {
  Names names{.name = name};
  const std::vector<Drive>& drives = machine.pc().drives();
  for (const HotCard& card : machine.pc().hot_cards()) {
    if (!card.slot || !card.drive || drives.at(*card.drive).disk.name != name) continue;
    names.device = card.id;
    names.on_virtio = true;
  }
  return names;
}

/// Of the drive that the machine has as `name`, which is also its name where it has no other. Nodes that nobody named begin with #.
Names names_of(Monitor& monitor, const std::string& name) {
  const auto& disks = monitor.tables().disks;
  const auto found = std::ranges::find(disks, name, &Names::name);
  Names names = found == disks.end() ? plugged_names(monitor.machine(), name) : *found;
  if (names.node.empty()) names.node = names.drive.empty() ? fmt::format("#{}", name) : names.drive;
  return names;
}

/// Where the device is in QEMU's object model.
std::string path_of(const Names& names) {
  if (names.device.empty()) return names.name;
  return fmt::format("/machine/peripheral/{}{}", names.device, names.on_virtio ? "/virtio-backend" : "");
}

/// What QEMU shows of a medium.
Json medium_json(const DiskInfo& disk, const std::string& node, std::string_view format) {
  return {{"file", disk.file},
          {"node-name", node},
          {"drv", format},
          {"ro", disk.media == DiskMedia::Cdrom},
          {"encrypted", false},
          {"image", {{"filename", disk.file}, {"format", format}, {"virtual-size", disk.bytes}}}};
}

}  // namespace

Outcome query_block(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent) continue;
    const Names names = names_of(monitor, disk.name);
    Json json = {{"device", disk.name},
                 {"qdev", path_of(names)},
                 {"type", "unknown"},
                 {"removable", disk.media != DiskMedia::Disk},
                 {"locked", false}};
    if (!disk.file.empty()) json["inserted"] = medium_json(disk, names.node, disk.format);
    list.push_back(std::move(json));
  }
  return answer_of(std::move(list));
}

Outcome query_named_block_nodes(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent || disk.file.empty()) continue;
    const Names names = names_of(monitor, disk.name);
    list.push_back(medium_json(disk, names.node, disk.format));
    if (!names.file_node.empty()) list.push_back(medium_json(disk, names.file_node, "file"));
  }
  return answer_of(std::move(list));
}

Outcome query_blockstats(Monitor& monitor, const Json& arguments) {
  const bool nodes = is_true_in(arguments, "query-nodes");
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent) continue;
    const Names names = names_of(monitor, disk.name);
    Json json = Json::object();
    if (!nodes) json = {{"device", disk.name}, {"qdev", path_of(names)}};
    if (!disk.file.empty()) json["node-name"] = names.node;
    json["stats"] = {
        {"rd_operations", disk.counters.reads},        {"rd_bytes", disk.counters.bytes_read},
        {"wr_operations", disk.counters.writes},       {"wr_bytes", disk.counters.bytes_written},
        {"flush_operations", disk.counters.flushes},   {"unmap_operations", disk.counters.discards},
        {"unmap_bytes", disk.counters.bytes_discarded}};
    list.push_back(std::move(json));
  }
  return answer_of(std::move(list));
}

std::string drive_of(Monitor& monitor, const Json& arguments) {
  std::string name = text_in(arguments, "id");
  if (name.empty()) name = text_in(arguments, "device");
  if (name.empty()) return name;
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    const Names names = names_of(monitor, disk.name);
    if (name == disk.name || name == names.drive || name == names.device || name == names.node ||
        name == path_of(names))
      return disk.name;
  }
  // QEMU's names of drives that nobody named: "ide1-cd0".
  return name.find("-cd") == std::string::npos ? name : "cdrom0";
}

}  // namespace reprise::machine::monitor
