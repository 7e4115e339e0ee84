// The options of `reprise test`: its own, and those of `reprise run` that mean something here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "frontend/options/option.h"
#include "frontend/options/run_rows.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

using TestOption = Option<TestRequest>;

/// Its own.
std::span<const OptionGroup<TestRequest>> test_option_groups();
/// Those of `reprise run` beside them.
std::span<const OptionGroup<RunDraft>> run_option_groups_of_test();

/// Throws BadValue.
AnnotationForm want_annotations(const Given& given);
void set_fail_over(CostLimits& limits, const Given& given);

/// Takes the words behind `reprise test`. Returns those for the machine, as `reprise run` takes them. Throws BadValue.
std::vector<std::string> take_test_words(const std::vector<std::string>& words, TestRequest& request);

/// `words` of these without those that say what the machine is, but for those that a copy of a saved state may have of its own where that is
/// what it is.
std::vector<std::string> without_machine(const std::vector<std::string>& words, bool is_copy);

}  // namespace reprise::frontend
