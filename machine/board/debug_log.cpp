#include "machine/board/debug_log.h"

namespace reprise::machine {

void DebugLog::write(std::span<const u8> bytes) {
  constexpr std::size_t kMaxLine = 4096;
  for (const u8 byte : bytes) {
    if (byte != '\n' && line_.size() < kMaxLine) {
      line_.push_back(static_cast<char>(byte));
      continue;
    }
    log_.write("guest", LogLevel::Info, "{}", line_);
    line_.clear();
  }
}

}  // namespace reprise::machine
