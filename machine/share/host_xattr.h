// Extended attributes of the host's files, through descriptors that may be O_PATH.
#pragma once

#include <string>

#include "devices/p9/share_backend.h"

namespace reprise::machine {

/// What HostShare keeps for the guest; the guest sees none that begins with kHiddenXattrs.
inline constexpr const char* kHiddenXattrs = "user.reprise.";
inline constexpr const char* kKeptXattr = "user.reprise.attributes";

/// The way to the very file that `fd` has open, for calls that take no descriptor, or no O_PATH one.
std::string fd_path(int fd);
/// The names of those that are the guest's, each with a NUL behind it, sorted; and the value of one.
devices::ShareAnswer xattr_names(int fd);
devices::ShareAnswer xattr_value(int fd, const std::string& name);

}  // namespace reprise::machine
