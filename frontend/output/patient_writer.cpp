#include "frontend/output/patient_writer.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "machine/storage/host_fd.h"

namespace reprise::frontend {
namespace {

constexpr int kPollMs = 50;
/// How long a reader still has when the run wants to end.
constexpr int kGraceMs = 500;
/// A terminal has room when poll says so, but not for much.
constexpr std::size_t kTerminalPieceBytes = 256;

std::string why_of(int error) { return error == EBADF ? "it was closed" : machine::why_not_written(error); }

}  // namespace

PatientWriter::PatientWriter(int descriptor) : descriptor_(descriptor) {
  struct stat status = {};
  const bool known = fstat(descriptor_, &status) == 0;
  may_block_ = known && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode);
  piece_bytes_ = !may_block_ ? SSIZE_MAX : isatty(descriptor_) ? kTerminalPieceBytes : PIPE_BUF;
}

bool PatientWriter::wait_for_room() {
  if (!may_block_) return true;
  for (int grace_ms = kGraceMs;;) {
    pollfd file = {descriptor_, POLLOUT, 0};
    const int ready = poll(&file, 1, abandoned_ ? 0 : kPollMs);
    // What is wrong with it, the write will say.
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    if (abandoned_) return false;
    if (!give_up_ || !give_up_()) continue;
    grace_ms -= kPollMs;
    abandoned_ = grace_ms <= 0;
  }
}

std::optional<std::string> PatientWriter::write(std::span<const u8>& bytes) {
  while (!bytes.empty()) {
    if (!wait_for_room()) return "nobody reads it";
    const ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), piece_bytes_));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return why_of(count == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return std::nullopt;
}

}  // namespace reprise::frontend
