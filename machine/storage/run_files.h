// RunFiles: the files of a run, as those who open them need to know: what they held at its beginning, and whether they may be written.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "machine/storage/file_pieces.h"
#include "machine/storage/first_writes.h"

namespace reprise::machine {

/// Thread: the machine's.
class RunFiles {
 public:
  /// Of a run: relative names are those of this process's folder.
  RunFiles() = default;
  /// Of one that is repeated: relative names are those of `folder`, files hold what `earlier` says, else what they hold, and
  /// none is written.
  RunFiles(std::string folder, PiecesByFile earlier)
      : repeated_(true), folder_(std::move(folder)), earlier_(std::move(earlier)) {}

  bool repeated() const { return repeated_; }
  /// From /, without symbolic links being looked at.
  std::string whole_name(const std::string& path) const;

  const std::shared_ptr<FirstWrites>& first_writes() const { return first_writes_; }
  /// What is known of the file of that whole name at the run's beginning; nullptr: it is as it was.
  std::shared_ptr<const FilePieces> earlier(const std::string& name) const;

  /// What a repeated run would have written to the file of that whole name, over what it held. It may be opened several times.
  std::shared_ptr<devices::BlockBackend> written(const std::string& name) const;
  void keep_written(const std::string& name, std::shared_ptr<devices::BlockBackend> content) {
    written_[name] = std::move(content);
  }

 private:
  const bool repeated_ = false;
  const std::string folder_;
  const PiecesByFile earlier_;
  const std::shared_ptr<FirstWrites> first_writes_ = std::make_shared<FirstWrites>();
  std::map<std::string, std::shared_ptr<devices::BlockBackend>> written_;
};

}  // namespace reprise::machine
