#include "frontend/escape_keys.h"

namespace reprise::frontend {

EscapeKeys::Outcome EscapeKeys::take(std::span<const u8> typed) {
  constexpr u8 kCtrlA = 1;
  Outcome outcome;
  for (const u8 key : typed) {
    if (!after_escape_) {
      if (key == kCtrlA)
        after_escape_ = true;
      else
        outcome.to_guest.push_back(key);
      continue;
    }
    after_escape_ = false;
    switch (key) {
      case 'x':
      case 'X': outcome.quit = true; break;
      case 'h':
      case 'H':
      case '?': outcome.help = true; break;
      case 'c':
      case 'C': outcome.monitor = true; break;
      case 'b':
      case 'B': outcome.line_break = true; break;
      case 'a':
      case kCtrlA: outcome.to_guest.push_back(kCtrlA); break;
      default: break;
    }
  }
  return outcome;
}

}  // namespace reprise::frontend
