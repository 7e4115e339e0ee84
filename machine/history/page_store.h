// PageStore: earlier contents of RAM. A checkpoint has the pages that were written since the one before it, so that its content is
//
//     of each page, the newest version in its own Delta or in one before it; zero where there is none
//
// What is equal to the version before it, or zero, takes no room.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "mmu/ram.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class PageStore {
 public:
  struct Version {
    u32 page = 0;  // a number: offset in RAM / 4096
    u32 slot = 0;  // where its content is; 0: it is zero
  };
  /// In ascending order of pages.
  using Delta = std::vector<Version>;
  /// Oldest first.
  using Deltas = std::vector<const Delta*>;

  /// `ram` outlives this.
  explicit PageStore(mmu::Ram& ram);

  /// What RAM holds now and the newest of `before` does not say. RAM was as one of them says once, and has since come to
  /// where it is by running on. `next`, the one that will follow, goes on saying what it said; nullptr: there is none. Ends an
  /// epoch.
  Delta take(const Deltas& before, Delta* next);
  /// RAM holds what the last of `deltas` says. `changing` is told each page of which the content changes, before it does.
  void restore(const Deltas& deltas, const std::function<void(u64 page)>& changing);
  /// `older` is to go, and `newer`, which is the next one, says what both said. RAM has not come from `older` to where it is,
  /// with no other taken or restored since.
  void merge(Delta older, Delta& newer);
  /// It is the last one.
  void drop(const Delta& delta);

  /// Memory of the host that the contents take.
  u64 bytes() const { return used_slots_ * kPageBytes; }
  /// Pages that all restores have changed.
  u64 pages_restored() const { return pages_restored_; }

 private:
  static constexpr u32 kZero = 0;
  static constexpr u32 kUnknown = ~u32{0};
  static constexpr u32 kSlotsOfAChunk = 512;

  u8* at(u32 slot) {
    return chunks_[(slot - 1) / kSlotsOfAChunk].get() + u64{(slot - 1) % kSlotsOfAChunk} * kPageBytes;
  }
  u32 take_slot();
  void free_slot(const Version& version);
  void share_slot(u32 slot) {
    if (slot != kZero) ++users_[slot];
  }
  /// wanted_ is what the newest of `deltas` says.
  void collect(const Deltas& deltas);

  mmu::Ram& ram_;
  u64 seen_epoch_ = 0;
  // By page: the version that RAM had at the end of seen_epoch_. What was not written since has it still.
  std::vector<u32> have_;
  std::vector<u32> wanted_;
  std::vector<std::unique_ptr<u8[]>> chunks_;
  std::vector<u32> users_ = {0};  // by slot: how many versions it is the content of
  std::vector<u32> free_;
  u64 used_slots_ = 0;
  u64 pages_restored_ = 0;
};

}  // namespace reprise::machine
