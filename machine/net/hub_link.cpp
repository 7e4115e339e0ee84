// A hub of several machines: frames on a unix socket, each behind its length (32 bits, big-endian), as QEMU's -netdev
// stream has them. Who finds nobody at the path listens there and passes frames between all who connect; the others
// connect. When who listens ends, the others look for each other at the path, and one of them listens there. What a peer sends is
// anybody's: a length that no frame has ends its connection.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "devices/net/net_card.h"
#include "machine/net/net_link.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kLengthBytes = 4;
/// What waits for a peer that does not read; frames beyond that are lost.
constexpr std::size_t kMaxUnsentBytes = 4 << 20;
/// What one peer may bring at once, so that the others and the guest have their turn.
constexpr std::size_t kMaxReadBytes = 1 << 20;
constexpr int kBacklog = 16;
constexpr unsigned kAttempts = 20;
/// How long the path is left alone between two looks at who is there now.
constexpr long kLookEveryNs = 200'000'000;

struct Peer {
  HostFd socket;
  std::vector<u8> received;
  std::vector<u8> unsent;
  bool gone = false;
};

class HubLink final : public NetLink {
 public:
  HubLink(std::string path, ToGuest to_guest) : path_(std::move(path)), to_guest_(std::move(to_guest)) {}
  ~HubLink() override {
    // Somebody may have put another one in its place.
    struct stat status = {};
    if (listening_ && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_)
      ::unlink(path_.c_str());
  }
  HubLink(const HubLink&) = delete;
  HubLink& operator=(const HubLink&) = delete;

  /// Connects to who is there, or listens, in that many attempts.
  Result<Done> open_path(unsigned attempts);

  void send(std::span<const u8> frame) override {
    for (Peer& peer : peers_) queue(peer, frame);
  }
  // The others may have none.
  bool takes_large_frames() const override { return false; }
  void add_descriptors(std::vector<pollfd>& descriptors) override {
    if (listening_) descriptors.push_back({listening_.get(), POLLIN, 0});
    for (const Peer& peer : peers_)
      descriptors.push_back(
          {peer.socket.get(), static_cast<short>(peer.unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    if (look_again_) descriptors.push_back({look_again_.get(), POLLIN, 0});
  }
  void serve(std::span<const pollfd> descriptors) override;
  std::optional<u64> wants_service_in_ns() const override { return std::nullopt; }
  bool open() const override { return joined() || look_again_; }
  bool joined() const override { return listening_ || !peers_.empty(); }
  bool connected() const override { return !peers_.empty(); }
  bool reached() const override { return reached_; }

 private:
  void add_peer(HostFd socket) {
    reached_ = true;
    peers_.push_back({std::move(socket), {}, {}, false});
  }
  void queue(Peer& peer, std::span<const u8> frame);
  void write_some(Peer& peer);
  void read_some(Peer& peer);
  void take_frames(Peer& from);
  /// The one that listened has gone.
  void wait_to_look();
  void look();

  const std::string path_;
  ToGuest to_guest_;
  HostFd listening_;  // of who was first
  ino_t inode_ = 0;   // of its socket
  std::vector<Peer> peers_;
  HostFd look_again_;  // a timer, while nobody is known
  bool reached_ = false;
};

/// Two that find nobody at a path must not both make room for themselves there. Waits a little for it, not for ever: others than
/// hubs may lock a folder.
HostFd lock_folder_of(const std::string& path, unsigned attempts) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  HostFd lock(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (unsigned attempt = 0; lock && attempt < attempts; ++attempt) {
    if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    ::usleep(10'000);
  }
  return {};
}

Result<Done> HubLink::open_path(unsigned attempts) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    return Error{fmt::format("--net hub:{}: the path is longer than a socket's can be.", path_)};
  std::copy(path_.begin(), path_.end(), address.sun_path);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  const auto failed = [&] { return Error{fmt::format("--net hub:{}: {}.", path_, std::strerror(errno))}; };
  const HostFd lock = lock_folder_of(path_, attempts);
  for (unsigned attempt = 0; attempt < attempts; ++attempt) {
    HostFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return failed();
    if (::connect(socket.get(), generic, sizeof address) == 0) {
      add_peer(std::move(socket));
      return Done{};
    }
    if (errno != ENOENT && errno != ECONNREFUSED) return failed();
    // What nobody listens at any more is in the way.
    struct stat status = {};
    if (errno == ECONNREFUSED && ::lstat(path_.c_str(), &status) == 0) {
      if (!S_ISSOCK(status.st_mode))
        return Error{fmt::format("--net hub:{}: this is no socket: give another path.", path_)};
      ::unlink(path_.c_str());
    }
    if (::bind(socket.get(), generic, sizeof address) == 0) {
      // Nobody can connect before listen(), so the mode counts from the first peer on.
      if (::chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(socket.get(), kBacklog) != 0)
        return failed();
      if (::lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
      listening_ = std::move(socket);
      return Done{};
    }
    // Somebody else was faster.
    if (errno != EADDRINUSE) return failed();
    ::usleep(10'000);
  }
  return Error{fmt::format("--net hub:{}: nobody answers there.", path_)};
}

void HubLink::serve(std::span<const pollfd> descriptors) {
  const auto ready = [&](int descriptor, short events) {
    return std::ranges::any_of(
        descriptors, [&](const pollfd& one) { return one.fd == descriptor && (one.revents & events) != 0; });
  };
  // By number: a caller that comes may move the others.
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (ready(peers_[i].socket.get(), POLLOUT)) write_some(peers_[i]);
    if (ready(peers_[i].socket.get(), POLLIN | POLLHUP | POLLERR)) read_some(peers_[i]);
  }
  std::erase_if(peers_, [](const Peer& peer) { return peer.gone; });
  if (look_again_ && ready(look_again_.get(), POLLIN)) look();
  if (!joined() && !look_again_) wait_to_look();
  if (!listening_ || !ready(listening_.get(), POLLIN)) return;
  while (true) {
    HostFd caller(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!caller) return;
    add_peer(std::move(caller));
  }
}

void HubLink::wait_to_look() {
  look_again_ = HostFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec every = {.it_interval = {0, kLookEveryNs}, .it_value = {0, kLookEveryNs}};
  // Without one the link stays down.
  if (look_again_ && ::timerfd_settime(look_again_.get(), 0, &every, nullptr) != 0) look_again_ = {};
}

void HubLink::look() {
  u64 times = 0;
  (void)!::read(look_again_.get(), &times, sizeof times);
  if (open_path(1).ok()) look_again_ = {};
}

void HubLink::queue(Peer& peer, std::span<const u8> frame) {
  if (peer.gone || peer.unsent.size() + frame.size() > kMaxUnsentBytes) return;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    peer.unsent.push_back(static_cast<u8>(frame.size() >> 8 * (kLengthBytes - 1 - i)));
  peer.unsent.insert(peer.unsent.end(), frame.begin(), frame.end());
  write_some(peer);
}

void HubLink::write_some(Peer& peer) {
  std::size_t done = 0;
  while (done < peer.unsent.size()) {
    const ssize_t count =
        ::send(peer.socket.get(), peer.unsent.data() + done, peer.unsent.size() - done, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      peer.gone = peer.gone || (errno != EAGAIN && errno != EWOULDBLOCK);
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  peer.unsent.erase(peer.unsent.begin(), peer.unsent.begin() + static_cast<std::ptrdiff_t>(done));
}

void HubLink::read_some(Peer& peer) {
  for (std::size_t left = kMaxReadBytes; left != 0 && !peer.gone;) {
    const std::size_t before = peer.received.size();
    const std::size_t room = std::min<std::size_t>(left, 64 * 1024);
    peer.received.resize(before + room);
    const ssize_t count = ::recv(peer.socket.get(), peer.received.data() + before, room, 0);
    peer.received.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      peer.gone = peer.gone || count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return;
    }
    left -= static_cast<std::size_t>(count);
    take_frames(peer);
  }
}

void HubLink::take_frames(Peer& from) {
  std::span<const u8> left(from.received);
  while (left.size() >= kLengthBytes) {
    const std::size_t bytes = u32{left[0]} << 24 | u32{left[1]} << 16 | u32{left[2]} << 8 | left[3];
    if (bytes > devices::kMaxFrameBytes) {
      from.gone = true;
      return;
    }
    if (left.size() < kLengthBytes + bytes) break;
    const auto frame = left.subspan(kLengthBytes, bytes);
    left = left.subspan(kLengthBytes + bytes);
    if (bytes < devices::kEthernetHeaderBytes) continue;
    for (Peer& other : peers_)
      if (&other != &from) queue(other, frame);
    to_guest_(frame);
  }
  from.received.erase(from.received.begin(), from.received.end() - static_cast<std::ptrdiff_t>(left.size()));
}

}  // namespace

Result<std::unique_ptr<NetLink>> open_hub(const NetConfig& config, NetLink::ToGuest to_guest) {
  auto link = std::make_unique<HubLink>(config.hub_path, std::move(to_guest));
  TRY(link->open_path(kAttempts));
  return std::unique_ptr<NetLink>(std::move(link));
}

}  // namespace reprise::machine
