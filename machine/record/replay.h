// Replay: a recording that a machine follows. What it has for the guest comes in where it came in, and the machine is compared with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/record/recorder.h"
#include "machine/record/recording.h"
#include "machine/storage/counted_image.h"

namespace reprise::machine {

/// Thread: the machine's.
class Replay {
 public:
  explicit Replay(std::unique_ptr<Recording> recording)
      : recording_(std::move(recording)), entries_(recording_->entries()) {}
  /// Of the log of the machine's own run, from `place` on.
  Replay(RecordedLog log, const RecordPlace& place)
      : log_(std::move(log)), own_(std::in_place, log_.bytes, log_.first_offset), entries_(*own_) {
    entries_.go_to(place);
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  /// nullptr: it is the machine's own run.
  const Recording* recording() const { return recording_.get(); }
  /// The next entry; nullptr: the recording is over.
  const RecordEntry* next() const { return entries_.next(); }
  /// Of it, or of the last one.
  const Position& next_at() const { return entries_.next_at(); }
  /// As RecordedEntries.
  const std::string& cut() const { return entries_.cut(); }
  bool damaged() const { return entries_.damaged(); }
  RecordPlace place() const { return entries_.place(); }
  /// The machine is where it was when place() gave this.
  void go_to(const RecordPlace& place) { entries_.go_to(place); }

  /// The event that is due at `now`, if one is.
  std::optional<LoggedEvent> take_event(const Position& now);
  /// What the host answered when `who` asked `question`. Nothing: the recording has something else, and differs from now on.
  std::optional<std::vector<u8>> take_answer(const Position& now, std::string_view who,
                                             std::string_view question);
  /// How the host failed `request` of a drive's at `now`; status Ok: it did not.
  DiskError take_error(const Position& now, DiskError request);
  bool hash_is_due(const Position& now) const;
  /// Compares the state with the link of the chain that is due.
  void take_hash(const Position& now, u64 state_hash, const std::vector<RecordedReads>& reads = {});
  /// Nobody compares it this time.
  void pass_hash() { entries_.pop(); }
  /// The end that is due at `now`, if it is.
  const RecordedEnd* end_at(const Position& now) const;
  /// The machine has ended as `reason` says, in this state. Compares that; the end as it was recorded, if they agree.
  std::optional<RecordedEnd> take_end(const Position& now, u8 reason, u64 state_hash,
                                      const std::vector<RecordedReads>& reads = {});

  /// An entry was due before `now` and did not come about.
  void check_passed(const Position& now);
  /// The first difference was found: what it is.
  void differs(const Position& now, std::string what);
  const std::string& difference() const { return difference_; }
  /// Lines about the last point that agreed, and the one that did not.
  std::string report() const;
  /// The last link of the chain that agreed, and where the first difference was.
  const Position& agreed_at() const { return agreed_.at; }
  const Position& differed_at() const { return differed_at_; }
  /// Links of the chain that agreed.
  u64 agreed() const { return agreed_count_; }

 private:
  const std::unique_ptr<Recording> recording_;
  const RecordedLog log_;
  std::optional<RecordedEntries> own_;
  RecordedEntries& entries_;
  RecordedHash agreed_;
  u64 agreed_count_ = 0;
  Position differed_at_;
  std::string difference_;
};

/// "@123" or "@123.4".
std::string position_text(const Position& position);
/// What an entry is, in a phrase.
std::string describe(const RecordEntry& record);

}  // namespace reprise::machine
