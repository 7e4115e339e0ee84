// What becomes of a machine that is reset: another start, or the end of the run.
#include <fmt/format.h>

#include <utility>

#include "machine/machine.h"
#include "machine/panic_watch.h"

namespace reprise::machine {
namespace {

/// A guest that starts so often without writing to a disk or being given anything does the same each time.
constexpr u32 kMaxRestarts = 100;

}  // namespace

std::optional<Machine::Ending> Machine::restart(const RunLimits& limits, Ending otherwise) {
  const PanicWatch* const watch = panic_.suspected();
  std::string panic = watch != nullptr ? watch->message()
                                       : panic_line_on_screen(pc_.vga().text_screen(), pc_.vga().columns());
  const bool has_panicked = !panic.empty() && otherwise.reason != ExitReason::Hang;
  // It did not even wait (panic=-1).
  if (has_panicked) otherwise = {ExitReason::Panic, exit_code_of(ExitReason::Panic), std::move(panic)};
  // In its past it has gone on.
  if (!present_ && (!config_.reboot || (has_panicked && limits.on_panic != OnPanic::Continue)))
    return otherwise;

  const u64 changes = disks_.writes() + given_to_guest();
  if (std::exchange(changes_before_restarts_, changes) != changes) restarts_ = 0;
  if (!present_ && unattended(limits) && ++restarts_ > kMaxRestarts)
    return Ending{
        ExitReason::Reset, exit_code_of(ExitReason::Reset),
        fmt::format("the guest has been restarted {} times{} without writing to a disk or being given "
                    "anything: it will not get further",
                    kMaxRestarts,
                    otherwise.reason == ExitReason::TripleFault ? ", the last time by a triple fault," : "")};
  if (auto ending = recorded_ending()) return ending;
  if (!pc_.reset()) return otherwise;
  note_step();
  tell(GuestEvent::Kind::Reset);
  panic_.refute();
  attempts_before_changes_ = pc_.boot_attempts();
  return std::nullopt;
}

std::optional<Machine::Ending> Machine::check_firmware(const RunLimits& limits) {
  if (!unattended(limits) || present_) return std::nullopt;
  // INT 19h boots again without a reset: what does nothing else is as stuck as what resets.
  if (const u64 attempts = pc_.boot_attempts(); attempts != boot_attempts_) {
    boot_attempts_ = attempts;
    const u64 changes = disks_.writes() + given_to_guest();
    if (std::exchange(changes_before_attempts_, changes) != changes) attempts_before_changes_ = attempts;
    if (attempts - attempts_before_changes_ > kMaxRestarts)
      return Ending{
          ExitReason::Reset, exit_code_of(ExitReason::Reset),
          fmt::format("the firmware has booted {} times without anything being written to a disk or given to "
                      "the guest (INT 19h): it will not get further",
                      kMaxRestarts)};
  }
  if (!pc_.found_nothing_to_boot()) return std::nullopt;
  return Ending{ExitReason::NoBoot, exit_code_of(ExitReason::NoBoot),
                "the firmware found nothing to boot on the drives that were given"};
}

}  // namespace reprise::machine
