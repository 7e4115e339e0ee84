// The machine, its processors and memory, and what it starts.
#include <fmt/format.h>

#include <utility>

#include "common/words.h"
#include "cpu/profile/cpu_model.h"
#include "frontend/options/option.h"
#include "frontend/options/values.h"
#include "frontend/qemu/option_row.h"
#include "frontend/qemu/tables.h"

namespace reprise::frontend::qemu {
namespace {

struct BoardRow {
  std::string_view name;
  std::string_view alias;
  std::string_view help;
  bool is_default = false;
};
constexpr BoardRow kBoards[] = {
    {"pc-i440fx-7.2", "pc", "Standard PC (i440FX + PIIX, 1996)", true},
    {"pc-q35-7.2", "q35", "Standard PC (Q35 + ICH9, 2009)"},
    {"microvm", "", "microvm (i386)"},
    {"none", "", "a pc that stands still, for being asked what there is"},
};

std::string board_list() {
  std::string text = "Supported machines are:\n";
  for (const BoardRow& board : kBoards) {
    if (!board.alias.empty())
      text += fmt::format("{:20} {} (alias of {})\n", board.alias, board.help, board.name);
    text += fmt::format("{:20} {}{}\n", board.name, board.help, board.is_default ? " (default)" : "");
  }
  return text;
}

/// What the guest's code is run by, whatever was asked for.
constexpr std::string_view kAccelerator = "tcg";

void set_accelerator(Draft& draft, std::string_view option, std::string_view names) {
  // The first that can be is taken: kvm:tcg. Without tcg somebody wants no other one.
  const std::vector<std::string_view> words = words_between(names, ":");
  bool translated = false;
  for (const std::string_view word : words) translated = translated || word.starts_with("tcg");
  if (!translated)
    draft.note(fmt::format("{} {}: the guest's code is translated in software, the same way on every host.",
                           option, names));
}

/// What of a microvm is there: "auto" is as without the key.
void set_microvm(Draft& draft, KeyValues& keys) {
  draft.microvm.emplace();
  for (const std::string_view key :
       {"acpi", "pic", "pit", "rtc", "isa-serial", "ioapic2", "auto-kernel-cmdline"}) {
    KeyValues copy = keys;
    if (copy.take_or_empty(key) == "auto")
      keys.ignore(key);
    else if (const auto on = keys.take_switch(key))
      *draft.microvm += fmt::format(",{}={}", key, *on ? "on" : "off");
  }
  if (const auto pcie = keys.take("pcie"); pcie && *pcie != "off" && *pcie != "auto")
    keys.refuse(fmt::format("pcie={}: a microvm has no PCI here: leave it out, or give q35", *pcie));
}

void set_machine(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "type");
  const std::string type = keys.take("type").value_or("pc");
  if (type == "help" || type == "?") {
    draft.answer = board_list();
    return;
  }
  if (type == "none") {
    draft.nodefaults = draft.paused = true;
  }
  draft.q35 = type == "q35" || type.starts_with("pc-q35-");
  draft.microvm.reset();
  if (type == "microvm") set_microvm(draft, keys);
  if (!draft.q35 && !draft.microvm && type != "none" && type != "pc" && !type.starts_with("pc-i440fx-"))
    keys.refuse(
        fmt::format("there is no machine '{}': those here are pc, with an i440FX, q35 and microvm", type));
  if (const auto accel = keys.take("accel")) set_accelerator(draft, "-machine accel", *accel);
  if (!draft.microvm && keys.take_switch("acpi") == false)
    keys.refuse("acpi=off: the tables are always there: give -append acpi=off");
  if (keys.take_switch("graphics") == false) draft.no_graphics = true;
  if (keys.take_switch("hpet") == false) draft.words_of("--hpet", "off");
  if (keys.take_switch("usb") == true)
    draft.note("-machine usb=on: there is no USB, and nothing that was plugged in there.");
  // How the host holds its memory, what QEMU shows, and switches whose usual setting is how it is here.
  keys.ignore(
      "kernel-irqchip kvm-shadow-mem dump-guest-core mem-merge suppress-vmdesc memory-backend "
      "smm vmport hmat nvdimm pcspk-audiodev max-ram-below-4g default-bus-bypass-iommu i8042 sata smbus pit "
      "hpet acpi firmware x-* aux-ram-share confidential-guest-support");
  keys.refuse_rest();
}

void set_accel(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "accel");
  const std::string name = keys.take_or_empty("accel");
  if (name == "help") {
    draft.answer = fmt::format("Accelerators supported in QEMU binary:\n{}\n", kAccelerator);
    return;
  }
  // One of several -accel, the first that can be: the kernel's KUnit gives kvm, hvf and tcg.
  if (name != "tcg" && name != "kvm" && name != "hvf" && name != "whpx" && name != "nvmm" && name != "hax" &&
      name != "xen" && name != "kvm:tcg")
    keys.refuse(fmt::format("'{}' is no accelerator of QEMU's", name));
}

/// cpus=N,sockets=S,dies=D,cores=C,threads=T: of ours, dies are cores.
void set_smp(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "cpus");
  const auto number = [&](std::string_view key) -> std::optional<u64> {
    const std::optional<std::string> text = keys.take(key);
    if (!text) return std::nullopt;
    const std::optional<u64> count = parse_number(*text);
    if (!count || *count == 0) keys.refuse(fmt::format("'{}={}' is no number of processors", key, *text));
    return count;
  };
  const auto cpus = number("cpus");
  const auto sockets = number("sockets");
  const auto cores = number("cores");
  const auto threads = number("threads");
  const auto most = number("maxcpus");
  for (const std::string_view level : {"dies", "clusters", "modules", "books", "drawers"})
    if (number(level).value_or(1) != 1)
      keys.refuse(fmt::format("{}= is 1 here: give sockets=, cores=, threads=", level));
  keys.refuse_rest();
  const u64 product = sockets.value_or(1) * cores.value_or(1) * threads.value_or(1);
  const bool some = sockets || cores || threads;
  const u64 count = cpus ? *cpus : some ? product : most.value_or(1);
  if (most && *most > count)
    draft.note(
        fmt::format("{} {}: no processor is plugged in later, so there are {}.", option, value, count));
  std::string words = std::to_string(count);
  if (sockets) words += fmt::format(",sockets={}", *sockets);
  if (cores) words += fmt::format(",cores={}", *cores);
  if (threads) words += fmt::format(",threads={}", *threads);
  draft.words_of("--cpus", words);
}

/// Words behind a model that say how a hypervisor does its work.
bool is_of_hypervisor(std::string_view word) {
  constexpr std::string_view kWords[] = {
      "hv",       "kvm",    "migratable", "check",     "enforce",  "host-",  "l3-cache", "phys-bits",
      "level",    "xlevel", "min-",       "model-id",  "stepping", "family", "model=",   "topoext",
      "tsc-freq", "invtsc", "pmu=on",     "fill-mtrr", "cpuid-",   "legacy-"};
  const std::string_view name = word.starts_with('+') || word.starts_with('-') ? word.substr(1) : word;
  for (const std::string_view one : kWords)
    if (name.starts_with(one)) return true;
  return false;
}

void set_cpu(Draft& draft, std::string_view option, const std::string& value) {
  if (value == "help" || value == "?") {
    draft.answer = cpu::cpu_model_help();
    return;
  }
  std::string words;
  for (const std::string_view word : words_between(value, ",")) {
    const std::string_view name = word.substr(0, word.find('='));
    if (name == "+vmx" || name == "+svm" || word == "vmx=on" || word == "svm=on") {
      draft.note(fmt::format("{} {}: the guest finds no {}, with which it could run guests of its own.",
                             option, value, name.substr(name.starts_with('+') ? 1 : 0)));
      continue;
    }
    if (!words.empty() && (is_of_hypervisor(word) || word == "-vmx" || word == "-svm")) continue;
    words += (words.empty() ? "" : ",") + std::string(word);
  }
  draft.words_of("--cpu", words == "host" ? "default" : words);
}

void set_memory(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "size");
  const std::string size = keys.take("size").value_or("128M");
  if (const auto most = keys.take("maxmem");
      most && parse_memory(*most).value_or(0) > parse_memory(size).value_or(0))
    draft.note(fmt::format("{} {}: no memory is plugged in later, so there are {}.", option, value, size));
  keys.ignore("slots");
  keys.refuse_rest();
  if (!parse_memory(size)) keys.refuse(fmt::format("'{}' is not a size such as 512M or 2G", size));
  draft.words_of("--memory", size);
  draft.memory_given = true;
}

void set_kernel(Draft& draft, std::string_view, const std::string& value) {
  draft.kernel = value;
  draft.words_of("--kernel", value);
}
void set_initrd(Draft& draft, std::string_view, const std::string& value) {
  draft.words_of("--initrd", value);
}
void set_append(Draft& draft, std::string_view, const std::string& value) {
  draft.words_of("--append", value);
}
void set_bios(Draft& draft, std::string_view, const std::string& value) { draft.bios = value; }

void set_boot(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "order");
  for (const auto& [key, letters] :
       {std::pair("order", &draft.boot_letters), std::pair("once", &draft.first_boot_letters)}) {
    *letters = keys.take_or_empty(key);
    if (const std::size_t bad = letters->find_first_not_of("acdn"); bad != std::string::npos)
      keys.refuse(
          fmt::format("'{}' is none of a (floppy), c (disk), d (CD-ROM), n (network)", (*letters)[bad]));
  }
  draft.boot_menu = keys.take_switch("menu").value_or(false);
  keys.ignore("strict splash splash-time reboot-timeout");
  keys.refuse_rest();
}

void set_rtc(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value);
  const std::string base = keys.take("base").value_or("utc");
  keys.ignore("clock driftfix");
  keys.refuse_rest();
  if (base == "localtime")
    keys.refuse(
        "base=localtime: the clock shows UTC: give base=utc, or the time itself: base=2025-01-01T00:00:00");
  if (base != "utc" && !parse_time(base))
    keys.refuse(fmt::format("'{}' is no time such as 2025-01-01T00:00:00", base));
  draft.rtc = base == "utc" ? "now" : base;
}

void set_smbios(Draft& draft, std::string_view option, const std::string& value) {
  if (value.starts_with("file="))
    throw BadValue{
        fmt::format("{} {}: tables are made here: give type=N and what they are to say", option, value)};
  draft.words_of("--smbios", value);
}

void add_fw_cfg(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "name");
  std::string words = with_commas_doubled(keys.take_or_empty("name"));
  for (const std::string_view key : {"string", "file"})
    if (const auto content = keys.take(key))
      words += fmt::format(",{}={}", key, with_commas_doubled(*content));
  if (keys.has("gen_id"))
    keys.refuse("gen_id=: there is no object that makes content: give string= or file=");
  keys.refuse_rest();
  draft.words_of("--fw-cfg", words);
}

void set_global(Draft& draft, std::string_view option, const std::string& value) {
  // DRIVER.PROPERTY=VALUE, or driver=,property=,value=.
  if (value.starts_with("driver=")) {
    KeyValues keys = KeyValues::parse(option, value);
    const std::string driver = keys.take_or_empty("driver"), property = keys.take_or_empty("property");
    return set_global(draft, option, fmt::format("{}.{}={}", driver, property, keys.take_or_empty("value")));
  }
  if (value == "isa-fdc.fdtypeA=none") {
    draft.no_floppy_drive = true;
    return;
  }
  constexpr std::string_view kForceLegacy = "virtio-mmio.force-legacy=";
  if (value.starts_with(kForceLegacy)) {
    KeyValues keys = KeyValues::parse(option, value);
    draft.modern_virtio_mmio = keys.take_switch("virtio-mmio.force-legacy") == false;
    return;
  }
  constexpr std::string_view kIgnored[] = {
      "migration.", "kvm-pit.", "kvmclock", "kvm-apic", "mc146818rtc.lost_tick", "PIIX4_PM.disable_s",
      "ICH9-LPC.disable_s", "virtio-pci.disable-modern", "virtio-pci.disable-legacy", "i440FX-pcihost.",
      // Nobody but firmware in SMM writes its variables, as it is here.
      "cfi.pflash01.secure=", "virtio-blk-pci.scsi=off", "isa-debugcon.", "hpet.msi", "apic-common.", "cpu.",
      "qemu64-x86_64-cpu."};
  for (const std::string_view one : kIgnored)
    if (value.starts_with(one)) return;
  throw BadValue{fmt::format("{} {}: properties are given with their device: -device DRIVER,PROPERTY=VALUE",
                             option, value)};
}

constexpr OptionRow kRows[] = {
    {" machine M ", "TYPE[,KEY=VALUE...]", Effect::Translated,
     "--machine: pc, q35 or microvm; accel= and the like change nothing", set_machine},
    {" accel ", "NAME[,KEY=VALUE...]", Effect::Translated,
     "all are taken, and the guest's code is translated", set_accel},
    {" enable-kvm ", "", Effect::Silent, "the guest's code is translated"},
    {" no-kvm ", "", Effect::Silent, "so it is"},
    {" cpu ", "MODEL[,+FEATURE...]", Effect::Translated, "--cpu, with the nearest model", set_cpu},
    {" smp ", "N[,sockets=S][,cores=C][,threads=T]", Effect::Translated, "--cpus", set_smp},
    {" m ", "SIZE", Effect::Translated, "--memory; 128M without it", set_memory},
    {" kernel ", "FILE", Effect::Translated, "--kernel", set_kernel},
    {" initrd ", "FILE", Effect::Translated, "--initrd", set_initrd},
    {" append ", "TEXT", Effect::Translated, "--append", set_append},
    {" bios ", "FILE", Effect::Translated, "--bios", set_bios},
    {" boot ", "ORDER[,once=ORDER][,menu=on]", Effect::Translated, "--boot", set_boot},
    {" rtc ", "base=TIME", Effect::Translated, "--rtc", set_rtc},
    {" icount ", "N", Effect::Silent, "time always follows from the instructions"},
    {" global ", "DRIVER.PROPERTY=VALUE", Effect::Translated, "those that change nothing here", set_global},
    {" mem-path ", "PATH", Effect::Silent, "how the host holds the guest's memory"},
    {" mem-prealloc ", "", Effect::Silent, "the same"},
    {" overcommit ", "KEY=VALUE", Effect::Silent, "the same"},
    {" no-hpet ", "", Effect::Translated, "--hpet off",
     [](Draft& draft, std::string_view, const std::string&) { draft.words_of("--hpet", "off"); }},
    {" no-acpi ", "", Effect::Refused, "the ACPI tables are always there: give -append acpi=off"},
    {" numa ", "...", Effect::Refused, "all memory is one node: leave it out"},
    {" uuid ", "UUID", Effect::Translated, "--uuid",
     [](Draft& draft, std::string_view, const std::string& value) { draft.words_of("--uuid", value); }},
    {" smbios ", "type=N,KEY=VALUE", Effect::Translated, "--smbios: types 0, 1, 3 and 11", set_smbios},
    {" acpitable ", "...", Effect::Refused, "the ACPI tables cannot be chosen: leave it out"},
    {" fw_cfg ", "[name=]opt/NAME,string=TEXT|file=FILE", Effect::Translated, "--fw-cfg", add_fw_cfg},
    {" dtb ", "FILE", Effect::Refused, "a PC has no device tree: leave it out"},
    {" option-rom ", "FILE", Effect::Refused, "ROMs are those of cards: give romfile= to -device"},
};

}  // namespace

std::vector<machine::monitor::EmulatorTables::Board> boards() {
  std::vector<machine::monitor::EmulatorTables::Board> out;
  for (const BoardRow& board : kBoards)
    out.push_back({.name = std::string(board.name),
                   .alias = std::string(board.alias),
                   .help = std::string(board.help),
                   .is_default = board.is_default});
  return out;
}

std::vector<machine::monitor::EmulatorTables::Type> machine_types() {
  std::vector<machine::monitor::EmulatorTables::Type> types = {
      {.name = fmt::format("{}-accel", kAccelerator), .parent = "accel"}};
  for (const BoardRow& board : kBoards)
    types.push_back({.name = fmt::format("{}-machine", board.name), .parent = "machine"});
  return types;
}

std::span<const OptionRow> machine_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
