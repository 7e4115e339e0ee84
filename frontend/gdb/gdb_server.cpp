#include "frontend/gdb/gdb_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "frontend/clients.h"

namespace reprise::frontend {
namespace {

using machine::gdb::Answers;
using machine::gdb::PacketReader;

/// While a client does not take its answers, nothing more is read from it.
constexpr std::size_t kMaxWaitingBytes = 256 * 1024;
/// A client that waits hears so often how far a journey through the past has come.
constexpr int kProgressMs = 2000;

}  // namespace

GdbServer::GdbServer(machine::monitor::Monitor& monitor, Say say) : monitor_(monitor), say_(std::move(say)) {}

Result<std::unique_ptr<GdbServer>> GdbServer::open(const GdbAddress& address,
                                                   machine::monitor::Monitor& monitor, Say say) {
  std::unique_ptr<GdbServer> server(new GdbServer(monitor, std::move(say)));
  TRY(server->start(address));
  return server;
}

Result<Done> GdbServer::start(const GdbAddress& address) {
  wake_ = machine::HostFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return Error{"the host has no descriptor left for --gdb."};
  if (address.kind == GdbAddress::Kind::Stdio) {
    stdio_ = true;
    address_ = std::string(1, '-');
  } else {
    listener_ = TRY(Listener::open({.what = "gdb socket",
                                    .option = "--gdb tcp:",
                                    .unix_path = address.unix_path,
                                    .host = address.host,
                                    .port = address.port,
                                    .open_to_all = false,
                                    .instead = "give tcp:PORT, and let ssh -L forward that port"}));
    address_ = address.kind == GdbAddress::Kind::Unix ? address.unix_path : listener_->address();
  }
  thread_ = std::thread([this] { loop(); });
  return Done{};
}

GdbServer::~GdbServer() {
  ending_ = true;
  // A run that never began is over, too.
  monitor_.machine().host_calls().close();
  if (wake_) eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

bool GdbServer::on_machine(const std::function<void()>& work) {
  return monitor_.machine().host_calls().run(work);
}

void GdbServer::loop() {
  // The other end of standard input is there from the beginning.
  if (stdio_) begin(STDIN_FILENO, STDOUT_FILENO, false);
  while (!ending_) {
    const bool reads = open_ && to_send_.size() < kMaxWaitingBytes;
    const bool writes = open_ && !to_send_.empty();
    pollfd files[] = {{wake_.get(), POLLIN, 0},
                      {listener_ && !open_ ? listener_->descriptor() : -1, POLLIN, 0},
                      {reads ? in_ : -1, POLLIN, 0},
                      {writes ? out_ : -1, POLLOUT, 0}};
    const int ready = poll(files, std::size(files), open_ && session_->is_busy() ? kProgressMs : -1);
    if (ready < 0 && errno != EINTR) break;
    if (ready == 0) tell_progress();
    if (files[0].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_.get(), &count);
      if (open_ && !ending_) tell_stop();
    }
    if (files[1].revents & POLLIN) accept_client();
    if (files[2].revents != 0) read_client();
    if (files[3].revents != 0) flush();
    if (!open_ && in_ >= 0) end();
  }
  if (!open_) return;
  // The run is over, and nobody else uses the machine.
  if (session_ == nullptr || session_->waits())
    send(machine::gdb::frame(fmt::format("W{:02x}", exit_code_ & 0xff)));
  flush();
  end();
}

void GdbServer::accept_client() {
  const int descriptor = frontend::accept_client(listener_->descriptor(), wake_.get());
  if (descriptor >= 0) begin(descriptor, descriptor, true);
}

void GdbServer::begin(int in, int out, bool owned) {
  in_ = in;
  out_ = out;
  owned_ = owned;
  open_ = true;
  acks_ = true;
  to_send_.clear();
  reader_ = {};
  const bool begun = on_machine([this] {
    // A guest that stands still can be changed, and nobody knows for how long.
    monitor_.machine().inbox().add_source();
    session_ = std::make_unique<Session>(monitor_, say_);
    monitor_.machine().debugger().on_stop([this] { eventfd_write(wake_.get(), 1); });
  });
  if (!begun) open_ = false;
}

void GdbServer::end() {
  const auto leave = [this] {
    if (session_ == nullptr) return;
    monitor_.machine().debugger().on_stop(nullptr);
    session_.reset();
    monitor_.machine().inbox().remove_source();
  };
  if (!on_machine(leave)) leave();
  if (owned_) close(in_);
  in_ = out_ = -1;
  open_ = false;
}

void GdbServer::read_client() {
  char buffer[16 * 1024];
  const ssize_t count = read(in_, buffer, sizeof buffer);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    open_ = false;
    return;
  }
  for (ssize_t i = 0; i < count && open_; ++i)
    if (const auto event = reader_.take(static_cast<u8>(buffer[i]))) take(*event);
  flush();
}

void GdbServer::take(const PacketReader::Event& event) {
  switch (event.kind) {
    case PacketReader::Event::Kind::Interrupt:
      (void)on_machine([this] { session_->interrupt(); });
      tell_stop();
      return;
    case PacketReader::Event::Kind::Corrupt:
      // Without acknowledgements there is no other answer.
      if (acks_)
        send("-");
      else
        send(machine::gdb::frame("E16"));
      return;
    case PacketReader::Event::Kind::TooLong:
      if (acks_) send("+");
      send(machine::gdb::frame("E16"));
      return;
    case PacketReader::Event::Kind::Packet: break;
  }
  if (acks_) send("+");
  answer(event.payload);
}

void GdbServer::answer(std::string_view payload) {
  Answers answers;
  std::vector<std::string> stop;
  const bool answered = on_machine([&] {
    machine::Machine& machine = monitor_.machine();
    machine.end_questions_when([this] { return interrupt_waits(); });
    answers = session_->take(payload);
    machine.end_questions_when(nullptr);
    // It may stand still again by then.
    stop = session_->stop_answers();
  });
  // The run is over, which the end of the loop tells.
  if (!answered) return;
  for (const std::string& each : answers.payloads) send(machine::gdb::frame(each));
  for (const std::string& each : stop) send(machine::gdb::frame(each));
  if (answers.no_ack) acks_ = false;
  if (answers.leaves) {
    flush();
    open_ = false;
  }
}

/// The client has sent Ctrl-C, which is not yet read. Standard input does not show what waits.
bool GdbServer::interrupt_waits() const {
  char waiting[16];
  const ssize_t count = owned_ ? recv(in_, waiting, sizeof waiting, MSG_PEEK | MSG_DONTWAIT) : 0;
  const char* const end = waiting + std::max<ssize_t>(count, 0);
  constexpr char kInterrupt = 3;
  return std::find(static_cast<const char*>(waiting), end, kInterrupt) != end;
}

void GdbServer::tell_stop() {
  std::vector<std::string> stop;
  (void)on_machine([&] { stop = session_->stop_answers(); });
  for (const std::string& each : stop) send(machine::gdb::frame(each));
  flush();
}

void GdbServer::tell_progress() {
  std::optional<std::string> text;
  (void)on_machine([&] { text = session_->progress(); });
  if (text) send(machine::gdb::frame(*text));
  flush();
}

void GdbServer::send(std::string_view bytes) { to_send_ += bytes; }

void GdbServer::flush() { open_ = open_ && send_some(out_, to_send_); }

}  // namespace reprise::frontend
