// Ctrl-A commands in what the user types.
#pragma once

#include <span>
#include <vector>

#include "common/types.h"

namespace reprise::frontend {

/// Separates what goes to the guest from what is for us: Ctrl-A x quits, Ctrl-A h helps, Ctrl-A c is for
/// the monitor, Ctrl-A b sends a break, Ctrl-A Ctrl-A (or Ctrl-A a) sends one Ctrl-A; after Ctrl-A any other key is dropped.
class EscapeKeys {
 public:
  struct Outcome {
    std::vector<u8> to_guest;
    bool quit = false;
    bool help = false;
    bool monitor = false;
    bool line_break = false;
  };
  Outcome take(std::span<const u8> typed);

 private:
  bool after_escape_ = false;
};

}  // namespace reprise::frontend
