// Saved states by name, as savevm and -loadvm have them: in a folder beside an image, one file each.
// docs/decisions/0017-named-states-lie-beside-an-image.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

/// Letters, digits, '-', '.' and '_', up to 100 of them, and no '.' first. Error: a sentence.
Result<Done> check_state_name(std::string_view name);
/// "disk.img.snapshots".
std::string folder_of_states(const std::string& image_path);
/// "disk.img.snapshots/NAME.state", of a name that is one.
std::string path_of_state(const std::string& image_path, std::string_view name);

/// What there is to tell of one.
struct NamedState {
  std::string name;
  u64 bytes = 0;  // that it takes on the host
  u64 retired = 0;
  u64 virtual_ns = 0;
};
/// Those beside the image, by name. Files that are no states are passed by.
std::vector<NamedState> named_states(const std::string& image_path);

}  // namespace reprise::machine
