#include "common/nearest.h"

#include <algorithm>
#include <vector>

#include "common/words.h"

namespace reprise {
// Levenshtein 1966.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

Nearest::Nearest(std::string_view wrong)
    : wrong_(in_small_letters(wrong)), best_distance_(2 + wrong.size() / 4) {}

void Nearest::offer(std::string_view name) {
  const std::string other = in_small_letters(name);
  constexpr std::size_t kFewestLetters = 3;
  const bool begun = wrong_.size() >= kFewestLetters && other.starts_with(wrong_);
  const std::size_t distance = begun ? 1 : edit_distance(wrong_, other);
  // At least half of it must be there.
  if (distance >= best_distance_ || 2 * distance >= name.size()) return;
  best_distance_ = distance;
  best_ = name;
}

}  // namespace reprise
