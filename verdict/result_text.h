// What a result says to people and to programs that read text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verdict/outcome.h"

namespace reprise::verdict {

/// Without a name: "test 3".
std::string name_of(const TestResult& result);

/// Whether `report` is one with which the test does not pass.
bool fails(const KernelReport& report, const std::vector<ReportKind>& failing);

/// Valid UTF-8 without what XML cannot have: other bytes are U+FFFD.
std::string as_text(std::string_view bytes);

/// `lines` with line feeds between.
std::string joined(const std::vector<std::string>& lines);

}  // namespace reprise::verdict
