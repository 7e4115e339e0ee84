// A plan as text, for a person.
#pragma once

#include <string>

#include "jit/plan/plan.h"

namespace reprise::jit {

/// Annotations of instruction `index`, on one line; empty when it has none.
std::string plan_text(const Plan& plan, std::size_t index);

}  // namespace reprise::jit
