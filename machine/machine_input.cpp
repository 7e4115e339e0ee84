// Who of the machine takes events from outside: the board's devices, the drives, the reset button.
#include "machine/machine.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine {

void Machine::add_sinks() {
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
  disks_.on_host_error([this](std::string_view drive, std::string question, devices::BlockStatus answer) {
    outside_.answered(drive, std::move(question), {static_cast<u8>(answer)});
  });
}

}  // namespace reprise::machine
