// Recording: a file that a Recorder wrote, entry by entry.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/record_reader.h"
#include "machine/storage/file_pieces.h"

namespace reprise::machine {

class Recording {
 public:
  /// Error: it cannot be read, or is no recording. Reads it to its end, for what it has of files.
  static Result<std::unique_ptr<Recording>> open(const std::string& path);

  const std::string& path() const { return path_; }
  const RecordedRun& run() const { return run_; }
  /// What it has of files. Usable as long as anybody keeps it.
  RecordedContent take_content() { return std::move(content_); }

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
  Recording(std::string path, HostFd file)
      : path_(std::move(path)),
        file_(std::make_shared<const HostFd>(std::move(file))),
        reader_(file_, kRecordingHeadBytes) {}
  void find_content();

  const std::string path_;
  const std::shared_ptr<const HostFd> file_;
  RecordReader reader_;
  RecordedRun run_;
  RecordedContent content_;
  std::optional<RecordEntry> next_;
  Position next_at_;
  bool has_end_ = false;
  std::string cut_;
  bool damaged_ = false;
};

/// Whether `path` names a recording, an empty file, or none: nobody means to replace anything else by one.
bool may_be_replaced_by_recording(const std::string& path);

}  // namespace reprise::machine
