#include "frontend/qemu/qemu_command.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/words.h"
#include "frontend/options/option.h"
#include "frontend/options/origin.h"
#include "frontend/options/values.h"
#include "frontend/qemu/translation.h"

namespace reprise::frontend::qemu {
namespace {

constexpr int kWrong = 1;

/// QEMU's code for an end of ours.
int exit_code_of(const machine::RunResult& result, int panic_code) {
  using machine::ExitReason;
  switch (result.reason) {
    case ExitReason::PowerOff:
    case ExitReason::Quit:
    case ExitReason::StopAt:
    // With -no-reboot.
    case ExitReason::Reset:
    case ExitReason::TripleFault:
    // "terminating on signal 15".
    case ExitReason::Signal: return 0;
    case ExitReason::Panic: return panic_code;
    case ExitReason::DebugExit: return result.exit_code;
    case ExitReason::Hang:
    case ExitReason::NoBoot:
    case ExitReason::Timeout:
    case ExitReason::WallTimeout:
    case ExitReason::HostError:
    case ExitReason::Usage:
    case ExitReason::EnginesDiffer:
    case ExitReason::ReplayDiffers: return kWrong;
  }
  return kWrong;
}

/// Whose panics end the run with a failure.
int code_of_failing_panic(const machine::RunResult& result) { return exit_code_of(result, kWrong); }
int code_of_usual_panic(const machine::RunResult& result) { return exit_code_of(result, 0); }

machine::OnPanic on_panic_of(PanicAction action) {
  switch (action) {
    case PanicAction::Shutdown:
    case PanicAction::ExitFailure: return machine::OnPanic::End;
    case PanicAction::Pause: return machine::OnPanic::Wait;
    case PanicAction::None: return machine::OnPanic::Continue;
  }
  return machine::OnPanic::Continue;
}

EarlyExit refused(std::string_view problem) {
  return {kWrong, fmt::format("{}: {}\n", kProgram, in_one_line(problem))};
}

/// What `reprise run` said of the translated words, without its own name and help.
EarlyExit as_refused(const EarlyExit& exit) {
  std::string_view text = exit.text;
  constexpr std::string_view kName = "reprise: ";
  constexpr std::string_view kHelp = "; see reprise run --help.\n";
  if (text.starts_with(kName)) text.remove_prefix(kName.size());
  if (text.ends_with(kHelp)) text.remove_suffix(kHelp.size());
  if (text.ends_with('\n')) text.remove_suffix(1);
  return refused(text);
}

/// Words of `reprise run` for runs that tools of others start.
void add_own_words(std::vector<std::string>& words) {
  const char* const own = std::getenv("REPRISE_OPTIONS");
  if (own == nullptr) return;
  for (const std::string_view word : words_between(own, " "))
    if (!word.empty()) words.emplace_back(word);
}

}  // namespace

bool is_called_as_qemu(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name == kProgram || name == "qemu-system-i386" || name == "kvm";
}

std::variant<RunOptions, EarlyExit> parse(const std::vector<std::string>& words) {
  Translation translation;
  try {
    translation = translate(words);
  } catch (const BadValue& bad) {
    return refused(bad.message);
  }
  if (!translation.answer.empty()) return EarlyExit{0, std::move(translation.answer)};
  std::vector<std::string> run = {"run"};
  if (!translation.loaded_state.empty()) {
    // What the machine is says the state.
    run.insert(run.end(), {"--load", translation.loaded_state});
    translation.words = words_about_the_run(translation.words);
  }
  run.insert(run.end(), translation.words.begin(), translation.words.end());
  add_own_words(run);
  auto parsed = parse_options(run);
  if (const EarlyExit* exit = std::get_if<EarlyExit>(&parsed))
    return exit->exit_code == 0 ? std::move(parsed) : as_refused(*exit);
  RunOptions& options = std::get<RunOptions>(parsed);
  options.program = kProgram;
  options.prompt = "(qemu) ";
  options.exit_code_of =
      translation.on_panic == PanicAction::ExitFailure ? code_of_failing_panic : code_of_usual_panic;
  options.limits.on_panic = on_panic_of(translation.on_panic);
  options.paused = translation.paused;
  options.limits.stays_off = translation.stays_off;
  options.in_background = translation.in_background;
  options.keys_of_pipes = translation.keys_of_pipes;
  options.pid_path = std::move(translation.pid_path);
  options.plug_words = std::move(translation.plug_words);
  options.tables = std::move(translation.tables);
  for (const MonitorWish& wish : translation.monitors) {
    const std::optional<SerialTarget> at = parse_serial(wish.at.target);
    const bool possible =
        at &&
        (at->kind == SerialTarget::Kind::Stdio ||
         (at->kind == SerialTarget::Kind::Socket && (!at->socket.connects || at->socket.descriptor >= 0)));
    if (!possible)
      return refused(
          fmt::format("{}: a monitor is on stdio, or at a unix: or tcp: socket with server=on", wish.option));
    options.controls.push_back({.at = *at, .qmp = wish.qmp, .pretty = wish.pretty});
  }
  options.remarks.insert(options.remarks.begin(), translation.notes.begin(), translation.notes.end());
  return parsed;
}

}  // namespace reprise::frontend::qemu
