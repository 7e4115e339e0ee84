// The page of --report: one HTML file that needs nothing else.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "frontend/options/run_options.h"
#include "machine/memory_report/memory_report.h"

namespace reprise::frontend {

/// What the page shows. docs/report.md, "The data".
nlohmann::ordered_json memory_report_json(const machine::memory_report::MemoryReport& report);
/// The page as text. `report` is finished.
std::string memory_page_text(const machine::memory_report::MemoryReport& report, const RunOptions& options);

}  // namespace reprise::frontend
