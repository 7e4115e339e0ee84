// Serial ports and monitors.
#include <fmt/format.h>

#include "frontend/options/option.h"
#include "frontend/qemu/character_device.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

void add_chardev(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "backend");
  const std::string id = keys.take_or_empty("id");
  if (id.empty()) keys.refuse("it has no id=");
  if (draft.chardevs.contains(id)) keys.refuse(fmt::format("there is another -chardev with the id '{}'", id));
  draft.chardevs[id] = character_backend(keys);
  draft.chardevs[id].label = id;
}

void add_serial(Draft& draft, std::string_view option, const std::string& value) {
  if (value == "none")
    draft.serials.emplace_back(std::nullopt);
  else
    draft.serials.emplace_back(character_device(draft, option, value));
}

void add_monitor(Draft& draft, std::string_view option, const std::string& value, bool qmp, bool pretty) {
  if (!qmp) draft.monitor_given = true;
  if (value == "none") return;
  draft.monitors.push_back({.option = fmt::format("{} {}", option, value),
                            .at = character_device(draft, option, value),
                            .qmp = qmp,
                            .pretty = pretty});
}

void add_mon(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "chardev");
  const std::string id = keys.take_or_empty("chardev");
  const std::string mode = keys.take("mode").value_or("readline");
  if (mode != "readline" && mode != "control")
    keys.refuse(fmt::format("mode={} is neither readline nor control", mode));
  const bool pretty = keys.take_switch("pretty").value_or(false);
  keys.ignore("id");
  keys.refuse_rest();
  add_monitor(draft, option, "chardev:" + id, mode == "control", pretty);
}

constexpr OptionRow kRows[] = {
    {" chardev ", "KIND,id=ID[,...]", Effect::Translated,
     "stdio, socket, pty, pipe, file or null, for other options", add_chardev},
    {" serial ", "DEV", Effect::Translated, "--serial", add_serial},
    {" monitor ", "DEV", Effect::Translated, "the monitor, for people",
     [](Draft& draft, std::string_view option, const std::string& value) {
       add_monitor(draft, option, value, false, false);
     }},
    {" qmp ", "DEV", Effect::Translated, "the monitor, for programs",
     [](Draft& draft, std::string_view option, const std::string& value) {
       add_monitor(draft, option, value, true, false);
     }},
    {" qmp-pretty ", "DEV", Effect::Translated, "the same",
     [](Draft& draft, std::string_view option, const std::string& value) {
       add_monitor(draft, option, value, true, true);
     }},
    {" mon ", "chardev=ID[,mode=control]", Effect::Translated, "either", add_mon},
    {" parallel ", "DEV", Effect::Translated, "none, null or vc: there is no parallel port",
     [](Draft&, std::string_view option, const std::string& value) {
       if (value != "none" && value != "null" && value != "vc")
         throw BadValue{fmt::format("{} {}: there is no parallel port: give none", option, value)};
     }},
    {" debugcon ", "DEV", Effect::Translated, "null: port E9h is there, and --log guest:info shows it",
     [](Draft&, std::string_view option, const std::string& value) {
       if (value != "null")
         throw BadValue{fmt::format(
             "{} {}: what is written to port E9h is shown by REPRISE_OPTIONS=--log=guest:info only", option,
             value)};
     }},
    {" echr ", "1", Effect::Translated, "Ctrl-A is the escape key",
     [](Draft&, std::string_view option, const std::string& value) {
       if (value != "1" && value != "0x1" && value != "0x01")
         throw BadValue{fmt::format("{} {}: the escape key is Ctrl-A: give 1", option, value)};
     }},
};

}  // namespace

std::span<const OptionRow> character_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
