#include "machine/panic_watch.h"

#include <algorithm>
#include <string_view>

#include "common/words.h"

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

/// Of UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Whether the line that stands in `row` goes on in `next`. Blanks at the end of rows do not show: a row that lacks one
/// goes on if lines have time stamps and the next row has none.
bool goes_on(std::string_view row, std::string_view next, u32 columns) {
  const std::size_t used = characters(row);
  return used == columns ||
         (used + 1 == columns && row.starts_with('[') && !next.starts_with('[') && !next.empty());
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

std::string panic_line_on_screen(std::string_view screen, u32 columns) {
  const std::vector<std::string_view> rows = words_between(screen, "\n");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!starts_with_one_of(without_timestamp(rows[i]), kPanics)) continue;
    std::string line(rows[i]);
    for (; i + 1 < rows.size() && goes_on(rows[i], rows[i + 1], columns); ++i) {
      line.resize(line.size() + (columns - characters(rows[i])), ' ');
      line += rows[i + 1];
    }
    return std::string(without_timestamp(line));
  }
  return {};
}

}  // namespace reprise::machine
