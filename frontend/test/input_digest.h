// Digests of what a test is made of: what was kept of another one is not gone on from.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

/// Of the kernel and `initramfs`, behind what `digest` is of. Error: they cannot be read.
Result<u64> digest_of_files(const TestRequest& request, const std::string& initramfs, u64 digest = 0);
u64 digest_of_text(std::string_view text, u64 digest);
/// The build of this program, and the format of its states: another one does not go on from what this one kept.
std::string build_and_format();

}  // namespace reprise::frontend
