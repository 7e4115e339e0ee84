// RecordedEntries: what a run is to follow, entry by entry. What is there of files is passed by: whoever opens them knows it.
#pragma once

#include <optional>
#include <string>

#include "machine/record/record_reader.h"

namespace reprise::machine {

/// The bytes may be anybody's.
class RecordedEntries {
 public:
  RecordedEntries(std::shared_ptr<const HostFd> file, u64 offset) : reader_(std::move(file), offset) {
    pop();
  }
  RecordedEntries(std::span<const u8> bytes, u64 first_offset) : reader_(bytes, first_offset) { pop(); }

  /// The entry that comes next; nullptr: there is none.
  const RecordEntry* next() const { return next_ ? &*next_ : nullptr; }
  void pop();
  /// Where that is. Past the last entry: the last one's.
  const Position& next_at() const { return next_at_; }
  /// Behind the last entry: why there is none, as a phrase; empty: it ends as it should.
  const std::string& cut() const { return cut_; }
  /// It is not that nobody wrote on.
  bool damaged() const { return damaged_; }

  /// Before the next entry.
  RecordPlace place() const;
  /// Back, or on, to a place() of the same entries.
  void go_to(const RecordPlace& place);

 private:
  RecordReader reader_;
  // Before next_: names of the reader's context are only ever added.
  u64 before_ = 0;
  Position last_;
  std::size_t sinks_ = 0;
  std::size_t files_ = 0;
  std::optional<RecordEntry> next_;
  Position next_at_;
  bool has_run_ = false;
  bool has_end_ = false;
  std::string cut_;
  bool damaged_ = false;
};

}  // namespace reprise::machine
