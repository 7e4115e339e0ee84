#include "frontend/console.h"

namespace reprise::frontend {

void Console::write(std::span<const u8> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::lock_guard lock(mutex_);
  if (!at_prompt_) return write_(text);
  held_ += text;
  if (held_.size() <= kMaxHeldBytes) return;
  write_("\r\n" + held_ + "\r\n" + prompt_line_);
  held_.clear();
}

void Console::enter_prompt() {
  const std::lock_guard lock(mutex_);
  at_prompt_ = true;
}

void Console::leave_prompt() {
  const std::lock_guard lock(mutex_);
  if (!at_prompt_) return;
  at_prompt_ = false;
  write_(held_);
  held_.clear();
}

void Console::show(std::string_view text, std::string prompt_line) {
  const std::lock_guard lock(mutex_);
  prompt_line_ = std::move(prompt_line);
  write_(text);
}

}  // namespace reprise::frontend
