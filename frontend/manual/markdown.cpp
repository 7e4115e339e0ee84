// The manual as Markdown: the options as tables.
#include <fmt/format.h>

#include "frontend/manual/formats.h"

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
  return text;
}

}  // namespace reprise::frontend
