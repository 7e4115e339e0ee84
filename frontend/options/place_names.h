// Names of files in options that were relative to another folder than this one.
#pragma once

#include <string>
#include <string_view>

namespace reprise::frontend {

/// `value` of the option called `option` with names of files as they are from everywhere, when they were relative to `folder`.
/// Only options of the machine (RunOption::of_machine) name files for it. Names that are looked for elsewhere, too (firmware, an option
/// ROM of a package), stay as they are where `folder` does not have them.
std::string placed_value(std::string_view option, std::string value, const std::string& folder);

/// Whether placed_value() knows the files of that option.
bool places_files_of(std::string_view option);

}  // namespace reprise::frontend
