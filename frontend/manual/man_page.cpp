// The manual as a man page: the macros of man(7), which groff and mandoc know.
#include <fmt/format.h>

#include "frontend/manual/formats.h"
#include "frontend/version.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend {
namespace {

/// `text` as roff shows it: as it is. A hyphen would become a dash, a dot at the start a request.
std::string roff(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string heading(std::string_view name) { return fmt::format(".SH {}\n", name); }
std::string subheading(std::string_view name) { return fmt::format(".SS {}\n", roff(name)); }
std::string paragraph(std::string_view text) { return fmt::format(".PP\n{}\n", roff(text)); }

/// What is typed is bold, what stands for something else is not.
std::string item(const OptionText& option) {
  const std::string name = option.is_argument() ? fmt::format("\\fI{}\\fR", roff(option.name))
                                                : fmt::format("\\fB{}\\fR", roff(option.name));
  const std::string value = option.value.empty() ? "" : fmt::format(" \\fI{}\\fR", roff(option.value));
  return fmt::format(".TP\n{}{}\n{}\n", name, value, roff(description(option)));
}

std::string groups(const CommandManual& command) {
  std::string text;
  for (const ManualGroup& group : command.groups) {
    if (!group.heading.empty()) text += subheading(group.heading);
    if (!group.remark.empty()) text += roff(sentence(group.remark)) + '\n';
    for (const OptionText& option : group.options) text += item(option);
  }
  return text;
}

std::string drivers() {
  std::string text;
  for (const machine::DeviceRow* row : machine::device_rows()) {
    std::string properties;
    for (const machine::PropertySpec& property : row->properties)
      properties += fmt::format("{}{}=", properties.empty() ? " Properties: " : ", ", property.name);
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(row->driver),
                        roff(fmt::format("{}.{}", row->help, properties)));
  }
  return text;
}

std::string synopsis(const CommandManual& command) {
  return fmt::format(".br\n{}\n", roff(usage_line(command)));
}

std::string example(std::string_view line) { return fmt::format(".RS\n.EX\n{}\n.EE\n.RE\n", roff(line)); }

}  // namespace

std::string man_page() {
  const CommandManual run = run_manual();
  std::string text = fmt::format(
      ".\\\" Made by: reprise manual man\n.TH REPRISE 1 \"\" \"{}\" \"User Commands\"\n.nh\n.ad l\n",
      version_text());
  text += heading("NAME") + "reprise \\- full\\-system x86\\-64 PC emulator whose runs can be repeated\n";
  text += heading("SYNOPSIS");
  for (const CommandManual& command : all_manuals()) text += synopsis(command);
  text += ".br\nreprise \\-\\-help | \\-\\-version\n";
  text += heading("DESCRIPTION") + roff(run.purpose) + '\n';
  text += paragraph(
      "The same command gives the same run, instruction by instruction: time in the guest follows from the "
      "instructions it has retired.");
  for (const std::string_view line : run.examples) text += example(line);
  text += paragraph(run.keys);
  text += heading("OPTIONS OF RUN") + groups(run);
  text += heading("OTHER COMMANDS");
  for (const CommandManual& command : all_manuals()) {
    if (command.name == run.name) continue;
    text +=
        subheading(fmt::format("reprise {}", command.name)) + roff(command.purpose) + '\n' + groups(command);
    for (const std::string_view line : command.examples) text += example(line);
  }
  text += heading("DRIVERS FOR \\-\\-device") + drivers();
  text += heading("EXIT STATUS");
  for (const ExitCode& code : exit_codes())
    text += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", roff(code.code), roff(code.meaning));
  text += heading("SEE ALSO") + "\\fBqemu\\-img\\fR(1), \\fBqemu\\-nbd\\fR(8)\n";
  return text;
}

}  // namespace reprise::frontend
