// CodeDirectory: a folder of the host that keeps translations for other runs (--code-cache-dir). What it gives back is run as host
// code, so it takes only what this user, with the key in there, wrote.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/result.h"
#include "machine/board/engine_factory.h"

namespace reprise::frontend {

class CodeDirectory final : public jit::CodeStore {
 public:
  /// The folder at `path`, which is made when it is not there. Its files are those of `build`, another program's are not
  /// looked at. `tell` is given a sentence for each file that is not used; any thread. Error: others may write there, or there can be no
  /// such folder.
  static Result<std::shared_ptr<CodeDirectory>> open(std::string path, std::string build,
                                                     std::function<void(std::string)> tell);

  std::optional<jit::StoredCode> load(const std::string& name) override;
  /// Whoever loads it finds the file before or this one. Of many files the oldest go.
  void save(const std::string& name, std::span<const u8> bytes) override;

  /// So many files there are at most.
  static constexpr std::size_t kMostFiles = 32;

 private:
  CodeDirectory(std::string path, std::string build, std::vector<u8> key,
                std::function<void(std::string)> tell)
      : path_(std::move(path)), build_(std::move(build)), key_(std::move(key)), tell_(std::move(tell)) {}
  std::string file_of(const std::string& name) const;
  /// What tells that `bytes` are ours, of that name and build.
  std::vector<u8> mark(const std::string& name, std::span<const u8> bytes) const;
  void remove_old() const;

  const std::string path_;
  const std::string build_;
  const std::vector<u8> key_;
  const std::function<void(std::string)> tell_;
};

}  // namespace reprise::frontend
