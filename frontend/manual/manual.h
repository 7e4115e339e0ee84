// What the commands of `reprise` are, for people: gathered from the rows of their options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/options/option.h"

namespace reprise::frontend {

struct ManualGroup {
  std::string_view heading;  // empty: the command's only group
  std::string_view remark;   // behind the heading; may be empty
  std::vector<OptionText> options;
};

struct CommandManual {
  std::string_view name;     // "run", "image create"
  std::string_view purpose;  // what the command does: sentences
  std::vector<std::string_view> examples;
  std::vector<ManualGroup> groups;
  std::string_view keys;  // what keys do meanwhile; may be empty
};

struct ExitCode {
  std::string_view code;
  std::string_view meaning;
};

CommandManual run_manual();
CommandManual replay_manual();
CommandManual ask_manual();
CommandManual pack_manual();
CommandManual test_manual();
CommandManual merge_manual();
CommandManual manual_manual();
/// Of create, info and commit.
std::vector<CommandManual> image_manuals();
/// All of the above.
std::vector<CommandManual> all_manuals();
std::span<const ExitCode> exit_codes();

/// "reprise image create FILE [SIZE] [--format raw|qcow2]"; many options are "[OPTION...]".
std::string usage_line(const CommandManual& command);
/// "--memory SIZE".
std::string name_and_value(const OptionText& option);
/// With a full stop and a capital letter.
std::string sentence(std::string_view phrase);
/// The option's phrase and sentences, with a full stop.
std::string description(const OptionText& option);

}  // namespace reprise::frontend
