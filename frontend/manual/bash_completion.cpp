// The manual as a completion for bash. Values that are lists go on after their last comma.
#include <fmt/format.h>

#include "frontend/manual/formats.h"
#include "machine/plug/device_registry.h"

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
  elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=] ]]; then
    compopt -o nospace 2>/dev/null
  fi
}

_reprise_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

)";

constexpr std::string_view kBody = R"(_reprise() {
  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} at=$COMP_CWORD whole option= value=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
)";

/// Behind the commands.
constexpr std::string_view kSplit =
    R"(  # bash takes words apart at = and :. `whole` is the word as it was typed, `current` what is to be completed of it.
  whole=$current
  if [[ $current == [=:] ]]; then
    current=
    ((at--))
    whole=${COMP_WORDS[at]}$whole
  fi
  while ((at > 2)) && [[ ${COMP_WORDS[at - 1]} == [=:] ]]; do
    whole=${COMP_WORDS[at - 2]}${COMP_WORDS[at - 1]}$whole
    ((at -= 2))
  done
  if [[ $whole == --*=* ]]; then
    option=${whole%%=*} value=${whole#*=}
  elif [[ $whole != -* && ${COMP_WORDS[at - 1]} == --* ]]; then
    option=${COMP_WORDS[at - 1]} value=$whole
  fi
  # Behind NAME= and KIND: in a value.
  local element=${value##*,}
  if [[ $element == *:* ]]; then
    _reprise_files
    return
  elif [[ $element == *=* ]]; then
    _reprise_key "${element%%=*}"
    return
  fi
)";

constexpr std::string_view kTail = R"(  esac
}
complete -F _reprise reprise
)";

std::string first_word(std::string_view text) { return std::string(text.substr(0, text.find(' '))); }

/// What the value of `option` may be, and what may stand behind its commas.
std::string value_case(const OptionText& option) {
  const std::string first = !option.words.empty() ? fmt::format("_reprise_offer '{}'", option.words)
                            : option.takes_file() ? "_reprise_files"
                                                  : "";
  if (option.behind == nullptr) return fmt::format("        {}) {} ;;\n", option.name, first);
  std::string text = fmt::format("        {})\n          case $value in\n", option.name);
  for (const WordsBehind& behind : option.behind())
    text += fmt::format("            {},*) _reprise_offer '{}' ;;\n", behind.first, behind.words);
  return text + fmt::format("            *) {} ;;\n          esac ;;\n", first);
}

/// A function for what stands behind "NAME=" of a property.
std::string key_function() {
  std::string text = "_reprise_key() {\n  case $1 in\n";
  for (const machine::PropertyValues& values : machine::property_values()) {
    if (values.type == machine::PropertyType::File || values.type == machine::PropertyType::FileOrNone)
      text += fmt::format("    {}) _reprise_files ;;\n", values.name);
    else if (!values.words.empty())
      text += fmt::format("    {}) _reprise_offer '{}' ;;\n", values.name, values.words);
  }
  return text + "    vendor) _reprise_offer 'intel amd' ;;\n  esac\n}\n\n";
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
  std::string text = "      case $option in\n" + values;
  text +=
      fmt::format("        *)\n          if [[ $whole == -* ]]; then _reprise_offer '{}'; {}fi ;;\n", names,
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
  std::string text = std::string(kHead) + key_function() + std::string(kBody);
  text += fmt::format("    _reprise_offer '{} --help --version'\n    return\n  fi\n", commands);
  text += fmt::format(
      "  if [[ $command == image ]]; then\n    if ((COMP_CWORD == 2)); then\n      _reprise_offer '{} "
      "--help'\n      return\n"
      "    fi\n    command=\"image ${{COMP_WORDS[2]}}\"\n  fi\n",
      image_commands);
  text += std::string(kSplit) + "  case $command in\n" + cases;
  return text + std::string(kTail);
}

}  // namespace reprise::frontend
