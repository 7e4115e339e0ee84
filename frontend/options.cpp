#include "frontend/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "common/log.h"
#include "frontend/disk_options.h"
#include "machine/board/engine_factory.h"
#include "machine/cpu_choice.h"

namespace reprise::frontend {
namespace {

constexpr std::string_view kVersion = "reprise " REPRISE_VERSION;

constexpr std::string_view kHelp = R"(usage: reprise run [IMAGE...] [--kernel FILE] [OPTION...]
       reprise image create | info | commit ...
       reprise --help | --version

A full-system x86-64 PC emulator. The same command gives the same run, instruction by instruction.
`reprise run --help` lists the options, `reprise image --help` what can be done with disk images.
)";

constexpr std::string_view kRunHelp = R"(usage: reprise run [IMAGE...] [OPTION...]

Boots a disk image or a kernel on an emulated PC, with its first serial port on this terminal.
    reprise run debian.qcow2
    reprise run --kernel vmlinuz --initrd initrd.img --append "console=ttyS0" --memory 1G

What to boot
  --kernel FILE         bzImage, ELF kernel with a PVH entry (vmlinux), or Multiboot 1 kernel
  --initrd FILE         initial RAM disk; for Multiboot the modules: "FILE ARGS,FILE ARGS"
  --append TEXT         kernel command line
  --bios NAME           instead of a kernel: seabios, ovmf (UEFI), or a file with a BIOS
  --bios-vars FILE      keeps the variables of ovmf; made when missing (default: fresh ones each run)
Disks: format and bus are found by themselves; what the guest writes is gone with the run unless asked for
  IMAGE, --disk FILE[,write=yes][,overlay=FILE][,bus=ide|ahci|virtio][,format=raw|qcow2][,serial=TEXT]
  --cdrom FILE, --floppy FILE[,write=yes]
  --boot LIST           what firmware tries first: disk, cdrom, floppy, disk1, ...; menu=on (default: as given here)
The machine
  --memory SIZE         RAM, for example 512M or 2G (default 512M)
  --cpus N              processors; only 1 can run
  --cpu MODEL           what the processor can do, for example x86-64-v2,+aes; --cpu help lists models
  --serial TARGET       stdio (default), file:PATH or null; given twice, the second is COM2
  --console TARGET      adds a virtio console (hvc0); with stdio, the first serial port is null unless it is given
  --device NAME         adds a virtio-rng or an i6300esb watchdog; --watchdog-action reset|shutdown|poweroff|...
  --engine NAME         jit (default where there is one: x86-64 hosts), interp, lockstep (jit checked by interp)
  --seed N              of the guest's random numbers (default 1)
  --rtc TIME            clock at power-on, UTC: 2025-01-01T00:00:00 (default), or seconds since 1970
  --debug-exit PORT     writing V to this I/O port ends the run with exit code (V << 1) | 1; --debug-testdev
The run
  --clock MODE          free: idle time is skipped; paced: it lasts as long as on a real machine;
                        auto (default): paced on a terminal, else free
  --stop-at N           stop when N instructions have retired; --no-reboot: when the guest resets the machine
  --timeout SECONDS     end after so much time of the guest's clock, exit code 12
  --wall-timeout SECONDS  end after so much time on this host, exit code 21
  --hash-every N        print a digest of the whole state every N instructions
The translating engine: nothing of this can be seen by the guest; docs/command.md says more
  --no-pass LIST        leave out groups, flags, links, jumps, vectors, x87, strings, host-flags, second-level; all
  --max-block N, --code-cache SIZE, --jit-threshold N, --lockstep-seed N, --perf-map, --symbols FILE
  --dump LIST           guest,plan,host: blocks on stderr as they are translated; --at ADDR,...: only those there
What it tells
  --monitor unix:PATH   answer questions and commands there (docs/monitor.md)
  --json FILE, --dump-screen FILE  at the end: a report, the VGA's text screen (- for standard output); --stats
  --log SPEC            CATEGORY[:LEVEL],... on stderr; levels error warn info debug trace; category all
  --trace LIST          events on stderr: pio,mmio (port and memory-mapped device accesses)
  --verbose             say what was chosen where the command leaves a choice; --help, --version

At the terminal Ctrl-A x quits, c opens and closes the monitor, h helps, Ctrl-A sends a Ctrl-A. Ctrl-C: to the guest.
Exit codes: 0 the guest powered off or reset, or --stop-at; 2 wrong usage; 10 guest panic; 11 hang; 12 --timeout;
13 triple fault; 20 host error; 21 --wall-timeout; 23 lockstep found a difference; 128+N ended by signal N.
)";

/// A value that was refused, as a sentence.
struct BadValue {
  std::string message;
};

template <class T>
T value_of(const char* option, const std::string& text, std::optional<T> value, std::string_view want) {
  if (!value) throw BadValue{fmt::format("{} '{}' is not {}", option, text, want)};
  return *value;
}

/// The words as CLI11 took them.
struct Texts {
  std::string kernel, initrd, append, bios, bios_vars, memory, cpus, cpu,
      engine{machine::default_engine_name()},
      clock = "auto", seed, rtc, stop_at, hash_every, timeout, wall_timeout, monitor, json, log, trace,
      debug_exit, no_pass, max_block, code_cache, jit_threshold, dump_screen, lockstep_seed, dump, at,
      symbols;
  std::string console, watchdog_action, boot;
  std::vector<std::string> serial, devices, images;
  std::vector<std::pair<std::string_view, std::string>>
      drives;  // option and value, in the order of the command line
  bool stats = false, verbose = false, debug_testdev = false, perf_map = false, no_reboot = false;
};

void declare(CLI::App& run, Texts& texts) {
  run.add_option("--kernel", texts.kernel);
  run.add_option("--initrd", texts.initrd);
  run.add_option("--append", texts.append);
  run.add_option("--bios", texts.bios);
  run.add_option("--bios-vars", texts.bios_vars);
  const auto repeatable = [&run](const char* name, std::vector<std::string>& into) {
    run.add_option(name, into)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  run.add_option("IMAGE", texts.images);
  for (const char* name : {"--disk", "--cdrom", "--floppy"}) {
    const auto take = [&drives = texts.drives, name](const std::string& value) {
      drives.emplace_back(name, value);
    };
    run.add_option_function<std::string>(name, take)->trigger_on_parse();
  }
  run.add_option("--boot", texts.boot);
  run.add_option("--memory", texts.memory);
  run.add_option("--cpus", texts.cpus);
  run.add_option("--cpu", texts.cpu);
  run.add_option("--serial", texts.serial)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run.add_option("--console", texts.console);
  repeatable("--device", texts.devices);
  run.add_option("--watchdog-action", texts.watchdog_action);
  run.add_option("--engine", texts.engine);
  run.add_option("--clock", texts.clock);
  run.add_option("--seed", texts.seed);
  run.add_option("--rtc", texts.rtc);
  run.add_option("--stop-at", texts.stop_at);
  run.add_option("--hash-every", texts.hash_every);
  run.add_option("--timeout", texts.timeout);
  run.add_option("--wall-timeout", texts.wall_timeout);
  run.add_option("--monitor", texts.monitor);
  run.add_option("--json", texts.json);
  run.add_option("--dump-screen", texts.dump_screen);
  run.add_option("--log", texts.log);
  run.add_option("--trace", texts.trace);
  run.add_option("--debug-exit", texts.debug_exit);
  run.add_option("--no-pass", texts.no_pass);
  run.add_option("--max-block", texts.max_block);
  run.add_option("--code-cache", texts.code_cache);
  run.add_option("--jit-threshold", texts.jit_threshold);
  run.add_option("--lockstep-seed", texts.lockstep_seed);
  run.add_option("--dump", texts.dump);
  run.add_option("--at", texts.at);
  run.add_option("--symbols", texts.symbols);
  run.add_flag("--perf-map", texts.perf_map);
  run.add_flag("--no-reboot", texts.no_reboot);
  run.add_flag("--stats", texts.stats);
  run.add_flag("--verbose", texts.verbose);
  run.add_flag("--debug-testdev", texts.debug_testdev);
}

/// "pio,mmio" as a list.
std::vector<std::string> trace_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    if (name != "pio" && name != "mmio")
      throw BadValue{fmt::format("--trace '{}' is unknown: there are pio and mmio", name)};
    out.emplace_back(name);
    text.remove_prefix(std::min(name.size() + 1, text.size()));
  }
  return out;
}

constexpr std::string_view kWantNumber = "a whole number";

/// `result`, or its error as what is wrong with `option`.
template <class T>
T taken(const char* option, Result<T> result) {
  if (!result) throw BadValue{fmt::format("{}: {}", option, result.error().message)};
  return result.take();
}

u32 count_of(const char* option, const std::string& text, u32 max) {
  const u64 value = value_of(option, text, parse_number(text), kWantNumber);
  if (value == 0 || value > max)
    throw BadValue{fmt::format("{} {} is not between 1 and {}", option, text, max)};
  return static_cast<u32>(value);
}

void interpret_jit(const Texts& texts, jit::JitOptions& jit) {
  if (!texts.no_pass.empty()) jit.passes.remove(taken("--no-pass", jit::parse_passes(texts.no_pass)));
  if (!texts.max_block.empty())
    jit.max_block_insns = count_of("--max-block", texts.max_block, machine::kMaxBlockInsns);
  if (!texts.jit_threshold.empty())
    jit.threshold = count_of("--jit-threshold", texts.jit_threshold, 1'000'000'000);
  if (!texts.dump.empty()) jit.dump = taken("--dump", jit::parse_dump(texts.dump));
  if (!texts.at.empty() && jit.dump == 0) throw BadValue{"--at says where to dump: add --dump guest,host"};
  for (std::size_t at = 0; at < texts.at.size();) {
    const std::string word = texts.at.substr(at, texts.at.find(',', at) - at);
    jit.dump_at.push_back(
        value_of("--at", word, parse_number(word), "an address such as 0xffffffff81000000"));
    at += word.size() + 1;
  }
  jit.perf_map = texts.perf_map;
  jit.symbols_path = texts.symbols;
  if (!texts.lockstep_seed.empty())
    jit.lockstep_seed =
        value_of("--lockstep-seed", texts.lockstep_seed, parse_number(texts.lockstep_seed), kWantNumber);
  if (!texts.code_cache.empty()) {
    jit.code_cache_bytes =
        value_of("--code-cache", texts.code_cache, parse_size(texts.code_cache), "a size such as 64M");
    if (jit.code_cache_bytes < jit.kMinCodeCacheBytes || jit.code_cache_bytes > jit.kMaxCodeCacheBytes)
      throw BadValue{fmt::format("--code-cache {} is not between 256K and 1G", texts.code_cache)};
  }
}

/// `result`, whose error says all.
template <class T>
T taken(Result<T> result) {
  if (!result) throw BadValue{result.error().message};
  return result.take();
}

void interpret_disks(const Texts& texts, std::vector<machine::DiskConfig>& disks) {
  for (const std::string& path : texts.images) {
    if (path.empty()) throw BadValue{"the name of a disk image is empty"};
    machine::DiskConfig disk;
    disk.path = path;  // as it is: options need --disk
    disks.push_back(disk);
  }
  for (const auto& [option, text] : texts.drives) {
    disks.push_back(taken(option == "--cdrom"    ? parse_cdrom(text)
                          : option == "--floppy" ? parse_floppy(text)
                                                 : parse_disk(option, text)));
  }
}

/// "cdrom,disk1,menu=on". Which drives there are is known when the images have been looked at.
void interpret_boot(const Texts& texts, machine::FirmwareConfig& firmware) {
  if (texts.boot.empty()) return;
  if (!texts.kernel.empty()) throw BadValue{"--boot is for firmware: it and --kernel exclude each other"};
  for (std::size_t at = 0; at < texts.boot.size();) {
    const std::string word = texts.boot.substr(at, texts.boot.find(',', at) - at);
    at += word.size() + 1;
    const std::string kind = word.substr(0, word.find_last_not_of("0123456789") + 1);
    if (word == "menu=on" || word == "menu=off")
      firmware.boot_menu = word == "menu=on";
    else if (kind == "disk" || kind == "cdrom" || kind == "floppy")
      firmware.boot_order.push_back(word);
    else
      throw BadValue{
          fmt::format("--boot '{}' is none of disk, cdrom, floppy, one of them with its number (disk1), "
                      "menu=on",
                      word)};
  }
}

void interpret_console(const Texts& texts, RunOptions& out) {
  const auto has_terminal = [](const SerialTarget& target) {
    return target.kind == SerialTarget::Kind::Stdio;
  };
  if (!texts.console.empty()) {
    out.console =
        value_of("--console", texts.console, parse_serial(texts.console), "one of stdio, null, file:PATH");
    if (has_terminal(*out.console) && texts.serial.empty()) out.com1.kind = SerialTarget::Kind::Null;
  }
  const bool console_has_terminal = out.console && has_terminal(*out.console);
  if (int{has_terminal(out.com1)} + int{has_terminal(out.com2)} + int{console_has_terminal} > 1)
    throw BadValue{"stdio was given twice: only one of --serial and --console can have the terminal"};
}

/// Names and their `-pci` forms are those of QEMU.
void interpret_devices(const Texts& texts, machine::MachineConfig& config) {
  for (const std::string& name : texts.devices) {
    if (name == "virtio-rng" || name == "virtio-rng-pci")
      config.virtio_rng = true;
    else if (name == "i6300esb")
      config.watchdog = true;
    else
      throw BadValue{fmt::format("--device '{}' is unknown: there are virtio-rng and i6300esb", name)};
  }
  if (texts.watchdog_action.empty()) return;
  using machine::WatchdogAction;
  static constexpr std::pair<std::string_view, WatchdogAction> kActions[] = {
      {"reset", WatchdogAction::Reset},       {"shutdown", WatchdogAction::Shutdown},
      {"poweroff", WatchdogAction::PowerOff}, {"inject-nmi", WatchdogAction::InjectNmi},
      {"debug", WatchdogAction::Debug},       {"none", WatchdogAction::None}};
  const auto* const found =
      std::ranges::find(kActions, texts.watchdog_action, [](const auto& action) { return action.first; });
  if (found == std::end(kActions))
    throw BadValue{
        fmt::format("--watchdog-action '{}' is none of reset, shutdown, poweroff, inject-nmi, debug, none",
                    texts.watchdog_action)};
  if (!config.watchdog) throw BadValue{"--watchdog-action needs a watchdog: add --device i6300esb"};
  config.watchdog_action = found->second;
}

RunOptions interpret(const Texts& texts) {
  constexpr std::string_view kWantSeconds = "a number of seconds above 0";
  RunOptions out;
  machine::MachineConfig& config = out.config;
  interpret_disks(texts, config.disks);
  if (texts.kernel.empty() && texts.bios.empty() && config.disks.empty())
    throw BadValue{"nothing to boot was given: name a disk image, or add --kernel FILE"};
  if (!texts.kernel.empty() && !texts.bios.empty())
    throw BadValue{"--bios and --kernel exclude each other: a kernel is started without firmware"};
  if (!texts.bios_vars.empty() && texts.bios != "ovmf")
    throw BadValue{"--bios-vars keeps the variables of UEFI firmware: add --bios ovmf"};
  config.firmware.bios = texts.bios;
  config.firmware.variables_path = texts.bios_vars;
  interpret_boot(texts, config.firmware);
  config.reboot = !texts.no_reboot;
  config.boot = {texts.kernel, texts.initrd, texts.append};
  if (!texts.memory.empty()) {
    config.ram_bytes =
        value_of("--memory", texts.memory, parse_size(texts.memory), "a size such as 512M or 2G");
    const bool possible =
        config.ram_bytes >= machine::kMinRamBytes && config.ram_bytes <= machine::kMaxRamBytes;
    if (!possible || config.ram_bytes % kPageBytes != 0) {
      throw BadValue{fmt::format("--memory {} is not between {}M and {}G in steps of 4K", texts.memory,
                                 machine::kMinRamBytes / machine::kMiB,
                                 machine::kMaxRamBytes / machine::kGiB)};
    }
  }
  if (!texts.cpus.empty() && value_of("--cpus", texts.cpus, parse_number(texts.cpus), kWantNumber) != 1) {
    throw BadValue{fmt::format("--cpus {}: only one processor can run, so give --cpus 1", texts.cpus)};
  }
  if (!texts.cpu.empty()) config.cpu = taken("--cpu", machine::parse_cpu_model(texts.cpu));
  const std::optional<machine::EngineKind> engine = machine::engine_of_name(texts.engine);
  if (!engine)
    throw BadValue{
        fmt::format("--engine '{}' is unknown: there is {}", texts.engine, machine::engine_names())};
  config.engine = *engine;
  interpret_jit(texts, config.jit);
  if (texts.clock == "paced")
    out.clock_choice = ClockChoice::Paced;
  else if (texts.clock == "free")
    out.clock_choice = ClockChoice::Free;
  else if (texts.clock != "auto")
    throw BadValue{fmt::format("--clock '{}' is none of auto, paced, free", texts.clock)};
  if (texts.serial.size() > 2)
    throw BadValue{"--serial was given more than twice: there are two serial ports"};
  for (std::size_t i = 0; i < texts.serial.size(); ++i) {
    (i == 0 ? out.com1 : out.com2) =
        value_of("--serial", texts.serial[i], parse_serial(texts.serial[i]), "one of stdio, null, file:PATH");
  }
  interpret_console(texts, out);
  interpret_devices(texts, config);
  if (!texts.seed.empty())
    config.seed = value_of("--seed", texts.seed, parse_number(texts.seed), kWantNumber);
  if (!texts.rtc.empty()) {
    config.rtc_unix_s =
        value_of("--rtc", texts.rtc, parse_time(texts.rtc), "a time such as 2024-02-29T12:00:00");
  }
  if (!texts.debug_exit.empty()) {
    const u64 port =
        value_of("--debug-exit", texts.debug_exit, parse_number(texts.debug_exit), "a port number");
    if (port > 0xfffc)
      throw BadValue{fmt::format("--debug-exit {} is not a port up to 0xfffc", texts.debug_exit)};
    config.debug_exit_port = static_cast<u16>(port);
  }
  if (!texts.stop_at.empty()) {
    out.limits.stop_at_retired =
        value_of("--stop-at", texts.stop_at, parse_number(texts.stop_at), kWantNumber);
  }
  if (!texts.hash_every.empty()) {
    const u64 every = value_of("--hash-every", texts.hash_every, parse_number(texts.hash_every), kWantNumber);
    if (every == 0) throw BadValue{"--hash-every 0 is not possible: give a number of instructions"};
    out.limits.hash_every_retired = every;
  }
  if (!texts.timeout.empty()) {
    const double seconds = value_of("--timeout", texts.timeout, parse_seconds(texts.timeout), kWantSeconds);
    out.limits.virtual_timeout_ns = static_cast<u64>(seconds * 1e9);
  }
  if (!texts.wall_timeout.empty()) {
    out.limits.wall_timeout_s =
        value_of("--wall-timeout", texts.wall_timeout, parse_seconds(texts.wall_timeout), kWantSeconds);
  }
  Log log;
  if (!log.configure(texts.log)) {
    throw BadValue{fmt::format(
        "--log '{}' is not a list of CATEGORY[:LEVEL]; levels are error, warn, info, debug, trace",
        texts.log)};
  }
  out.trace = trace_list(texts.trace);
  if (!texts.monitor.empty())
    out.monitor_path = value_of("--monitor", texts.monitor, parse_monitor(texts.monitor), "unix:PATH");
  out.json_path = texts.json;
  out.screen_path = texts.dump_screen;
  out.log_spec = texts.log;
  out.stats = texts.stats;
  out.verbose = texts.verbose;
  config.debug_testdev = texts.debug_testdev;
  return out;
}

/// CLI11's complaint, or ours, as one sentence.
EarlyExit usage_error(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  return {2, fmt::format("reprise: {}; see reprise run --help.\n", message)};
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string_view version_text() { return kVersion; }

std::variant<RunOptions, EarlyExit> parse_options(const std::vector<std::string>& words) {
  if (words.empty())
    return EarlyExit{2, "reprise: no command was given: reprise run IMAGE; see reprise --help.\n"};
  if (words[0] == "--version" || (words[0] == "run" && contains(words, "--version"))) {
    return EarlyExit{0, fmt::format("{}\n", kVersion)};
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return EarlyExit{0, std::string(kHelp)};
  if (words[0] != "run") return usage_error(fmt::format("unknown command '{}'", words[0]));
  if (contains(words, "--help") || contains(words, "-h")) return EarlyExit{0, std::string(kRunHelp)};

  CLI::App run("reprise run");
  run.set_help_flag();
  run.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  Texts texts;
  declare(run, texts);
  try {
    // CLI11 takes the words last first.
    run.parse(std::vector<std::string>(words.rbegin(), words.rend() - 1));
    if (texts.cpu == "help") return EarlyExit{0, machine::cpu_model_help()};
    return interpret(texts);
  } catch (const CLI::ExtrasError&) {
    return usage_error(fmt::format("unknown option or argument '{}'", run.remaining().at(0)));
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  } catch (const BadValue& bad) {
    return usage_error(bad.message);
  }
}

}  // namespace reprise::frontend
