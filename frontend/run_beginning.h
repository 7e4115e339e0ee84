// How a machine that was just made gets to where its run begins.
#pragma once

#include <functional>
#include <string>

#include "common/result.h"
#include "machine/machine.h"
#include "machine/storage/run_files.h"

namespace reprise::frontend {

/// What drives of the machine hold that is in the state of a file, for MachineConfig::media. What is wrong with the file is found when
/// it is loaded.
std::vector<machine::HeldMedium> media_of_state(const std::string& path, machine::RunFiles& files);

/// Puts the machine into the state of a file, which is one of a machine like it.
Result<Done> load_state(machine::Machine& machine, const std::string& path, machine::RunFiles& files);

/// It follows the recording at `path` from there.
Result<Done> follow_recording(machine::Machine& machine, const std::string& path);

/// The same from the last checkpoint at or before `begin` that was kept of it. Without one it is follow_recording(). `say` hears
/// a sentence about where it begins.
Result<Done> follow_from(machine::Machine& machine, const std::string& path, const machine::Position& begin,
                         const std::function<void(const std::string&)>& say);

}  // namespace reprise::frontend
