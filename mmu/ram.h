// Guest RAM: one contiguous host block, advised for huge pages, with a dirty bitmap.
// All methods: the thread that runs the machine.
#pragma once

#include <memory>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::mmu {

/// Told of pages before their content changes.
class DirtyListener {
 public:
  virtual ~DirtyListener() = default;
  /// `page` is a number: offset / 4096. Called at every mark_dirty, also for pages that are dirty already.
  virtual void page_dirtied(u64 page) = 0;
};

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

  /// A page is marked before it is written: when a write tag for it is granted, by slow stores and by DMA.
  /// Clearing must drop write tags first.
  void mark_dirty(u64 offset) {
    if (listener_ != nullptr) [[unlikely]]
      listener_->page_dirtied(offset >> kPageShift);
    dirty_[offset >> (kPageShift + 6)] |= u64{1} << ((offset >> kPageShift) & 63);
  }
  bool dirty(u64 offset) const {
    return (dirty_[offset >> (kPageShift + 6)] >> ((offset >> kPageShift) & 63)) & 1;
  }
  /// Bit i of word w is the page at offset (64 * w + i) * 4096.
  std::vector<u64>& dirty_words() { return dirty_; }
  /// At most one, or nullptr. It hears of every page written after write tags were dropped.
  void set_dirty_listener(DirtyListener* listener) { listener_ = listener; }
  bool has_dirty_listener() const { return listener_ != nullptr; }

 private:
  Ram(u8* mapping, u64 mapping_bytes, u8* host, u64 bytes);
  u8* mapping_;  // what the host gave; host_ is its first 2 MiB boundary
  u64 mapping_bytes_;
  u8* host_;
  u64 bytes_;
  std::vector<u64> dirty_;
  DirtyListener* listener_ = nullptr;
};

}  // namespace reprise::mmu
