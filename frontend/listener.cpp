#include "frontend/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace reprise::frontend {
namespace {

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
  return address.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

std::string text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(in.sin_port));
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
  inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return fmt::format("[{}]:{}", text, ntohs(in6.sin6_port));
}

}  // namespace

Result<machine::HostFd> Listener::inherited(std::string_view what, int descriptor, bool listens) {
  int is_listening = 0;
  socklen_t bytes = sizeof is_listening;
  const bool is_socket = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) == 0;
  if (!is_socket || (is_listening != 0) != listens)
    return wrong_usage(
        fmt::format("{} fd={}: that is no socket that {}, with which this process was started.", what,
                    descriptor, listens ? "listens" : "is connected"));
  machine::HostFd fd(descriptor);
  if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 || fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0)
    return Error{fmt::format("{} fd={} cannot be used: {}.", what, descriptor, std::strerror(errno))};
  return fd;
}

Result<Listener> Listener::open(const ListenWish& wish) {
  Listener listener;
  if (wish.descriptor >= 0) {
    listener.tcp_ = TRY(inherited(wish.what, wish.descriptor, /*listens=*/true));
    listener.address_ = fmt::format("fd:{}", wish.descriptor);
    return listener;
  }
  if (!wish.unix_path.empty()) {
    listener.unix_ = TRY(UnixListener::open(wish.what, wish.unix_path));
    listener.address_ = "unix:" + wish.unix_path;
    return listener;
  }
  const std::string host = wish.host.empty() ? "127.0.0.1" : wish.host;
  const std::string asked = fmt::format("{}:{}", host, wish.port);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  Addresses found;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(wish.port).c_str(), &hints, &found.first);
      error != 0)
    return wrong_usage(fmt::format("{}{}: '{}' is no address of this host: {}.", wish.option, asked, host,
                                   gai_strerror(error)));
  const addrinfo& address = *found.first;
  if (!is_loopback(*address.ai_addr) && !wish.open_to_all)
    return wrong_usage(fmt::format("{}{} would let everybody in who reaches this host: {}.", wish.option,
                                   asked, wish.instead));
  listener.tcp_ = machine::HostFd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  sockaddr_storage bound = {};
  socklen_t size = sizeof bound;
  const int fd = listener.tcp_.get();
  const bool listening = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                         bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0 &&
                         getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  if (!listening)
    return Error{fmt::format("{}{} cannot listen there: {}.", wish.option, asked, std::strerror(errno))};
  listener.address_ = text_of(bound);
  return listener;
}

}  // namespace reprise::frontend
