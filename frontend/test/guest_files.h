// What `reprise test` makes for its guest before the run: a folder for the files of the test, with the initramfs.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

/// Makes the folder of `request`, or one that is to go when all is well.
Result<Done> make_test_folder(TestRequest& request);

/// Makes the files, and completes `request` with where they are. Returns words of `reprise run` for the machine that they need.
Result<std::vector<std::string>> prepare_test(TestRequest& request);

/// Removes a folder that prepare_test() made where nobody asked for one.
void remove_test_folder(const TestRequest& request);

}  // namespace reprise::frontend
