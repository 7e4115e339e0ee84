// Packer: a copy of a recording that has all that its run reads, so that it needs no file any more.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/record.h"
#include "machine/storage/new_file.h"

namespace reprise::machine {

class RunFiles;

/// Thread: the machine's.
class Packer {
 public:
  /// Of the recording at `from`. A machine that follows it opens its files through `files`, from its creation on; what it reads goes
  /// to the copy, which gets the name `to` in finish(). Both may be one. Error: a sentence.
  static Result<std::unique_ptr<Packer>> begin(const std::string& from, const std::string& to,
                                               RunFiles& files);
  /// The run has been followed to its end.
  Result<Done> finish();

  std::size_t files() const { return files_.size(); }
  u64 bytes() const { return offset_; }

 private:
  Packer(std::string from, NewFile file) : from_(std::move(from)), file_(std::move(file)) {}
  void put(const RecordEntry& entry);
  void put(std::span<const u8> bytes);

  const std::string from_;
  NewFile file_;
  u64 offset_ = 0;
  RecordEncoder encoder_;
  std::vector<std::string> files_;
  int error_ = 0;  // an errno
};

}  // namespace reprise::machine
