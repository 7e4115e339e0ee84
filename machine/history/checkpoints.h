// Checkpoints: what a run was at instants of its past, in memory, so that it can be run again from there.
//
// Each has the machine as an archive and what differs from the one before it: pages of RAM (page_store.h) and generations of the
// disks (devices/block_generations.h). When they take too much room some in between go, so that those that are left lie the
// farther apart the older they are. The first one stays: there the history begins.
//
// Thread: the one that runs the machine.
#pragma once

#include <memory>
#include <vector>

#include "machine/history/page_store.h"
#include "machine/outside/position.h"
#include "machine/record/record.h"
#include "machine/storage/disk_set.h"

namespace reprise::machine {

struct Checkpoint {
  Position at;
  u64 number = 0;                // that a person knows it by, from 1; 0: nobody asked for it, and it may go
  std::vector<u64> retired_by;   // by processor
  std::vector<u8> machine = {};  // processors, board, and what the machine keeps of them
  RecordPlace log = {};          // where what came in afterwards stands
  DiskSet::Contents disks = {};
  PageStore::Delta pages = {};
  PageStore::Written written = {};  // since the one before

  /// One of the pages of [offset, offset + bytes) in RAM may have been written since the checkpoint before.
  bool wrote(u64 offset, u64 bytes) const {
    for (u64 page = offset / kPageBytes; page <= (offset + bytes - 1) / kPageBytes; ++page)
      if (written[page / 64] >> (page % 64) & 1) return true;
    return false;
  }
};

class Checkpoints {
 public:
  /// `bytes` of the host's memory at most, but for what has to stay. All outlive this.
  Checkpoints(mmu::Ram& ram, DiskSet& disks, u64 bytes);

  bool empty() const { return all_.empty(); }
  std::size_t count() const { return all_.size(); }
  const Checkpoint& first() const { return *all_.front(); }
  const Checkpoint& last() const { return *all_.back(); }
  /// In order of their positions.
  const std::vector<std::unique_ptr<Checkpoint>>& all() const { return all_; }
  /// The last one at or before `position` (strictly: before); nullptr: the history begins later.
  const Checkpoint* before(const Position& position, bool strictly = false) const;
  const Checkpoint* with_number(u64 number) const;

  /// What the machine is now: `checkpoint` without its disks and pages. There is one at its position: that stays, and gets its
  /// number. Ends an epoch of RAM.
  const Checkpoint& add(Checkpoint checkpoint);
  /// RAM and disks hold what they held then; `changing` as for PageStore. Which media are in the drives may be another matter
  /// now: DiskSet::attached().
  void restore(const Checkpoint& checkpoint, const std::function<void(u64 page)>& changing);
  /// The same of the RAM of another machine, whose disks are another matter. Any thread, as long as nothing else is done here.
  void restore(PageStore::View& view, const Checkpoint& checkpoint,
               const std::function<void(u64 page)>& changing) const {
    pages_.restore(view, deltas_up_to(index_of(checkpoint) + 1), changing);
  }
  PageStore& pages() { return pages_; }
  /// The run is at `position` again, where one was taken, and has come there by running on.
  void passed(const Checkpoint& checkpoint);
  /// Those behind `position` are forgotten: the run takes another way.
  void forget_after(const Position& position);
  void clear();

  /// Memory of the host that they take, about.
  u64 bytes() const;
  u64 most_bytes() const { return most_bytes_; }

 private:
  std::size_t index_of(const Checkpoint& checkpoint) const;
  PageStore::Deltas deltas_up_to(std::size_t end) const;
  void thin();
  void remove(std::size_t index);
  void forget_disks(const Checkpoint& removed);

  DiskSet& disks_;
  const u64 most_bytes_;
  PageStore pages_;
  std::vector<std::unique_ptr<Checkpoint>> all_;
  const Checkpoint* base_ = nullptr;  // from which RAM and disks have come to what they are
};

}  // namespace reprise::machine
