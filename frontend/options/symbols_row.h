// --symbols FILE, which several commands take.
#pragma once

#include "frontend/options/run_rows.h"

namespace reprise::frontend {

inline constexpr RunOption kSymbolsRow = {
    .name = "--symbols",
    .value = "FILE",
    .shown = Shown::Name,
    .help = "names of the guest's kernel: its vmlinux, or a list as System.map",
    .more =
        "They show in the monitor, the report of --report, dumps and the perf map, and say where the "
        "kernel is when a run ends badly. Where KASLR has put it is found by itself; docs/debugging.md.",
    .set = [](RunDraft& draft, const Given& given) { draft.options.symbols_path = given.value; }};

}  // namespace reprise::frontend
