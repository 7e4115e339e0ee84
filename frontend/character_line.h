// CharacterLine: a serial port's other end on a socket, a pseudo-terminal or two FIFOs of the host's.
// What the guest says while nobody is there is lost, as on a line without a plug. What a peer on a socket does not read yet is kept, up to
// a bound; a peer that is slower than that is waited for, as one on a pseudo-terminal or a FIFO is.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "common/result.h"
#include "devices/backend.h"
#include "frontend/listener.h"
#include "frontend/options/run_options.h"
#include "frontend/output/open_output.h"
#include "frontend/output/patient_writer.h"
#include "machine/outside/inbox.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class CharacterLine final : public devices::CharBackend {
 public:
  /// `target` is a Pty, Pipe or Socket of what the user knows as `what` ("serial port"). A socket that waits has its client when this
  /// returns; `opener` waits.
  static Result<std::unique_ptr<CharacterLine>> open(const SerialTarget& target, std::string_view what,
                                                     OutputOpener& opener);

  /// Machine thread.
  void write(std::span<const u8> bytes) override;

  /// Where others find it: "/dev/pts/3", "unix:/tmp/port", "tcp:127.0.0.1:4444".
  const std::string& name() const { return name_; }
  bool is_pty() const { return pty_; }
  /// While `wanted` says true, a peer that takes nothing is not waited for any longer. Before anything is written.
  void give_up_when(std::function<bool()> wanted) { give_up_ = std::move(wanted); }

 private:
  friend class LineInput;
  struct Peer {
    explicit Peer(machine::HostFd descriptor, machine::HostFd other = {})
        : fd(std::move(descriptor)), out(std::move(other)), writer(out ? out.get() : fd.get()) {}
    machine::HostFd fd;
    machine::HostFd out;    // of two FIFOs the one that is written
    PatientWriter writer;   // machine thread
    std::string kept = {};  // not yet sent; under mutex_
  };

  CharacterLine() = default;
  /// Sends what is kept, as far as there is room. Whether nothing is left.
  bool flush(Peer& peer);
  bool keeps_some() const;
  std::shared_ptr<Peer> peer();
  /// nullptr: it has gone.
  void set_peer(std::shared_ptr<Peer> peer);
  void accept_peer();

  std::optional<Listener> listener_;
  std::string name_;
  bool pty_ = false;
  bool sends_ = true;  // to a socket
  std::function<bool()> give_up_;
  mutable std::mutex mutex_;
  std::function<void()> on_kept_;  // tells the thread that reads that something is to be sent; under mutex_
  std::shared_ptr<Peer> peer_;     // under mutex_
};

/// While it lives, what comes on a line is input for a sink of a machine's.
class LineInput {
 public:
  /// `line` and `inbox` outlive this. `plug_sink` takes that somebody is at the line (1), or nobody any more (0); empty: nobody
  /// wants to know.
  LineInput(CharacterLine& line, machine::Inbox& inbox, std::string_view sink,
            std::string_view plug_sink = {});
  ~LineInput();
  LineInput(const LineInput&) = delete;
  LineInput& operator=(const LineInput&) = delete;

 private:
  void loop();
  void accept_peer();
  void read_from(CharacterLine::Peer& peer, short events);
  void tell_companion(bool there);
  void tell_plug(bool there);

  CharacterLine& line_;
  machine::Inbox& inbox_;
  const std::string sink_;
  const std::string plug_sink_;
  bool companion_ = false;
  int stop_pipe_[2] = {-1, -1};
  int kept_pipe_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace reprise::frontend
