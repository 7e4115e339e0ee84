// The command line of `reprise`: words to settings, or to one sentence about what is wrong with them.
// `reprise image` is image_command.h's.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/options/run_options.h"

namespace reprise::frontend {

/// Nothing is to be run: print `text` and exit.
struct EarlyExit {
  int exit_code = 0;
  std::string text;  // exit code 0: for stdout; otherwise one sentence for stderr
};

/// `words` are the arguments after the program's name.
std::variant<RunOptions, EarlyExit> parse_options(const std::vector<std::string>& words);

/// Wrong usage of `command`, for example "run"; `problem` is a sentence without a full stop.
EarlyExit usage_error(std::string_view problem, std::string_view command);

/// Whether one of `words` is --help or -h.
bool asks_for_help(const std::vector<std::string>& words);

}  // namespace reprise::frontend
