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
  /// A bit per page: it may have been written. What holds what it held before may have been, too.
  using Written = std::vector<u64>;
  /// Oldest first.
  using Deltas = std::vector<const Delta*>;

  /// A RAM that is brought to earlier contents.
  struct View {
    explicit View(mmu::Ram& its_ram) : ram(its_ram), have(ram.bytes() / kPageBytes, kZero), wanted(have) {}
    mmu::Ram& ram;
    u64 seen_epoch = 0;
    // By page: the version that RAM had at the end of seen_epoch. What was not written since has it still.
    std::vector<u32> have;
    std::vector<u32> wanted;  // of restore()
  };

  /// `ram` outlives this.
  explicit PageStore(mmu::Ram& ram);

  /// What RAM holds now and the newest of `before` does not say. RAM was as one of them says once, and has since come to
  /// where it is by running on. `next`, the one that will follow, goes on saying what it said; nullptr: there is none. Ends an
  /// epoch.
  /// `written` becomes the pages that were written on the way, and maybe more.
  Delta take(const Deltas& before, Delta* next, Written& written);
  /// RAM holds what the last of `deltas` says. `changing` is told each page of which the content changes, before it does.
  void restore(const Deltas& deltas, const std::function<void(u64 page)>& changing) {
    restore(own_, deltas, changing);
  }
  /// The same of another RAM, which was zero, and is as large. Any thread, as long as nothing else is done here.
  void restore(View& view, const Deltas& deltas, const std::function<void(u64 page)>& changing) const;
  /// It is told when what it has goes. It leaves before this goes.
  void add_view(View& view) { views_.push_back(&view); }
  void remove_view(View& view) { std::erase(views_, &view); }
  /// `older` is to go, and `newer`, which is the next one, says what both said. RAM has not come from `older` to where it is,
  /// with no other taken or restored since.
  void merge(Delta older, Delta& newer);
  /// It is the last one.
  void drop(const Delta& delta);

  /// Memory of the host that the contents take.
  u64 bytes() const { return used_slots_ * kPageBytes; }

 private:
  static constexpr u32 kZero = 0;
  static constexpr u32 kUnknown = ~u32{0};
  static constexpr u32 kSlotsOfAChunk = 512;

  u8* at(u32 slot) const {
    return chunks_[(slot - 1) / kSlotsOfAChunk].get() + u64{(slot - 1) % kSlotsOfAChunk} * kPageBytes;
  }
  u32 take_slot();
  void free_slot(const Version& version);
  void share_slot(u32 slot) {
    if (slot != kZero) ++users_[slot];
  }

  View own_;
  std::vector<View*> views_;
  std::vector<std::unique_ptr<u8[]>> chunks_;
  std::vector<u32> users_ = {0};  // by slot: how many versions it is the content of
  std::vector<u32> free_;
  u64 used_slots_ = 0;
};

}  // namespace reprise::machine
