// What the user calls a thing, in a saved state.
#pragma once

#include <string>
#include <vector>

#include "common/archive.h"

namespace reprise::machine {

inline constexpr u64 kMostArchiveText = 64;

/// `text` has at most kMostArchiveText characters.
inline void serialize_text(Archive& archive, std::string& text) {
  std::vector<u8> bytes(text.begin(), text.end());
  archive.value(bytes, kMostArchiveText);
  text.assign(bytes.begin(), bytes.end());
}

}  // namespace reprise::machine
