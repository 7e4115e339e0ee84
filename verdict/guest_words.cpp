#include "verdict/guest_words.h"

#include <fmt/format.h>

namespace reprise::verdict {

GuestWords::GuestWords(std::string_view token, Listener listener)
    : begin_(fmt::format("\x1e{} ", token)), listener_(std::move(listener)) {}

void GuestWords::write(std::string_view bytes) {
  std::size_t from = 0;  // of bytes that were not passed on
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[i];
    const bool goes_on = !held_.empty() && (held_.size() < begin_.size() ? byte == begin_[held_.size()]
                                                                         : held_.size() < kMaxText);
    if (!held_.empty() && !goes_on) {
      release();
      from = i;
    }
    if (held_.empty()) {
      if (byte != begin_[0]) continue;
      if (i != from) listener_.printed(bytes.substr(from, i - from));
      held_ = byte;
      from = i + 1;
      continue;
    }
    from = i + 1;
    if (held_.size() >= begin_.size() && byte == '\n') {
      std::string text = held_.substr(begin_.size());
      if (text.ends_with('\r')) text.pop_back();
      held_.clear();
      listener_.said(text);
      continue;
    }
    held_ += byte;
  }
  if (from < bytes.size()) listener_.printed(bytes.substr(from));
}

void GuestWords::end() {
  if (!held_.empty()) release();
}

void GuestWords::release() {
  const std::string bytes = std::move(held_);
  held_.clear();
  listener_.printed(bytes);
}

}  // namespace reprise::verdict
