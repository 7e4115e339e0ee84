// Recording: a file that a Recorder wrote, entry by entry.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/recorded_entries.h"
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

  /// The place at byte `offset` of the file. `passed` is told of the events before it. Error: no entry begins there, a sentence.
  Result<RecordPlace> place_at(u64 offset, const std::function<void(const LoggedEvent&)>& passed) const;

  /// Its entries, first the one behind run().
  RecordedEntries& entries() { return entries_; }

 private:
  Recording(std::string path, HostFd file)
      : path_(std::move(path)),
        file_(std::make_shared<const HostFd>(std::move(file))),
        entries_(file_, kRecordingHeadBytes) {}
  Result<Done> find_content();

  const std::string path_;
  const std::shared_ptr<const HostFd> file_;
  RecordedEntries entries_;
  RecordedRun run_;
  RecordedContent content_;
};

/// Nobody means to replace anything else by a recording than an empty file, or a recording that is not just being written. Error:
/// why not the file at `path`, the end of a sentence.
Result<Done> may_be_replaced_by_recording(const std::string& path);

}  // namespace reprise::machine
