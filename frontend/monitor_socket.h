// --monitor unix:PATH: the monitor's JSON lines on a unix socket. docs/monitor.md.
// One thread serves all clients. What they send is bounded: requests by length, clients by number, answers by
// not reading on while a client does not take its own.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/result.h"
#include "frontend/unix_listener.h"
#include "machine/monitor/monitor.h"

namespace reprise::frontend {

class MonitorSocket {
 public:
  /// Binds and listens, and begins to serve. A socket file that no process listens on any more is replaced.
  /// `monitor` and its machine outlive this.
  static Result<std::unique_ptr<MonitorSocket>> open(const std::string& path,
                                                     machine::monitor::Monitor& monitor);
  /// Lets the answer that is being written go out, then removes the socket file.
  ~MonitorSocket();
  MonitorSocket(const MonitorSocket&) = delete;
  MonitorSocket& operator=(const MonitorSocket&) = delete;

 private:
  struct Client {
    int descriptor;
    std::string received = {};  // up to a request and its newline
    std::string to_send = {};
    bool skipping = false;  // the rest of a request that was too long
    bool open = true;
  };

  MonitorSocket(std::unique_ptr<UnixListener> listener, machine::monitor::Monitor& monitor);

  void loop();
  void accept_client();
  void drop(const Client& client);
  void read_from(Client& client);
  /// Answers the requests that `received` holds, until the client must first take an answer.
  void answer(Client& client);
  void send_to(Client& client);
  std::string response_to(std::string_view request);

  const std::unique_ptr<UnixListener> listener_;
  machine::monitor::Monitor& monitor_;
  int stop_pipe_[2] = {-1, -1};
  std::vector<Client> clients_;
  std::thread thread_;
};

}  // namespace reprise::frontend
