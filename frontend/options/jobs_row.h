// --jobs N, which several commands take.
#pragma once

#include "frontend/options/run_rows.h"
#include "frontend/options/want.h"

namespace reprise::frontend {

inline constexpr RunOption kJobsRow = {
    .name = "--jobs",
    .value = "N",
    .shown = Shown::Name,
    .help =
        "threads that answer questions about the past (default: as many as the host has processors, at most "
        "4)",
    .more = "Each but the first takes as much of the host's memory as the guest has.",
    .set = [](RunDraft& draft, const Given& given) { draft.options.jobs = want_count(given, 64); }};

}  // namespace reprise::frontend
