// What options demand of each other.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "frontend/options/run_rows.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"
#include "machine/plug/board_devices.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/display_row.h"
#include "machine/plug/serial_ports.h"

namespace reprise::frontend {
namespace {

using machine::DeviceConfig;

bool is_stdio(const SerialTarget& target) { return target.kind == SerialTarget::Kind::Stdio; }

void check_boot(const RunDraft& draft) {
  const machine::MachineConfig& config = draft.options.config;
  const bool kernel = draft.has("--kernel");
  for (const std::string_view option : {"--initrd", "--append"})
    if (!kernel && draft.has(option))
      throw BadValue{fmt::format("{} is for a kernel: add --kernel FILE", option)};
  const bool ovmf = config.firmware.bios == "ovmf" || config.firmware.bios == "ovmf-2m";
  if (kernel && ovmf)
    throw BadValue{
        "--bios ovmf does not start a kernel given by --kernel: leave --bios out, or give --bios seabios"};
  if (draft.has("--bios-vars") && !ovmf)
    throw BadValue{"--bios-vars keeps the variables of UEFI firmware: add --bios ovmf"};
  if (kernel && draft.has("--boot"))
    throw BadValue{"--boot is for firmware: it and --kernel exclude each other"};
}

/// The last thing to be missed: who made another mistake hears of that one.
void check_something_boots(const RunDraft& draft) {
  const std::vector<DeviceConfig>& devices = draft.options.config.devices;
  if (!draft.has("--kernel") && !draft.has("--bios") && !boots_from_network(draft) &&
      machine::disk_configs(devices).empty())
    throw BadValue{"nothing to boot was given: name a disk image, or add --kernel FILE"};
}

/// Words of a kernel command line that stand outside of its quotes are taken for images.
void check_append(const RunDraft& draft) {
  if (!draft.has("--append") || draft.options.config.replayed) return;
  for (const DeviceConfig& device : draft.options.config.devices) {
    const std::string* file = device.find("file");
    std::error_code error;
    if (device.driver != "disk" || file == nullptr || device.properties.size() != 1 ||
        file->find('/') != file->npos || std::filesystem::exists(*file, error))
      continue;
    throw BadValue{
        fmt::format("there is no disk image '{}': several words of --append stand in quotes", *file)};
  }
}

DeviceConfig* find_device(RunDraft& draft, std::string_view driver) {
  std::vector<DeviceConfig>& devices = draft.options.config.devices;
  const auto found = std::ranges::find(devices, driver, &DeviceConfig::driver);
  return found == devices.end() ? nullptr : &*found;
}

/// Where characters of `device` go, which `option` asks for.
SerialTarget target_of(const RunDraft& draft, const DeviceConfig& device, std::string_view by_default,
                       std::string_view option) {
  const std::string* const given = device.find("target");
  const std::string target(given != nullptr ? std::string_view(*given) : by_default);
  const std::optional<SerialTarget> parsed = parse_serial(target);
  if (!parsed) throw BadValue{fmt::format("target={} is no address such as unix:PATH or tcp:4444", target)};
  // A file that another run wrote is not to be written again unless somebody says so, and nobody is at its socket.
  const bool of_another_run =
      draft.options.config.replayed || (draft.of_state && !draft.given_here.contains(option));
  return of_another_run && !is_stdio(*parsed) ? SerialTarget{SerialTarget::Kind::Null} : *parsed;
}

void check_devices(RunDraft& draft) {
  if (draft.display_width != 0)
    machine::prefer_display_size(draft.options.config.devices, {draft.display_width, draft.display_height});
  if (!draft.watchdog_action.empty()) {
    DeviceConfig* watchdog = find_device(draft, "i6300esb");
    if (watchdog == nullptr) throw BadValue{"--watchdog-action needs a watchdog: add --device i6300esb"};
    watchdog->set("action", draft.watchdog_action);
  }
  want(machine::check_devices(draft.options.config.devices));
  want(machine::check_devices_of_board(draft.options.config.devices, draft.options.config.chipset));
  if (const DeviceConfig* console = find_device(draft, "virtio-console"))
    draft.options.console = target_of(draft, *console, "stdio", "--console");
  for (const DeviceConfig& device : draft.options.config.devices)
    if (machine::is_serial_port(device))
      draft.options.ports.push_back(target_of(
          draft, device, machine::find_device_row(device.driver)->find("target")->by_default, "--device"));
}

/// Options that do nothing in a run as this one: said, for a script may give them to all its runs.
void remark_on_idle_options(RunDraft& draft) {
  const machine::MachineConfig& config = draft.options.config;
  struct Idle {
    std::string_view option;
    bool idle;
    std::string_view why;
  };
  const bool alone = config.cpu.topology.count() == 1;
  const bool interpreted = config.engine == machine::EngineKind::Interp;
  constexpr std::string_view kAlone = "there is one processor, which has all turns";
  constexpr std::string_view kInterpreted = "--engine interp translates nothing";
  const Idle kOptions[] = {
      {"--schedule", alone, kAlone},
      {"--sched-seed", alone, kAlone},
      {"--quantum", alone, kAlone},
      {"--turns", alone, kAlone},
      {"--turns-at", !draft.has("--turns"), "--turns is what tells of them"},
      {"--no-pass", interpreted, kInterpreted},
      {"--code-cache", interpreted, kInterpreted},
      {"--code-cache-dir", interpreted, kInterpreted},
      {"--jit-threshold", interpreted, kInterpreted},
      {"--perf-map", interpreted, kInterpreted},
      {"--dump", interpreted, kInterpreted},
      {"--count-host-insns", interpreted, kInterpreted},
      {"--count-host-insns", !interpreted && !draft.has("--stats"), "--stats is what shows it"},
      {"--hot-blocks", interpreted, kInterpreted},
      {"--hot-blocks", !interpreted && !draft.has("--stats"), "--stats is what shows it"},
      {"--from", !draft.has("--report") && !draft.has("--trace") && !draft.has("--coverage"),
       "--report, --trace and --coverage are what begin there"},
      {"--record-on", draft.has("--record"), "--record writes the recording, however the run ends"},
      {"--trace-file", !draft.has("--trace"), "--trace is what writes to it"},
      {"--lockstep-seed", config.engine != machine::EngineKind::Lockstep, "it is for --engine lockstep"},
  };
  for (const Idle& one : kOptions)
    if (one.idle && draft.has(one.option))
      draft.options.remarks.push_back(fmt::format("{} does nothing in this run: {}.", one.option, one.why));
}

/// What has the terminal and is no serial port.
std::ptrdiff_t consoles_with_terminal(const RunOptions& options) {
  return std::ranges::count_if(options.ports, is_stdio) + (options.console && is_stdio(*options.console));
}

/// One terminal, which a console on virtio takes before the first serial port does by default.
void share_terminal(RunDraft& draft) {
  RunOptions& options = draft.options;
  const auto others = consoles_with_terminal(options);
  if (others != 0 && !draft.has("--serial")) options.com1.kind = SerialTarget::Kind::Null;
  if (int{is_stdio(options.com1)} + int{is_stdio(options.com2)} + others > 1)
    throw BadValue{
        "stdio was given twice: only one of --serial, --console and target= of --device can have the "
        "terminal"};
}

void check_debugger(RunDraft& draft) {
  RunOptions& options = draft.options;
  const bool console_has_it = consoles_with_terminal(options) != 0;
  if (options.gdb && options.gdb->kind == GdbAddress::Kind::Stdio) {
    if (!draft.has("--serial") && !console_has_it) options.com1.kind = SerialTarget::Kind::Null;
    if (is_stdio(options.com1) || is_stdio(options.com2) || console_has_it)
      throw BadValue{"--gdb - takes standard input and output: give --serial and --console a file, or null"};
  }
  const bool prompt = is_stdio(options.com1) || is_stdio(options.com2) || console_has_it;
  if (options.paused && !options.gdb && options.monitor_path.empty() && !prompt)
    throw BadValue{
        "--paused waits for somebody who lets the guest go on: add --gdb tcp:1234 or --monitor unix:PATH"};
}

/// Linux measures its delay loop on the first processor of each further socket, against the ticks of another one.
void choose_turns(RunDraft& draft) {
  machine::MachineConfig& config = draft.options.config;
  if (config.cpu.topology.sockets > 1 && !draft.has("--quantum")) config.schedule.shorten_for_sockets();
}

}  // namespace

/// Who may go back has something to go back to.
void choose_history(RunDraft& draft) {
  if (draft.has("--checkpoints")) return;
  const RunOptions& options = draft.options;
  draft.options.config.history.on =
      options.gdb.has_value() || (!options.replay_path.empty() && !options.monitor_path.empty());
}

void check_together(RunDraft& draft) {
  choose_history(draft);
  complete_network(draft);
  check_devices(draft);
  check_boot(draft);
  check_append(draft);
  choose_turns(draft);
  share_terminal(draft);
  check_debugger(draft);
  if (draft.has("--at") && draft.options.config.jit.dump == 0)
    throw BadValue{"--at says where to dump: add --dump guest,host"};
  // A state's own may have been of another policy.
  const bool own_turns =
      draft.options.load_path.empty() ? draft.has("--quantum") : draft.given_here.contains("--quantum");
  if (own_turns && draft.options.config.schedule.policy == machine::Schedule::Policy::Pct)
    throw BadValue{
        "--quantum and --schedule pct exclude each other: turns of pct end when priorities change"};
  if (own_turns && draft.options.config.schedule.policy == machine::Schedule::Policy::List)
    throw BadValue{"--quantum and --schedule list exclude each other: the list says where turns end"};
  if (draft.options.expected && draft.options.expected->reason == machine::ExitReason::DebugExit &&
      find_device(draft, "isa-debug-exit") == nullptr)
    throw BadValue{"--expect debug-exit needs a port whose writes end the run: add --debug-exit 0xf4"};
  if (draft.options.keep_every_retired != 0 && draft.options.record_path.empty() &&
      draft.options.replay_path.empty())
    throw BadValue{"--keep-checkpoints keeps them beside a recording: add --record FILE"};
  if (const auto& end = draft.options.limits.stop_at_retired;
      end && draft.options.observers_from.retired > *end)
    throw BadValue{fmt::format("--from {} is behind {}, where the run ends",
                               draft.options.observers_from.retired, *end)};
  if (std::error_code error; std::filesystem::is_directory(draft.options.record_failure_path, error))
    throw BadValue{
        fmt::format("--record-on '{}' is a folder: give a file's name", draft.options.record_failure_path)};
  remark_on_idle_options(draft);
  check_files(draft);
  check_something_boots(draft);
}

}  // namespace reprise::frontend
