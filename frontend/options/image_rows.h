// The options of `reprise image`, as rows.
#pragma once

#include <span>
#include <string>

#include "frontend/options/option.h"

namespace reprise::frontend {

/// The words of one image command, as they were given.
struct ImageRequest {
  std::string file, size, format, backing;
  bool json = false;
};

struct ImageCommand {
  std::string_view name;     // "image create"
  std::string_view purpose;  // a sentence
  std::span<const OptionGroup<ImageRequest>> groups;
};

std::span<const ImageCommand> image_commands();

}  // namespace reprise::frontend
