// Saved states from which tests begin, right before their command.
#pragma once

#include <string>

#include "common/result.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

/// The state of `--from-snapshot auto`, made if it is missing, by a process of its own: of the kernel and options of `request`, and of
/// the file `initramfs`. Its name is a digest of all that, so another kernel has another one. Error: a sentence.
Result<std::string> usual_snapshot(const TestRequest& request, const std::string& initramfs);

}  // namespace reprise::frontend
