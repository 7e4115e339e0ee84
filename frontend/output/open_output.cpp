#include "frontend/output/open_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace reprise::frontend {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kBetweenTries = 50ms;
/// A reader that a script has just started needs less.
constexpr double kSilentS = 1;

}  // namespace

Result<machine::HostFd> OutputOpener::open(std::string_view what, const std::string& path, Content content) {
  const bool goes = content == Content::Goes;
  if (path == "-")
    return wrong_usage(
        fmt::format("{} '-': give /dev/stdout for standard output, or ./- for a file of that name.", what));
  bool said = false;
  for (;;) {
    // O_NONBLOCK: neither a FIFO without a reader nor a serial line without a carrier may hold us.
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
                      (!goes    ? O_APPEND
                       : begun_ ? O_TRUNC
                                : 0);
    machine::HostFd file(::open(path.c_str(), flags, 0666));
    if (file) {
      fcntl(file.get(), F_SETFL, fcntl(file.get(), F_GETFL) & ~O_NONBLOCK);
      if (goes && !begun_) to_empty_.emplace_back(fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
      return file;
    }
    const int error = errno;
    struct stat status = {};
    const bool refused = error == ENXIO && stat(path.c_str(), &status) == 0;
    if (refused && S_ISSOCK(status.st_mode))
      return Error{fmt::format("{} '{}' is a socket: give the name of a file or a FIFO.", what, path)};
    if (!refused || !S_ISFIFO(status.st_mode))
      return Error{fmt::format("{} '{}' cannot be written: {}.", what, path, std::strerror(error))};
    if (out_of_time())
      return Error{fmt::format("{} '{}' is a FIFO that nobody read for {} s (--wall-timeout)", what, path,
                               *waiting_.seconds)};
    if (!said && waited_s_ >= kSilentS) {
      waiting_.say(
          fmt::format("{} '{}' is a FIFO that nobody reads: the run begins when somebody does.", what, path));
      said = true;
    }
    pause();
  }
}

void OutputOpener::begin() {
  // Behind what was written already; what is no file cannot be emptied.
  for (const machine::HostFd& file : to_empty_)
    if (const off_t at = file ? lseek(file.get(), 0, SEEK_CUR) : -1; at >= 0)
      (void)!ftruncate(file.get(), at);
  to_empty_.clear();
  begun_ = true;
  if (waiting_.begun) waiting_.begun();
}

Result<Done> OutputOpener::wait_until(const std::function<bool()>& ready, const std::string& sentence) {
  for (bool said = false; !ready();) {
    if (out_of_time())
      return Error{fmt::format("{} Nobody did for {} s (--wall-timeout)", sentence, *waiting_.seconds)};
    if (!said && waited_s_ >= kSilentS) {
      waiting_.say(sentence);
      said = true;
    }
    pause();
  }
  return Done{};
}

void OutputOpener::pause() {
  const auto before = std::chrono::steady_clock::now();
  waiting_.pause(kBetweenTries);
  waited_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

}  // namespace reprise::frontend
