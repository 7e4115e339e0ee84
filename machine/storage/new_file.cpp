#include "machine/storage/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace reprise::machine {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Error NewFile::error(int number) const {
  return Error{fmt::format("{} '{}' cannot be written: {}.", what_, path_, why_not_written(number))};
}

NewFile::NewFile(NewFile&& other) noexcept
    : what_(std::move(other.what_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Result<NewFile> NewFile::create(std::string what, std::string path) {
  NewFile file(std::move(what), std::move(path));
  struct stat status = {};
  if (stat(file.path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return Error{fmt::format("{} '{}' cannot be written: there is something else of that name.", file.what_,
                             file.path_)};
  const std::string folder = folder_of(file.path_);
#ifdef O_TMPFILE
  file.fd_ = HostFd(open(folder_of(file.path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
  if (file.fd_) return file;
#endif
  // Not every file system can.
  TRY(file.name_for_now([&](const char* name) {
    file.fd_ = HostFd(open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    return static_cast<bool>(file.fd_);
  }));
  return file;
}

Result<Done> NewFile::name_for_now(const std::function<bool(const char* name)>& make) {
  for (unsigned attempt = 0;; ++attempt) {
    std::string name = fmt::format("{}/.reprise-{}-{}", folder_of(path_), getpid(), attempt);
    if (make(name.c_str())) {
      temporary_ = std::move(name);
      return Done{};
    }
    if (errno != EEXIST) return error(errno);
  }
}

Result<Done> NewFile::commit() {
  if (temporary_.empty()) {
    const std::string open_file = fmt::format("/proc/self/fd/{}", fd_.get());
    TRY(name_for_now([&](const char* name) {
      return linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
    }));
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return error(errno);
  temporary_.clear();
  if (const int why = fd_.close(); why != 0) return error(why);
  return Done{};
}

Result<Done> write_new_file(std::string what, std::string path, std::string_view text) {
  NewFile file = TRY(NewFile::create(what, path));
  while (!text.empty()) {
    const ssize_t count = ::write(file.fd(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return Error{fmt::format("{} '{}' cannot be written: {}.", what, path, std::strerror(errno))};
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return file.commit();
}

}  // namespace reprise::machine
