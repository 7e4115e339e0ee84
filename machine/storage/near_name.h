// For sentences about files that are not there.
#pragma once

#include <string>

namespace reprise::machine {

/// " (there is 'vmlinuz')": the file beside `path` whose name is most like it; empty when none is.
std::string near_name(const std::string& path);

}  // namespace reprise::machine
