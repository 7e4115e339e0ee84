// Standard input as the guest's serial input: a thread that reads it and posts to the machine's inbox.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "frontend/escape_keys.h"
#include "frontend/monitor_prompt.h"
#include "frontend/output/output.h"
#include "machine/outside/inbox.h"

namespace reprise::frontend {

class HostInput {
 public:
  enum class Keys : u8 { Plain, WithEscapes };  // escapes: see escape_keys.h

  /// Takes what a pipe or file has ready (until a short silence) before it returns, so that prepared input is
  /// there at instruction 0 and a run fed from a file repeats; then goes on in the background. `quit` is
  /// called on Ctrl-A x. Ctrl-A c toggles `prompt`, Ctrl-A h explains itself on `help`; both outlive this. Ctrl-A b is a
  /// break on the line of `sink`. With escapes `may_read` says now and then whether to read: of a terminal it is who has the
  /// foreground. What was typed goes to `sink` (machine/outside/sink_names.h).
  HostInput(machine::Inbox& inbox, std::string_view sink, Keys keys, MonitorPrompt& prompt,
            std::function<void()> quit, std::function<bool()> may_read, Output& help);
  ~HostInput();
  HostInput(const HostInput&) = delete;
  HostInput& operator=(const HostInput&) = delete;

 private:
  enum class State : u8 { Open, Ended };
  /// Waits up to `timeout_ms` (-1: for ever) and posts what was read.
  State read_some(int timeout_ms, bool& got_any);
  void loop();
  void take_keys(std::span<const u8> typed);

  machine::Inbox& inbox_;
  const std::string sink_;
  Keys keys_;
  MonitorPrompt& prompt_;
  std::function<void()> quit_;
  std::function<bool()> may_read_;
  Output& help_;
  int stop_pipe_[2] = {-1, -1};
  EscapeKeys escapes_;
  std::thread thread_;
};

}  // namespace reprise::frontend
