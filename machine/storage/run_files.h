// RunFiles: the files of a run, as those who open them need to know: where they are, what they held at its beginning, and whether
// they may be written.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/storage/file_pieces.h"
#include "machine/storage/first_touches.h"
#include "machine/storage/host_file.h"
#include "machine/storage/moved_file.h"

namespace reprise::machine {

/// Who packs a recording is told of what a run opens and reads.
struct FileCollector {
  std::function<void(const std::string& name, const PackedFile& file)> opened;
  std::shared_ptr<FirstTouches> reads = std::make_shared<FirstTouches>();
};

/// Thread: the machine's.
class RunFiles {
 public:
  /// Of a run: relative names are those of this process's folder.
  explicit RunFiles(std::vector<MovedFile> moved = {}) : moved_(std::move(moved)) {}
  /// Of one that is repeated: relative names are those of `folder`, files hold what `recorded` says, else what they hold, and
  /// none is written.
  RunFiles(std::string folder, RecordedContent recorded, std::vector<MovedFile> moved = {})
      : repeated_(true),
        folder_(std::move(folder)),
        recorded_(std::move(recorded)),
        moved_(std::move(moved)) {}

  bool repeated() const { return repeated_; }
  /// The run begins with a saved state, whose files may be elsewhere now.
  void begin_with_state() { begins_with_state_ = true; }
  /// --image says where they are.
  bool may_be_moved() const { return repeated_ || begins_with_state_; }
  /// From /, without symbolic links being looked at.
  std::string whole_name(const std::string& path) const;
  /// Where this host has the file that the run knows as `path`. Not of images that a recording has.
  std::string place_of(const std::string& path);
  /// What to do where it is not: for the end of a sentence.
  std::string how_to_move(const std::string& path) const;
  /// Whether it has it.
  bool exists(const std::string& path);
  /// --image names it.
  bool is_moved(const std::string& path) { return moved(path) != nullptr; }
  /// Names of --image that no file had.
  std::vector<std::string> unused_names() const;

  /// The recording has all that the run needs.
  bool is_packed() const { return !recorded_.packed.empty(); }
  /// What it has of the file of that whole name; nullptr: nothing.
  const PackedFile* packed(const std::string& name) const;

  const std::shared_ptr<FirstTouches>& first_writes() const { return first_writes_; }
  /// Earlier contents of images that are written through will be asked for. Before they are opened.
  void keep_history() { keeps_history_ = true; }
  bool keeps_history() const { return keeps_history_; }
  /// The run goes over its past again: files that are written through have it already.
  void set_repeats(bool repeats) { *repeats_ = repeats; }
  const std::shared_ptr<bool>& repeats() const { return repeats_; }
  /// What is known of the file of that whole name at the run's beginning; nullptr: it is as it was.
  std::shared_ptr<const FilePieces> earlier(const std::string& name) const;

  /// What a repeated run would have written to the file of that whole name, over what it held. It may be opened several times.
  std::shared_ptr<devices::BlockBackend> written(const std::string& name) const;
  void keep_written(const std::string& name, std::shared_ptr<devices::BlockBackend> content) {
    written_[name] = std::move(content);
  }

  std::size_t written_count() const { return written_.size(); }

  /// Somebody wants to know what is read from now on.
  void collect(FileCollector collector) { collector_ = std::move(collector); }
  const std::optional<FileCollector>& collector() const { return collector_; }
  /// `content` is all of the file `path`, for the collector.
  void collect_file(const std::string& path, std::span<const u8> content) const;
  /// The same of a file that may be large. Error: it cannot be read.
  Result<Done> collect_file(const std::string& path, int fd) const;

  /// Files other than images, as they were read.
  const std::vector<FileRead>& files_read() const { return files_read_; }
  void note_read(FileRead file) { files_read_.push_back(std::move(file)); }
  /// Those behind the first `count` were read again.
  void forget_read(std::size_t count) {
    files_read_.erase(files_read_.begin() + static_cast<std::ptrdiff_t>(count), files_read_.end());
  }

 private:
  const MovedFile* moved(const std::string& path);

  const bool repeated_ = false;
  bool begins_with_state_ = false;
  const std::string folder_;
  const RecordedContent recorded_;
  const std::vector<MovedFile> moved_;
  std::set<std::string> used_;              // names of moved_
  std::map<std::string, HostFd> unpacked_;  // files that a recording has, by whole name
  bool keeps_history_ = false;
  const std::shared_ptr<bool> repeats_ = std::make_shared<bool>(false);
  const std::shared_ptr<FirstTouches> first_writes_ = std::make_shared<FirstTouches>();
  std::map<std::string, std::shared_ptr<devices::BlockBackend>> written_;
  std::optional<FileCollector> collector_;
  std::vector<FileRead> files_read_;
};

}  // namespace reprise::machine
