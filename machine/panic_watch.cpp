#include "machine/panic_watch.h"

#include <algorithm>
#include <string_view>

namespace reprise::machine {
namespace {

constexpr std::string_view kPanic = "Kernel panic - not syncing";
constexpr std::size_t kMaxLine = 512;

/// `line` without a leading "[    1.234567] ".
std::string_view without_timestamp(std::string_view line) {
  if (!line.starts_with('[')) return line;
  const std::size_t close = line.find("] ");
  return close == std::string_view::npos ? line : line.substr(close + 2);
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
  archive.value(bytes_);
}

void PanicWatch::end_line() {
  const std::string_view text = without_timestamp(line_);
  if (text.starts_with(kPanic) && !suspected_) {
    suspected_ = true;
    message_ = text;
  }
  line_.clear();
}

}  // namespace reprise::machine
