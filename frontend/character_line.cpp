#include "frontend/character_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace reprise::frontend {
namespace {

/// What is kept for a peer that does not read: a screenful of single characters fills a socket's buffer of the host's.
constexpr std::size_t kMostKeptBytes = 256 * 1024;
/// How long a peer still has at the end of the run.
constexpr int kLastMs = 500;
/// Between looks at whether somebody has opened a pseudo-terminal.
constexpr int kPtyPauseMs = 100;
/// Between looks at whether a slow peer has gone, or the run ends.
constexpr int kSlowPeerMs = 50;

Error cannot(std::string_view what, const std::string& name, const char* doing, int error) {
  return Error{fmt::format("{} '{}' cannot {}: {}.", what, name, doing, std::strerror(error))};
}

Result<machine::HostFd> connect_unix(std::string_view what, const SocketAddress& address) {
  sockaddr_un unix_address = {};
  unix_address.sun_family = AF_UNIX;
  const std::string& path = address.unix_path;
  if (path.size() >= sizeof unix_address.sun_path)
    return wrong_usage(fmt::format("{} '{}' has a name longer than {} characters: give another.", what, path,
                                   sizeof unix_address.sun_path - 1));
  std::memcpy(unix_address.sun_path, path.c_str(), path.size() + 1);
  machine::HostFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&unix_address), sizeof unix_address) != 0)
    return cannot(what, path, "be connected with", errno);
  return fd;
}

Result<machine::HostFd> connect_tcp(std::string_view what, const SocketAddress& address) {
  const std::string name = socket_address_text(address);
  const std::string host = address.host.empty() ? "127.0.0.1" : address.host;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &first);
      error != 0)
    return Error{fmt::format("{} '{}': '{}' is no address: {}.", what, name, host, gai_strerror(error))};
  int problem = ECONNREFUSED;
  machine::HostFd fd;
  for (const addrinfo* one = first; one != nullptr && !fd; one = one->ai_next) {
    machine::HostFd candidate(socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (candidate && connect(candidate.get(), one->ai_addr, one->ai_addrlen) == 0)
      fd = std::move(candidate);
    else
      problem = errno;
  }
  freeaddrinfo(first);
  if (!fd) return cannot(what, name, "be connected with", problem);
  return fd;
}

/// The master of a new pseudo-terminal, which passes bytes as they are.
Result<machine::HostFd> open_pty(std::string_view what, std::string& name) {
  machine::HostFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char path[64] = {};
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0 ||
      ptsname_r(master.get(), path, sizeof path) != 0)
    return cannot(what, "pty", "be opened", errno);
  name = path;
  const machine::HostFd slave(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings = {};
  if (!slave || tcgetattr(slave.get(), &settings) != 0) return cannot(what, name, "be opened", errno);
  cfmakeraw(&settings);
  if (tcsetattr(slave.get(), TCSANOW, &settings) != 0) return cannot(what, name, "be opened", errno);
  return master;
}

/// As QEMU: what the guest hears from NAME.in, and what it says to NAME.out; a single FIFO NAME is both.
Result<machine::HostFd> open_fifo(std::string_view what, const std::string& path, const char* ending) {
  // Both ways: neither waits for somebody at the other end.
  machine::HostFd fd(open((path + ending).c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!fd && errno == ENOENT) fd = machine::HostFd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!fd) return cannot(what, fmt::format("pipe:{}", path), "be opened", errno);
  return fd;
}

}  // namespace

Result<std::unique_ptr<CharacterLine>> CharacterLine::open(const SerialTarget& target, std::string_view what,
                                                           OutputOpener& opener) {
  std::unique_ptr<CharacterLine> line(new CharacterLine);
  if (target.kind == SerialTarget::Kind::Pty) {
    line->pty_ = true;
    line->sends_ = false;
    line->set_peer(std::make_shared<Peer>(TRY(open_pty(what, line->name_))));
    return line;
  }
  if (target.kind == SerialTarget::Kind::Pipe) {
    line->sends_ = false;
    line->name_ = fmt::format("pipe:{}", target.path);
    machine::HostFd in = TRY(open_fifo(what, target.path, ".in"));
    machine::HostFd out = TRY(open_fifo(what, target.path, ".out"));
    line->set_peer(std::make_shared<Peer>(std::move(in), std::move(out)));
    return line;
  }
  const SocketAddress& address = target.socket;
  if (address.connects) {
    line->name_ = socket_address_text(address);
    if (address.descriptor >= 0) {
      line->set_peer(
          std::make_shared<Peer>(TRY(Listener::inherited(what, address.descriptor, /*listens=*/false))));
      return line;
    }
    line->set_peer(std::make_shared<Peer>(
        TRY(address.unix_path.empty() ? connect_tcp(what, address) : connect_unix(what, address))));
    return line;
  }
  line->listener_ = TRY(Listener::open({.what = what,
                                        .option = "tcp:",
                                        .unix_path = address.unix_path,
                                        .host = address.host,
                                        .port = address.port,
                                        .descriptor = address.descriptor,
                                        .instead = "give a host such as 127.0.0.1"}));
  line->name_ = line->listener_->address();
  const auto has_come = [&] {
    line->accept_peer();
    return line->peer() != nullptr;
  };
  if (address.waits)
    TRY(opener.wait_until(has_come,
                          fmt::format("{} '{}' waits for somebody who connects.", what, line->name_)));
  return line;
}

std::shared_ptr<CharacterLine::Peer> CharacterLine::peer() {
  const std::lock_guard lock(mutex_);
  return peer_;
}

void CharacterLine::set_peer(std::shared_ptr<Peer> peer) {
  if (peer != nullptr && give_up_) peer->writer.give_up_when(give_up_);
  const std::lock_guard lock(mutex_);
  peer_ = std::move(peer);
}

void CharacterLine::accept_peer() {
  machine::HostFd fd(accept4(listener_->descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
  if (fd) set_peer(std::make_shared<Peer>(std::move(fd)));
}

void CharacterLine::write(std::span<const u8> bytes) {
  const std::shared_ptr<Peer> there = peer();
  if (there == nullptr) return;
  pollfd file = {there->fd.get(), POLLOUT, 0};
  if (poll(&file, 1, 0) > 0 && (file.revents & POLLHUP) != 0)
    return;  // nobody has the pseudo-terminal open, or no longer
  if (!sends_) {
    // Whoever reads learns that the peer has gone.
    [[maybe_unused]] const auto lost = there->writer.write(bytes);
    return;
  }
  for (std::size_t room = 0; !bytes.empty(); bytes = bytes.subspan(room)) {
    {
      const std::lock_guard lock(mutex_);
      room = std::min(bytes.size(), kMostKeptBytes - there->kept.size());
      there->kept.append(reinterpret_cast<const char*>(bytes.data()), room);
    }
    const bool all = flush(*there);
    if (room == 0) {
      if (peer() != there || (give_up_ && give_up_())) return;
      file = {there->fd.get(), POLLOUT, 0};
      poll(&file, 1, kSlowPeerMs);
    } else if (!all) {
      const std::lock_guard lock(mutex_);
      if (on_kept_) on_kept_();
    }
  }
}

bool CharacterLine::flush(Peer& peer) {
  const std::lock_guard lock(mutex_);
  while (!peer.kept.empty()) {
    const ssize_t sent = send(peer.fd.get(), peer.kept.data(), peer.kept.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    // Whoever reads learns that the peer has gone.
    if (sent <= 0) peer.kept.clear();
    if (sent > 0) peer.kept.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

bool CharacterLine::keeps_some() const {
  const std::lock_guard lock(mutex_);
  return peer_ != nullptr && !peer_->kept.empty();
}

LineInput::LineInput(CharacterLine& line, machine::Inbox& inbox, std::string_view sink,
                     std::string_view plug_sink)
    : line_(line), inbox_(inbox), sink_(sink), plug_sink_(plug_sink) {
  inbox_.add_source();
  tell_plug(line_.peer() != nullptr);
  if (pipe2(stop_pipe_, O_CLOEXEC) != 0 || pipe2(kept_pipe_, O_CLOEXEC | O_NONBLOCK) != 0) return;
  {
    const std::lock_guard lock(line_.mutex_);
    line_.on_kept_ = [this] { [[maybe_unused]] const ssize_t written = ::write(kept_pipe_[1], "", 1); };
  }
  thread_ = std::thread([this] { loop(); });
}

LineInput::~LineInput() {
  if (stop_pipe_[1] >= 0) close(stop_pipe_[1]);
  if (thread_.joinable()) thread_.join();
  if (stop_pipe_[0] >= 0) close(stop_pipe_[0]);
  {
    const std::lock_guard lock(line_.mutex_);
    line_.on_kept_ = nullptr;
  }
  for (const int end : kept_pipe_)
    if (end >= 0) close(end);
  // Nobody sends it any more.
  if (const auto peer = line_.peer(); peer != nullptr && line_.sends_) {
    for (int left_ms = kLastMs; !line_.flush(*peer) && left_ms > 0; left_ms -= kSlowPeerMs) {
      pollfd file = {peer->fd.get(), POLLOUT, 0};
      poll(&file, 1, kSlowPeerMs);
    }
  }
  tell_companion(false);
  inbox_.remove_source();
}

void LineInput::tell_companion(bool there) {
  if (std::exchange(companion_, there) == there) return;
  if (there)
    inbox_.add_companion();
  else
    inbox_.remove_companion();
}

void LineInput::tell_plug(bool there) {
  if (!plug_sink_.empty()) inbox_.post({plug_sink_, machine::BytesEvent{{u8{there}}}});
}

void LineInput::loop() {
  for (;;) {
    const std::shared_ptr<CharacterLine::Peer> peer = line_.peer();
    const bool listens = peer == nullptr && line_.listener_.has_value();
    pollfd files[3] = {{stop_pipe_[0], POLLIN, 0}, {-1, POLLIN, 0}, {kept_pipe_[0], POLLIN, 0}};
    if (peer != nullptr)
      files[1].fd = peer->fd.get();
    else if (listens)
      files[1].fd = line_.listener_->descriptor();
    if (peer != nullptr && line_.keeps_some()) files[1].events = POLLIN | POLLOUT;
    if (poll(files, 3, -1) < 0 && errno != EINTR) return;
    if (files[0].revents != 0) return;
    char woken[64];
    if (files[2].revents != 0)
      while (read(kept_pipe_[0], woken, sizeof woken) > 0) {
      }
    if (peer != nullptr && (files[1].revents & POLLOUT) != 0) line_.flush(*peer);
    if ((files[1].revents & ~POLLOUT) == 0) continue;
    if (peer != nullptr)
      read_from(*peer, files[1].revents);
    else if (listens)
      accept_peer();
  }
}

void LineInput::accept_peer() {
  line_.accept_peer();
  if (line_.peer() != nullptr) tell_plug(true);
}

void LineInput::read_from(CharacterLine::Peer& peer, short events) {
  const bool nobody = line_.is_pty() && (events & POLLHUP) != 0 && (events & POLLIN) == 0;
  tell_companion(!nobody);
  if (nobody) {
    pollfd stop = {stop_pipe_[0], POLLIN, 0};
    poll(&stop, 1, kPtyPauseMs);
    return;
  }
  u8 buffer[4096];
  const ssize_t count = read(peer.fd.get(), buffer, sizeof buffer);
  if (count > 0) {
    inbox_.post({sink_, machine::BytesEvent{{buffer, buffer + count}}});
    return;
  }
  if (count < 0 && (errno == EINTR || errno == EAGAIN || (line_.is_pty() && errno == EIO))) return;
  tell_companion(false);
  tell_plug(false);
  line_.set_peer(nullptr);
}

}  // namespace reprise::frontend
