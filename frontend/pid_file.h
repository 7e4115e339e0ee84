// PidFile: tells others which process this is, as long as it is there.
#pragma once

#include <string>

#include "common/result.h"

namespace reprise::frontend {

class PidFile {
 public:
  /// The number of this process, and a newline. An empty path: nothing is wanted.
  static Result<PidFile> write(const std::string& path);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  /// Removes the file.
  ~PidFile();

 private:
  explicit PidFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace reprise::frontend
