// GuestWords: tells what the guest's first program says to the host from what the command prints, in one stream of bytes.
// A word is RS (1Eh), the token, a space, a text without line feeds, and a line feed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::verdict {

class GuestWords {
 public:
  struct Listener {
    std::function<void(std::string_view bytes)> printed;  // all that is no word, in order
    std::function<void(std::string_view text)> said;
  };
  GuestWords(std::string_view token, Listener listener);

  void write(std::string_view bytes);
  /// What may still become a word; and the same of a stream that goes on.
  const std::string& held() const { return held_; }
  void hold(std::string held) { held_ = std::move(held); }
  /// What may still have become a word was none.
  void end();

 private:
  static constexpr std::size_t kMaxText = 1024;

  /// Takes back bytes that looked like a word.
  void release();

  const std::string begin_;  // of a word
  const Listener listener_;
  std::string held_;  // what may be a word: a beginning of begin_, or all of it and some text
};

}  // namespace reprise::verdict
