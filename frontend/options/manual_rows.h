// The arguments of `reprise manual`, as rows.
#pragma once

#include <span>
#include <string>

#include "frontend/options/option.h"

namespace reprise::frontend {

struct ManualRequest {
  std::string (*form)() = nullptr;  // prints the manual
};

std::span<const OptionGroup<ManualRequest>> manual_option_groups();

}  // namespace reprise::frontend
