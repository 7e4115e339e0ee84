// HostFolder: a folder of the host's, out of which no path leads. Names are resolved beneath it without following any symbolic
// link, by openat2(2) or, where the host has none and for paths that are too long for it, name by name. So what a hostile guest renames or links in
// the meantime does not matter.
#pragma once

#include <string>
#include <utility>

#include "common/result.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

/// A descriptor, or why there is none (an errno).
struct OpenedFd {
  HostFd fd;
  int error = 0;
};

class HostFolder {
 public:
  /// Links in `path` itself are followed. Error: it is no folder, or cannot be read.
  static Result<HostFolder> open(const std::string& path);

  /// `path` is relative, "" the folder itself. O_NOFOLLOW and O_CLOEXEC are added to `flags`, which do not create: a symbolic
  /// link can only be opened with O_PATH.
  OpenedFd open(const std::string& path, int flags) const;
  /// The same, without openat2.
  OpenedFd open_by_hand(const std::string& path, int flags) const;
  int root() const { return root_.get(); }
  bool has_openat2() const { return has_openat2_; }
  /// As on a host that has none.
  HostFolder without_openat2() && {
    has_openat2_ = false;
    return std::move(*this);
  }

 private:
  explicit HostFolder(HostFd root);

  HostFd root_;
  bool has_openat2_ = false;
};

}  // namespace reprise::machine
