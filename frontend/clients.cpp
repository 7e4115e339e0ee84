#include "frontend/clients.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace reprise::frontend {

int accept_client(int listener, int stop) {
  constexpr int kMomentMs = 100;
  const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) {
    pollfd wait = {stop, POLLIN, 0};
    poll(&wait, 1, kMomentMs);
  }
  return client;
}

bool send_some(int descriptor, std::string& text) {
  while (!text.empty()) {
    ssize_t count = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == ENOTSOCK) count = write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) return false;
    text.erase(0, static_cast<std::size_t>(count));
  }
  return true;
}

std::string on_terminal(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '\n') out += '\r';
    out += character;
  }
  return out;
}

}  // namespace reprise::frontend
