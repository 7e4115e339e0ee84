// A build without toml++.
#include <fmt/format.h>

#include "frontend/test/run_plan.h"

namespace reprise::frontend {

Result<std::vector<PlannedTest>> read_suite(const std::string&, const std::string& path,
                                            const std::vector<std::string>&) {
  return wrong_usage(
      fmt::format("suite '{}': this reprise was built without toml++: build it with Debian's package "
                  "libtomlplusplus-dev.",
                  path));
}

}  // namespace reprise::frontend
