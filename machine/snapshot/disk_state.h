// What guests wrote to their disks, in a saved state: where an overlay differs from its base.
#pragma once

#include "devices/backend.h"
#include "devices/block_generations.h"
#include "machine/snapshot/state_stream.h"

namespace reprise::machine {

/// A digest of the size and of pieces of the content all over it: the same for the same image, and another, as good
/// as always, for another one or for one that was used meanwhile.
u64 image_sample(devices::BlockBackend& image);

/// The content at the end of `generation` (the current one: now) where it is not the base's. Part of a section.
void save_overlay(StateWriter& writer, devices::BlockGenerations& overlay,
                  devices::BlockGenerations::Generation generation);
// --- The same piece by piece ---

using DiskRange = devices::BlockGenerations::Range;
/// At most 64 KiB.
void save_piece(StateWriter& writer, u64 offset, std::span<const u8> content);
/// Of any size; none: nothing.
void save_zeros(StateWriter& writer, const DiskRange& range);
/// Behind the last one.
void end_pieces(StateWriter& writer);

/// Forgets what the overlay holds and puts that of the state in its place.
void load_overlay(StateReader& reader, devices::BlockBackend& disk, devices::BlockGenerations& overlay);

}  // namespace reprise::machine
