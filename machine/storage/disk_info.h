// What there is to tell about the drives of a run: in the monitor, and in the report at its end.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "machine/storage/counted_image.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

struct DiskInfo {
  std::string name;    // "disk0"
  std::string file;    // empty: there is no medium
  std::string format;  // "raw", "qcow2", "ISO 9660"
  DiskBus bus = DiskBus::Virtio;
  DiskMedia media = DiskMedia::Disk;
  u64 bytes = 0;
  std::string serial;
  std::string writes;   // what becomes of the guest's writes
  std::string overlay;  // file of a kept overlay, or empty
  DiskCounters counters;
};

std::string_view bus_name(DiskBus bus);

nlohmann::ordered_json disk_json(const DiskInfo& disk);

}  // namespace reprise::machine
