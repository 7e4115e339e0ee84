#include "machine/record/recorded_entries.h"

#include <fmt/format.h>

#include <utility>

namespace reprise::machine {

void RecordedEntries::pop() {
  next_.reset();
  before_ = reader_.offset();
  last_ = reader_.context().last;
  sinks_ = reader_.context().sinks.size();
  files_ = reader_.context().files.size();
  if (has_end_) return;
  RecordEntry record;
  do {
    switch (reader_.next(record)) {
      case RecordDecoder::Outcome::Whole: break;
      case RecordDecoder::Outcome::Incomplete:
        cut_ = "the run that was recorded was cut off there";
        has_end_ = true;
        return;
      case RecordDecoder::Outcome::Damaged:
        cut_ = fmt::format("it is damaged from byte {} on", reader_.offset());
        has_end_ = damaged_ = true;
        return;
    }
  } while (std::holds_alternative<RecordedPiece>(record) || std::holds_alternative<RecordedFile>(record));
  Position at = next_at_;
  if (const auto* event = std::get_if<LoggedEvent>(&record)) at = event->at;
  if (const auto* hash = std::get_if<RecordedHash>(&record)) at = hash->at;
  if (const auto* end = std::get_if<RecordedEnd>(&record)) {
    at = end->at;
    has_end_ = true;
  }
  const bool is_run = std::holds_alternative<RecordedRun>(record);
  if (at < next_at_ || (is_run && has_run_)) {
    cut_ = "it is damaged: an entry is out of place";
    has_end_ = damaged_ = true;
    return;
  }
  has_run_ = true;
  next_at_ = at;
  next_ = std::move(record);
}

RecordPlace RecordedEntries::place() const {
  const RecordContext& context = reader_.context();
  const auto first = [](const std::vector<std::string>& names, std::size_t count) {
    return std::vector(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count));
  };
  return {before_, {last_, first(context.sinks, sinks_), first(context.files, files_)}};
}

void RecordedEntries::go_to(const RecordPlace& place) {
  reader_.go_to(place);
  next_at_ = place.context.last;
  has_end_ = damaged_ = false;
  cut_.clear();
  pop();
}

}  // namespace reprise::machine
