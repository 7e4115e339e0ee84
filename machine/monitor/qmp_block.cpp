// Disks, by our names. QEMU, "QEMU QMP Reference Manual": "Block devices".
#include <algorithm>

#include "machine/monitor/qmp_handlers.h"

namespace reprise::machine::monitor {
namespace {

/// What QEMU shows of a medium.
Json medium_json(const DiskInfo& disk) {
  return {{"file", disk.file},
          {"node-name", disk.name},
          {"drv", disk.format},
          {"ro", disk.media == DiskMedia::Cdrom},
          {"encrypted", false},
          {"image", {{"filename", disk.file}, {"format", disk.format}, {"virtual-size", disk.bytes}}}};
}

}  // namespace

Outcome query_block(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent) continue;
    Json json = {{"device", disk.name},
                 {"qdev", disk.name},
                 {"type", "unknown"},
                 {"removable", disk.media != DiskMedia::Disk},
                 {"locked", false}};
    if (!disk.file.empty()) json["inserted"] = medium_json(disk);
    list.push_back(std::move(json));
  }
  return answer_of(std::move(list));
}

Outcome query_named_block_nodes(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent || disk.file.empty()) continue;
    list.push_back(medium_json(disk));
  }
  return answer_of(std::move(list));
}

Outcome query_blockstats(Monitor& monitor, const Json& arguments) {
  const bool nodes = is_true_in(arguments, "query-nodes");
  Json list = Json::array();
  for (const DiskInfo& disk : monitor.machine().disks().info()) {
    if (disk.absent) continue;
    Json json = Json::object();
    if (!nodes) json = {{"device", disk.name}, {"qdev", disk.name}};
    if (!disk.file.empty()) json["node-name"] = disk.name;
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
  const std::vector<DiskInfo> disks = monitor.machine().disks().info();
  if (std::ranges::find(disks, name, &DiskInfo::name) != disks.end()) return name;
  // QEMU's names of drives that nobody named: "ide1-cd0".
  return name.find("-cd") == std::string::npos ? name : "cdrom0";
}

}  // namespace reprise::machine::monitor
