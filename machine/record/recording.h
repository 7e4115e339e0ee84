// Recording: a file that a Recorder wrote, entry by entry.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/record.h"

namespace reprise::machine {

class Recording {
 public:
  /// Error: it cannot be read, or is no recording.
  static Result<std::unique_ptr<Recording>> open(const std::string& path);

  const std::string& path() const { return path_; }
  const RecordedRun& run() const { return run_; }

  /// The entry that comes next; nullptr: there is none.
  const RecordEntry* next() const { return next_ ? &*next_ : nullptr; }
  void pop();
  /// Where that is. Past the last entry: the last one's.
  const Position& next_at() const { return next_at_; }
  /// Behind the last entry: why there is none, as a phrase; empty: it ends as it should.
  const std::string& cut() const { return cut_; }
  /// It is not that nobody wrote on.
  bool damaged() const { return damaged_; }

 private:
  Recording(std::string path, std::vector<u8> bytes) : path_(std::move(path)), bytes_(std::move(bytes)) {}

  const std::string path_;
  const std::vector<u8> bytes_;
  std::span<const u8> left_;
  RecordDecoder decoder_;
  RecordedRun run_;
  std::optional<RecordEntry> next_;
  Position next_at_;
  bool has_end_ = false;
  std::string cut_;
  bool damaged_ = false;
};

/// Whether `path` names a recording, an empty file, or none: nobody means to replace anything else by one.
bool may_be_replaced_by_recording(const std::string& path);

}  // namespace reprise::machine
