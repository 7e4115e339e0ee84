// Which program this is.
#pragma once

#include <string>
#include <string_view>

namespace reprise::frontend {

/// "reprise 0.1.0".
std::string_view version_text();
/// "reprise 0.1.0, Release build\n".
std::string version_line();

}  // namespace reprise::frontend
