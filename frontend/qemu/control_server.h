// ControlServer: monitors on sockets and standard input, in QEMU's two protocols: lines for people (-monitor) and QMP for programs
// (-qmp). docs/qemu.md. One thread serves all clients. What they send is bounded: requests by length, clients by number, answers by
// not reading on while a client does not take its own.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/result.h"
#include "frontend/character_line.h"
#include "frontend/options/run_options.h"
#include "machine/monitor/monitor.h"
#include "machine/monitor/qmp.h"

namespace reprise::frontend::qemu {

class ControlServer {
 public:
  /// Listens at all of `choices`, and begins to serve. Those that wait have their client then; `opener` waits. `monitor` and its
  /// machine outlive this.
  static Result<std::unique_ptr<ControlServer>> open(const std::vector<ControlChoice>& choices,
                                                     machine::monitor::Monitor& monitor,
                                                     OutputOpener& opener);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Clients hear of the end of the run, and are sent away.
  void end(const machine::RunResult& result);

 private:
  struct Channel {
    bool qmp;
    bool pretty;
    std::optional<Listener> listener;
  };
  struct Client {
    machine::HostFd socket;  // empty: standard input and output
    int in;
    int out;
    std::optional<machine::monitor::QmpSession> qmp;  // else a person
    std::string received = {};
    std::string to_send = {};
    bool open = true;
  };

  explicit ControlServer(machine::monitor::Monitor& monitor);

  void loop();
  /// Whether somebody has come.
  bool accept_client(const Channel& channel);
  void add_client(const Channel& channel, machine::HostFd socket, int in, int out);
  void drop(const Client& client);
  void stop();
  void read_from(Client& client);
  void answer(Client& client);
  void send_to(Client& client);
  std::string line_response(std::string_view line);
  std::string qmp_response(machine::monitor::QmpSession& session, std::string_view request);
  void tell(const std::vector<machine::monitor::Json>& events);
  /// The guest has brought it about. Machine thread.
  void happened(const machine::GuestEvent& event);
  /// Tells clients of what has happened.
  void pass_on();

  machine::monitor::Monitor& monitor_;
  int stop_pipe_[2] = {-1, -1};
  int event_pipe_[2] = {-1, -1};
  std::mutex mutex_;
  std::vector<machine::GuestEvent> happened_;  // under mutex_
  bool was_off_ = false;
  std::vector<Channel> channels_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::thread thread_;
};

}  // namespace reprise::frontend::qemu
