// --gdb: debuggers on a socket, or on standard input and output, one after another. docs/debugging.md.
// One thread serves; what packets ask is done on the machine's thread. What a client sends is bounded by the length of a
// packet, what it gets by not reading on while it does not take its answers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "common/result.h"
#include "frontend/gdb/gdb_address.h"
#include "frontend/listener.h"
#include "machine/gdb/packet.h"
#include "machine/gdb/session.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class GdbServer {
 public:
  using Say = machine::gdb::Session::Say;
  /// Listens, and begins to serve. `monitor` and its machine outlive this; `say` takes what the user should hear of, from the
  /// machine's thread.
  static Result<std::unique_ptr<GdbServer>> open(const GdbAddress& address,
                                                 machine::monitor::Monitor& monitor, Say say);
  /// A debugger that waits hears that the run is over.
  ~GdbServer();
  GdbServer(const GdbServer&) = delete;
  GdbServer& operator=(const GdbServer&) = delete;

  /// Where debuggers connect, as `target remote` takes it, with the port that was found: "127.0.0.1:1234", "PATH", "-".
  const std::string& address() const { return address_; }
  /// The exit code that the debugger gets at the end.
  void set_exit_code(int exit_code) { exit_code_ = exit_code; }

 private:
  using Session = machine::gdb::Session;

  GdbServer(machine::monitor::Monitor& monitor, Say say);
  Result<Done> start(const GdbAddress& address);
  void loop();
  void accept_client();
  /// `in` and `out` are of the client, closed with it if `owned`.
  void begin(int in, int out, bool owned);
  void end();
  void read_client();
  void take(const machine::gdb::PacketReader::Event& event);
  void answer(std::string_view payload);
  void send(std::string_view bytes);
  void flush();
  void tell_stop();
  bool interrupt_waits() const;
  void tell_progress();
  /// Does `work` on the machine's thread. False: the run is over.
  bool on_machine(const std::function<void()>& work);

  machine::monitor::Monitor& monitor_;
  const Say say_;
  std::optional<Listener> listener_;
  std::string address_;
  int exit_code_ = 0;
  machine::HostFd wake_;  // an event: the guest stands still, or the server is to end
  std::atomic<bool> ending_{false};
  bool stdio_ = false;

  // The client
  int in_ = -1;
  int out_ = -1;
  bool owned_ = false;
  bool open_ = false;
  bool acks_ = true;
  std::string to_send_;
  machine::gdb::PacketReader reader_;
  std::unique_ptr<Session> session_;  // made and destroyed on the machine's thread, or after the run

  std::thread thread_;
};

}  // namespace reprise::frontend
