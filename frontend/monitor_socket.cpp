#include "frontend/monitor_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "frontend/clients.h"
#include "machine/monitor/json_protocol.h"

namespace reprise::frontend {
namespace {

using machine::monitor::kMaxRequestBytes;

constexpr std::size_t kMaxClients = 16;
/// Below it an answer may still be made while another one waits to be taken.
constexpr std::size_t kMaxWaitingBytes = 64 * 1024;

}  // namespace

Result<std::unique_ptr<MonitorSocket>> MonitorSocket::open(const std::string& path,
                                                           machine::monitor::Monitor& monitor) {
  auto listener = TRY(UnixListener::open("monitor socket", path));
  return std::unique_ptr<MonitorSocket>(new MonitorSocket(std::move(listener), monitor));
}

MonitorSocket::MonitorSocket(std::unique_ptr<UnixListener> listener, machine::monitor::Monitor& monitor)
    : listener_(std::move(listener)), monitor_(monitor) {
  // A client may press a button at any time, so an idle guest is never stuck for good.
  monitor_.machine().inbox().add_source();
  if (pipe2(stop_pipe_, O_CLOEXEC) == 0) thread_ = std::thread([this] { loop(); });
}

MonitorSocket::~MonitorSocket() {
  if (stop_pipe_[1] >= 0) close(stop_pipe_[1]);
  if (thread_.joinable()) thread_.join();
  if (stop_pipe_[0] >= 0) close(stop_pipe_[0]);
  monitor_.machine().inbox().remove_source();
  for (const Client& client : clients_) drop(client);
}

void MonitorSocket::loop() {
  for (;;) {
    std::vector<pollfd> files = {
        {stop_pipe_[0], POLLIN, 0},
        {listener_->descriptor(), static_cast<short>(clients_.size() < kMaxClients ? POLLIN : 0), 0}};
    for (const Client& client : clients_)
      files.push_back({client.descriptor, static_cast<short>(client.to_send.empty() ? POLLIN : POLLOUT), 0});
    if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      const short ready = files[i + 2].revents;
      if (ready & POLLOUT) send_to(clients_[i]);
      if (ready & (POLLIN | POLLHUP | POLLERR) && clients_[i].to_send.empty()) read_from(clients_[i]);
      if (ready & (POLLHUP | POLLERR)) clients_[i].open = clients_[i].open && ready & POLLIN;
    }
    for (const Client& client : clients_)
      if (!client.open) drop(client);
    std::erase_if(clients_, [](const Client& client) { return !client.open; });
    if (files[1].revents & POLLIN) accept_client();
    if (files[0].revents != 0) return;
  }
}

void MonitorSocket::accept_client() {
  const int descriptor = frontend::accept_client(listener_->descriptor(), stop_pipe_[0]);
  if (descriptor < 0) return;
  Client& client = clients_.emplace_back(Client{.descriptor = descriptor});
  monitor_.machine().inbox().add_companion();
  client.to_send = machine::monitor::greeting(monitor_) + '\n';
  send_to(client);
}

void MonitorSocket::drop(const Client& client) {
  close(client.descriptor);
  monitor_.machine().inbox().remove_companion();
}

void MonitorSocket::read_from(Client& client) {
  char buffer[16 * 1024];
  const ssize_t count = recv(client.descriptor, buffer, sizeof buffer, 0);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    client.open = false;
    return;
  }
  client.received.append(buffer, static_cast<std::size_t>(count));
  answer(client);
  send_to(client);
}

void MonitorSocket::answer(Client& client) {
  while (client.to_send.size() < kMaxWaitingBytes) {
    const std::size_t end = client.received.find('\n');
    if (end == client.received.npos) {
      if (client.received.size() > kMaxRequestBytes) {
        if (!client.skipping) client.to_send += machine::monitor::too_long_response() + '\n';
        client.skipping = true;
      }
      if (client.skipping) client.received.clear();
      return;
    }
    const std::string request = client.received.substr(0, end);
    client.received.erase(0, end + 1);
    if (std::exchange(client.skipping, false)) continue;
    if (request.size() > kMaxRequestBytes)
      client.to_send += machine::monitor::too_long_response() + '\n';
    else if (request.find_first_not_of(" \t\r") != request.npos)
      client.to_send += response_to(request) + '\n';
  }
}

void MonitorSocket::send_to(Client& client) {
  while (client.open && !client.to_send.empty()) {
    client.open = send_some(client.descriptor, client.to_send);
    if (!client.to_send.empty()) return;
    // There is room again for answers to requests that came together.
    if (!client.received.empty()) answer(client);
  }
}

std::string MonitorSocket::response_to(std::string_view request) {
  std::string response;
  const bool answered =
      monitor_.machine().host_calls().run([&] { response = machine::monitor::respond(monitor_, request); });
  return answered ? response : machine::monitor::ended_response();
}

}  // namespace reprise::frontend
