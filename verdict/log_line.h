// Lines of a kernel's log, as consoles show them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::verdict {

/// What stands behind "<6>", "[   12.345678] " and "[    T123] ", where they are.
std::string_view without_stamp(std::string_view line);

/// Bytes to lines, without their ends; of a carriage return in a line only what is behind it stays. A line that is
/// longer than kMaxBytes is cut into several.
class LineSplitter {
 public:
  static constexpr std::size_t kMaxBytes = 16384;

  explicit LineSplitter(std::function<void(std::string_view line)> take) : take_(std::move(take)) {}
  void write(std::string_view bytes);
  /// The last line has no end.
  void end();
  /// Nothing of a line has come yet.
  bool at_beginning() const { return line_.empty(); }

 private:
  void take_line();

  const std::function<void(std::string_view)> take_;
  std::string line_;
};

}  // namespace reprise::verdict
