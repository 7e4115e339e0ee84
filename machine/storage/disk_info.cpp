#include "machine/storage/disk_info.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "machine/storage/host_fd.h"

namespace reprise::machine {

std::string_view bus_name(DiskBus bus) {
  switch (bus) {
    case DiskBus::Auto: return "auto";
    case DiskBus::Ide: return "ide";
    case DiskBus::Ahci: return "ahci";
    case DiskBus::Virtio: return "virtio";
    case DiskBus::Floppy: return "floppy";
    case DiskBus::Scsi: return "scsi";
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

std::string describe(const DiskError& error, const DiskInfo& disk) {
  using devices::BlockStatus;
  std::string text = fmt::format("{} ('{}'): ", disk.name, disk.file);
  if (error.status == BlockStatus::Refused)
    return text +
           "a write to its first sector was refused, because the image would be taken for one of another "
           "format the "
           "next time; with format=raw behind the image's name the guest may write anything";
  text += fmt::format("{}, so the guest's {}", devices::describe(error.status), error.what);
  if (error.bytes != 0) text += fmt::format(" of {} bytes at {}", error.bytes, error.offset);
  text += " failed";
  if (error.what == "read" || error.status == BlockStatus::ReadOnly) return text;
  if (!disk.overlay.empty()) return text + fmt::format("; what it writes goes to '{}'", disk.overlay);
  if (disk.writes == kWritesAreTemporary)
    return text + fmt::format("; what it writes is kept in {} during the run: TMPDIR chooses another place",
                              temporary_folder());
  return text;
}

nlohmann::ordered_json disk_json(const DiskInfo& disk) {
  const DiskCounters& counters = disk.counters;
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const DiskProblem& problem : counters.problems)
    problems.push_back({{"what", problem.what},
                        {"why", devices::describe(problem.status)},
                        {"times", problem.times},
                        {"first_offset", problem.first_offset}});
  return {{"name", disk.name},
          {"file", disk.file},
          {"file_bytes", disk.file_bytes},
          {"file_modified_unix_ns", disk.modified_unix_ns},
          {"read_bytes", disk.read.bytes},
          {"read_digest", fmt::format("{:016x}", disk.read.digest)},
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
            {"errors", counters.errors}}},
          {"problems", std::move(problems)}};
}

}  // namespace reprise::machine
