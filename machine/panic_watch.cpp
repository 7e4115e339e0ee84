#include "machine/panic_watch.h"

#include <algorithm>
#include <string_view>

namespace reprise::machine {
namespace {

constexpr std::string_view kPanics[] = {"Kernel panic - not syncing", "Kernel panic: "};
/// What Linux prints before it waits for ever, or for a time (panic=N).
constexpr std::string_view kEnds[] = {"---[ end Kernel panic", "Rebooting in "};
constexpr std::size_t kMaxLine = 512;

/// `line` without a leading "[    1.234567] ".
std::string_view without_timestamp(std::string_view line) {
  if (!line.starts_with('[')) return line;
  const std::size_t close = line.find("] ");
  return close == std::string_view::npos ? line : line.substr(close + 2);
}

bool starts_with_one_of(std::string_view line, std::span<const std::string_view> beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view begin) { return line.starts_with(begin); });
}

}  // namespace

void PanicWatch::write(std::span<const u8> bytes) {
  next_.write(bytes);
  bytes_ += bytes.size();
  for (const u8 byte : bytes) {
    if (byte == '\n' || byte == '\r')
      end_line();
    else if (line_.size() < kMaxLine)
      line_.push_back(static_cast<char>(byte));
  }
}

void PanicWatch::serialize(Archive& archive) {
  for (std::string* text : {&line_, &message_}) {
    std::vector<u8> bytes(text->begin(), text->end());
    archive.value(bytes, kMaxLine);
    text->assign(bytes.begin(), bytes.end());
  }
  archive.value(suspected_);
  archive.value(ended_);
  archive.value(bytes_);
}

void PanicWatch::end_line() {
  const std::string_view text = without_timestamp(line_);
  if (suspected_) {
    ended_ = ended_ || starts_with_one_of(text, kEnds);
  } else if (starts_with_one_of(text, kPanics)) {
    suspected_ = true;
    message_ = text;
  }
  line_.clear();
}

std::string panic_line_on_screen(std::string_view screen) {
  while (!screen.empty()) {
    const std::string_view line = screen.substr(0, screen.find('\n'));
    screen.remove_prefix(std::min(line.size() + 1, screen.size()));
    if (starts_with_one_of(without_timestamp(line), kPanics)) return std::string(without_timestamp(line));
  }
  return {};
}

}  // namespace reprise::machine
