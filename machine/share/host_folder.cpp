#include "machine/share/host_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>

namespace reprise::machine {
namespace {

int open_beneath(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<u64>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
}

OpenedFd opened(int fd) { return {HostFd(fd), fd < 0 ? errno : 0}; }

}  // namespace

Result<HostFolder> HostFolder::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{fmt::format("The folder '{}' cannot be shared: {}.", path, std::strerror(errno))};
  HostFolder folder{HostFd(fd)};
  const OpenedFd readable = folder.open("", O_RDONLY | O_DIRECTORY);
  if (readable.error != 0)
    return Error{fmt::format("The folder '{}' cannot be read: {}.", path, std::strerror(readable.error))};
  return folder;
}

HostFolder::HostFolder(HostFd root) : root_(std::move(root)) {
  const HostFd probe(open_beneath(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  has_openat2_ = static_cast<bool>(probe);
}

OpenedFd HostFolder::open(const std::string& path, int flags) const {
  if (!has_openat2_ || path.size() >= PATH_MAX) return open_by_hand(path, flags);
  return opened(open_beneath(root_.get(), path.empty() ? "." : path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
}

OpenedFd HostFolder::open_by_hand(const std::string& path, int flags) const {
  std::string_view rest = path;
  HostFd at;
  int from = root_.get();
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    // What never comes from a server that checks names.
    if (name == ".." || (name.empty() && !path.empty())) return {HostFd(), EINVAL};
    const bool last = slash == rest.npos;
    const int how = last ? flags : O_PATH | O_DIRECTORY;
    OpenedFd next = opened(openat(from, name.empty() ? "." : name.c_str(), how | O_NOFOLLOW | O_CLOEXEC));
    if (last || next.error != 0) return next;
    at = std::move(next.fd);
    from = at.get();
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace reprise::machine
