// Guest RAM: one contiguous host block, advised for huge pages, that knows when each page was last written.
//
// Time is counted in epochs. Whoever reads memory (state hash, lockstep, a checkpoint, a display) remembers the
// epoch up to which it has read, and asks for the pages that were written later; so readers do not know of each
// other. A page is marked before it is written: when a write tag for it is granted, by slow stores, by the page
// walker and by DMA. A tag lets stores pass unseen, so every tag goes when an epoch ends. Epochs are no state of
// the guest, which cannot see them.
// All methods: the thread that runs the machine.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "common/result.h"
#include "common/types.h"
#include "mmu/write_tags.h"

namespace reprise::mmu {

/// Offsets are bytes from the start of RAM, not guest-physical addresses (there is a hole below 4 GiB).
class Ram {
 public:
  /// `bytes` is a multiple of 4 KiB. Zero-filled. Fails when the host cannot reserve it.
  static Result<std::unique_ptr<Ram>> create(u64 bytes);
  ~Ram();
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;

  u8* host() { return host_; }
  const u8* host() const { return host_; }
  u64 bytes() const { return bytes_; }

  /// All of it is zero again; what was ever written counts as written now. Error: the host refuses.
  Result<Done> clear();
  /// `bytes` from `offset` on are those of a file from `file_offset` on, all multiples of 4 KiB: read when they are needed,
  /// while what is written goes to copies. The file must not change or shrink as long as this lives. The pages count as
  /// written now.
  Result<Done> map_file(u64 offset, u64 bytes, int fd, u64 file_offset);

  /// The page at `offset` may be written from now on until the epoch ends. Touches no vector registers.
  void mark_written(u64 offset) {
    const u64 page = offset >> kPageShift;
    page_epoch_[page] = epoch_;
    group_epoch_[page / kGroupPages] = epoch_;
  }

  /// Ends the epoch and returns its number: 1 for the first. Every write tag is dropped.
  u64 end_epoch();
  /// The page at `offset` may have been written after the end of `epoch`. Since 0: ever; a page that was never
  /// written is zero.
  bool written_since(u64 epoch, u64 offset) const { return page_epoch_[offset >> kPageShift] > epoch; }
  /// Calls visit(page) for all such pages in ascending order; `page` is a number: offset / 4096.
  template <class Visit>
  void for_each_written_since(u64 epoch, Visit&& visit) const {
    for (u64 group = 0; group < group_epoch_.size(); ++group) {
      if (group_epoch_[group] <= epoch) continue;
      for (u64 page = group * kGroupPages; page < (group + 1) * kGroupPages; ++page)
        if (page_epoch_[page] > epoch) visit(page);
    }
  }

  /// The same in [first_page, end_page).
  template <class Visit>
  void for_each_written_since(u64 epoch, u64 first_page, u64 end_page, Visit&& visit) const {
    for (u64 page = first_page; page < end_page;) {
      const u64 group = page / kGroupPages;
      const u64 group_end = std::min((group + 1) * kGroupPages, end_page);
      if (group_epoch_[group] <= epoch) {
        page = group_end;
        continue;
      }
      for (; page < group_end; ++page)
        if (page_epoch_[page] > epoch) visit(page);
    }
  }

  /// Holders leave before the RAM goes.
  void add_tag_holder(WriteTagHolder& holder) { holders_.push_back(&holder); }
  void remove_tag_holder(WriteTagHolder& holder) { std::erase(holders_, &holder); }

 private:
  static constexpr u64 kGroupPages = 64;

  static void advise_huge_pages(u8* host, u64 bytes);

  Ram(u8* mapping, u64 mapping_bytes, u8* host, u64 bytes);
  u8* mapping_;  // what the host gave; host_ is its first 2 MiB boundary
  u64 mapping_bytes_;
  u8* host_;
  u64 bytes_;
  u64 epoch_ = 1;
  std::vector<u64> page_epoch_;   // by page, in whole groups: the last one in which it may have been written
  std::vector<u64> group_epoch_;  // by group: the highest of its pages
  std::vector<WriteTagHolder*> holders_;
};

}  // namespace reprise::mmu
