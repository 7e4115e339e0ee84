// Who of the machine takes events from outside: the board's devices, the drives, the reset button.
#include <fmt/format.h>

#include "common/zeros.h"
#include "machine/machine.h"
#include "machine/outside/sink_names.h"
#include "machine/record/recorded_error.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {

void Machine::add_sinks() {
  outside_.on_logged([this](LoggedEvent logged) {
    if (!replay_) recorder_.add(std::move(logged));
  });
  recorder_.on_full([this](const std::string& why) {
    if (const std::string& name = recorder_.name(); !name.empty())
      return log_.write("disk", LogLevel::Warn,
                        "the recording '{}' ends at {}, and the run goes on without it: {}", name,
                        position_text(position()), why);
    log_.write("disk", LogLevel::Warn,
               "what repeats the run is kept no longer, in {}: {}; from {} on a recording can begin with a "
               "state: save FILE in "
               "the monitor, then --load FILE with --record",
               temporary_folder(), why, position_text(position()));
  });
  pc_.on_watchdog([this](std::string_view action) { tell(GuestEvent::Kind::Watchdog, action); });
  pc_.add_sinks(outside_);
  media_changes_.add_sinks(outside_);
  hot_plug_.add_sinks(outside_);
  hot_plug_.on_gone([this](const std::string& id) { tell(GuestEvent::Kind::Unplugged, {}, id); });
  media_changes_.on_lost([this](const std::string& why) {
    if (replay_)
      replay_->differs(position(), why);
    else
      log_.write("disk", LogLevel::Warn, "{}", why);
  });
  outside_.add_sink({.name = std::string(kResetButtonSink),
                     .type = EventType::Button,
                     .room = always_room,
                     .take = [this](const Event&) {
                       if (config_.reboot && pc_.reset()) {
                         off_.reset();
                         return;
                       }
                       reset_ending_ = Ending{ExitReason::Reset, exit_code_of(ExitReason::Reset),
                                              "the user reset the machine"};
                     }});
  shares_.answer_from([this](std::string_view who, std::string_view question) {
    return replay_ ? replay_->take_answer(position(), who, question) : std::nullopt;
  });
  shares_.on_answer([this](std::string_view who, const devices::ShareQuestion& question,
                           const devices::ShareAnswer& answer) {
    ++share_answers_;
    if (replay_) return outside_.answered_again();
    // What stood in a log that is gone has to be written once more.
    if (std::exchange(share_log_offset_, recorder_.first_offset()) != recorder_.first_offset())
      share_log_ = {};
    const bool logged = recorder_.complete() || !checkpoints_.empty();
    outside_.answered(who, logged ? describe(question) : std::string(),
                      logged ? share_log_.entry(answer) : std::vector<u8>());
  });
  disks_.on_error([this](const DiskError& error) { disk_failed(error); });
  disks_.repeat_errors([this](DiskError request) {
    return replay_ ? replay_->take_error(position(), std::move(request)) : std::move(request);
  });
}

void Machine::follow_cards() {
  if (!config_.pci_hotplug) return;
  network_.follow_cards([this](const devices::NetCard& card) {
    const Pc::NetPlace place = pc_.net_place(card);
    return Network::CardPlace{place.there, place.id};
  });
}

void Machine::disk_failed(const DiskError& error) {
  if (replay_ && !error.repeated)
    replay_->differs(position(),
                     fmt::format("the host fails: {} of {}", describe_request(error), error.drive));
  if (replay_)
    outside_.answered_again();
  else
    outside_.answered(error.drive, describe_request(error), error_answer(error));
  if (!error.first) return;
  for (const DiskInfo& disk : disks_.info())
    if (disk.name == error.drive) log_.write("disk", LogLevel::Warn, "{}", describe(error, disk));
}

void Machine::keep_first_writes(RunFiles& files) {
  files.first_writes()->tell([this](const std::string& name, u64 offset, std::span<const u8> content) {
    if (!recorder_.complete()) return;
    const bool zeros = all_zero(content);
    recorder_.add(RecordedPiece{name, offset, content.size(),
                                zeros ? std::vector<u8>() : std::vector<u8>(content.begin(), content.end())});
  });
}

}  // namespace reprise::machine
