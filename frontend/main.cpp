// `reprise`: words to a machine, its run, and the exit code.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>
#include <thread>

#include "common/words.h"
#include "frontend/background.h"
#include "frontend/character_line.h"
#include "frontend/code_directory.h"
#include "frontend/command_line.h"
#include "frontend/console.h"
#include "frontend/coverage_file.h"
#include "frontend/display/displays.h"
#include "frontend/display/sdl_display.h"
#include "frontend/gdb/gdb_server.h"
#include "frontend/host_input.h"
#include "frontend/image_command.h"
#include "frontend/memory_page/memory_page.h"
#include "frontend/monitor_socket.h"
#include "frontend/narrow_replay.h"
#include "frontend/options/check_medium.h"
#include "frontend/output/memory_end.h"
#include "frontend/output/open_output.h"
#include "frontend/output/sdl_sound.h"
#include "frontend/output/standard_descriptors.h"
#include "frontend/output/terminal_filter.h"
#include "frontend/output/trace_output.h"
#include "frontend/output/turns_output.h"
#include "frontend/output/wav_file.h"
#include "frontend/pid_file.h"
#include "frontend/qemu/control_server.h"
#include "frontend/qemu/qemu_command.h"
#include "frontend/questions.h"
#include "frontend/report.h"
#include "frontend/run_beginning.h"
#include "frontend/serial_output.h"
#include "frontend/signals.h"
#include "frontend/terminal.h"
#include "frontend/test/many_runs.h"
#include "frontend/test/merge_command.h"
#include "frontend/test/run_costs.h"
#include "frontend/test/test_session.h"
#include "frontend/version.h"
#include "machine/begins_at.h"
#include "machine/checkpoint_keeper.h"
#include "machine/machine.h"
#include "machine/memory_dump.h"
#include "machine/memory_report/report_span.h"
#include "machine/monitor/emulator_tables.h"
#include "machine/observe/coverage.h"
#include "machine/outside/sink_names.h"
#include "machine/plug/serial_ports.h"
#include "machine/record/packer.h"
#include "machine/screen/picture_file.h"
#include "machine/storage/run_files.h"
#include "machine/symbols/linux_log.h"
#include "machine/symbols/symbol_file.h"

namespace reprise::frontend {
namespace {

/// The result of a run that could not begin, or go on.
machine::RunResult not_begun(const Error& error, bool out_of_time = false) {
  machine::RunResult result;
  result.reason = out_of_time                      ? machine::ExitReason::WallTimeout
                  : error.kind == ErrorKind::Usage ? machine::ExitReason::Usage
                                                   : machine::ExitReason::HostError;
  result.exit_code = machine::exit_code_of(result.reason);
  result.message = error.message;
  return result;
}

/// Where the run is, for lines of the log; nullptr: it does not run.
using RunningMachine = std::shared_ptr<const machine::Machine*>;

class WhileItRuns {
 public:
  WhileItRuns(RunningMachine running, const machine::Machine& machine) : running_(std::move(running)) {
    *running_ = &machine;
  }
  ~WhileItRuns() { *running_ = nullptr; }
  WhileItRuns(const WhileItRuns&) = delete;
  WhileItRuns& operator=(const WhileItRuns&) = delete;

 private:
  const RunningMachine running_;
};

Log make_log(const RunOptions& options, Output& err, RunningMachine running) {
  Log log([&err, running = std::move(running)](std::string_view line) {
    const std::string at = *running == nullptr ? "" : machine::position_text((*running)->position()) + " ";
    err.write(fmt::format("{}{}{}", at, in_one_line(line), Terminal::line_end()));
  });
  if (options.verbose) log.configure("disk:info");
  log.configure(options.log_spec);
  return log;
}

machine::ClockMode clock_mode(ClockChoice choice, bool interactive) {
  if (choice == ClockChoice::Auto) return interactive ? machine::ClockMode::Paced : machine::ClockMode::Free;
  return choice == ClockChoice::Paced ? machine::ClockMode::Paced : machine::ClockMode::Free;
}

/// A trace ends before its machine does, whatever ends the run.
struct TraceEnds {
  machine::Tracer& tracer;
  ~TraceEnds() { tracer.end(); }
};

/// Whether a silent guest may be one whose kernel does not know where its console is.
bool hint_at_console(const RunOptions& options) {
  const machine::boot::BootRequest& boot = options.config.boot;
  return !boot.kernel_path.empty() && options.com1.kind != SerialTarget::Kind::Null &&
         boot.command_line.find("ttyS") == std::string::npos;
}

/// Somebody gave a card an option ROM, and there is no firmware to run it.
bool option_rom_is_idle(const RunOptions& options, machine::Machine& machine) {
  if (options.config.boot.kernel_path.empty() || machine.pc().can_start_again()) return false;
  return std::ranges::any_of(options.config.devices, [](const machine::DeviceConfig& device) {
    const std::string* const rom = device.find("romfile");
    return rom != nullptr && !rom->empty();
  });
}

unsigned terminal_rows() {
  winsize size = {};
  constexpr unsigned kUsualRows = 24;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 ? size.ws_row : kUsualRows;
}

/// Ports that were to be chosen, and with --verbose what was: the network, and the time that goes with it.
void tell_of_network(const RunOptions& options, const machine::NetworkInfo& network,
                     StandardOutputs& outputs) {
  if (options.verbose) outputs.say(fmt::format("the network is {}", machine::net_text(network.config)));
  if (options.verbose && options.rtc_start == RtcStart::Host)
    outputs.say(fmt::format("the guest's clock starts at the host's time, as --rtc {} says it once more",
                            options.config.rtc_unix_s));
  for (std::size_t i = 0; i < network.config.forwards.size(); ++i) {
    const machine::NetForward& forward = network.config.forwards[i];
    if (options.config.net.forwards[i].host_port == 0)
      outputs.say(fmt::format("{} port {} of {} goes to the guest's port {}", forward.udp ? "udp" : "tcp",
                              forward.host_port, machine::address_text(forward.host), forward.guest_port));
  }
}

/// A person who boots a disk from a terminal of a desktop expects a window, as of QEMU.
bool window_by_default(const RunOptions& options) {
  const auto is_set = [](const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != 0;
  };
  return options.displays.empty() && options.replay_path.empty() && options.config.boot.kernel_path.empty() &&
         sdl_is_offered() && (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")) && isatty(STDIN_FILENO) &&
         isatty(STDOUT_FILENO);
}

/// Whoever asked for a free port must hear which one it is.
void tell_of_displays(const std::vector<std::unique_ptr<Display>>& displays, RunOptions& options,
                      StandardOutputs& outputs) {
  const bool free_port = std::ranges::any_of(options.displays, [](const DisplayChoice& choice) {
    return choice.kind == DisplayChoice::Kind::Vnc && choice.vnc.unix_path.empty() && choice.vnc.port == 0;
  });
  for (const std::unique_ptr<Display>& display : displays) {
    options.displays_opened.push_back(display->name());
    if (free_port || options.verbose) outputs.say(fmt::format("the screen is shown at {}.", display->name()));
  }
}

Result<std::unique_ptr<GdbServer>> open_gdb_server(const GdbAddress& address,
                                                   machine::monitor::Monitor& monitor,
                                                   StandardOutputs& outputs) {
  auto server = TRY(GdbServer::open(address, monitor, [&outputs](std::string_view sentence) {
    outputs.err.write(fmt::format("{}: {}{}", outputs.program, sentence, Terminal::line_end()));
  }));
  // Whoever asked for a free port must hear which one it is.
  if (address.kind == GdbAddress::Kind::Tcp && address.port == 0)
    outputs.say(fmt::format("gdb connects by: target remote {}", server->address()));
  return server;
}

/// How long readers are waited for once the guest's time is over: one that takes its time over a run that is done gets
/// all that --wall-timeout leaves.
class Patience {
 public:
  explicit Patience(std::optional<double> seconds) : seconds_(seconds) {}
  void hurry(bool wanted) { hurried_ = hurried_ || wanted; }
  bool is_over() const {
    return hurried_ ||
           (seconds_ && std::chrono::duration<double>(Clock::now() - began_).count() >= *seconds_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began_ = Clock::now();
  const std::optional<double> seconds_;
  bool hurried_ = false;
};

/// The standard outputs outlive the machine that says when to hurry.
class PatienceAfterRun {
 public:
  PatienceAfterRun(StandardOutputs& outputs, std::shared_ptr<Patience> patience)
      : outputs_(outputs), patience_(std::move(patience)) {}
  ~PatienceAfterRun() {
    for (Output* output : {&outputs_.out, &outputs_.err})
      output->give_up_when([patience = patience_] { return patience->is_over(); });
  }
  PatienceAfterRun(const PatienceAfterRun&) = delete;
  PatienceAfterRun& operator=(const PatienceAfterRun&) = delete;

 private:
  StandardOutputs& outputs_;
  const std::shared_ptr<Patience> patience_;
};

/// Nothing can stop where the run has been already.
Result<Done> check_stop(const machine::Machine& machine, const RunOptions& options) {
  if (!options.limits.stop_at_retired || *options.limits.stop_at_retired >= machine.retired()) return Done{};
  if (options.begin)
    return wrong_usage(fmt::format(
        "the run is to stop at instruction {}, and the checkpoint that it begins with is at {}: give a later "
        "one, or an earlier --begin.",
        *options.limits.stop_at_retired, machine.retired()));
  return wrong_usage(fmt::format(
      "the run is to stop at instruction {}, and its saved state '{}' is at {}: give a later one.",
      *options.limits.stop_at_retired, options.load_path, machine.retired()));
}

/// The exit code and the message when a script has said which end it wants, or could have.
void judge(const std::optional<ExpectedEnd>& expected, machine::RunResult& result) {
  if (!expected) {
    if (result.reason == machine::ExitReason::Reset)
      result.message += " (--expect reset takes it for success)";
    return;
  }
  constexpr int kUnexpected = 16;
  const bool as_expected =
      result.reason == expected->reason &&
      (!expected->debug_value || result.exit_code == ((*expected->debug_value << 1 | 1) & 0xff));
  if (as_expected) {
    result.exit_code = 0;
    return;
  }
  const std::string value = expected->debug_value ? fmt::format("={}", *expected->debug_value) : "";
  result.message +=
      fmt::format("; --expect {}{} was given", machine::exit_reason_name(expected->reason), value);
  if (result.exit_code == 0) result.exit_code = kUnexpected;
}

Result<Done> start_recording(machine::Machine& machine, const RunOptions& options, OutputOpener& opener) {
  const std::string& path = options.record_path;
  if (const auto may = machine::may_be_replaced_by_recording(path); !may)
    return wrong_usage(fmt::format("--record '{}' {}: give another name.", path, may.error().message));
  machine::HostFd file = TRY(opener.open("recording", path));
  if (isatty(file.get())) return wrong_usage(fmt::format("--record '{}' is a terminal: give a file.", path));
  const Result<Done> begun = machine.recorder().write_to(std::move(file), path);
  if (!begun) return Error{fmt::format("recording '{}' cannot be written: {}.", path, begun.error().message)};
  return Done{};
}

/// A run that nobody recorded has ended badly: what repeats it gets the name that it was to have then.
void record_failure(machine::Machine& machine, const std::string& path, StandardOutputs& outputs) {
  const auto lost = [&](const std::string& why) {
    outputs.losses.add(fmt::format("recording '{}'", path), why, 0);
  };
  if (const auto may = machine::may_be_replaced_by_recording(path); !may)
    return lost("it " + may.error().message);
  if (const Result<Done> written = machine.recorder().write_to_new(path); !written)
    return lost(written.error().message);
  outputs.say(fmt::format("the run is recorded in '{}': reprise replay runs it again.", path));
}

/// The recording that a machine has followed, with all that it read.
Result<Done> finish_packing(const machine::Machine& machine, machine::Packer& packer, const std::string& path,
                            machine::RunResult& result, StandardOutputs& outputs) {
  if (result.reason == machine::ExitReason::ReplayDiffers) return Done{};
  if (machine.replay()->next() != nullptr)
    return Error{
        fmt::format("the recording was not run to its end, so nothing was packed: {}.", result.message)};
  TRY(packer.finish());
  outputs.say(fmt::format("'{}' has all that the run reads, of {} files: {} bytes.", path, packer.files(),
                          packer.bytes()));
  result.reason = machine::ExitReason::PowerOff;
  result.exit_code = 0;
  result.details.clear();
  return Done{};
}

/// A line, if there is one, and the sink of what comes on it.
struct LineOfPort {
  CharacterLine* line;
  std::string sink;
  std::string plug_sink = {};
};

std::vector<std::unique_ptr<LineInput>> attach_lines(machine::Machine& machine,
                                                     const std::vector<LineOfPort>& ports,
                                                     StandardOutputs& outputs) {
  std::vector<std::unique_ptr<LineInput>> inputs;
  for (const LineOfPort& port : ports) {
    if (port.line == nullptr) continue;
    if (port.line->is_pty())
      outputs.out.write(fmt::format("char device redirected to {} ({})\n", port.line->name(), port.sink));
    inputs.push_back(std::make_unique<LineInput>(*port.line, machine.inbox(), port.sink, port.plug_sink));
  }
  return inputs;
}

/// What has its name only now that it is open.
void name_ends(machine::monitor::EmulatorTables& tables, const SerialOutput& com1, const SerialOutput& com2,
               const std::vector<SerialOutput>& ports) {
  for (auto& chardev : tables.chardevs) {
    const auto take = [&](std::string_view end, const SerialOutput& of) {
      if (chardev.end == end && of.line != nullptr && of.line->is_pty())
        chardev.filename = "pty:" + of.line->name();
    };
    take(machine::kCom1Sink, com1);
    take(machine::kCom2Sink, com2);
    for (std::size_t i = 0; i < ports.size(); ++i) take(fmt::format("port{}", i), ports[i]);
  }
}

/// More would take much memory of somebody who did not ask for it.
unsigned usual_jobs() { return std::clamp(std::thread::hardware_concurrency(), 1U, 4U); }

/// The run ends where the guest waits for its command, with a state.
void save_before_command(machine::Machine& machine, TestSession& test, machine::RunLimits& limits) {
  // So far behind the word that says so that it is not in the middle of an instruction.
  constexpr u64 kSettling = 1'000'000;
  test.on_ready([&machine] { machine.step(kSettling); });
  limits.visit = [&machine, &test] {
    test.save_when_still(
        [&machine](const std::string& path) { return machine.save_file(path, machine::StateForm::Pages); });
  };
}

/// Whoever ended the run may give the same command again.
void keep_progress(machine::Machine& machine, TestSession& test, const machine::RunResult& result,
                   StandardOutputs& outputs) {
  const bool is_asked = result.exit_code == machine::exit_code_of(machine::ExitReason::Signal) + SIGTERM;
  if (result.reason != machine::ExitReason::Signal || !is_asked || !test.can_go_on()) return;
  const Result<Done> kept = test.keep_progress(
      [&](const std::string& path) { return machine.save_file(path, machine::StateForm::Pages); });
  if (!kept) outputs.say(fmt::format("the same command will begin anew: {}", kept.error().message));
}

/// Builds and runs the machine. The terminal is in its usual state again when this returns.
Result<machine::RunResult> run_machine(RunOptions& options, StandardOutputs& outputs, OutputOpener& opener,
                                       const std::shared_ptr<Patience>& patience, TestSession* test) {
  SerialOutput com1 = TRY(open_serial_output(options.com1, outputs, opener));
  SerialOutput com2 = TRY(open_serial_output(options.com2, outputs, opener));
  SerialOutput virtio_console;
  if (options.console) virtio_console = TRY(open_serial_output(*options.console, outputs, opener));
  std::vector<SerialOutput> ports;
  for (const SerialTarget& target : options.ports)
    ports.push_back(TRY(open_serial_output(target, outputs, opener)));
  const bool screen_to_stdout = options.screen_path == "-";
  const machine::PictureFormat screen_format = machine::picture_format_of(options.screen_path);
  if (screen_format == machine::PictureFormat::Png && !machine::png_is_offered())
    return Error{fmt::format("--dump-screen '{}': this reprise was built without libpng: give a name that "
                             "ends in .ppm, or build "
                             "it with Debian's package libpng-dev.",
                             options.screen_path),
                 ErrorKind::Usage};
  ReportFile screen =
      TRY(ReportFile::open("screen dump", screen_to_stdout ? "" : options.screen_path, opener));
  ReportFile memory_page = TRY(ReportFile::open("report", options.memory_page_path, opener));
  machine::HostFd memory_dump;
  if (!options.memory_dump_path.empty()) {
    memory_dump = TRY(opener.open("memory dump", options.memory_dump_path));
    struct stat status = {};
    if (fstat(memory_dump.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return wrong_usage(fmt::format("--dump-memory '{}' is no regular file: give a name of one.",
                                     options.memory_dump_path));
  }
  TRY(check_coverage_file(options));
  ReportFile coverage_file = TRY(ReportFile::open("coverage", options.coverage_path, opener));
  const std::unique_ptr<TraceOutput> trace_output =
      TRY(TraceOutput::open(options.trace_path, outputs, opener));
  machine::Tracer tracer(options.trace, *trace_output);
  std::unique_ptr<TurnsOutput> turns_output;
  if (!options.turns_path.empty())
    turns_output = TRY(TurnsOutput::open(options.turns_path, outputs.losses, opener));
  std::unique_ptr<WavFile> wav;
  if (options.sound.kind == SoundTarget::Kind::Wav)
    wav = TRY(WavFile::open(options.sound.path, opener, outputs.losses));
  std::unique_ptr<devices::AudioSink> host_sound;
  if (options.sound.kind == SoundTarget::Kind::Sdl) host_sound = TRY(open_sdl_sound());
  std::unique_ptr<Output> capture;
  if (!options.capture_path.empty())
    capture = std::make_unique<Output>(fmt::format("capture '{}'", options.capture_path),
                                       TRY(opener.open("capture", options.capture_path)), outputs.losses);
  if (options.limits.wall_timeout_s) *options.limits.wall_timeout_s -= opener.waited_s();
  const auto running = std::make_shared<const machine::Machine*>(nullptr);
  const Log log = make_log(options, outputs.err, running);
  if (!options.symbols_path.empty())
    options.config.symbols = TRY(machine::symbols::load_symbols(options.symbols_path));
  if (!options.code_path.empty())
    options.config.jit.code_store = TRY(CodeDirectory::open(
        options.code_path, build_id(), [&outputs](const std::string& sentence) { outputs.say(sentence); }));
  options.config.jit.dump_sink = [&outputs](std::string_view text) { outputs.err.write(text); };
  const bool com1_stdio = options.com1.kind == SerialTarget::Kind::Stdio;
  const bool com2_stdio = options.com2.kind == SerialTarget::Kind::Stdio;
  const bool virtio_stdio = options.console && options.console->kind == SerialTarget::Kind::Stdio;
  const auto port_stdio = std::ranges::find(options.ports, SerialTarget::Kind::Stdio, &SerialTarget::kind);
  // What has the terminal shares it with the monitor's prompt.
  std::optional<TerminalFilter> filter;
  if (isatty(STDOUT_FILENO)) filter.emplace(terminal_rows);
  Console console([&](std::string_view text) {
    if (!filter) return outputs.out.write(text);
    outputs.out.write(filter->take(text));
    Terminal::to_set_back(filter->restoring(), filter->changing());
  });
  std::vector<devices::CharBackend*> port_outputs;
  for (std::size_t i = 0; i < ports.size(); ++i)
    port_outputs.push_back(
        &ports[i].with_log(options.ports[i].kind == SerialTarget::Kind::Stdio ? console : *ports[i].backend));
  devices::CharBackend* console_output = nullptr;
  if (options.console)
    console_output = &virtio_console.with_log(virtio_stdio ? console : *virtio_console.backend);
  std::unique_ptr<machine::Packer> packer;
  if (!options.packed_path.empty())
    packer = TRY(machine::Packer::begin(options.replay_path, options.packed_path, *options.config.files));
  if (!options.load_path.empty())
    options.config.media = media_of_state(options.load_path, *options.config.files);
  const auto machine = TRY(machine::Machine::create(
      options.config,
      {.com1 = test != nullptr ? test->first_port() : com1.with_log(com1_stdio ? console : *com1.backend),
       .com2 = test != nullptr ? test->second_port() : com2.with_log(com2_stdio ? console : *com2.backend),
       .console = console_output,
       .sound = wav ? wav.get() : host_sound.get(),
       .capture = capture.get(),
       .traces = tracer.access_traces(),
       .ports = port_outputs},
      log));
  const MemoryEndGuard memory_end(*machine);
  const TraceEnds trace_ends{tracer};
  const PatienceAfterRun after_run(outputs, patience);
  const auto hurried = [&] { return machine->host_wants_end(options.limits); };
  for (Output* output : {&outputs.out, &outputs.err, com1.file, com1.log.get(), com2.file, com2.log.get(),
                         virtio_console.file, virtio_console.log.get(), capture.get(), trace_output->file(),
                         turns_output ? &turns_output->file() : nullptr})
    if (output != nullptr) output->give_up_when(hurried);
  for (const SerialOutput& port : ports) {
    if (port.file != nullptr) port.file->give_up_when(hurried);
    if (port.log != nullptr) port.log->give_up_when(hurried);
    if (port.line != nullptr) port.line->give_up_when(hurried);
  }
  if (test != nullptr) {
    test->read_positions_by([&machine] { return machine::position_text(machine->position()); });
    test->count_costs_by([&machine] { return costs_so_far(*machine); });
    test->decode_by(options.symbols_path);
    test->give_up_when(hurried);
    if (test->saves()) save_before_command(*machine, *test, options.limits);
  }
  for (CharacterLine* line : {com1.line, com2.line, virtio_console.line})
    if (line != nullptr) line->give_up_when(hurried);
  if (!options.load_path.empty()) TRY(load_state(*machine, options.load_path, *options.config.files));
  if (test != nullptr && !test->input().empty())
    machine->inbox().post(
        {std::string(machine::kCom2Sink), machine::BytesEvent{{test->input().begin(), test->input().end()}}});
  TRY(check_stop(*machine, options));
  machine->set_question_jobs(options.jobs.value_or(usual_jobs()));
  if (options.record_memory_bytes) machine->recorder().set_memory_bytes(*options.record_memory_bytes);
  if (!options.record_path.empty()) TRY(start_recording(*machine, options, opener));
  if (options.begin)
    TRY(follow_from(*machine, options.replay_path, *options.begin,
                    [&](const std::string& sentence) { outputs.say(sentence); }));
  else if (!options.replay_path.empty())
    TRY(follow_recording(*machine, options.replay_path));
  if (options.begin) TRY(check_stop(*machine, options));
  std::optional<machine::CheckpointKeeper> keeper;
  if (options.keep_every_retired != 0)
    keeper.emplace(*machine,
                   machine::CheckpointKeeper::Wanted{
                       .recording = options.replay_path.empty() ? options.record_path : options.replay_path,
                       .program = build_text(),
                       .every_retired = options.keep_every_retired},
                   [&](const std::string& phrase) { outputs.say(phrase + "."); });
  if (options.replay_path.empty()) tell_of_network(options, machine->network().info(), outputs);
  if (!options.config.reboot && !options.config.boot.kernel_path.empty() &&
      !machine->pc().can_start_again() && options.exit_code_of == nullptr)
    outputs.say(
        "--no-reboot does nothing in this run: a kernel that was given directly is not started again.");
  if (option_rom_is_idle(options, *machine))
    outputs.say("romfile= does nothing in this run: a kernel that was given directly finds no option ROM.");
  std::vector<LineOfPort> ends = {{com1.line, std::string(machine::kCom1Sink)},
                                  {com2.line, std::string(machine::kCom2Sink)},
                                  {virtio_console.line, std::string(machine::kConsoleSink)}};
  const std::vector<machine::SerialPort> placed = TRY(machine::serial_ports(options.config.devices));
  for (std::size_t i = 0; i < ports.size(); ++i)
    ends.push_back({ports[i].line, placed[i].sink(), placed[i].has_plug ? placed[i].plug_sink() : ""});
  const std::vector<std::unique_ptr<LineInput>> lines = attach_lines(*machine, ends, outputs);
  machine->media_changes().check_with(
      [&](const machine::DiskConfig& medium) { return check_medium(options, medium); });
  machine::monitor::Monitor monitor(*machine, std::string(version_text()));
  monitor.set_plug_words(options.plug_words.get());
  if (options.tables != nullptr) {
    name_ends(*options.tables, com1, com2, ports);
    monitor.set_tables(*options.tables);
  }
  std::unique_ptr<MonitorSocket> socket;
  if (!options.monitor_path.empty()) socket = TRY(MonitorSocket::open(options.monitor_path, monitor));
  std::unique_ptr<qemu::ControlServer> controls;
  if (!options.controls.empty()) controls = TRY(qemu::ControlServer::open(options.controls, monitor, opener));
  std::unique_ptr<GdbServer> debugger;
  if (options.gdb) debugger = TRY(open_gdb_server(*options.gdb, monitor, outputs));
  machine->debugger().serve_with([&](std::string_view text) -> Result<std::string> {
    if (debugger) return Error{fmt::format("debuggers connect at {} already.", debugger->address())};
    const Result<GdbAddress> address = parse_gdb_address(text);
    if (!address || address.value().kind == GdbAddress::Kind::Stdio)
      return Error{fmt::format("'{}' is none of tcp:[HOST:]PORT, unix:PATH.", text)};
    debugger = TRY(open_gdb_server(address.value(), monitor, outputs));
    return debugger->address();
  });
  std::optional<machine::memory_report::ReportSpan> memory_report;
  if (!options.memory_page_path.empty()) memory_report.emplace(*machine, options.observers_from);
  std::optional<machine::BeginsAt> trace_begins;
  if (!options.trace.empty())
    trace_begins.emplace(*machine, options.observers_from, [&] { tracer.begin(*machine); });
  machine::Coverage coverage;
  std::optional<machine::BeginsAt> coverage_begins;
  if (!options.coverage_path.empty())
    coverage_begins.emplace(*machine, options.observers_from, [&] { coverage.begin(*machine); });
  std::optional<TurnsSpan> turns_span;
  if (turns_output) turns_span.emplace(*turns_output, *machine, options.turns_at);
  if (options.paused) machine->stop();
  const SayToUser say = [&outputs](std::string_view sentence) {
    outputs.err.tell(fmt::format("{}: {}{}", outputs.program, sentence, Terminal::line_end()));
  };
  std::vector<std::unique_ptr<Display>> displays = TRY(open_displays(options.displays, *machine, say));
  if (window_by_default(options)) {
    auto window = open_displays({{.kind = DisplayChoice::Kind::Sdl, .vnc = {}}}, *machine, say);
    if (window)
      displays = window.take();
    else
      outputs.say(
          fmt::format("there is no window, which --display none would say too: {}", window.error().message));
  }
  tell_of_displays(displays, options, outputs);
  machine->on_hash([&](const machine::HashPoint& point) {
    outputs.err.write(
        fmt::format("state {} {:016x}{}", point.retired, point.state_hash, Terminal::line_end()));
  });

  if (hint_at_console(options) && machine->retired() == 0) {
    machine->on_silence([&] {
      outputs.err.write(
          fmt::format("{}: the guest has printed nothing on its serial ports for {} s of its time: Linux "
                      "does with --append "
                      "console=ttyS0; the VGA's text shows by screen in the monitor, or --dump-screen.{}",
                      outputs.program, machine::Machine::kSilenceNs / 1'000'000'000, Terminal::line_end()));
    });
  }

  // Nothing refuses the run any more.
  opener.begin();
  if (wav) wav->finish();
  if (test != nullptr) TRY(test->take_progress());
  machine::RunResult result;
  {
    const SignalGuard signals(*machine);
    std::optional<Terminal> terminal;
    MonitorPrompt prompt(monitor, console, options.prompt);
    std::optional<HostInput> input;
    const bool replays = !options.replay_path.empty();
    const bool port_has_terminal = port_stdio != options.ports.end();
    if (!replays && (com1_stdio || com2_stdio || virtio_stdio || port_has_terminal)) {
      terminal.emplace();
      input.emplace(
          machine->inbox(),
          com1_stdio     ? std::string(machine::kCom1Sink)
          : com2_stdio   ? std::string(machine::kCom2Sink)
          : virtio_stdio ? std::string(machine::kConsoleSink)
                         : placed[static_cast<std::size_t>(port_stdio - options.ports.begin())].sink(),
          isatty(STDIN_FILENO) != 0 || options.keys_of_pipes ? HostInput::Keys::WithEscapes
                                                             : HostInput::Keys::Plain,
          prompt,
          [&] {
            machine->request_end(machine::ExitReason::Quit, 0);
            machine->inbox().wake();
          },
          Terminal::attend, outputs.err);
    }
    // A job in the background may be brought to the foreground.
    const bool interactive = terminal && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    // Who listens hears a guest that waits at its own speed.
    options.limits.clock = clock_mode(options.clock_choice, interactive || host_sound != nullptr);
    options.limits.attended = replays || interactive || socket != nullptr || debugger != nullptr ||
                              !displays.empty() || !lines.empty() || controls != nullptr;
    // A state that was loaded is not kept a second time in memory.
    if ((interactive || socket != nullptr) && options.load_path.empty()) machine->keep_beginning();
    {
      const WhileItRuns mark(running, *machine);
      result = machine->run(options.limits);
    }
    if (!options.questions.empty())
      result =
          answer_questions(monitor, options.questions, options.answers_as_json, std::move(result), outputs);
    input.reset();
    console.leave_prompt();
    if (filter) {
      if (!Terminal::is_set_back()) outputs.out.write(filter->restore());
      Terminal::to_set_back("", "");
    }
  }
  tracer.end();
  turns_span.reset();
  const bool observes = memory_report || trace_begins || coverage_begins;
  if (observes && machine->position() < options.observers_from)
    outputs.say(fmt::format("the run ended at {}, before {} (--from): there is nothing in {}.",
                            result.position, machine::position_text(options.observers_from),
                            trace_begins      ? "the trace"
                            : coverage_begins ? "the coverage"
                                              : "the report"));
  if (test != nullptr) {
    keep_progress(*machine, *test, result, outputs);
    if (test->wants_log_of_memory())
      if (const auto logged =
              machine::symbols::read_linux_log(machine->symbols(), machine->pc().processors().running().cpu))
        test->take_log_of_memory(*logged);
    test->end_run();
  }
  {
    machine::RunResult judged = result;
    judge(options.expected, judged);
    judged.message = result.message;
    machine->end_recording(judged);
    if (judged.exit_code != 0 && !options.record_failure_path.empty() && machine->recorder().name().empty())
      record_failure(*machine, options.record_failure_path, outputs);
  }
  if (packer) TRY(finish_packing(*machine, *packer, options.packed_path, result, outputs));
  for (const std::string& name : options.config.files->unused_names())
    outputs.say(fmt::format("--image {}= names no file of the run.", name));
  if (const machine::Recorder& recorder = machine->recorder();
      !recorder.name().empty() && !recorder.complete())
    outputs.losses.add(fmt::format("recording '{}'", recorder.name()), recorder.problem(),
                       recorder.lost_bytes());
  socket.reset();
  if (controls) controls->end(result);
  controls.reset();
  if (debugger) debugger->set_exit_code(result.exit_code);
  debugger.reset();
  displays.clear();
  patience->hurry(machine->host_wants_end(options.limits));
  machine->pc().play_sound();
  if (wav) wav->finish();
  const std::vector<u8> shown = TRY(machine::screen_content(machine->pc().vga(), screen_format));
  const std::string screen_content(shown.begin(), shown.end());
  if (screen_to_stdout) outputs.out.write(screen_content);
  const auto write_file = [&](ReportFile& file, std::string_view what, const std::string& path,
                              const std::string& content) {
    file.give_up_when([&] { return patience->is_over(); });
    if (const auto written = file.write({&content, 1}); !written)
      outputs.losses.add(fmt::format("{} '{}'", what, path), written.error().message, content.size());
  };
  write_file(screen, "screen dump", options.screen_path, screen_content);
  if (memory_dump)
    if (const auto written = machine::write_memory_dump(*machine, memory_dump.get()); !written)
      outputs.losses.add(fmt::format("memory dump '{}'", options.memory_dump_path), written.error().message,
                         0);
  if (memory_report)
    write_file(memory_page, "report", options.memory_page_path,
               memory_page_text(memory_report->finish(), options));
  if (coverage_begins)
    write_file(coverage_file, "coverage", options.coverage_path,
               coverage_text(coverage, *machine, options, outputs.losses));
  if (options.stats) outputs.err.write(machine->stats(result));
  if (result.lost_variable_saves != 0)
    outputs.losses.add(fmt::format("variable store '{}'", options.config.firmware.variables_path),
                       "a change could not be stored", 0);
  return result;
}

/// Endings that the user should hear about; a clean power-off is not one.
bool worth_saying(machine::ExitReason reason) {
  using machine::ExitReason;
  return reason != ExitReason::PowerOff && reason != ExitReason::Quit && reason != ExitReason::DebugExit;
}

/// What ended the run, and where: what messages name, a replay takes.
std::string with_position(const machine::RunResult& result) {
  const bool names_it =
      result.position.empty() || result.message.find(result.position.substr(1)) != std::string::npos;
  if (names_it) return result.message;
  return fmt::format("{} (at {})", result.message, result.position);
}

/// As run_machine, whatever the host has less of than is needed.
machine::RunResult try_to_run(RunOptions& options, StandardOutputs& outputs, OutputOpener& opener,
                              const std::shared_ptr<Patience>& patience, TestSession* test) {
  try {
    Result<machine::RunResult> ran = run_machine(options, outputs, opener, patience, test);
    return ran ? ran.take() : not_begun(ran.error(), opener.out_of_time());
  } catch (const std::bad_alloc&) {
    return not_begun(Error{machine::kOutOfMemory});
  } catch (const std::system_error& problem) {
    return not_begun(Error{fmt::format("the host refused something that a run needs: {}.", problem.what())});
  }
}

int run(RunOptions options, StandardOutputs& outputs, HeldSignals& held) {
  std::optional<Background> background;
  if (options.in_background) {
    Result<Background> second = Background::enter(held);
    if (!second) {
      held.release();
      outputs.say(second.error().message);
      return not_begun(second.error()).exit_code;
    }
    background.emplace(second.take());
  }
  take_signals();
  OutputOpener opener({.say = [&](std::string_view text) { outputs.say(text); },
                       .pause = [&](std::chrono::milliseconds time) { held.pause(time); },
                       .begun =
                           [&] {
                             if (background) background->begun();
                           },
                       .seconds = options.limits.wall_timeout_s});
  const auto patience = std::make_shared<Patience>(options.limits.wall_timeout_s);
  const bool report_to_stdout = options.json_path == "-";
  Result<ReportFile> report = ReportFile::open("report", report_to_stdout ? "" : options.json_path, opener);
  if (!report) {
    held.release();
    outputs.say(report.error().message);
    return not_begun(report.error(), opener.out_of_time()).exit_code;
  }
  std::optional<SignalReport> signal_report;
  if (report_to_stdout)
    signal_report.emplace(STDOUT_FILENO, false);
  else
    signal_report.emplace(report.value().descriptor(), report.value().regular());
  report.value().write_for_now(unfinished_report_text());
  const Result<PidFile> pid_file = PidFile::write(options.pid_path);
  // From here on a signal finds a report to write.
  held.release();
  if (!pid_file) {
    outputs.say(pid_file.error().message);
    return not_begun(pid_file.error()).exit_code;
  }
  for (const std::string& remark : options.remarks) outputs.say(remark);
  std::unique_ptr<TestSession> test;
  machine::RunResult result;
  if (options.test == nullptr) {
    result = try_to_run(options, outputs, opener, patience, nullptr);
  } else if (auto opened = TestSession::open(*options.test, outputs, opener); opened) {
    test = opened.take();
    result = try_to_run(options, outputs, opener, patience, test.get());
  } else {
    result = not_begun(opened.error(), opener.out_of_time());
  }
  if (test == nullptr) judge(options.expected, result);
  if (options.exit_code_of != nullptr) result.exit_code = options.exit_code_of(result);
  if (test != nullptr) {
    test->give_up_when([patience] { return patience->is_over(); });
    result.exit_code = test->finish(result, options.command);
  } else if (worth_saying(result.reason) || (options.expected && result.exit_code != 0))
    outputs.say(with_position(result));
  outputs.err.write(result.details);
  if (result.differs && options.narrow)
    outputs.err.write(narrow_replay(options, *result.differs));
  else if (result.differs && options.command.front() == "replay")
    outputs.err.write(
        "narrowed     not: --narrow names the instruction, and the first access to a device that "
        "differs\n");
  // A run that a signal cut off has lost something anyway.
  const auto code_now = [&] {
    return result.reason == machine::ExitReason::Signal ? result.exit_code
                                                        : outputs.code_after_losses(result.exit_code);
  };
  result.exit_code = code_now();
  const std::string text = report_text(options, result, outputs.losses.list());
  if (!report.value().regular()) signal_report.reset();
  if (report_to_stdout) outputs.out.write(text);
  report.value().give_up_when([patience] { return patience->is_over(); });
  if (const auto written = report.value().write({&text, 1}); !written) {
    outputs.losses.add(fmt::format("report '{}'", options.json_path), written.error().message, text.size());
    result.exit_code = code_now();
    const std::string shorter[] = {short_report_text(result, outputs.losses.list()),
                                   shortest_report_text(result)};
    [[maybe_unused]] const auto fallback = report.value().write(shorter);
  }
  signal_report.reset();
  return code_now();
}

int carry_out(const std::vector<std::string>& words, StandardOutputs& outputs, HeldSignals& held) {
  if (words.empty() || (words[0] != "run" && words[0] != "replay" && words[0] != "ask" &&
                        words[0] != "pack" && words[0] != "test" && words[0] != "qemu"))
    held.release();
  if (!words.empty() && words[0] == "image")
    return outputs.code_after_losses(
        image_command(std::vector<std::string>(words.begin() + 1, words.end()), outputs));
  if (!words.empty() && words[0] == "merge" && !asks_for_help(words))
    return outputs.code_after_losses(
        merge_command(std::vector<std::string>(words.begin() + 1, words.end()), outputs));
  const bool as_qemu = !words.empty() && words[0] == "qemu";
  auto parsed =
      as_qemu ? qemu::parse(std::vector<std::string>(words.begin() + 1, words.end())) : parse_options(words);
  if (const EarlyExit* exit = std::get_if<EarlyExit>(&parsed)) {
    held.release();
    if (exit->exit_code == 0)
      outputs.out.write(exit->text);
    else
      outputs.err.tell(exit->text);
    return outputs.code_after_losses(exit->exit_code);
  }
  RunOptions options = std::get<RunOptions>(std::move(parsed));
  options.command = words;
  outputs.program = options.program;
  if (options.test != nullptr && options.test->many()) return many_runs(*options.test, words, outputs);
  return run(std::move(options), outputs, held);
}

}  // namespace
}  // namespace reprise::frontend

int main(int argc, char** argv) {
  using namespace reprise::frontend;
  HeldSignals held;
  open_standard_descriptors();
  // A file that grows beyond a limit of the host's and a reader that has gone are errors of the write, not the end of
  // the process.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  prepare_for_memory_end();
  StandardOutputs outputs;
  int exit_code = 0;
  try {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (argc > 0 && qemu::is_called_as_qemu(argv[0])) words.insert(words.begin(), "qemu");
    exit_code = carry_out(words, outputs, held);
  } catch (const std::bad_alloc&) {
    outputs.say(reprise::machine::kOutOfMemory);
    exit_code = reprise::machine::exit_code_of(reprise::machine::ExitReason::HostError);
  }
  outputs.tell_losses();
  return exit_code;
}
