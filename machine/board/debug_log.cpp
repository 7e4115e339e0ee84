#include "machine/board/debug_log.h"

#include <algorithm>
#include <string_view>

namespace reprise::machine {
namespace {

constexpr std::string_view kNothingToBoot[] = {"No bootable device.",
                                               "No bootable option or device was found."};
/// It says "Booting from Hard Disk..." before it reads, and this when it enters what it has read.
constexpr std::string_view kBoots = "Booting from 0000:7c00";

}  // namespace

void DebugLog::write(std::span<const u8> bytes) {
  for (const u8 byte : bytes) {
    if (byte != '\n' && line_.size() < kMaxLine) {
      line_.push_back(static_cast<char>(byte));
      continue;
    }
    log_.write("guest", LogLevel::Info, "{}", line_);
    if (std::ranges::any_of(kNothingToBoot,
                            [&](std::string_view words) { return line_.find(words) != std::string::npos; }))
      found_nothing_to_boot_ = true;
    if (line_.starts_with(kBoots)) ++boot_attempts_;
    line_.clear();
  }
}

void DebugLog::serialize(Archive& archive) {
  archive.tag("debug-log");
  std::vector<u8> line(line_.begin(), line_.end());
  archive.value(line, kMaxLine);
  line_.assign(line.begin(), line.end());
  archive.value(found_nothing_to_boot_);
}

}  // namespace reprise::machine
