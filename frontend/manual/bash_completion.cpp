// The manual as a completion for bash. Values that are lists go on after their last comma.
#include <fmt/format.h>

#include "frontend/manual/formats.h"

namespace reprise::frontend {
namespace {

constexpr std::string_view kHead = R"(# bash completion for reprise
# Made by: reprise manual bash

# Offers words that go on from what stands behind the last comma; else bash's own way, which is files.
_reprise_offer() {
  local head=
  [[ $current == *,* ]] && head=${current%,*},
  mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${current##*,}")
  if ((${#COMPREPLY[@]} == 0)); then
    compopt -o default 2>/dev/null
  elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]]; then
    compopt -o nospace 2>/dev/null
  fi
}

_reprise_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

_reprise() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  COMPREPLY=()
  # bash takes --option=value and file:PATH apart.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $current == : || $previous == : ]]; then
    current=${current#:}
    _reprise_files
    return
  fi
  if ((COMP_CWORD == 1)); then
)";

constexpr std::string_view kTail = R"(  esac
}
complete -F _reprise reprise
)";

std::string first_word(std::string_view text) { return std::string(text.substr(0, text.find(' '))); }

/// What may stand at the place of `previous` inside `command`.
std::string value_case(const OptionText& option) {
  if (!option.words.empty())
    return fmt::format("        {}) _reprise_offer '{}' ;;\n", option.name, option.words);
  if (option.takes_file()) return fmt::format("        {}) _reprise_files ;;\n", option.name);
  return fmt::format("        {}) ;;\n", option.name);
}

/// The cases of one command: values of its options, and else its options and arguments.
std::string command_cases(const CommandManual& command) {
  std::string values, names, argument_words;
  bool files = false;
  for (const ManualGroup& group : command.groups) {
    for (const OptionText& option : group.options) {
      if (option.is_argument()) {
        files |= option.takes_file();
        argument_words += fmt::format("{}{}", argument_words.empty() ? "" : " ", option.words);
        continue;
      }
      names += fmt::format("{}{}", names.empty() ? "" : " ", option.name);
      if (!option.value.empty()) values += value_case(option);
    }
  }
  if (names.find("--help") == std::string::npos) names += names.empty() ? "--help" : " --help";
  std::string text = "      case $previous in\n" + values;
  text +=
      fmt::format("        *)\n          if [[ $current == -* ]]; then _reprise_offer '{}'; {}fi ;;\n", names,
                  files                     ? "else _reprise_files; "
                  : !argument_words.empty() ? fmt::format("else _reprise_offer '{}'; ", argument_words)
                                            : "");
  return text + "      esac ;;\n";
}

}  // namespace

std::string bash_completion() {
  std::string commands, image_commands, cases;
  for (const CommandManual& command : all_manuals()) {
    const std::string first = first_word(command.name);
    if (first == command.name || !commands.ends_with(first))
      commands += fmt::format("{}{}", commands.empty() ? "" : " ", first);
    if (first != command.name)
      image_commands +=
          fmt::format("{}{}", image_commands.empty() ? "" : " ", command.name.substr(first.size() + 1));
    cases += fmt::format("    '{}')\n{}", command.name, command_cases(command));
  }
  std::string text(kHead);
  text += fmt::format("    _reprise_offer '{} --help --version'\n    return\n  fi\n", commands);
  text += fmt::format(
      "  if [[ $command == image ]]; then\n    if ((COMP_CWORD == 2)); then\n      _reprise_offer '{} "
      "--help'\n      return\n"
      "    fi\n    command=\"image ${{COMP_WORDS[2]}}\"\n  fi\n",
      image_commands);
  text += "  case $command in\n" + cases;
  return text + std::string(kTail);
}

}  // namespace reprise::frontend
