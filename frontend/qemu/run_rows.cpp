// The run: how it starts and ends, who debugs it.
#include <fmt/format.h>

#include <utility>

#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

constexpr std::string_view kGdbPort = "tcp:1234";

void set_watchdog_action(Draft& draft, std::string_view option, const std::string& value) {
  if (value == "pause")
    throw BadValue{fmt::format("{} pause: a watchdog cannot stop the guest: give debug, or none", option)};
  draft.watchdog_action = value;
}

void set_action(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value);
  const auto choose = [&](std::string_view key, std::string_view kWords) -> std::optional<std::string> {
    std::optional<std::string> word = keys.take(key);
    if (word && fmt::format(" {} ", kWords).find(fmt::format(" {} ", *word)) == std::string::npos)
      keys.refuse(fmt::format("{}={} is none of {}", key, *word, kWords));
    return word;
  };
  if (const auto reboot = choose("reboot", "reset shutdown")) draft.no_reboot = *reboot == "shutdown";
  if (const auto shutdown = choose("shutdown", "poweroff pause")) draft.stays_off = *shutdown == "pause";
  if (const auto watchdog = keys.take("watchdog")) set_watchdog_action(draft, option, *watchdog);
  if (const auto panic = choose("panic", "pause shutdown exit-failure none")) {
    constexpr std::pair<std::string_view, PanicAction> kActions[] = {
        {"pause", PanicAction::Pause},
        {"shutdown", PanicAction::Shutdown},
        {"exit-failure", PanicAction::ExitFailure},
        {"none", PanicAction::None}};
    for (const auto& [name, action] : kActions)
      if (name == *panic) draft.on_panic = action;
  }
  keys.refuse_rest();
}

void set_gdb(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "dev");
  const std::string device = keys.take_or_empty("dev");
  // gdb's end always listens, and waits for nobody.
  keys.ignore("server wait nodelay ipv4 ipv6");
  keys.refuse_rest();
  if (device == "none") return;
  draft.gdb = device == "stdio" ? "-" : device;
}

void add_watchdog(Draft& draft, std::string_view option, const std::string& value) {
  if (value != "i6300esb")
    throw BadValue{fmt::format("{} {}: the watchdog that there is is i6300esb", option, value)};
  draft.devices.push_back(KeyValues::parse(option, value, "driver"));
}

void set_seed(Draft& draft, std::string_view, const std::string& value) { draft.words_of("--seed", value); }

constexpr OptionRow kRows[] = {
    {" no-reboot ", "", Effect::Translated, "--no-reboot",
     [](Draft& draft, std::string_view, const std::string&) { draft.no_reboot = true; }},
    {" no-shutdown ", "", Effect::Translated, "a guest that is off stands still, until quit",
     [](Draft& draft, std::string_view, const std::string&) { draft.stays_off = true; }},
    {" action ", "EVENT=ACTION[,...]", Effect::Translated, "reboot, shutdown, panic, watchdog", set_action},
    {" watchdog ", "i6300esb", Effect::Translated, "--device i6300esb", add_watchdog},
    {" watchdog-action ", "ACTION", Effect::Translated, "--watchdog-action", set_watchdog_action},
    {" S ", "", Effect::Translated, "--paused",
     [](Draft& draft, std::string_view, const std::string&) { draft.paused = true; }},
    {" s ", "", Effect::Translated, "--gdb tcp:1234",
     [](Draft& draft, std::string_view, const std::string&) { draft.gdb = kGdbPort; }},
    {" gdb ", "DEV", Effect::Translated, "--gdb", set_gdb},
    {" seed ", "N", Effect::Translated, "--seed", set_seed},
    {" pidfile ", "FILE", Effect::Translated, "the number of the process, while it is there",
     [](Draft& draft, std::string_view, const std::string& value) { draft.pid_path = value; }},
    {" nodefaults ", "", Effect::Translated, "no card, drive and monitor that nobody asked for",
     [](Draft& draft, std::string_view, const std::string&) { draft.nodefaults = true; }},
    {" loadvm ", "NAME", Effect::Translated, "--load, of what savevm NAME has saved",
     [](Draft& draft, std::string_view, const std::string& value) { draft.loaded_state = value; }},
    {" incoming ", "URI", Effect::Refused,
     "there is no migration: savevm NAME in the monitor saves, and -loadvm NAME goes on from that"},
    {" daemonize ", "", Effect::Translated,
     "the command ends when the run has begun, which goes on in the background",
     [](Draft& draft, std::string_view, const std::string&) { draft.in_background = true; }},
    {" preconfig ", "", Effect::Refused, "the machine is made at once: give -S"},
};

}  // namespace

std::span<const OptionRow> run_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
