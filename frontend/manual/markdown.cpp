// The manual as Markdown: the options as tables.
#include <fmt/format.h>

#include "frontend/manual/formats.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend {
namespace {

/// In a table a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string device_table() {
  std::string text = "| driver | QEMU's name | what | properties |\n|---|---|---|---|\n";
  for (const machine::DeviceRow* row : machine::device_rows()) {
    std::string properties;
    const auto add = [&](std::string_view name, const std::string& what) {
      properties += fmt::format("{}`{}=` {}", properties.empty() ? "" : "; ", name, cell(what));
    };
    for (const machine::PropertySpec& property : row->properties)
      add(property.name, machine::describe(property));
    if (!row->place.name.empty()) add(row->place.name, machine::describe(row->place));
    text += fmt::format("| `{}` | {} | {} | {} |\n", row->driver,
                        row->qemu_name.empty() ? "" : fmt::format("`{}`", row->qemu_name), cell(row->help),
                        properties);
  }
  return text;
}

}  // namespace

std::string markdown_options() {
  std::string text;
  for (const ManualGroup& group : run_manual().groups) {
    if (!text.empty()) text += '\n';
    text += fmt::format("## {}\n", group.heading);
    if (!group.remark.empty()) text += fmt::format("{}\n\n", sentence(group.remark));
    text += "| option | meaning |\n|---|---|\n";
    for (const OptionText& option : group.options)
      text += fmt::format("| `{}` | {} |\n", cell(name_and_value(option)), cell(description(option)));
  }
  return text + "\n## Drivers for `--device`\nEach also takes `id=NAME`.\n\n" + device_table();
}

}  // namespace reprise::frontend
