#include "frontend/host_input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace reprise::frontend {
namespace {

constexpr int kPreparedInputMs = 50;
/// Between looks at whether the terminal has come to us.
constexpr int kAwayMs = 100;
constexpr const char* kKeysHelp =
    "\r\nreprise: Ctrl-A x  quit    Ctrl-A c  monitor, and back    Ctrl-A b  break    Ctrl-A Ctrl-A  send "
    "Ctrl-A to the "
    "guest    Ctrl-A h  this help\r\n";

}  // namespace

HostInput::HostInput(machine::Inbox& inbox, std::string_view sink, Keys keys, MonitorPrompt& prompt,
                     std::function<void()> quit, std::function<bool()> may_read, Output& help)
    : inbox_(inbox),
      sink_(sink),
      keys_(keys),
      prompt_(prompt),
      quit_(std::move(quit)),
      may_read_(std::move(may_read)),
      help_(help) {
  if (pipe(stop_pipe_) != 0) return;
  inbox_.add_source();
  if (isatty(STDIN_FILENO) == 0) {
    for (bool got_any = true; got_any;) {
      if (read_some(kPreparedInputMs, got_any) == State::Ended) {
        inbox_.remove_source();
        return;
      }
    }
  }
  thread_ = std::thread([this] { loop(); });
}

HostInput::~HostInput() {
  if (stop_pipe_[1] >= 0) close(stop_pipe_[1]);
  if (thread_.joinable()) thread_.join();
  if (stop_pipe_[0] >= 0) close(stop_pipe_[0]);
}

void HostInput::loop() {
  bool got_any = false;
  while (read_some(-1, got_any) == State::Open) {
  }
  inbox_.remove_source();
}

HostInput::State HostInput::read_some(int timeout_ms, bool& got_any) {
  got_any = false;
  // What is typed for another process is not ours to read, nor to wait for.
  const auto is_others = [&] { return keys_ == Keys::WithEscapes && !may_read_(); };
  const bool away = is_others();
  pollfd files[2] = {{stop_pipe_[0], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  const int ready = poll(files, away ? 1 : 2, away ? kAwayMs : timeout_ms);
  if (ready < 0) return errno == EINTR ? State::Open : State::Ended;
  if (files[0].revents != 0) return State::Ended;
  if (ready == 0 || is_others()) return State::Open;
  u8 buffer[4096];
  const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return State::Open;
  if (count <= 0) return State::Ended;
  got_any = true;
  const std::span<const u8> typed(buffer, static_cast<std::size_t>(count));
  if (keys_ == Keys::Plain) {
    inbox_.post({sink_, machine::BytesEvent{{typed.begin(), typed.end()}}});
    return State::Open;
  }
  take_keys(typed);
  return State::Open;
}

// One by one, because a key may change who gets the next.
void HostInput::take_keys(std::span<const u8> typed) {
  std::vector<u8> to_guest;
  for (const u8 key : typed) {
    const EscapeKeys::Outcome outcome = escapes_.take({&key, 1});
    if (outcome.help) help_.write(std::string_view(kKeysHelp));
    if (outcome.quit) quit_();
    if (outcome.monitor) prompt_.toggle();
    if (outcome.line_break) {
      if (!to_guest.empty()) inbox_.post({sink_, machine::BytesEvent{std::exchange(to_guest, {})}});
      inbox_.post({sink_ + "-break", machine::ButtonEvent{}});  // a virtio console has no such line
    }
    for (const u8 byte : outcome.to_guest) {
      if (prompt_.open())
        prompt_.key(byte);
      else
        to_guest.push_back(byte);
    }
  }
  if (!to_guest.empty()) inbox_.post({sink_, machine::BytesEvent{std::move(to_guest)}});
}

}  // namespace reprise::frontend
