#include "machine/storage/disk_info.h"

namespace reprise::machine {

std::string_view bus_name(DiskBus bus) {
  switch (bus) {
    case DiskBus::Auto: return "auto";
    case DiskBus::Ide: return "ide";
    case DiskBus::Ahci: return "ahci";
    case DiskBus::Virtio: return "virtio";
    case DiskBus::Floppy: return "floppy";
  }
  return "unknown";
}

std::string_view kind_name(DiskMedia media) {
  switch (media) {
    case DiskMedia::Disk: return "disk";
    case DiskMedia::Cdrom: return "cdrom";
    case DiskMedia::Floppy: return "floppy";
  }
  return "unknown";
}

nlohmann::ordered_json disk_json(const DiskInfo& disk) {
  const DiskCounters& counters = disk.counters;
  return {{"name", disk.name},
          {"file", disk.file},
          {"format", disk.format},
          {"bus", bus_name(disk.bus)},
          {"media", kind_name(disk.media)},
          {"bytes", disk.bytes},
          {"serial", disk.serial},
          {"writes", disk.writes},
          {"overlay", disk.overlay},
          {"counters",
           {{"reads", counters.reads},
            {"bytes_read", counters.bytes_read},
            {"writes", counters.writes},
            {"bytes_written", counters.bytes_written},
            {"flushes", counters.flushes},
            {"discards", counters.discards},
            {"bytes_discarded", counters.bytes_discarded},
            {"errors", counters.errors}}}};
}

}  // namespace reprise::machine
