#include "frontend/unix_listener.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace reprise::frontend {
namespace {

bool address_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

int new_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

enum class Occupant : u8 { Nobody, Listener, ThisRun, Stale, OtherFile };

bool is_ours(int connection) {
  ucred peer = {};
  socklen_t bytes = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid == getpid();
}

/// Who has the path now.
Occupant occupant(const std::string& path, const sockaddr_un& address) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return Occupant::Nobody;
  if (!S_ISSOCK(status.st_mode)) return Occupant::OtherFile;
  const machine::HostFd probe(new_socket());
  if (!probe) return Occupant::Listener;
  const int connected = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected != 0) return errno == ECONNREFUSED ? Occupant::Stale : Occupant::Listener;
  return is_ours(probe.get()) ? Occupant::ThisRun : Occupant::Listener;
}

}  // namespace

Result<std::unique_ptr<UnixListener>> UnixListener::open(std::string_view what, const std::string& path) {
  const auto cannot = [&](std::string_view why) {
    return Error{fmt::format("{} '{}' {}.", what, path, why)};
  };
  sockaddr_un address;
  if (!address_of(path, address))
    return cannot(fmt::format("has no possible name: give 1 to {} characters", sizeof address.sun_path - 1));
  switch (occupant(path, address)) {
    case Occupant::Nobody: break;
    case Occupant::Stale: unlink(path.c_str()); break;
    case Occupant::ThisRun: return cannot("is where this run listens already: give another path");
    case Occupant::Listener: return cannot("is in use by another process: give another path");
    case Occupant::OtherFile: return cannot("would replace a file that is no socket: give another path");
  }
  machine::HostFd socket(new_socket());
  // Nobody can connect before listen(), so the mode counts from the first client on.
  const bool listening =
      socket && bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 && listen(socket.get(), SOMAXCONN) == 0;
  if (!listening) return cannot(fmt::format("cannot be opened: {}", std::strerror(errno)));
  return std::unique_ptr<UnixListener>(new UnixListener(path, std::move(socket)));
}

UnixListener::UnixListener(std::string path, machine::HostFd socket)
    : path_(std::move(path)), socket_(std::move(socket)) {
  struct stat status = {};
  if (lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
}

UnixListener::~UnixListener() {
  struct stat status = {};
  if (lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace reprise::frontend
