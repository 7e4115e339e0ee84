// Who of the machine takes events from outside: the board's devices, the drives, the reset button.
#include <fmt/format.h>

#include "machine/machine.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine {

void Machine::add_sinks() {
  outside_.on_logged([this](LoggedEvent logged) {
    if (!replay_) recorder_.add(std::move(logged));
  });
  pc_.add_sinks(outside_);
  media_changes_.add_sinks(outside_);
  outside_.add_sink({.name = std::string(kResetButtonSink),
                     .type = EventType::Button,
                     .room = always_room,
                     .take = [this](const Event&) {
                       if (config_.reboot && pc_.reset()) return;
                       reset_ending_ = Ending{ExitReason::Reset, exit_code_of(ExitReason::Reset),
                                              "the user reset the machine"};
                     }});
  shares_.answer_from([this](std::string_view who, std::string_view question) {
    return replay_ ? replay_->take_answer(position(), who, question) : std::nullopt;
  });
  shares_.on_answer([this](std::string_view who, const devices::ShareQuestion& question,
                           const devices::ShareAnswer& answer) {
    ++share_answers_;
    if (replay_) return;
    const bool logged = recorder_.complete();
    outside_.answered(who, logged ? describe(question) : std::string(),
                      logged ? share_log_.entry(answer) : std::vector<u8>());
  });
  disks_.on_error([this](const DiskError& error) {
    if (error.status != devices::BlockStatus::Refused)
      outside_.answered(error.drive, fmt::format("{} {} at {}", error.what, error.bytes, error.offset),
                        {static_cast<u8>(error.status)});
    if (!error.first) return;
    for (const DiskInfo& disk : disks_.info())
      if (disk.name == error.drive) log_.write("disk", LogLevel::Warn, "{}", describe(error, disk));
  });
}

}  // namespace reprise::machine
