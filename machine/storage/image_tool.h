// Making, describing and committing images.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

struct NewQcow2 {
  std::string path;
  std::string backing_path;    // empty: none
  std::string backing_format;  // qemu's name; of backing_path
  std::optional<u64> bytes;    // nullopt: as large as the backing file
};

/// Through qemu-img. An existing file is never replaced.
Result<Done> create_qcow2(const NewQcow2& image);
/// A sparse file. An existing file is never replaced.
Result<Done> create_raw(const std::string& path, u64 bytes);

struct ImageInfo {
  std::string path;
  std::string format;       // for a person
  std::string qemu_format;  // for qemu-img; empty when it does not know it
  u64 virtual_bytes = 0;
  u64 allocated_bytes = 0;
  std::optional<u64> cluster_bytes;  // of qcow2
  bool dirty = false;
  bool corrupt = false;
  bool encrypted = false;
  bool iso9660 = false;
};
/// The image, then the files that it lies over, nearest first.
Result<std::vector<ImageInfo>> describe_image(const std::string& path);

enum class Progress : u8 { Silent, Shown };
/// Writes what the overlay `path` holds into the image it lies over, and empties the overlay. The base's
/// path.
Result<std::string> commit_image(const std::string& path, Progress progress);

}  // namespace reprise::machine
