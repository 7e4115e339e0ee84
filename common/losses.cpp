#include "common/losses.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise {

void Losses::add(std::string_view output, std::string_view why, u64 bytes) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(losses_, output, &Loss::output);
  if (known != losses_.end())
    known->bytes += bytes;
  else
    losses_.push_back({std::string(output), std::string(why), bytes});
}

std::vector<Loss> Losses::list() const {
  const std::lock_guard lock(mutex_);
  return losses_;
}

bool Losses::any() const {
  const std::lock_guard lock(mutex_);
  return !losses_.empty();
}

std::string describe(const Loss& loss) {
  if (loss.bytes == 0) return fmt::format("{} is not complete: {}", loss.output, loss.why);
  return fmt::format("{} lost {} byte{}: {}", loss.output, loss.bytes, loss.bytes == 1 ? "" : "s", loss.why);
}

}  // namespace reprise
