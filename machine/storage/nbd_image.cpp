#include "machine/storage/nbd_image.h"

#include <fmt/format.h>
#include <libnbd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "machine/layout/memory_map.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/host_program.h"
#include "machine/storage/raw_image.h"

namespace reprise::machine {
namespace {

using devices::BlockStatus;

// The protocol's servers take 32 MiB at once; less keeps buffers in the host's caches.
constexpr u64 kMaxRequestBytes = 2 * kMiB;
constexpr u64 kMaxDiscardBytes = kGiB;

struct SocketPair {
  HostFd listener;
  HostFd client;
};

Error socket_error() {
  return Error{fmt::format("no socket for qemu-nbd could be made: {}.", std::strerror(errno))};
}

/// A listening socket and a connection to it that waits to be accepted. Both have no name any more.
Result<SocketPair> connected_listener() {
  std::string folder = fmt::format("{}/reprise-XXXXXX", temporary_folder());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (folder.size() + 8 > sizeof address.sun_path) folder = "/tmp/reprise-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return temporary_file_error("qemu-nbd");
  const std::string path = folder + "/nbd";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);

  SocketPair pair{HostFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                  HostFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  const bool connected =
      pair.listener && pair.client && bind(pair.listener.get(), name, sizeof address) == 0 &&
      listen(pair.listener.get(), 1) == 0 && connect(pair.client.get(), name, sizeof address) == 0;
  const int error = errno;
  unlink(path.c_str());
  rmdir(folder.c_str());
  errno = error;
  if (!connected) return socket_error();
  return pair;
}

bool file_sizes_are_limited() {
  rlimit limit = {};
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

BlockStatus status_of(int error, BlockStatus otherwise) {
  // The protocol has no number of its own for a file that would grow too large.
  if (error == ENOSPC && file_sizes_are_limited()) return BlockStatus::TooLarge;
  if (error == ENOSPC || error == EDQUOT) return BlockStatus::NoSpace;
  if (error == EPERM || error == EROFS) return BlockStatus::ReadOnly;
  return otherwise;
}

}  // namespace

/// The server process and the connection to it.
struct NbdImage::Connection {
  nbd_handle* nbd = nullptr;
  pid_t server = -1;
  HostFd server_errors;
  u64 bytes = 0;
  bool read_only = true;
  bool can_zero = false;

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { end(); }

  /// Closes the connection and waits until qemu-nbd has written everything; its exit code.
  int end() {
    if (nbd != nullptr) {
      nbd_shutdown(nbd, 0);
      nbd_close(nbd);
      nbd = nullptr;
    }
    const int code = server > 0 ? wait_program(server) : 0;
    server = -1;
    return code;
  }
};

NbdImage::NbdImage(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
NbdImage::~NbdImage() = default;

u64 NbdImage::bytes() const { return connection_->bytes; }
bool NbdImage::read_only() const { return connection_->read_only; }

bool NbdImage::offered() { return true; }

Result<std::unique_ptr<NbdImage>> NbdImage::open(const std::string& path, const std::string& format,
                                                 Access access) {
  const std::string program = TRY(find_program("qemu-nbd", "qemu-utils", format + " images need it"));
  // An absolute path is never taken for a URL.
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).string();
  std::vector<std::string> words = {program, "--format=" + format, "--cache=writeback", "--discard=unmap",
                                    "--shared=1"};
  if (access == Access::ReadOnly) words.emplace_back("--read-only");
  words.emplace_back("--");
  words.push_back(absolute);

  auto connection = std::make_unique<Connection>();
  connection->server_errors = open_unnamed_file();
  SocketPair sockets = TRY(connected_listener());
  connection->server = TRY(start_program(words, sockets.listener.get(), -1, connection->server_errors.get()));
  sockets.listener.close();

  connection->nbd = nbd_create();
  if (connection->nbd == nullptr) return Error{fmt::format("libnbd cannot be used: {}.", nbd_get_error())};
  const int socket_fd = dup(sockets.client.get());  // libnbd closes it
  sockets.client.close();
  const bool connected = socket_fd >= 0 && nbd_connect_socket(connection->nbd, socket_fd) == 0;
  const i64 bytes = connected ? nbd_get_size(connection->nbd) : -1;
  if (bytes < 0) {
    const std::string own_words = nbd_get_error() != nullptr ? nbd_get_error() : "";
    connection->end();
    const std::string complaint = content_of(connection->server_errors.get());
    if (complaint.find("lock") != std::string::npos) {
      return Error{fmt::format("disk image '{}' is in use by another process: end that one first.", path)};
    }
    return Error{fmt::format("disk image '{}' cannot be opened: {}.", path,
                             last_complaint(complaint.empty() ? own_words : complaint))};
  }
  connection->bytes = static_cast<u64>(bytes) / kSectorBytes * kSectorBytes;
  connection->read_only = access == Access::ReadOnly || nbd_is_read_only(connection->nbd) == 1;
  connection->can_zero = nbd_can_zero(connection->nbd) == 1;
  return std::unique_ptr<NbdImage>(new NbdImage(std::move(connection)));
}

BlockStatus NbdImage::read(u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes())) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus result = BlockStatus::Ok;
  while (!into.empty()) {
    const std::span<u8> part = into.first(std::min<u64>(into.size(), kMaxRequestBytes));
    if (nbd_pread(connection_->nbd, part.data(), part.size(), offset, 0) != 0) {
      std::ranges::fill(part, u8{0});
      result = BlockStatus::ReadError;
    }
    into = into.subspan(part.size());
    offset += part.size();
  }
  return result;
}

BlockStatus NbdImage::write(u64 offset, std::span<const u8> from) {
  if (!is_block_range(offset, from.size(), bytes())) return BlockStatus::OutOfRange;
  if (read_only()) return BlockStatus::ReadOnly;
  while (!from.empty()) {
    const std::span<const u8> part = from.first(std::min<u64>(from.size(), kMaxRequestBytes));
    if (nbd_pwrite(connection_->nbd, part.data(), part.size(), offset, 0) != 0)
      return status_of(nbd_get_errno(), BlockStatus::WriteError);
    from = from.subspan(part.size());
    offset += part.size();
  }
  return BlockStatus::Ok;
}

BlockStatus NbdImage::flush() {
  if (read_only()) return BlockStatus::Ok;
  if (nbd_flush(connection_->nbd, 0) != 0) return status_of(nbd_get_errno(), BlockStatus::WriteError);
  return BlockStatus::Ok;
}

BlockStatus NbdImage::discard(u64 offset, u64 bytes) {
  if (!is_block_range(offset, bytes, this->bytes())) return BlockStatus::OutOfRange;
  if (read_only()) return BlockStatus::ReadOnly;
  if (!connection_->can_zero) return BlockStatus::WriteError;
  while (bytes != 0) {
    const u64 step = std::min(bytes, kMaxDiscardBytes);
    // Without NO_HOLE the server may free the space.
    if (nbd_zero(connection_->nbd, step, offset, 0) != 0)
      return status_of(nbd_get_errno(), BlockStatus::WriteError);
    offset += step;
    bytes -= step;
  }
  return BlockStatus::Ok;
}

}  // namespace reprise::machine
