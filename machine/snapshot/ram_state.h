// RAM in a saved state: the pages that are not zero.
#pragma once

#include "machine/snapshot/state_stream.h"
#include "mmu/ram.h"

namespace reprise::machine {

void save_ram(StateWriter& writer, const mmu::Ram& ram);
/// Pages that differ are marked as written; code that was translated from them is the caller's affair. After a problem
/// (StateReader::ok) RAM holds some of each.
void load_ram(StateReader& reader, mmu::Ram& ram);

}  // namespace reprise::machine
