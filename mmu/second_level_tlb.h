// The second-level software TLB. It is the architectural one: what it holds follows from the accesses of the guest and
// the flush rules alone, is part of the state and of its hash, and is saved as it is. The first level, and all that
// generated code keeps, hold a subset of it (mmu.h).
//
// Pieces of 4 KiB, and pieces of 2 MiB of large pages: a page of 4 MiB has two, one of 1 GiB 512. PCIDs are renamed:
// each flush of a PCID gives it a fresh space number, so a flush costs nothing and dead entries simply never match
// again. Global translations belong to one space of their own. An entry keeps the accumulated paging bits, not an
// answer, so one entry serves every view and access kind.
//
// Where several entries match an address, a global one answers before one of the current space, so that a change of
// space leaves the answers of global pages alone; of two that are alike in that, the smaller piece answers.
#pragma once

#include <array>
#include <bitset>
#include <vector>

#include "common/types.h"
#include "mmu/page_walk.h"
#include "mmu/tlb_geometry.h"
#include "mmu/tlb_sets.h"

namespace reprise::mmu {

/// Addresses whose answer may be another than before.
class TlbChanges {
 public:
  struct Range {
    u64 linear;  // aligned to `bytes`
    u64 bytes;
  };
  void add(u64 linear, u64 bytes) { ranges_[count_++] = {align_down(linear, bytes), bytes}; }
  const Range* begin() const { return ranges_; }
  const Range* end() const { return ranges_ + count_; }

 private:
  Range ranges_[2];  // insert() makes the most: of the address, and of what it has put out
  unsigned count_ = 0;
};

class SecondLevelTlb {
 public:
  // A data word is the physical address of the piece with these bits below.
  static constexpr u64 kUser = 1u << 0;
  static constexpr u64 kWritable = 1u << 1;
  static constexpr u64 kExecutable = 1u << 2;
  static constexpr u64 kRightsMask = kUser | kWritable | kExecutable;
  static constexpr u64 kDirty = 1u << 3;
  static constexpr u64 kGlobal = 1u << 4;
  static constexpr u64 kPresent = 1u << 5;   // so that no data word of an entry is 0
  static constexpr unsigned kSizeShift = 6;  // bits 7:6: PageSize
  static constexpr u64 kLargeBytes = u64{2} << 20;

  explicit SecondLevelTlb(const TlbGeometry& geometry = {});

  /// The data word for `linear` in the global space or the current one, with the address of its 4 KiB; 0 when there
  /// is none.
  u64 find(u64 linear) const {
    const TlbSets::Set& small = small_.set_of(linear);
    const TlbSets::Set& large = large_.set_of(linear);
    if (const u64 data = TlbSets::find(small, small_.tag(linear, global_space_))) return data;
    if (const u64 data = TlbSets::find(large, large_.tag(linear, global_space_))) return piece(data, linear);
    if (const u64 data = TlbSets::find(small, small_.tag(linear, current_space_))) return data;
    if (const u64 data = TlbSets::find(large, large_.tag(linear, current_space_))) return piece(data, linear);
    return 0;
  }

  /// Which page a piece belongs to.
  enum class PageSize : u8 { Size4K, Size2M, Size4M, Size1G };
  static constexpr u64 size_bytes(PageSize size) {
    constexpr unsigned kShifts[4] = {12, 21, 22, 30};
    return u64{1} << kShifts[static_cast<unsigned>(size)];
  }
  /// Of a data word: 4 KiB, 2 MiB, 4 MiB or 1 GiB, the page that the piece belongs to.
  static constexpr u64 page_bytes_of(u64 data) { return size_bytes(size_of(data)); }

  /// A live translation, for a person.
  struct Held {
    u64 linear;
    u64 bytes;    // 4 KiB or 2 MiB
    u64 data;     // with the address of the piece
    u16 pcid;     // without meaning when the data word says global
    bool usable;  // global, or of the current address space
  };
  /// By linear address.
  std::vector<Held> held() const;
  /// How much of memory the usable translations cover. Pieces of large pages are large.
  struct Reach {
    u64 small = 0;
    u64 large = 0;
    u64 bytes() const { return small * kPageBytes + large * kLargeBytes; }
  };
  Reach reach() const;

  /// Remembers the piece of a translation that holds `linear`, which is then the only one that answers for this
  /// address; returns what find() would.
  u64 insert(u64 linear, const Translation& translation, TlbChanges& changes);

  /// What a selection of a PCID has done to the answers.
  enum class Selected : u8 {
    Same,      // nothing
    Switched,  // those that are not global are others
    Emptied,   // there are none any more: the numbers of spaces had run out
  };
  /// The current space becomes that of `pcid`.
  [[nodiscard]] Selected select_pcid(u16 pcid);
  /// Forgets the non-global translations of `pcid`; select_pcid must follow if it is the current one.
  void flush_pcid(u16 pcid);
  /// Forgets all non-global translations; select_pcid must follow.
  void flush_nonglobal();
  /// Forgets everything; select_pcid must follow.
  void flush_all();

  enum class Globals : u8 { Keep, Drop };
  /// Forgets the page of `linear` under `pcid`, every piece of it if it is a large one, and the global page too if
  /// asked.
  void drop_page(u64 linear, u16 pcid, Globals globals, TlbChanges& changes);
  /// Forgets whatever answers for `linear` in the current and the global space.
  void drop_address(u64 linear, TlbChanges& changes);

  /// A digest of all that was done to it since it was made. Two that were equal and have the same are equal. No part
  /// of the state.
  u64 history() const { return history_; }

  /// Everything that later answers depend on. A load takes the same geometry only.
  void serialize(Archive& archive);
  friend bool operator==(const SecondLevelTlb& a, const SecondLevelTlb& b);

 private:
  static constexpr PageSize size_of(u64 data) { return static_cast<PageSize>(data >> kSizeShift & 3); }
  static constexpr u64 piece(u64 data, u64 linear) { return data | (linear & (kLargeBytes - kPageBytes)); }
  static constexpr PageSize page_size(u64 bytes) {
    return bytes == size_bytes(PageSize::Size4K)   ? PageSize::Size4K
           : bytes == size_bytes(PageSize::Size2M) ? PageSize::Size2M
           : bytes == size_bytes(PageSize::Size4M) ? PageSize::Size4M
                                                   : PageSize::Size1G;
  }

  void reset();
  u32 new_space();
  bool drop_in(TlbSets& sets, u64 linear, u32 space, u32 other_space);
  bool drop_pieces(u64 linear, PageSize size, u32 space, u32 other_space);
  void note(u64 what, u64 detail) { history_ = (history_ ^ what) * 0x9e37'79b9'7f4a'7c15u + detail; }

  // Pages of several pieces: which may have some here, hashed. Made from what is held, never saved.
  static constexpr unsigned kFilterBits = 4096;
  std::bitset<kFilterBits>& filter(PageSize size) { return pieces_of_[size == PageSize::Size1G]; }
  static unsigned filter_slot(u64 linear, PageSize size) {
    return (linear / size_bytes(size)) & (kFilterBits - 1);
  }
  void mark_in_filter(u64 linear, u64 data);

  TlbGeometry geometry_;
  TlbSets small_;
  TlbSets large_;
  u32 current_space_ = 0;  // 0: none, which no entry has
  u32 global_space_ = 0;
  u32 next_space_ = 0;
  bool emptied_ = false;                   // since the last selection
  std::array<u32, 4096> space_of_pcid_{};  // 0: none yet
  std::bitset<kFilterBits> pieces_of_[2];  // of 4 MiB and of 1 GiB
  u64 history_ = 0;
};

}  // namespace reprise::mmu
