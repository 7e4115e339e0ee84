// What there is to tell about the drives of a run: in the monitor, and in the report at its end.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "machine/storage/counted_image.h"
#include "machine/storage/digested_image.h"
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
  u64 file_bytes = 0;
  i64 modified_unix_ns = 0;  // the file, when it was opened
  ReadDigest read;           // of what was read from it
  bool absent = false;       // it waits to be plugged in, and nobody is to see it
};

/// What happened to a request of the drive's, and what to do: a sentence without a full stop.
std::string describe(const DiskError& error, const DiskInfo& disk);

/// DiskInfo::writes of a disk whose writes die with the run.
inline constexpr std::string_view kWritesAreTemporary = "gone with the run";
/// Of those that go to a file that outlives it.
inline constexpr std::string_view kWritesAreWrittenThrough = "written through";
inline constexpr std::string_view kWritesAreInAnOverlay = "kept in an overlay";

std::string_view bus_name(DiskBus bus);

nlohmann::ordered_json disk_json(const DiskInfo& disk);

}  // namespace reprise::machine
