// From what the user said of an image to its content: format, overlay, locks.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "machine/storage/digested_image.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

class RunFiles;

struct OpenedImage {
  std::unique_ptr<devices::BlockBackend> medium;
  DiskMedia media = DiskMedia::Disk;
  std::string format;  // "raw", "qcow2", "ISO 9660"
  u64 file_bytes = 0;
  i64 modified_unix_ns = 0;
  std::shared_ptr<ReadDigest> read = std::make_shared<ReadDigest>();  // of what was read from the image
  std::string writes;  // what becomes of the guest's writes, for a person
};

/// `files` say what becomes of files that it is to write; nullptr: a run of its own.
Result<OpenedImage> open_image(const DiskConfig& config, std::shared_ptr<RunFiles> files = nullptr);

}  // namespace reprise::machine
