// The disks of a run: opens the images that the user named, decides what was left open, and owns the result.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/log.h"
#include "common/result.h"
#include "machine/storage/disk_config.h"
#include "machine/storage/disk_info.h"
#include "machine/storage/open_image.h"

namespace reprise::machine {

/// What boots, as far as the choice of a bus depends on it.
enum class BootBy : u8 { Kernel, Firmware };

class DiskSet {
 public:
  /// Opens every image or says in one sentence why not. Decisions go to the log, category "disk", level info.
  /// `files` say what becomes of files that are written; nullptr: a run of its own.
  static Result<DiskSet> open(const std::vector<DiskConfig>& configs, BootBy boot_by, const Log& log,
                              std::shared_ptr<RunFiles> files = nullptr);

  /// In the order of the configuration. The media live as long as this, or until they are replaced.
  const std::vector<AttachedDisk>& attached() const { return attached_; }
  std::vector<DiskInfo> info() const;
  /// What `make` gives of the drive's medium, once for each that it gets.
  u64 sample_of(std::size_t drive, const std::function<u64()>& make);
  const RunFiles& files() const { return *files_; }
  /// Requests of all drives so far, and those that changed a medium.
  u64 requests() const;
  u64 writes() const;
  /// The same by kind, and bytes; no problems.
  DiskCounters traffic() const;

  /// Opens another medium for a CD-ROM or floppy drive. An empty path: none.
  Result<OpenedImage> open_medium(std::size_t drive, const DiskConfig& config) const;
  /// `medium` becomes that of the drive. The one before is returned: the drive still has it.
  std::unique_ptr<devices::BlockBackend> replace(std::size_t drive, const DiskConfig& config,
                                                 OpenedImage medium);

  /// Requests that fail from now on although the drive did nothing wrong.
  void on_error(DiskErrorListener listener) { on_error_->told = std::move(listener); }
  /// Requests that fail because they failed in the run that is repeated.
  void repeat_errors(DiskErrorSource source) { on_error_->repeated = std::move(source); }

 private:
  struct Owned {
    DiskConfig config;
    std::string format;
    u64 file_bytes = 0;
    i64 modified_unix_ns = 0;
    std::shared_ptr<ReadDigest> read = {};
    std::unique_ptr<DiskCounters> counters = std::make_unique<DiskCounters>();
    std::unique_ptr<devices::BlockBackend> medium = nullptr;
    std::optional<u64> sample = {};
  };
  /// As what this run has the file of `wanted` open, when one of both writes to it: "as disk0, which is written". Else
  /// empty.
  std::string writing_use_of(const DiskConfig& wanted) const;
  void take(std::size_t drive, const DiskConfig& config, OpenedImage medium);

  std::shared_ptr<RunFiles> files_;
  std::vector<Owned> owned_;
  std::unique_ptr<DiskErrors> on_error_ = std::make_unique<DiskErrors>();
  std::vector<AttachedDisk> attached_;  // like owned_
};

}  // namespace reprise::machine
