// What drives with removable media hold in a saved state, where it is not what the command says.
#pragma once

#include <vector>

#include "machine/snapshot/state_stream.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

/// A section.
void save_media(StateWriter& writer, const std::vector<HeldMedium>& media);
/// Its strings may hold anything.
std::vector<HeldMedium> load_media(StateReader& reader);

}  // namespace reprise::machine
