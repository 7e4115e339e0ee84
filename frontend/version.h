// Which program this is.
#pragma once

#include <string>
#include <string_view>

namespace reprise::frontend {

/// "reprise 0.1.0".
std::string_view version_text();
/// "reprise 0.1.0 (build 0123456789ab)": programs of one version that were built from other sources, or otherwise, have other names.
const std::string& build_text();
/// Differs for programs that were built from other sources, or otherwise. Empty: this one cannot tell.
const std::string& build_id();
/// "reprise 0.1.0, Release build\n".
std::string version_line();

}  // namespace reprise::frontend
