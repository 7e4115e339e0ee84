#include "frontend/qemu/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/words.h"
#include "frontend/clients.h"
#include "machine/monitor/json_protocol.h"

namespace reprise::frontend::qemu {
namespace {

using machine::monitor::kMaxRequestBytes;

constexpr std::size_t kMaxClients = 16;
/// Below it an answer may still be made while another one waits to be taken.
constexpr std::size_t kMaxWaitingBytes = 64 * 1024;
constexpr std::string_view kPrompt = "(qemu) ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kEnded = "the run is over";

}  // namespace

ControlServer::ControlServer(machine::monitor::Monitor& monitor) : monitor_(monitor) {
  // A client may press a button at any time, so an idle guest is never stuck for good.
  monitor_.machine().inbox().add_source();
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::vector<ControlChoice>& choices,
                                                           machine::monitor::Monitor& monitor,
                                                           OutputOpener& opener) {
  std::unique_ptr<ControlServer> server(new ControlServer(monitor));
  for (const ControlChoice& choice : choices) {
    Channel channel{.qmp = choice.qmp, .pretty = choice.pretty, .listener = {}};
    if (choice.at.kind == SerialTarget::Kind::Stdio) {
      server->add_client(channel, {}, STDIN_FILENO, STDOUT_FILENO);
      continue;
    }
    const SocketAddress& address = choice.at.socket;
    if (choice.at.kind == SerialTarget::Kind::Socket && address.connects && address.descriptor >= 0) {
      machine::HostFd socket =
          TRY(Listener::inherited("monitor socket", address.descriptor, /*listens=*/false));
      const int descriptor = socket.get();
      server->add_client(channel, std::move(socket), descriptor, descriptor);
      continue;
    }
    if (choice.at.kind != SerialTarget::Kind::Socket || address.connects)
      return wrong_usage("a monitor is on stdio, or at a unix: or tcp: socket with server=on.");
    channel.listener = TRY(Listener::open({.what = "monitor socket",
                                           .option = "tcp:",
                                           .unix_path = address.unix_path,
                                           .host = address.host,
                                           .port = address.port,
                                           .descriptor = address.descriptor,
                                           .instead = "give a host such as 127.0.0.1"}));
    if (address.waits)
      TRY(opener.wait_until(
          [&] { return server->accept_client(channel); },
          fmt::format("the monitor waits at {} for somebody who connects.", channel.listener->address())));
    server->channels_.push_back(std::move(channel));
  }
  if (pipe2(server->stop_pipe_, O_CLOEXEC) != 0 || pipe2(server->event_pipe_, O_CLOEXEC | O_NONBLOCK) != 0)
    return Error{"the host gives no pipe for the monitor."};
  monitor.machine().on_guest_event(
      [&server = *server](const machine::GuestEvent& event) { server.happened(event); });
  server->thread_ = std::thread([&server = *server] { server.loop(); });
  return server;
}

ControlServer::~ControlServer() {
  monitor_.machine().on_guest_event(nullptr);
  stop();
  for (const int end : event_pipe_)
    if (end >= 0) close(end);
  for (const auto& client : clients_) drop(*client);
  monitor_.machine().inbox().remove_source();
}

void ControlServer::stop() {
  if (stop_pipe_[1] >= 0) close(std::exchange(stop_pipe_[1], -1));
  if (thread_.joinable()) thread_.join();
  if (stop_pipe_[0] >= 0) close(std::exchange(stop_pipe_[0], -1));
}

void ControlServer::end(const machine::RunResult& result) {
  stop();
  pass_on();
  tell(machine::monitor::qmp_events_of_end(result, was_off_));
  for (const auto& client : clients_) send_to(*client);
}

void ControlServer::loop() {
  for (;;) {
    std::vector<pollfd> files = {{stop_pipe_[0], POLLIN, 0}, {event_pipe_[0], POLLIN, 0}};
    const std::size_t first_client = files.size();
    for (const auto& client : clients_)
      files.push_back(client->to_send.empty() ? pollfd{client->in, POLLIN, 0}
                                              : pollfd{client->out, POLLOUT, 0});
    const std::size_t first_channel = files.size();
    for (const Channel& channel : channels_)
      files.push_back({channel.listener->descriptor(),
                       static_cast<short>(clients_.size() < kMaxClients ? POLLIN : 0), 0});
    if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) return;
    if (files[0].revents != 0) return;
    if (files[1].revents != 0) {
      pass_on();
      for (const auto& client : clients_) send_to(*client);
    }
    const std::size_t served = clients_.size();
    for (std::size_t i = 0; i < served; ++i) {
      Client& client = *clients_[i];
      const short ready = files[first_client + i].revents;
      if (ready & POLLOUT)
        send_to(client);
      else if (ready & (POLLIN | POLLHUP | POLLERR))
        read_from(client);
    }
    for (const auto& client : clients_)
      if (!client->open) drop(*client);
    std::erase_if(clients_, [](const auto& client) { return !client->open; });
    for (std::size_t i = 0; i < channels_.size(); ++i)
      if (files[first_channel + i].revents & POLLIN) accept_client(channels_[i]);
  }
}

bool ControlServer::accept_client(const Channel& channel) {
  machine::HostFd socket(frontend::accept_client(channel.listener->descriptor(), stop_pipe_[0]));
  if (!socket) return false;
  const int descriptor = socket.get();
  add_client(channel, std::move(socket), descriptor, descriptor);
  return true;
}

void ControlServer::add_client(const Channel& channel, machine::HostFd socket, int in, int out) {
  auto client =
      std::make_unique<Client>(Client{.socket = std::move(socket), .in = in, .out = out, .qmp = {}});
  monitor_.machine().inbox().add_companion();
  if (channel.qmp) {
    client->qmp.emplace(channel.pretty);
    client->to_send = client->qmp->greeting(monitor_) + std::string(kLineEnd);
  } else {
    client->to_send =
        fmt::format("QEMU 7.2.0 monitor - type 'help' for more information{}{}", kLineEnd, kPrompt);
  }
  send_to(*client);
  clients_.push_back(std::move(client));
}

void ControlServer::drop(const Client&) { monitor_.machine().inbox().remove_companion(); }

void ControlServer::read_from(Client& client) {
  char buffer[16 * 1024];
  const ssize_t count = read(client.in, buffer, sizeof buffer);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    client.open = false;
    return;
  }
  client.received.append(buffer, static_cast<std::size_t>(count));
  answer(client);
  send_to(client);
}

void ControlServer::answer(Client& client) {
  while (client.to_send.size() < kMaxWaitingBytes) {
    std::string request;
    if (client.qmp) {
      request = machine::monitor::take_json(client.received);
    } else if (const std::size_t end = client.received.find_first_of("\r\n"); end != client.received.npos) {
      request = client.received.substr(0, end + 1);
      client.received.erase(0, end + 1);
    }
    if (request.empty()) {
      if (client.received.size() <= kMaxRequestBytes) return;
      const std::string why = fmt::format("a request is longer than {} bytes", kMaxRequestBytes);
      client.received.clear();
      client.to_send += (client.qmp ? client.qmp->refused(why) : why) + std::string(kLineEnd);
      client.open = false;
      return;
    }
    client.to_send +=
        client.qmp ? qmp_response(*client.qmp, request) + std::string(kLineEnd) : line_response(request);
  }
}

void ControlServer::send_to(Client& client) {
  while (client.open && !client.to_send.empty()) {
    client.open = send_some(client.out, client.to_send);
    if (!client.to_send.empty()) return;
    // There is room again for answers to requests that came together.
    if (!client.received.empty()) answer(client);
  }
}

/// A person's line, and the prompt for the next one.
std::string ControlServer::line_response(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == line.npos) return std::string(kPrompt);
  std::string text;
  const bool answered = monitor_.machine().host_calls().run([&] {
    const machine::monitor::Outcome outcome = monitor_.execute_line(line);
    text = outcome ? outcome.value().text : in_one_line(outcome.error().message) + '\n';
  });
  if (!answered) text = std::string(kEnded) + '\n';
  return on_terminal(text) + std::string(kPrompt);
}

std::string ControlServer::qmp_response(machine::monitor::QmpSession& session, std::string_view request) {
  std::string response;
  std::vector<machine::monitor::Json> events;
  const bool answered =
      monitor_.machine().host_calls().run([&] { response = session.respond(monitor_, request, events); });
  if (!answered) return session.refused(kEnded);
  tell(events);
  return response;
}

void ControlServer::happened(const machine::GuestEvent& event) {
  const std::lock_guard lock(mutex_);
  happened_.push_back(event);
  // A full pipe wakes the thread, too.
  [[maybe_unused]] const ssize_t written = write(event_pipe_[1], "", 1);
}

void ControlServer::pass_on() {
  char bytes[64];
  while (read(event_pipe_[0], bytes, sizeof bytes) > 0) {
  }
  std::vector<machine::GuestEvent> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(happened_);
  }
  for (const machine::GuestEvent& event : events) {
    was_off_ = was_off_ || event.kind == machine::GuestEvent::Kind::Off;
    tell(machine::monitor::qmp_events_of(event, monitor_.machine().config().rtc_unix_s));
  }
}

/// Before the response of whoever asked, as QEMU does.
void ControlServer::tell(const std::vector<machine::monitor::Json>& events) {
  for (const auto& client : clients_) {
    if (!client->qmp || !client->qmp->takes_events()) continue;
    for (const machine::monitor::Json& event : events)
      client->to_send += client->qmp->text_of(event) + std::string(kLineEnd);
  }
}

}  // namespace reprise::frontend::qemu
