#include "frontend/version.h"

#include <fmt/format.h>

namespace reprise::frontend {

std::string_view version_text() { return "reprise " REPRISE_VERSION; }

std::string version_line() {
  constexpr std::string_view kBuildType = REPRISE_BUILD_TYPE;
  return fmt::format("{}, {} build\n", version_text(), kBuildType.empty() ? "plain" : kBuildType);
}

}  // namespace reprise::frontend
