#include "frontend/qemu/translation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "common/nearest.h"
#include "frontend/display/sdl_display.h"
#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"
#include "frontend/qemu/plug.h"
#include "frontend/qemu/tables.h"
#include "frontend/version.h"
#include "machine/net/net_config.h"
#include "machine/snapshot/named_state.h"

namespace reprise::frontend::qemu {
namespace {

/// As tools read it: "QEMU emulator version 7.2.0". libguestfs looks for it in the help, too.
std::string version_text_of_qemu() {
  return fmt::format("QEMU emulator version 7.2.0 (in its place: {})\n", version_text());
}

/// Chardevs: those that others name, wherever they stand.
enum class Pass : u8 { Chardevs, Others };

void apply(Draft& draft, const std::vector<std::string>& words, Pass pass) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    // Tools that build a command line leave empty words in it.
    if (word.empty()) continue;
    if (!word.starts_with('-') || word == "-") {
      if (pass == Pass::Others) find_option("hda")->set(draft, "-hda", word);
      continue;
    }
    const std::string name = word.substr(word.starts_with("--") ? 2 : 1);
    if (name == "h" || name == "help" || name == "version") {
      if (pass == Pass::Chardevs) return;
      draft.answer = version_text_of_qemu() + (name == "version" ? "" : help_text());
      return;
    }
    const OptionRow* row = find_option(name);
    if (row == nullptr) {
      Nearest nearest(name);
      for (const std::string_view known : option_names()) nearest.offer(known);
      throw BadValue{
          fmt::format("{}: invalid option{}", word,
                      nearest.name().empty() ? "" : fmt::format("; did you mean -{}?", nearest.name()))};
    }
    const std::string option = "-" + name;
    std::string value;
    if (!row->value.empty()) {
      if (i + 1 == words.size())
        throw BadValue{fmt::format("{}: requires an argument: {} {}", word, option, row->value)};
      value = words[++i];
    }
    if ((name == "chardev") != (pass == Pass::Chardevs)) continue;
    const std::string shown = value.empty() ? option : fmt::format("{} {}", option, value);
    switch (row->effect) {
      case Effect::Translated: row->set(draft, option, value); break;
      case Effect::Silent: break;
      case Effect::Noted: draft.note(fmt::format("{}: {}.", shown, row->text)); break;
      case Effect::Refused: throw BadValue{fmt::format("{}: {}", shown, row->text)};
    }
    if (!draft.answer.empty()) return;
  }
}

bool any_device(const Draft& draft, std::initializer_list<std::string_view> drivers) {
  return std::ranges::any_of(draft.devices, [&](const KeyValues& device) {
    KeyValues copy = device;
    return std::ranges::find(drivers, copy.take_or_empty("driver")) != drivers.end();
  });
}

bool has_net_card(const Draft& draft) {
  return std::ranges::any_of(draft.devices, [](const KeyValues& device) {
    KeyValues copy = device;
    return Plug::is_net_card(copy.take_or_empty("driver"));
  });
}

bool takes_place(const Draft& draft, std::string_view interface, unsigned index) {
  return std::ranges::any_of(draft.drives, [&](const Drive& drive) {
    return drive.interface == interface && drive.index.value_or(0) == index;
  });
}

/// The next that is free, as QEMU counts them.
void number_drives(Draft& draft) {
  for (std::size_t i = 0; i < draft.drives.size(); ++i) {
    Drive& drive = draft.drives[i];
    const auto others_have = [&](unsigned index) {
      for (std::size_t j = 0; j < draft.drives.size(); ++j) {
        const Drive& other = draft.drives[j];
        if (j != i && other.interface == drive.interface && other.index == index) return true;
      }
      return false;
    };
    if (drive.interface == "none") continue;
    if (!drive.index) {
      drive.index = 0;
      while (others_have(*drive.index)) ++*drive.index;
    } else if (others_have(*drive.index)) {
      throw BadValue{
          fmt::format("{}: index={} of if={} was given twice", drive.option, *drive.index, drive.interface)};
    }
  }
  std::ranges::stable_sort(draft.drives, {}, [](const Drive& drive) { return drive.index.value_or(0); });
}

/// Drives that QEMU has although nobody asked for them.
void add_default_drives(Draft& draft) {
  if (draft.nodefaults || draft.microvm) return;
  constexpr unsigned kSecondaryMaster = 2;
  if (!takes_place(draft, "ide", kSecondaryMaster) &&
      !any_device(draft, {"ide-cd", "ide-hd", "scsi-cd", "scsi-hd"}))
    draft.drives.push_back({.option = "CD-ROM",
                            .interface = "ide",
                            .cdrom = true,
                            .by_default = true,
                            .index = kSecondaryMaster});
  if (!draft.q35 && !draft.no_floppy_drive && !takes_place(draft, "floppy", 0) &&
      !any_device(draft, {"floppy"}))
    draft.drives.push_back({.option = "floppy", .interface = "floppy", .by_default = true, .index = 0});
}

void add_firmware(Draft& draft) {
  std::vector<const Drive*> flash;
  for (const Drive& drive : draft.drives)
    if (drive.interface == "pflash") flash.push_back(&drive);
  if (!flash.empty() && !draft.bios.empty())
    throw BadValue{
        fmt::format("{}: -bios {} is the firmware: leave one of them out", flash[0]->option, draft.bios)};
  const std::string code = flash.empty() ? draft.bios : flash[0]->file;
  const std::string name = code.substr(code.rfind('/') + 1);
  const bool ovmf = name.starts_with("OVMF") && (code.starts_with("/usr/share/") || code == name);
  if (flash.size() > 2) throw BadValue{fmt::format("{}: two such drives are the most", flash[2]->option)};
  // It only starts kernels, and is there for being quick.
  const bool qboot = name == "qboot.rom" && !draft.kernel.empty();
  if (ovmf)
    // Which of the two has such variables.
    draft.words_of("--bios",
                   name.starts_with("OVMF_CODE") && name.find("_4M") == name.npos ? "ovmf-2m" : "ovmf");
  else if (!code.empty() && !name.starts_with("bios") && !qboot)
    draft.words_of("--bios", code);
  else if (!code.empty() && !qboot)
    draft.words_of("--bios", "seabios");
  else if (!draft.kernel.empty() && !draft.no_reboot)
    // A kernel that resets the machine is started again, as by QEMU's firmware.
    draft.words_of("--bios", "seabios");
  else if (draft.kernel.empty() && draft.drives.empty())
    // It finds nothing to start.
    draft.words_of("--bios", "seabios");
  if (ovmf && (name.find(".secboot.") != name.npos || name.find(".ms.") != name.npos))
    draft.note(fmt::format("{}: the firmware is OVMF without Secure Boot.", code));
  if (!draft.nographic && !draft.no_graphics && !ovmf) draft.words_of("--bios-serial", "off");
  if (flash.size() == 2 && !flash[1]->read_only && !flash[1]->snapshot && !draft.snapshot)
    draft.words_of("--bios-vars", flash[1]->file);
}

/// Drives with an interface of their own.
void add_drives(Plug& plug) {
  for (Drive& drive : plug.draft.drives) {
    if (drive.used || drive.interface == "pflash") continue;
    if (drive.interface == "none") {
      plug.draft.note(fmt::format("{}: no -device has it, so the guest does not see it.", drive.option));
      continue;
    }
    if (plug.draft.microvm)
      throw BadValue{
          fmt::format("{}: a microvm has no if={}: give if=none,id=ID and -device "
                      "virtio-blk-device,drive=ID",
                      drive.option, drive.interface)};
    const unsigned ata_units = plug.draft.q35 ? 6 : 4;
    constexpr unsigned kFloppies = 2;
    const unsigned index = drive.index.value_or(0);
    if ((drive.interface == "ide" && index >= ata_units) ||
        (drive.interface == "floppy" && index >= kFloppies))
      throw BadValue{fmt::format("{}: there is no place {} of if={}", drive.option, index, drive.interface)};
    if (drive.interface == "virtio") {
      if (drive.cdrom)
        throw BadValue{fmt::format("{}: a CD-ROM is on IDE: leave if=virtio out", drive.option)};
      plug.add_drive(drive, "virtio-blk", "", std::nullopt);
    } else {
      const std::string_view driver = drive.interface == "floppy" ? "floppy"
                                      : drive.cdrom               ? "ide-cd"
                                                                  : "ide-hd";
      plug.add_drive(drive, driver, fmt::format(",unit={}", index), std::nullopt);
    }
  }
}

std::string our_card(const KeyValues& card, const std::string& model) {
  if (model == "virtio" || model == "virtio-net-pci" || model == "virtio-net") return "virtio-net";
  if (model == "e1000" || model == "e1000-82540em") return "e1000";
  card.refuse(fmt::format("model={}: the network cards are virtio-net-pci and e1000", model));
}

/// A microvm makes no card of -nic and -net nic, as QEMU's does not.
void drop_cards(Draft& draft) {
  for (KeyValues& card : draft.cards) {
    draft.netdevs.erase(card.take_or_empty("netdev"));
    draft.note(
        fmt::format("{}: a microvm has no card by it: give -netdev user,id=ID and -device "
                    "virtio-net-device,netdev=ID.",
                    card.option()));
  }
  draft.cards.clear();
}

void add_network(Plug& plug) {
  Draft& draft = plug.draft;
  if (draft.microvm) drop_cards(draft);
  const bool by_default = !draft.nodefaults && !draft.microvm && !draft.net_none && draft.netdevs.empty() &&
                          draft.cards.empty() && !has_net_card(draft) && machine::user_network_offered();
  for (KeyValues& card : draft.cards) {
    const std::string model = card.take_or_empty("model");
    const std::string netdev = card.take_or_empty("netdev");
    const std::optional<std::string> mac = card.take("mac");
    const auto found = draft.netdevs.find(netdev);
    if (found != draft.netdevs.end()) found->second.used = true;
    draft.words_of("--device", our_card(card, model) + (mac ? ",mac=" + *mac : ""));
    ++plug.cards;
  }
  if (by_default) {
    draft.words_of("--device", "e1000");
    draft.words_of("--net", "user");
    ++plug.cards;
    // Nobody asked for a network, so the run stays a function of its command.
    if (draft.rtc.empty()) draft.rtc = "2025-01-01T00:00:00";
    return;
  }
  std::string words;
  for (const auto& [id, netdev] : draft.netdevs) {
    if (netdev.kind != "user") continue;
    if (!netdev.used) {
      draft.note(fmt::format("{}: no card is on it.", netdev.option));
      continue;
    }
    if (!words.empty()) draft.note(fmt::format("{}: it is one network with the other one.", netdev.option));
    if (words.empty()) words = "user";
    for (const std::string& word : netdev.our_words) words += "," + word;
  }
  draft.words_of("--net", words.empty() ? "none" : words);
}

void add_boot_order(Plug& plug) {
  Draft& draft = plug.draft;
  if (!draft.kernel.empty()) return;
  std::vector<std::string> order;
  std::ranges::stable_sort(plug.boot, {}, &BootChoice::index);
  for (const BootChoice& choice : plug.boot) order.push_back(choice.name);
  const auto add_kinds = [&](std::string_view letters, std::string_view front) {
    const std::tuple<char, unsigned, std::string_view> kinds[] = {{'a', plug.floppies, "floppy"},
                                                                  {'c', plug.disks, "disk"},
                                                                  {'d', plug.cdroms, "cdrom"},
                                                                  {'n', plug.cards, "network"}};
    for (const char letter : letters)
      for (const auto& [its, count, name] : kinds)
        if (its == letter && count != 0) order.push_back(fmt::format("{}{}", front, name));
  };
  add_kinds(draft.first_boot_letters, "once=");
  add_kinds(draft.boot_letters.empty() ? "cadn" : draft.boot_letters, "");
  std::string words;
  for (const std::string& name : order) words += (words.empty() ? "" : ",") + name;
  if (draft.boot_menu) words += words.empty() ? "menu=on" : ",menu=on";
  if (!words.empty()) draft.words_of("--boot", words);
}

/// What -nographic and the lack of options mean.
void choose_characters(Draft& draft) {
  const bool serial_by_default =
      draft.serials.empty() && !draft.nodefaults && !any_device(draft, {"isa-serial"});
  const bool monitor_by_default = !draft.monitor_given && !draft.nodefaults;
  if (serial_by_default)
    draft.serials.emplace_back(draft.nographic ? Chardev{.target = "stdio", .mux = monitor_by_default}
                                               : Chardev{.target = "null"});
  else if (draft.nographic && monitor_by_default)
    draft.monitors.push_back({.option = "-nographic", .at = {.target = "stdio", .mux = true}});
  if (draft.serials.size() > 2)
    throw BadValue{
        fmt::format("-serial was given {} times: there are two serial ports", draft.serials.size())};
  if (draft.microvm && draft.serials.size() > 1 && draft.serials[1] && draft.serials[1]->target != "null")
    throw BadValue{"-serial was given twice: a microvm has one serial port"};
  draft.serials.resize(2);
  for (const std::optional<Chardev>& serial : draft.serials)
    draft.words_of("--serial", serial ? serial->target + serial->log : "null");
}

/// The monitor of a serial port that has the terminal is behind Ctrl-A c.
void place_monitors(Draft& draft, Translation& out) {
  const bool serial_has_terminal =
      draft.port_with_terminal || std::ranges::any_of(draft.serials, [](const auto& serial) {
        return serial && serial->target == "stdio";
      });
  for (MonitorWish& wish : draft.monitors) {
    // Nobody can say anything at a file, either, as tests of GRUB's have it.
    if (wish.at.target == "null" || wish.at.target.starts_with("file:")) continue;
    if (wish.at.target == "stdio" && serial_has_terminal) {
      if (wish.qmp || !wish.at.mux)
        throw BadValue{
            fmt::format("{}: a serial port has standard input and output: give unix:PATH", wish.option)};
      continue;
    }
    out.monitors.push_back(std::move(wish));
  }
  const auto is_shared = [](const auto& end) { return end && end->mux; };
  out.keys_of_pipes = std::ranges::any_of(draft.serials, is_shared) || is_shared(draft.port_with_terminal);
}

/// Nobody is at the terminal any more.
void check_background(const Draft& draft, const Translation& out) {
  if (!draft.in_background) return;
  const auto is_stdio = [](const Chardev& end) { return end.target == "stdio"; };
  const bool any =
      draft.port_with_terminal ||
      std::ranges::any_of(draft.serials, [&](const auto& end) { return end && is_stdio(*end); }) ||
      std::ranges::any_of(out.monitors, is_stdio, &MonitorWish::at);
  if (any && draft.nographic)
    throw BadValue{"-daemonize: -nographic is for this terminal: give -display none, and -serial file:PATH"};
  if (any) throw BadValue{"-daemonize: stdio is this terminal: give a socket or a file"};
}

void choose_display(Draft& draft) {
  const auto is_set = [](const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != 0;
  };
  if (draft.display.empty() && !draft.nographic && draft.vga != "none" && !draft.microvm) {
    if (sdl_is_offered() && (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")))
      draft.display = "sdl";
    else
      draft.note("there is no desktop, so the screen is not shown, as -display none says.");
  }
  draft.words_of("--display", draft.display.empty() || (draft.nographic && draft.display == "sdl")
                                  ? "none"
                                  : draft.display);
}

/// A state lies beside one of the images: machine/snapshot/named_state.h.
std::string file_of_state(const std::string& name, const std::vector<std::string>& images) {
  if (const auto checked = machine::check_state_name(name); !checked)
    throw BadValue{fmt::format("-loadvm {}", checked.error().message)};
  for (const std::string& image : images) {
    std::string path = machine::path_of_state(image, name);
    if (access(path.c_str(), F_OK) == 0) return path;
  }
  if (images.empty())
    throw BadValue{
        fmt::format("-loadvm {}: no image is written by this run, beside which it could lie", name)};
  throw BadValue{
      fmt::format("-loadvm {}: there is no '{}'", name, machine::path_of_state(images.front(), name))};
}

/// "tcp::1234", "unix:PATH", "-": as --gdb has them.
void add_debugger(Draft& draft) {
  if (!draft.gdb.empty()) draft.words_of("--gdb", draft.gdb);
}

}  // namespace

Drive* Draft::find_drive(std::string_view id) {
  const auto drive = std::ranges::find(drives, id, &Drive::id);
  if (drive != drives.end()) return &*drive;
  const auto node = nodes.find(std::string(id));
  if (node == nodes.end()) return nullptr;
  // A format lies over a file.
  if (const auto below = over.find(node->first); below != over.end()) {
    const auto file = nodes.find(below->second);
    if (file == nodes.end())
      throw BadValue{fmt::format("{}: there is no node '{}'", node->second.option, below->second)};
    node->second.file = file->second.file;
    node->second.read_only = node->second.read_only || file->second.read_only;
  }
  return &node->second;
}

Translation translate(const std::vector<std::string>& words) {
  Draft draft;
  Translation out;
  apply(draft, words, Pass::Chardevs);
  if (draft.answer.empty()) apply(draft, words, Pass::Others);
  if (!draft.answer.empty()) {
    out.answer = std::move(draft.answer);
    return out;
  }
  if (draft.microvm)
    draft.words_of("--machine",
                   "microvm" + *draft.microvm + (draft.modern_virtio_mmio ? ",force-legacy=off" : ""));
  if (draft.q35) draft.words_of("--machine", "q35");
  draft.word("--hotplug");
  if (!draft.memory_given) draft.words_of("--memory", "128M");
  number_drives(draft);
  add_default_drives(draft);
  Plug plug{.draft = draft};
  plug.add_devices();
  add_drives(plug);
  add_network(plug);
  add_firmware(draft);
  add_boot_order(plug);
  choose_characters(draft);
  out.tables = tables_of(draft);
  out.tables->disks = plug.named;
  place_monitors(draft, out);
  check_background(draft, out);
  choose_display(draft);
  add_debugger(draft);
  if (!draft.rtc.empty()) draft.words_of("--rtc", draft.rtc);
  if (!draft.watchdog_action.empty() && any_device(draft, {"i6300esb"}))
    draft.words_of("--watchdog-action", draft.watchdog_action);
  if (draft.no_reboot) draft.word("--no-reboot");
  if (!draft.loaded_state.empty()) {
    out.loaded_state = file_of_state(draft.loaded_state, plug.written);
    draft.note(
        fmt::format("-loadvm {}: the machine is the one that was saved, and what it writes from here on is "
                    "gone with the run.",
                    draft.loaded_state));
  }
  out.plug_words = std::make_shared<HotWords>(draft);
  out.on_panic = draft.pvpanic ? draft.on_panic : PanicAction::None;
  out.words = std::move(draft.words);
  out.notes = std::move(draft.notes);
  out.pid_path = std::move(draft.pid_path);
  out.paused = draft.paused;
  out.stays_off = draft.stays_off;
  out.in_background = draft.in_background;
  return out;
}

}  // namespace reprise::frontend::qemu
