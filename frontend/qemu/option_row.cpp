#include "frontend/qemu/option_row.h"

#include <fmt/format.h>

#include "common/words.h"

namespace reprise::frontend::qemu {
namespace {

using Rows = std::span<const OptionRow> (*)();

struct Group {
  std::string_view heading;
  Rows rows;
};

constexpr Group kGroups[] = {{"The machine", machine_rows},
                             {"Drives and folders", drive_rows},
                             {"Devices", device_rows},
                             {"Networks", net_rows},
                             {"Serial ports and monitors", character_rows},
                             {"The screen", display_rows},
                             {"The run", run_rows},
                             {"Others", other_rows}};

std::string_view effect_text(Effect effect) {
  switch (effect) {
    case Effect::Translated: return "";
    case Effect::Silent: return "changes nothing: ";
    case Effect::Noted: return "changes nothing, and a line says so: ";
    case Effect::Refused: return "refused: ";
  }
  return "";
}

}  // namespace

const OptionRow* find_option(std::string_view name) {
  if (name.empty() || name.find(' ') != name.npos) return nullptr;
  const std::string wanted = fmt::format(" {} ", name);
  for (const Group& group : kGroups)
    for (const OptionRow& row : group.rows())
      if (row.names.find(wanted) != row.names.npos) return &row;
  return nullptr;
}

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const Group& group : kGroups)
    for (const OptionRow& row : group.rows())
      for (const std::string_view name : words_between(row.names, " "))
        if (!name.empty()) names.push_back(name);
  return names;
}

std::string help_text() {
  std::string text =
      "usage: qemu-system-x86_64 [OPTION...] [IMAGE]\n       reprise qemu [OPTION...] [IMAGE]\n\n"
      "QEMU's command line for Reprise: docs/qemu.md. Options behind -- or - are the same.\n";
  for (const Group& group : kGroups) {
    text += fmt::format("\n{}:\n", group.heading);
    for (const OptionRow& row : group.rows()) {
      std::string names;
      for (const std::string_view name : words_between(row.names, " "))
        if (!name.empty()) names += fmt::format("{}-{}", names.empty() ? "" : ", ", name);
      if (!row.value.empty()) names += fmt::format(" {}", row.value);
      text += fmt::format("  {}\n      {}{}\n", names, effect_text(row.effect), row.text);
    }
  }
  return text;
}

}  // namespace reprise::frontend::qemu
