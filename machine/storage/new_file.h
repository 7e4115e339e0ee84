// NewFile: a file that gets its name when it is whole. Whoever reads the name finds the old file or the new one.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

class NewFile {
 public:
  /// `what` names it for people ("saved state"). Error: there can be no file at `path`.
  static Result<NewFile> create(std::string what, std::string path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// Gives it its name, and takes that from a file that had it. The content survives the end of this process, though not
  /// for certain the end of the host.
  Result<Done> commit();

 private:
  NewFile(std::string what, std::string path) : what_(std::move(what)), path_(std::move(path)) {}
  Error error(int number) const;
  /// Calls `make` with names beside `path_` until one is free.
  Result<Done> name_for_now(const std::function<bool(const char* name)>& make);

  std::string what_;
  std::string path_;
  std::string temporary_;  // its name meanwhile, if it has one
  HostFd fd_;
};

/// A new file at `path` with `text`.
Result<Done> write_new_file(std::string what, std::string path, std::string_view text);

}  // namespace reprise::machine
