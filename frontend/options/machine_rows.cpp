// The machine: RAM, ports, devices, what it starts from.
#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "frontend/options/machine_words.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/values.h"
#include "frontend/options/want.h"
#include "machine/board/engine_factory.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/display_row.h"

namespace reprise::frontend {
namespace {

constexpr std::string_view kWantTarget =
    "one of stdio, null, file:PATH, unix:PATH, tcp:[HOST:]PORT, pipe:PATH, pty";
constexpr std::string_view kTargets = "stdio null file: unix: tcp:0 pipe: pty";

void set_memory(RunDraft& draft, const Given& given) {
  const u64 bytes = want(given, parse_memory(given.value), "a size such as 512M or 2G");
  if (bytes < machine::kMinRamBytes || bytes > machine::kMaxRamBytes || bytes % kPageBytes != 0) {
    throw BadValue{fmt::format("{} {} is not between {}M and {}G in steps of 4K", given.name, given.value,
                               machine::kMinRamBytes / machine::kMiB, machine::kMaxRamBytes / machine::kGiB)};
  }
  draft.options.config.ram_bytes = bytes;
}

void set_serial(RunDraft& draft, const Given& given) {
  if (draft.serial_ports == 2)
    throw BadValue{"--serial was given more than twice: there are two serial ports"};
  SerialTarget& port = draft.serial_ports++ == 0 ? draft.options.com1 : draft.options.com2;
  port = want(given, parse_serial(given.value), kWantTarget);
}

void add_console(RunDraft& draft, const Given& given) {
  want(given, parse_serial(given.value), kWantTarget);
  draft.options.config.devices.push_back(
      {.driver = "virtio-console", .properties = {{"target", given.value}}});
}

void add_device(RunDraft& draft, const Given& given) {
  // Commas of values are doubled, which parse_device knows.
  const std::vector<std::string_view> words = words_between(given.value, ",");
  if (given.value == "help") {
    draft.answer = machine::device_help();
  } else if (std::ranges::find(words, "help") != words.end()) {
    draft.answer = machine::device_help(*want(machine::want_device_row(given.name, words[0])));
  } else {
    draft.options.config.devices.push_back(want(machine::parse_device(given.name, given.value)));
  }
}

void add_display(RunDraft& draft, const Given& given) {
  Result<DisplayChoice> choice = parse_display(given.value);
  if (!choice) throw BadValue{fmt::format("{} '{}' {}", given.name, given.value, choice.error().message)};
  draft.options.displays.push_back(choice.take());
}

/// Which card it is for is known when all options have been taken.
void set_display_size(RunDraft& draft, const Given& given) {
  const std::size_t x = given.value.find('x');
  const auto number = [&](std::string_view text) -> u32 {
    const std::optional<u64> value = parse_number(text);
    if (!value || *value > 1'000'000)
      throw BadValue{fmt::format("{} '{}' is no size such as 1024x768", given.name, given.value)};
    return static_cast<u32>(*value);
  };
  const std::string_view text = given.value;
  const auto width = number(text.substr(0, x));
  const auto height = number(x == text.npos ? "" : text.substr(x + 1));
  if (const std::string why = machine::why_not_display_size({width, height}); !why.empty())
    throw BadValue{fmt::format("{} {}: {}", given.name, given.value, why)};
  draft.display_width = width;
  draft.display_height = height;
}

/// Which device it is for is known when all options have been taken.
void set_watchdog_action(RunDraft& draft, const Given& given) {
  const machine::PropertySpec& action = *machine::find_device_row("i6300esb")->find("action");
  if (!machine::is_value_of(action, given.value))
    throw BadValue{fmt::format("{} '{}' is none of {}", given.name, given.value, action.values)};
  draft.watchdog_action = given.value;
}

void set_engine(RunDraft& draft, const Given& given) {
  const std::optional<machine::EngineKind> engine = machine::engine_of_name(given.value);
  if (!engine)
    throw BadValue{
        fmt::format("{} '{}' is unknown: there is {}", given.name, given.value, machine::engine_names())};
  draft.options.config.engine = *engine;
}

void add_debug_exit(RunDraft& draft, const Given& given) {
  const u64 port = want(given, parse_number(given.value), "a port number");
  if (port > 0xfffc) throw BadValue{fmt::format("{} {} is not a port up to 0xfffc", given.name, given.value)};
  draft.options.config.devices.push_back(
      {.driver = "isa-debug-exit", .properties = {{"iobase", given.value}, {"iosize", "4"}}});
}

/// Of a saved state the folder may have moved: its tag says which share it is.
void add_share(RunDraft& draft, machine::DeviceConfig share) {
  std::vector<machine::DeviceConfig>& devices = draft.options.config.devices;
  const std::string* const tag = share.find("tag");
  const auto same = std::ranges::find_if(devices, [&](const machine::DeviceConfig& device) {
    const std::string* const other = device.find("tag");
    return device.driver == share.driver && tag != nullptr && other != nullptr && *other == *tag;
  });
  if (draft.of_state && same != devices.end())
    *same = std::move(share);
  else
    devices.push_back(std::move(share));
}

std::vector<WordsBehind> words_behind_device() {
  std::vector<WordsBehind> out;
  for (const machine::DeviceRow* row : machine::device_rows())
    out.push_back({std::string(row->driver), machine::property_words(*row) + " help"});
  return out;
}

void set_hotplug(RunDraft& draft, const Given&) { draft.options.config.pci_hotplug = true; }

/// What of a microvm its user switches on and off.
struct MicrovmSwitch {
  std::string_view name;
  bool machine::MicrovmConfig::*value;
};
constexpr MicrovmSwitch kMicrovmSwitches[] = {
    {"acpi", &machine::MicrovmConfig::acpi},
    {"pic", &machine::MicrovmConfig::pic},
    {"pit", &machine::MicrovmConfig::pit},
    {"rtc", &machine::MicrovmConfig::rtc},
    {"isa-serial", &machine::MicrovmConfig::isa_serial},
    {"ioapic2", &machine::MicrovmConfig::ioapic2},
    {"auto-kernel-cmdline", &machine::MicrovmConfig::auto_kernel_cmdline},
    {"force-legacy", &machine::MicrovmConfig::force_legacy},
};

void set_microvm_switch(machine::MicrovmConfig& microvm, const Given& given, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto* const found = std::ranges::find(kMicrovmSwitches, name, &MicrovmSwitch::name);
  const bool on = word.ends_with("=on");
  if (found == std::end(kMicrovmSwitches) || (!on && !word.ends_with("=off"))) {
    std::string names;
    for (const MicrovmSwitch& one : kMicrovmSwitches)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
    throw BadValue{
        fmt::format("{} '{}': '{}' is none of {}, each =on or =off", given.name, given.value, word, names)};
  }
  microvm.*found->value = on;
}

void set_machine(RunDraft& draft, const Given& given) {
  using devices::Chipset;
  machine::MachineConfig& config = draft.options.config;
  const std::vector<std::string_view> words = words_between(given.value, ",");
  const std::string_view board = words.empty() ? std::string_view() : words.front();
  if (board != "pc" && board != "q35" && board != "microvm")
    throw BadValue{fmt::format("--machine '{}' is none of pc, q35, microvm", given.value)};
  config.chipset = board == "q35" ? Chipset::Q35 : board == "pc" ? Chipset::I440fx : Chipset::Microvm;
  config.microvm = {};
  if (words.size() > 1 && board != "microvm")
    throw BadValue{fmt::format("--machine '{}': a {} has nothing to choose", given.value, board)};
  for (std::size_t i = 1; i < words.size(); ++i) set_microvm_switch(config.microvm, given, words[i]);
}

void set_uuid(RunDraft& draft, const Given& given) {
  draft.options.config.firmware.words.uuid =
      want(given, parse_uuid(given.value), "such as 550e8400-e29b-41d4-a716-446655440000");
}

void add_smbios(RunDraft& draft, const Given& given) {
  const auto taken = take_smbios(given.value, draft.options.config.firmware.words);
  if (!taken) throw BadValue{fmt::format("{} '{}': {}", given.name, given.value, taken.error().message)};
}

void add_firmware_file(RunDraft& draft, const Given& given) {
  auto file = parse_firmware_file(given.value);
  if (!file) throw BadValue{fmt::format("{} '{}': {}", given.name, given.value, file.error().message)};
  draft.options.config.firmware.files.push_back(file.take());
}

constexpr RunOption kMachineRows[] = {
    {.name = "--memory",
     .value = "SIZE",
     .help = "RAM, for example 1.5G (default 512M)",
     .more = "A number alone counts MiB.",
     .of_machine = true,
     .set = set_memory},
    {.name = "--machine",
     .value = "BOARD",
     .shown = Shown::SameLine,
     .help = "pc, q35 or microvm",
     .more =
         "pc (default): 440FX and PIIX; q35: Q35 and ICH9, with AHCI in IDE's place; microvm: no PCI, and "
         "virtio devices with registers in memory. What a microvm has, as microvm,pic=off: acpi, pic, pit, "
         "rtc, isa-serial, ioapic2, auto-kernel-cmdline, force-legacy.",
     .words = "pc q35 microvm",
     .of_machine = true,
     .set = set_machine},
    {.name = "--hotplug",
     .shown = Shown::Name,
     .help = "cards and SCSI drives come and go while the guest runs",
     .more =
         "By device_add and device_del of the monitor: cards of a pc by ACPI in the guest, of a q35 in its "
         "pcie-root-ports; drives on a virtio-scsi, which tells of them.",
     .of_machine = true,
     .set = set_hotplug},
    {.name = "--serial",
     .value = "TARGET",
     .help = "stdio (default), file:PATH, unix:PATH, tcp:PORT, pipe:PATH, pty or null; the second is COM2",
     .more =
         "unix: and tcp:[HOST:]PORT listen for one client at a time; ,wait behind it: the run begins "
         "when it has "
         "come; ,connect: they connect to somebody who listens. pty is a terminal whose name is told. pipe: "
         "is "
         "two FIFOs that are there: PATH.in, from which the guest hears, and PATH.out; or one that is both. "
         ",log=FILE at the end: what the guest says is in that file, too; ,log-append=FILE: behind what it "
         "holds.",
     .words = kTargets,
     .counts = Counts::Each,
     .set = set_serial},
    {.name = "--console",
     .value = "TARGET",
     .help = "adds a virtio console (hvc0); with stdio, the first serial port is null unless it is given",
     .words = kTargets,
     .of_machine = true,
     .set = add_console},
    {.name = "--device",
     .value = "DRIVER[,PROPERTY=VALUE...]",
     .help = "adds a device",
     .more = "--device help lists the drivers, --device DRIVER,help a driver's properties.",
     .words =
         "help ahci ide-hd ide-cd floppy virtio-blk disk virtio-console virtio-rng i6300esb "
         "isa-debug-exit pc-testdev VGA virtio-net e1000 "
         "virtio-keyboard virtio-mouse virtio-tablet virtio-9p AC97 virtio-serial virtio-balloon virtconsole "
         "virtserialport virtio-scsi scsi-hd scsi-cd pcie-root-port",
     .behind = words_behind_device,
     .counts = Counts::Each,
     .of_machine = true,
     .set = add_device},
    {.name = "--watchdog-action",
     .value = "ACTION",
     .shown = Shown::SameLine,
     .help = "when an i6300esb expires",
     .more = "reset (default), shutdown (the power button), poweroff, "
             "inject-nmi, debug (only says so, with --log watchdog), none.",
     .words = "reset shutdown poweroff inject-nmi debug none",
     .of_machine = true,
     .set = set_watchdog_action},
    {.name = "--hpet",
     .value = "on|off",
     .shown = Shown::Name,
     .help = "off: there is no HPET",
     .words = "on off",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.hpet = want_on(given); }},
    {.name = "--share",
     .value = "FOLDER,tag=NAME[,readonly][,times=fixed][,owner=mapped|real]",
     .shown = Shown::NameLine,
     .help = "a folder of this host, which the guest mounts by NAME",
     .more =
         "As a 9p file system: mount -t 9p -o trans=virtio,version=9p2000.L NAME /mnt. readonly: the guest "
         "changes nothing. times=fixed: all files show one time. owner=real: owners are the host's, else the "
         "guest's own, kept beside the files. A comma in a name is doubled. See docs/shares.md.",
     .behind =
         [] {
           return std::vector<WordsBehind>{
               {"*", machine::property_words(*machine::find_device_row("virtio-9p")) + " readonly"}};
         },
     .counts = Counts::Each,
     .of_machine = true,
     .set =
         [](RunDraft& draft, const Given& given) {
           add_share(draft, want(machine::parse_share(given.name, given.value)));
         }},
    {.name = "--uuid",
     .value = "UUID",
     .shown = Shown::Name,
     .help = "of the machine, which SMBIOS tells (default: none)",
     .of_machine = true,
     .set = set_uuid},
    {.name = "--smbios",
     .value = "LIST",
     .shown = Shown::Name,
     .help = "what SMBIOS says of the machine: type=TYPE,KEY=VALUE",
     .more = "type=0 (BIOS): vendor=, version=, date=. type=1 (system): manufacturer=, product=, version=, "
             "serial=, uuid=, "
             "sku=, family=. type=3 (chassis): manufacturer=, version=, serial=, asset=. type=11: value=, "
             "several times. A "
             "comma in a value is doubled.",
     .counts = Counts::Each,
     .of_machine = true,
     .set = add_smbios},
    {.name = "--fw-cfg",
     .value = "LIST",
     .shown = Shown::Name,
     .help = "a file that the guest finds in the configuration device: NAME,string=TEXT or NAME,file=FILE",
     .more = "Its name begins with opt/: Linux has it as /sys/firmware/qemu_fw_cfg/by_name/NAME/raw. A comma "
             "in a value is "
             "doubled.",
     .counts = Counts::Each,
     .of_machine = true,
     .set = add_firmware_file},
    {.name = "--display",
     .value = "TARGET",
     .help = "shows the screen: sdl (a window), vnc:[HOST:]PORT, vnc:unix:PATH or none",
     .more = "May be given several times. HOST is the loopback if it is left out, PORT 0 a free port. Others "
             "need a password: ,password-file=FILE behind it. docs/display.md.",
     .words = "none sdl vnc:0 vnc:unix:",
     .counts = Counts::Each,
     .set = add_display},
    {.name = "--display-size",
     .value = "WxH",
     .shown = Shown::Name,
     .help = "pixels that the guest's monitor asks for (default 1280x800)",
     .more = "What it says of itself (EDID), which systems with a driver for the card follow; firmware, too.",
     .words = "1024x768 1280x800 1920x1080",
     .of_machine = true,
     .set = set_display_size},
    {.name = "--engine",
     .value = "NAME",
     .help = "jit (default where there is one: x86-64 hosts), interp, lockstep (jit checked by interp)",
     .words = "jit interp lockstep",
     .set = set_engine},
    {.name = "--seed",
     .value = "N",
     .help = "of the guest's random numbers (default 1)",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.seed = want_number(given); }},
    {.name = "--rtc",
     .value = "TIME",
     .shown = Shown::SameLine,
     .help = "at power-on (default 2025-01-01T00:00:00)",
     .more = "The clock, in UTC; or seconds since 1970, or now. now is another time in each run: rtc_unix_s "
             "in the "
             "report of --json is what repeats it.",
     .words = "now",
     .of_machine = true,
     .set =
         [](RunDraft& draft, const Given& given) {
           draft.options.config.rtc_unix_s =
               want(given, parse_time(given.value),
                    "now, seconds since 1970, or a time such as 2024-02-29T12:00:00");
           draft.options.rtc_start = given.value == "now" ? RtcStart::Host : RtcStart::Option;
         }},
    {.name = "--debug-exit",
     .value = "PORT",
     .help = "writing V to this I/O port ends the run with exit code (V << 1) | 1",
     .more = "As QEMU's isa-debug-exit.",
     .of_machine = true,
     .set = add_debug_exit},
    {.name = "--debug-testdev",
     .shown = Shown::Name,
     .help = "QEMU's pc-testdev",
     .more = "See \"The test device\" in docs/command.md.",
     .of_machine = true,
     .set = [](RunDraft& draft,
               const Given&) { draft.options.config.devices.push_back({.driver = "pc-testdev"}); }},
};

}  // namespace

std::span<const RunOption> machine_rows() { return kMachineRows; }

}  // namespace reprise::frontend
