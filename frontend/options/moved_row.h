// --image NAME=PATH, which several commands take.
#pragma once

#include "frontend/options/run_rows.h"

namespace reprise::frontend {

void add_moved_file(RunDraft& draft, const Given& given);

inline constexpr RunOption kMovedRow = {
    .name = "--image",
    .value = "NAME=PATH",
    .shown = Shown::Name,
    .help = "where a file of the run is now: image, kernel, initrd, firmware, saved state",
    .more = "NAME is its name in the run, with or without folders.",
    .counts = Counts::Each,
    .set = add_moved_file};

}  // namespace reprise::frontend
