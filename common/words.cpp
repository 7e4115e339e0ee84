#include "common/words.h"

#include <algorithm>

namespace reprise {

std::vector<std::string_view> words_between(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    words.push_back(text.substr(0, text.find(separator)));
    text.remove_prefix(std::min(words.back().size() + separator.size(), text.size()));
  }
  return words;
}

std::string in_small_letters(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace reprise
