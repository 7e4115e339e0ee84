// User networking: libslirp, a TCP/IP stack in this process that ends the guest's connections and makes the host's own.
//
// It gets virtual time, and its timers are events of the machine. What it draws at random (when it advertises the
// router) is replaced; what it takes from the host's configuration (a name server for IPv6) is left out. So all that it
// answers by itself follows from what the guest sends. Everything else goes through descriptors.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <slirp/libslirp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "machine/net/net_link.h"
#include "machine/net/router_advertisement.h"
#include "machine/net/tftp_requests.h"

namespace reprise::machine {
namespace {

constexpr u64 kNsPerMs = 1'000'000;
/// The middle of what RFC 4861 proposes: between 200 s and 600 s.
constexpr u64 kAdvertiseEveryNs = 400'000'000'000;
/// What slirp_pollfds_fill() answers when it has nothing to do at any time.
constexpr u32 kNothingToTimeMs = 1000;

// Numbers of stations in the guest's network.
constexpr u32 kHost = 2, kNameServer = 3, kFirstGuest = 15;

in_addr to_in_addr(const Ipv4Address& address) {
  in_addr out;
  std::memcpy(&out, address.data(), sizeof out);
  return out;
}

in_addr station(const NetConfig& config, u32 number) {
  return {htonl(ntohl(to_in_addr(config.network).s_addr) | number)};
}

in6_addr site_local(u8 last) {
  in6_addr address = {};
  address.s6_addr[0] = 0xfe;
  address.s6_addr[1] = 0xc0;
  address.s6_addr[15] = last;
  return address;
}

/// The port that a socket has got.
u16 port_of(int descriptor) {
  sockaddr_in address = {};
  socklen_t bytes = sizeof address;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 0;
  return ntohs(address.sin_port);
}

class SlirpLink final : public NetLink {
 public:
  SlirpLink(const NetConfig& config, Clock& clock, ToGuest to_guest)
      : clock_(clock),
        to_guest_(std::move(to_guest)),
        tftp_folder_(config.tftp_folder),
        advertise_timer_(clock.create_timer("slirp-advertise", [this] { advertise(); })) {
    clock.belongs_to_host(advertise_timer_);
    SlirpConfig wanted = {};
    wanted.version = 4;
    wanted.restricted = config.restricted ? 1 : 0;
    wanted.in_enabled = true;
    wanted.vnetwork = to_in_addr(config.network);
    wanted.vnetmask = {htonl(~u32{0} << (32 - config.prefix_bits))};
    wanted.vhost = station(config, kHost);
    std::memcpy(host_.data(), &wanted.vhost, host_.size());
    wanted.in6_enabled = true;
    wanted.vprefix_addr6 = site_local(0);
    wanted.vprefix_len = 64;
    wanted.vhost6 = site_local(kHost);
    wanted.tftp_path = config.tftp_folder.empty() ? nullptr : config.tftp_folder.c_str();
    wanted.bootfile = config.boot_file.empty() ? nullptr : config.boot_file.c_str();
    wanted.vdhcp_start = station(config, kFirstGuest);
    wanted.vnameserver = station(config, kNameServer);
    wanted.vnameserver6 = site_local(kNameServer);
    slirp_ = slirp_new(&wanted, &kCallbacks, this);
  }
  ~SlirpLink() override { slirp_cleanup(slirp_); }
  SlirpLink(const SlirpLink&) = delete;
  SlirpLink& operator=(const SlirpLink&) = delete;

  Result<Done> forward(const NetConfig& config, NetForward wanted) {
    const in_addr guest =
        wanted.guest == Ipv4Address{} ? station(config, kFirstGuest) : to_in_addr(wanted.guest);
    errno = 0;
    if (slirp_add_hostfwd(slirp_, wanted.udp ? 1 : 0, to_in_addr(wanted.host), wanted.host_port, guest,
                          wanted.guest_port) != 0) {
      return Error{fmt::format("port {} of {} cannot be forwarded to the guest: {}.", wanted.host_port,
                               address_text(wanted.host),
                               errno != 0 ? std::strerror(errno) : "libslirp refused it")};
    }
    // The descriptor that is new is the one that listens.
    std::vector<pollfd> descriptors;
    add_descriptors(descriptors);
    for (const pollfd& one : descriptors)
      if (listening_.insert(one.fd).second) wanted.host_port = port_of(one.fd);
    std::memcpy(wanted.guest.data(), &guest, sizeof guest);
    forwards_.push_back(wanted);
    return Done{};
  }

  void send(std::span<const u8> frame) override {
    if (!is_for_us(frame) || leads_out(frame)) return;
    slirp_input(slirp_, frame.data(), static_cast<int>(frame.size()));
  }
  // It cuts nothing up: what it gets goes into a socket as it is.
  bool takes_large_frames() const override { return true; }

  void add_descriptors(std::vector<pollfd>& descriptors) override {
    struct Filling {
      std::vector<pollfd>& out;
      std::size_t first;
    } filling{descriptors, descriptors.size()};
    u32 timeout_ms = ~u32{0};
    slirp_pollfds_fill(
        slirp_, &timeout_ms,
        [](int descriptor, int events, void* opaque) {
          auto& into = *static_cast<Filling*>(opaque);
          into.out.push_back({descriptor, to_poll(events), 0});
          return static_cast<int>(into.out.size() - into.first - 1);
        },
        &filling);
    wanted_in_ = timeout_ms < kNothingToTimeMs ? std::optional<u64>(timeout_ms * kNsPerMs) : std::nullopt;
  }

  void serve(std::span<const pollfd> descriptors) override {
    for (const pollfd& one : descriptors) opened_ = opened_ || one.revents != 0;
    slirp_pollfds_poll(
        slirp_, 0,
        [](int index, void* opaque) {
          const auto& ready = *static_cast<std::span<const pollfd>*>(opaque);
          const auto at = static_cast<std::size_t>(index);
          return at < ready.size() ? to_slirp(ready[at].revents) : 0;
        },
        &descriptors);
  }

  std::optional<u64> wants_service_in_ns() const override { return wanted_in_; }
  bool open() const override { return connected() || !listening_.empty(); }
  // One whose buffers are full is not watched, and yet open.
  bool connected() const override { return !open_.empty(); }
  bool reached() const override { return opened_; }
  std::vector<NetForward> forwards() const override { return forwards_; }

 private:
  static constexpr std::pair<int, short> kEvents[] = {{SLIRP_POLL_IN, POLLIN},
                                                      {SLIRP_POLL_OUT, POLLOUT},
                                                      {SLIRP_POLL_PRI, POLLPRI},
                                                      {SLIRP_POLL_ERR, POLLERR},
                                                      {SLIRP_POLL_HUP, POLLHUP}};
  static short to_poll(int events) {
    short out = 0;
    for (const auto& [theirs, ours] : kEvents)
      if (events & theirs) out = static_cast<short>(out | ours);
    return out;
  }
  static int to_slirp(short events) {
    int out = 0;
    for (const auto& [theirs, ours] : kEvents)
      if (events & ours) out |= theirs;
    return out;
  }

  /// libslirp takes what is addressed to another station of the guest's network (behind a bridge, a second card) for its own, and
  /// would refuse connections between the two. Its stations are 52:55 with an IPv4 address and 52:56 with the end of one.
  static bool is_for_us(std::span<const u8> frame) {
    constexpr u8 kGroup = 1;
    return (frame[0] & kGroup) || (frame[0] == 0x52 && (frame[1] == 0x55 || frame[1] == 0x56));
  }

  /// A request for a file that is not the guest's to have. Nobody answers it.
  bool leads_out(std::span<const u8> frame) const {
    if (tftp_folder_.empty()) return false;
    const std::optional<std::string> name = tftp_request(frame, host_);
    return name && (name->empty() || !is_file_within(tftp_folder_, *name));
  }

  static SlirpLink& self(void* opaque) { return *static_cast<SlirpLink*>(opaque); }

  static ssize_t take_frame(const void* frame, std::size_t bytes, void* opaque) {
    const std::span whole(static_cast<const u8*>(frame), bytes);
    std::vector<u8> changed;
    self(opaque).to_guest_(without_name_servers(whole, changed));
    return static_cast<ssize_t>(bytes);
  }

  /// There is one timer: that of router advertisements.
  void advertise() { slirp_handle_timer(slirp_, SLIRP_TIMER_RA, nullptr); }

  static const SlirpCb kCallbacks;

  Clock& clock_;
  ToGuest to_guest_;
  const std::string tftp_folder_;
  Ipv4Address host_ = {};
  Clock::TimerId advertise_timer_;
  Slirp* slirp_ = nullptr;
  std::set<int> open_;       // descriptors, but for those that wait for a caller
  std::set<int> listening_;  // descriptors of forwards
  std::vector<NetForward> forwards_;
  std::optional<u64> wanted_in_;
  bool opened_ = false;
};

const SlirpCb SlirpLink::kCallbacks = {
    .send_packet = take_frame,
    .guest_error = [](const char*, void*) {},
    .clock_get_ns = [](void* opaque) { return static_cast<i64>(self(opaque).clock_.now_ns()); },
    .timer_new = nullptr,
    .timer_free = [](void*, void* opaque) { self(opaque).clock_.cancel(self(opaque).advertise_timer_); },
    // The time that it wants is random.
    .timer_mod =
        [](void*, i64, void* opaque) {
          Clock& clock = self(opaque).clock_;
          clock.arm(self(opaque).advertise_timer_, clock.now_ns() + kAdvertiseEveryNs);
        },
    .register_poll_fd =
        [](int descriptor, void* opaque) {
          self(opaque).open_.insert(descriptor);
          self(opaque).opened_ = true;
        },
    .unregister_poll_fd = [](int descriptor, void* opaque) { self(opaque).open_.erase(descriptor); },
    .notify = [](void*) {},
    .init_completed = nullptr,
    .timer_new_opaque = [](SlirpTimerId, void*, void* opaque) { return opaque; },
};

}  // namespace

bool user_network_offered() { return true; }

Result<std::unique_ptr<NetLink>> open_slirp(const NetConfig& config, Clock& clock,
                                            NetLink::ToGuest to_guest) {
  struct stat status = {};
  if (!config.tftp_folder.empty() &&
      (stat(config.tftp_folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)))
    return Error{fmt::format("--net tftp={} is no folder that can be read.", config.tftp_folder)};
  auto link = std::make_unique<SlirpLink>(config, clock, std::move(to_guest));
  for (const NetForward& forward : config.forwards) TRY(link->forward(config, forward));
  return std::unique_ptr<NetLink>(std::move(link));
}

}  // namespace reprise::machine
