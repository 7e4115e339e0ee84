// `reprise`: words to a machine, its run, and the exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "frontend/command_line.h"
#include "frontend/console.h"
#include "frontend/host_input.h"
#include "frontend/image_command.h"
#include "frontend/monitor_socket.h"
#include "frontend/report.h"
#include "frontend/serial_output.h"
#include "frontend/signals.h"
#include "frontend/terminal.h"
#include "frontend/version.h"
#include "machine/machine.h"
#include "machine/outside/sink_names.h"

namespace reprise::frontend {
namespace {

/// One sentence about a problem on the host; a reader that closed stderr must not matter.
void say(std::string_view text) { fmt::print(stderr, "reprise: {}\n", text); }

/// The result of a run that could not begin.
machine::RunResult not_begun(const Error& error) {
  machine::RunResult result;
  result.reason =
      error.kind == ErrorKind::Usage ? machine::ExitReason::Usage : machine::ExitReason::HostError;
  result.exit_code = machine::exit_code_of(result.reason);
  result.message = error.message;
  return result;
}

Log make_log(const RunOptions& options) {
  Log log([](std::string_view line) { fmt::print(stderr, "{}{}", line, Terminal::line_end()); });
  if (options.verbose) log.configure("disk:info");
  log.configure(options.log_spec);
  for (const std::string& category : options.trace) log.configure(category + ":trace");
  return log;
}

machine::ClockMode clock_mode(ClockChoice choice, bool interactive) {
  if (choice == ClockChoice::Auto) return interactive ? machine::ClockMode::Paced : machine::ClockMode::Free;
  return choice == ClockChoice::Paced ? machine::ClockMode::Paced : machine::ClockMode::Free;
}

/// Whether a silent guest may be one whose kernel does not know where its console is.
bool hint_at_console(const RunOptions& options) {
  const machine::boot::BootRequest& boot = options.config.boot;
  return !boot.kernel_path.empty() && options.com1.kind != SerialTarget::Kind::Null &&
         boot.command_line.find("ttyS") == std::string::npos;
}

/// Builds and runs the machine. The terminal is in its usual state again when this returns.
Result<machine::RunResult> run_machine(RunOptions& options) {
  const auto com1 = TRY(open_serial_output(options.com1));
  const auto com2 = TRY(open_serial_output(options.com2));
  std::unique_ptr<devices::CharBackend> virtio_console;
  if (options.console) virtio_console = TRY(open_serial_output(*options.console));
  const bool screen_to_stdout = options.screen_path == "-";
  ReportFile screen = TRY(ReportFile::open("screen dump", screen_to_stdout ? "" : options.screen_path));
  const Log log = make_log(options);
  const bool com1_stdio = options.com1.kind == SerialTarget::Kind::Stdio;
  const bool com2_stdio = options.com2.kind == SerialTarget::Kind::Stdio;
  const bool virtio_stdio = options.console && options.console->kind == SerialTarget::Kind::Stdio;
  // What has the terminal shares it with the monitor's prompt.
  devices::CharBackend& stdio_output = virtio_stdio ? *virtio_console : com2_stdio ? *com2 : *com1;
  Console console([&](std::string_view text) {
    stdio_output.write({reinterpret_cast<const u8*>(text.data()), text.size()});
  });
  const auto machine =
      TRY(machine::Machine::create(options.config,
                                   {.com1 = com1_stdio ? console : *com1,
                                    .com2 = com2_stdio ? console : *com2,
                                    .console = virtio_stdio ? &console : virtio_console.get()},
                                   log));
  machine::monitor::Monitor monitor(*machine, std::string(version_text()));
  std::unique_ptr<MonitorSocket> socket;
  if (!options.monitor_path.empty()) socket = TRY(MonitorSocket::open(options.monitor_path, monitor));
  machine->on_hash([](const machine::HashPoint& point) {
    fmt::print(stderr, "state {} {:016x}{}", point.retired, point.state_hash, Terminal::line_end());
  });

  if (hint_at_console(options)) {
    machine->on_silence([] {
      fmt::print(stderr,
                 "reprise: the guest has printed nothing on its serial ports for {} s of its time: Linux "
                 "does with --append "
                 "console=ttyS0; the VGA's text shows by screen in the monitor, or --dump-screen.{}",
                 machine::Machine::kSilenceNs / 1'000'000'000, Terminal::line_end());
    });
  }

  machine::RunResult result;
  {
    const SignalGuard signals(*machine);
    std::optional<Terminal> terminal;
    MonitorPrompt prompt(monitor, console);
    std::optional<HostInput> input;
    if (com1_stdio || com2_stdio || virtio_stdio) {
      terminal.emplace();
      const bool raw = terminal->raw();
      options.limits.clock = clock_mode(options.clock_choice, raw && isatty(STDOUT_FILENO));
      // A background job must not touch the terminal.
      if (raw || !isatty(STDIN_FILENO)) {
        input.emplace(machine->inbox(),
                      com1_stdio   ? machine::kCom1Sink
                      : com2_stdio ? machine::kCom2Sink
                                   : machine::kConsoleSink,
                      raw ? HostInput::Keys::WithEscapes : HostInput::Keys::Plain, prompt, [&] {
                        machine->request_end(machine::ExitReason::Quit, 0);
                        machine->inbox().wake();
                      });
      }
    } else {
      options.limits.clock = clock_mode(options.clock_choice, false);
    }
    result = machine->run(options.limits);
    input.reset();
    console.leave_prompt();
  }
  socket.reset();
  const std::string screen_text = machine->pc().vga().text_screen();
  if (screen_to_stdout) fmt::print("{}", screen_text);
  if (!screen.write(screen_text))
    say(fmt::format("screen dump '{}' could not be written.", options.screen_path));
  if (options.stats) fmt::print(stderr, "{}", machine->stats(result));
  return result;
}

/// Endings that the user should hear about; a clean power-off is not one.
bool worth_saying(machine::ExitReason reason) {
  using machine::ExitReason;
  return reason != ExitReason::PowerOff && reason != ExitReason::Quit && reason != ExitReason::DebugExit;
}

int run(RunOptions options) {
  Result<ReportFile> report = ReportFile::open("report", options.json_path);
  if (!report) {
    say(report.error().message);
    return machine::exit_code_of(machine::ExitReason::HostError);
  }
  for (const std::string& remark : options.remarks) say(remark);
  Result<machine::RunResult> ran = run_machine(options);
  const machine::RunResult result = ran ? ran.value() : not_begun(ran.error());
  if (worth_saying(result.reason)) say(result.message);
  fmt::print(stderr, "{}", result.details);
  if (!report.value().write(report_text(options, result))) {
    say(fmt::format("report '{}' could not be written.", options.json_path));
    return machine::exit_code_of(machine::ExitReason::HostError);
  }
  return result.exit_code;
}

}  // namespace
}  // namespace reprise::frontend

int main(int argc, char** argv) {
  using namespace reprise::frontend;
  const std::vector<std::string> words(argv + 1, argv + argc);
  // A file that grows beyond a limit of the host's is an error of the write, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  if (!words.empty() && words[0] == "image")
    return image_command(std::vector<std::string>(words.begin() + 1, words.end()));
  auto parsed = parse_options(words);
  if (const EarlyExit* exit = std::get_if<EarlyExit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->exit_code == 0 ? stdout : stderr);
    return exit->exit_code;
  }
  return run(std::get<RunOptions>(std::move(parsed)));
}
