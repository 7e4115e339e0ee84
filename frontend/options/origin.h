// From options to what a saved state keeps of them, and back.
#pragma once

#include <string>
#include <vector>

#include "frontend/options/run_rows.h"
#include "machine/snapshot/run_origin.h"

namespace reprise::frontend {

/// What relative names of files are relative to: they become names from /, or stay as they are for who knows that folder.
enum class Names : u8 { OfThisFolder, OfItsFolder };

/// The command that makes the machine of `draft` again, whoever gives it: `words` of `reprise run`, and what was chosen for
/// lack of some.
machine::RunOrigin origin_of(const RunDraft& draft, const std::vector<std::string>& words);

/// Takes the options of an origin for those of `draft`, with names of files as they are from here. Throws BadValue.
void take_origin(machine::RunOrigin origin, RunDraft& draft, Names names);

/// Those of `words` that do not say what the machine is.
std::vector<std::string> words_about_the_run(const std::vector<std::string>& words);

/// The file that --load names among `words`; empty: none.
std::string state_to_load(const std::vector<std::string>& words);

}  // namespace reprise::frontend
