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
#include <cstdlib>
#include <cstring>
#include <set>

#include "machine/net/echo_filter.h"
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

/// An address and a port, as sockets have them.
class SocketEnd {
 public:
  SocketEnd(const IpAddress& address, u16 port) {
    if (const auto* const v6 = std::get_if<Ipv6Address>(&address)) {
      v6_.sin6_family = AF_INET6;
      v6_.sin6_port = htons(port);
      std::memcpy(&v6_.sin6_addr, v6->data(), v6->size());
      bytes_ = sizeof v6_;
    } else {
      v4_.sin_family = AF_INET;
      v4_.sin_port = htons(port);
      v4_.sin_addr = to_in_addr(std::get<Ipv4Address>(address));
      bytes_ = sizeof v4_;
    }
  }
  const sockaddr* get() const {
    return bytes_ == sizeof v6_ ? reinterpret_cast<const sockaddr*>(&v6_)
                                : reinterpret_cast<const sockaddr*>(&v4_);
  }
  socklen_t bytes() const { return bytes_; }

 private:
  sockaddr_in v4_ = {};
  sockaddr_in6 v6_ = {};
  socklen_t bytes_ = 0;
};

/// The port that a socket has got.
u16 port_of(int descriptor) {
  sockaddr_storage address = {};
  socklen_t bytes = sizeof address;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 0;
  const bool v6 = address.ss_family == AF_INET6;
  return ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                  : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int flags_of(const NetForward& forward) {
  // One kind of address goes with itself only.
  return (forward.udp ? SLIRP_HOSTFWD_UDP : 0) |
         (std::holds_alternative<Ipv6Address>(forward.host) ? SLIRP_HOSTFWD_V6ONLY : 0);
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
    std::memcpy(first_guest_.data(), &wanted.vdhcp_start, first_guest_.size());
    wanted.vnameserver = station(config, kNameServer);
    wanted.vnameserver6 = site_local(kNameServer);
    slirp_ = slirp_new(&wanted, &kCallbacks, this);
  }
  ~SlirpLink() override { slirp_cleanup(slirp_); }
  SlirpLink(const SlirpLink&) = delete;
  SlirpLink& operator=(const SlirpLink&) = delete;

  Result<NetForward> add_forward(const NetForward& wanted) override {
    NetForward forward = wanted;
    if (forward.guest == IpAddress(Ipv4Address{})) forward.guest = first_guest_;
    const SocketEnd host(forward.host, forward.host_port), guest(forward.guest, forward.guest_port);
    const std::set<int> before = descriptors();
    errno = 0;
    if (slirp_add_hostxfwd(slirp_, host.get(), host.bytes(), guest.get(), guest.bytes(), flags_of(forward)) !=
        0) {
      return Error{fmt::format("port {} of {} cannot be forwarded to the guest: {}.", forward.host_port,
                               address_text(forward.host),
                               errno != 0 ? std::strerror(errno) : "libslirp refused it")};
    }
    // The descriptor that is new is the one that listens.
    for (const int descriptor : descriptors())
      if (!before.contains(descriptor)) forward.host_port = port_of(descriptor);
    forwards_.push_back(forward);
    return forward;
  }

  Result<Done> remove_forward(const NetForward& from) override {
    const auto found = std::ranges::find_if(forwards_, [&](const NetForward& one) {
      return one.udp == from.udp && one.host == from.host && one.host_port == from.host_port;
    });
    const SocketEnd host(from.host, from.host_port);
    if (found == forwards_.end() ||
        slirp_remove_hostxfwd(slirp_, host.get(), host.bytes(), flags_of(from)) != 0)
      return Error{fmt::format("Nothing is forwarded from {} {}; info network lists what is.",
                               from.udp ? "udp" : "tcp", end_text(from.host, from.host_port))};
    forwards_.erase(found);
    return Done{};
  }

  Result<std::string> connections() const override {
    const std::unique_ptr<char, decltype(&std::free)> text(slirp_connection_info(slirp_), &std::free);
    return std::string(text.get());
  }

  void send(std::span<const u8> frame) override {
    if (!is_for_us(frame)) return;
    std::vector<u8> to_refuse;
    if (leads_out(frame)) {
      to_refuse = request_to_refuse(frame, host_);
      if (to_refuse.empty()) return;
      frame = to_refuse;
    }
    ping_ = echo_request(frame);
    slirp_input(slirp_, frame.data(), static_cast<int>(frame.size()));
    ping_.reset();
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
  bool open() const override { return connected() || !forwards_.empty(); }
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

  /// A request for a file that is not the guest's to have.
  bool leads_out(std::span<const u8> frame) const {
    if (tftp_folder_.empty()) return false;
    const std::optional<std::string> name = tftp_request(frame, host_);
    return name && (name->empty() || !is_file_within(tftp_folder_, *name));
  }

  std::set<int> descriptors() {
    std::vector<pollfd> polled;
    add_descriptors(polled);
    std::set<int> out;
    for (const pollfd& one : polled) out.insert(one.fd);
    return out;
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
  Ipv4Address first_guest_ = {};  // that DHCP gives
  Clock::TimerId advertise_timer_;
  Slirp* slirp_ = nullptr;
  std::set<int> open_;  // descriptors, but for those that wait for a caller
  std::vector<NetForward> forwards_;
  std::optional<EchoRequest> ping_;  // that is being sent
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
          SlirpLink& link = self(opaque);
          link.open_.insert(descriptor);
          link.opened_ = true;
          if (link.ping_) hear_only_answer(descriptor, *link.ping_);
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
  for (const NetForward& forward : config.forwards) TRY(link->add_forward(forward));
  return std::unique_ptr<NetLink>(std::move(link));
}

}  // namespace reprise::machine
