// Disks whose writes go to files, in a saved state. Those files go on with the run, so the state has what they hold:
// docs/decisions/0016-states-copy-what-is-written.md.
#pragma once

#include <string>
#include <vector>

#include "machine/snapshot/state_stream.h"
#include "machine/storage/disk_set.h"

namespace reprise::machine {

/// What the guest writes to the drive goes to a file of its own: write=yes or overlay=.
bool writes_a_file(const DiskInfo& disk);

/// `lines`, which are Machine::shape(), as a state says them: whoever loads that has overlays that are gone with the run. Error: an image
/// under an overlay cannot be opened.
Result<std::vector<std::string>> lines_in_state(const DiskSet& disks, std::vector<std::string> lines);
/// Lines of `saved` of drives of which the state has all content become those of `here`: what their images hold does not matter.
void accept_copied_drives(std::vector<std::string>& saved, const std::vector<std::string>& here);

/// What the drive holds where it is not what the image under its overlay does; with write=yes all of it. As save_overlay(), for
/// load_overlay(). Error: the host cannot read it, a sentence.
Result<Done> save_written_disk(StateWriter& writer, const DiskSet& disks, std::size_t drive);

}  // namespace reprise::machine
