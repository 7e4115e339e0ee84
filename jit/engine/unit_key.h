// All that the code for a translation unit is a function of, but for what holds for all units: guest instructions, mode,
// and what was known of the blocks around them.
#pragma once

#include <span>
#include <vector>

#include "jit/host/translation_unit.h"

namespace reprise::jit {

/// `guest`: the unit's bytes in the guest's memory. Equal keys have equal code. Not for units whose code depends on an
/// address: TranslationUnit::second_page and known_page_base.
std::vector<u8> unit_key(const TranslationUnit& unit, std::span<const u8> guest);

}  // namespace reprise::jit
