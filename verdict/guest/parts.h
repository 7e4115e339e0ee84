// Files of the guest's, which the build has put into the program.
#pragma once

#include <string_view>

namespace reprise::verdict::parts {

extern const std::string_view init;

}  // namespace reprise::verdict::parts
