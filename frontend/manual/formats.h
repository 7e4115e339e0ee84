// The manual in the forms that `reprise` can print. Every line ends with a line feed.
#pragma once

#include <span>
#include <string>

#include "frontend/manual/manual.h"

namespace reprise::frontend {

/// `--help` of one command.
std::string help_text(const CommandManual& command);
/// `--help` of several that belong together.
std::string help_text(std::span<const CommandManual> commands);
/// reprise(1), for man: man(7).
std::string man_page();
/// A script for bash-completion, or to be sourced.
std::string bash_completion();
/// The options of `reprise run` and the drivers for --device, as they stand in docs/command.md.
std::string markdown_options();

}  // namespace reprise::frontend
