// The name that was probably meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reprise {

/// How many letters must be added, left out or changed to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Remembers which of the names it is shown is most like `wrong`, or goes on from it. Capitals count as small letters.
class Nearest {
 public:
  explicit Nearest(std::string_view wrong);
  void offer(std::string_view name);
  /// Empty: none is like it. Lives as long as what was offered.
  std::string_view name() const { return best_; }

 private:
  std::string wrong_;
  std::string_view best_;
  std::size_t best_distance_;
};

}  // namespace reprise
