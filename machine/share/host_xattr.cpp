#include "machine/share/host_xattr.h"

#include <fmt/format.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace reprise::machine {
namespace {

constexpr std::size_t kMaxBytes = 65536;  // Linux has no longer lists and values

}  // namespace

std::string fd_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

devices::ShareAnswer xattr_names(int fd) {
  std::vector<char> all(kMaxBytes);
  const ssize_t bytes = listxattr(fd_path(fd).c_str(), all.data(), all.size());
  if (bytes < 0) return {.error = static_cast<u32>(errno)};
  std::vector<std::string_view> names;
  for (std::string_view rest(all.data(), static_cast<std::size_t>(bytes)); !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (name.starts_with("user.") && !name.starts_with(kHiddenXattrs)) names.push_back(name);
  }
  std::ranges::sort(names);
  devices::ShareAnswer out;
  for (const std::string_view name : names) {
    out.content.insert(out.content.end(), name.begin(), name.end());
    out.content.push_back(0);
  }
  return out;
}

devices::ShareAnswer xattr_value(int fd, const std::string& name) {
  devices::ShareAnswer out;
  out.content.resize(kMaxBytes);
  const ssize_t bytes = getxattr(fd_path(fd).c_str(), name.c_str(), out.content.data(), out.content.size());
  if (bytes < 0) return {.error = static_cast<u32>(errno)};
  out.content.resize(static_cast<std::size_t>(bytes));
  return out;
}

}  // namespace reprise::machine
