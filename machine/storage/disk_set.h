// The disks of a run: opens the images that the user named, decides what was left open, and owns the result.
#pragma once

#include <memory>
#include <vector>

#include "common/log.h"
#include "common/result.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

/// What boots, as far as the choice of a bus depends on it.
enum class BootBy : u8 { Kernel, Firmware };

class DiskSet {
 public:
  /// Opens every image or says in one sentence why not. Decisions go to the log, category "disk", level info.
  static Result<DiskSet> open(const std::vector<DiskConfig>& configs, BootBy boot_by, const Log& log);

  /// In the order of the configuration. The media live as long as this.
  const std::vector<AttachedDisk>& attached() const { return attached_; }

 private:
  std::vector<std::unique_ptr<devices::BlockBackend>> media_;
  std::vector<AttachedDisk> attached_;
};

}  // namespace reprise::machine
