#include "machine/monitor/exclusive_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace reprise::machine::monitor {

Error not_written(const std::string& path, std::string_view why) {
  return Error{fmt::format("'{}' cannot be written: {}.", path, why)};
}

Result<HostFd> exclusive_file(const std::string& path) {
  // The run may use any file that there is, and a pipe might have no reader.
  HostFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file)
    return not_written(
        path, errno == EEXIST ? "there is one already, which is not replaced" : std::strerror(errno));
  return file;
}

}  // namespace reprise::machine::monitor
