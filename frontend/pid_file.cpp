#include "frontend/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "machine/storage/host_fd.h"

namespace reprise::frontend {

Result<PidFile> PidFile::write(const std::string& path) {
  if (path.empty()) return PidFile("");
  const machine::HostFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  const std::string text = fmt::format("{}\n", getpid());
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return Error{fmt::format("pid file '{}' cannot be written: {}.", path, std::strerror(errno))};
  return PidFile(path);
}

PidFile::PidFile(PidFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}

PidFile::~PidFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace reprise::frontend
