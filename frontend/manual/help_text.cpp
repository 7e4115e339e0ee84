// The manual as `--help` shows it: short enough to be read on two screens.
#include <fmt/format.h>

#include "frontend/manual/formats.h"

namespace reprise::frontend {
namespace {

constexpr std::size_t kHelpColumn = 24;
constexpr std::size_t kWidth = 118;

/// "  --memory SIZE         RAM, ..."; further lines of the help stand below it.
std::string line_with_help(const OptionText& option) {
  std::string line = "  " + name_and_value(option);
  line.resize(std::max(line.size() + 2, kHelpColumn), ' ');
  for (const char c : option.help) {
    line += c;
    if (c == '\n') line.append(kHelpColumn, ' ');
  }
  return line;
}

std::string option_lines(const std::vector<OptionText>& options) {
  std::string text;
  std::string_view between;  // what separates the next name from the line so far
  for (const OptionText& option : options) {
    const bool new_line = option.shown == Shown::Line || option.shown == Shown::NameLine;
    if (new_line && !text.empty()) text += '\n';
    switch (option.shown) {
      case Shown::Line:
        text += line_with_help(option);
        between = "; ";
        break;
      case Shown::SameLine:
        text += fmt::format("; {}: {}", name_and_value(option), option.help);
        between = "; ";
        break;
      case Shown::NameLine:
        text += "  " + name_and_value(option);
        between = ", ";
        break;
      case Shown::Name:
        text += fmt::format("{}{}", between, name_and_value(option));
        between = ", ";
        break;
    }
  }
  return text.empty() ? text : text + '\n';
}

std::string group_lines(const ManualGroup& group) {
  std::string text(group.heading);
  if (!group.remark.empty()) text += fmt::format(": {}", group.remark);
  if (!text.empty()) text += '\n';
  return text + option_lines(group.options);
}

/// "Exit codes: 0 the guest powered off; 2 wrong usage; ...", in lines.
std::string exit_code_lines() {
  std::string text, line = "Exit codes:";
  std::string_view end = "";
  for (const ExitCode& code : exit_codes()) {
    const std::string item = fmt::format(" {} {}", code.code, code.meaning);
    line += end;
    if (line.size() + item.size() >= kWidth) {
      text += line + '\n';
      line = item.substr(1);
    } else {
      line += item;
    }
    end = ";";
  }
  return text + line + ".\n";
}

}  // namespace

std::string help_text(const CommandManual& command) {
  std::string text = fmt::format("usage: {}\n\n{}\n", usage_line(command), command.purpose);
  for (const std::string_view example : command.examples) text += fmt::format("    {}\n", example);
  text += '\n';
  for (const ManualGroup& group : command.groups) text += group_lines(group);
  if (!command.keys.empty()) text += fmt::format("\n{}\n{}", command.keys, exit_code_lines());
  return text;
}

std::string help_text(std::span<const CommandManual> commands) {
  std::string text;
  for (const CommandManual& command : commands)
    text += fmt::format("{}{}\n", text.empty() ? "usage: " : "       ", usage_line(command));
  for (const CommandManual& command : commands) {
    text += fmt::format("\n{}: {}\n", command.name, command.purpose);
    for (const ManualGroup& group : command.groups) text += group_lines(group);
  }
  return text;
}

}  // namespace reprise::frontend
