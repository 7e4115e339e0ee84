// The second-level software TLB: 8192 translations of 4 KiB pieces, tagged by address space.
//
// PCIDs are renamed: each flush of a PCID gives it a fresh space number, so a flush costs nothing and dead
// entries simply never match again. Global translations belong to one space of their own.
// An entry keeps the accumulated paging bits, not an answer, so one entry serves every view and access kind.
#pragma once

#include <array>
#include <bit>
#include <bitset>
#include <vector>

#include "common/types.h"
#include "mmu/page_walk.h"

namespace reprise::mmu {

class SecondLevelTlb {
 public:
  static constexpr unsigned kWays = 4;
  static constexpr unsigned kSets = 2048;

  // A data word is the page-aligned physical address with these bits below.
  static constexpr u64 kUser = 1u << 0;
  static constexpr u64 kWritable = 1u << 1;
  static constexpr u64 kExecutable = 1u << 2;
  static constexpr u64 kRightsMask = kUser | kWritable | kExecutable;
  static constexpr u64 kDirty = 1u << 3;
  static constexpr u64 kGlobal = 1u << 4;
  static constexpr u64 kPresent = 1u << 5;   // so that no data word of an entry is 0
  static constexpr unsigned kSizeShift = 6;  // bits 7:6: PageSize

  SecondLevelTlb() { reset(); }

  /// The data word for `linear` in the current space or the global one; 0 when there is none.
  u64 find(u64 linear) const {
    const Set& set = sets_[set_index(linear)];
    const u64 local = tag(linear, current_space_);
    const u64 global = tag(linear, global_space_);
    // All ways are compared before the one branch: which way hits cannot be predicted.
    const auto hit = [&](unsigned way) {
      return static_cast<unsigned>(set.tags[way] == local) | static_cast<unsigned>(set.tags[way] == global);
    };
    static_assert(kWays == 4);
    const unsigned hits = hit(0) | hit(1) << 1 | hit(2) << 2 | hit(3) << 3;
    if (hits != 0) [[likely]]
      return set.data[std::countr_zero(hits)];
    return 0;
  }

  /// Which page a piece belongs to.
  enum class PageSize : u8 { Size4K, Size2M, Size4M, Size1G };
  static constexpr u64 size_bytes(PageSize size) {
    constexpr unsigned kShifts[4] = {12, 21, 22, 30};
    return u64{1} << kShifts[static_cast<unsigned>(size)];
  }

  /// A live translation of a 4 KiB piece, for a person.
  struct Held {
    u64 linear;
    u64 data;     // as find() returns it
    u16 pcid;     // without meaning when the data word says global
    bool usable;  // global, or of the current address space
  };
  /// By linear address.
  std::vector<Held> held() const;
  /// Of a data word: 4 KiB, 2 MiB, 4 MiB or 1 GiB, the page that the piece belongs to.
  static constexpr u64 page_bytes_of(u64 data) {
    return size_bytes(static_cast<PageSize>(data >> kSizeShift & 3));
  }

  /// Remembers the 4 KiB piece of a translation that holds `linear`; returns its data word.
  u64 insert(u64 linear, const Translation& translation);

  /// The current space becomes that of `pcid`. Returns true when it is a different one than before.
  bool select_pcid(u16 pcid);
  /// Forgets the non-global translations of `pcid`; select_pcid must follow if it is the current one.
  void flush_pcid(u16 pcid);
  /// Forgets all non-global translations; select_pcid must follow.
  void flush_nonglobal();
  /// Forgets everything; select_pcid must follow.
  void flush_all();

  enum class Globals : u8 { Keep, Drop };
  /// Forgets the page of `linear` under `pcid`, every piece of it if it is a large one, and the global page
  /// too if asked. Returns the size of the largest page that may have been there (4 KiB when none was large).
  u64 drop_page(u64 linear, u16 pcid, Globals globals);
  /// Forgets one 4 KiB piece in the current and the global space.
  void drop_piece(u64 linear);

 private:
  // Tag: bits 63:19 are linear address bits 56:12, bits 18:0 the space. Space 0 is never current.
  static constexpr unsigned kSpaceBits = 19;
  static constexpr u32 kSpaces = 1u << kSpaceBits;
  static constexpr u64 tag(u64 linear, u32 space) { return (linear >> kPageShift) << kSpaceBits | space; }
  static constexpr unsigned set_index(u64 linear) {
    const u64 page = linear >> kPageShift;
    return static_cast<unsigned>(page ^ (page >> 11)) & (kSets - 1);
  }

  static constexpr PageSize page_size(u64 bytes) {
    return bytes == size_bytes(PageSize::Size4K)   ? PageSize::Size4K
           : bytes == size_bytes(PageSize::Size2M) ? PageSize::Size2M
           : bytes == size_bytes(PageSize::Size4M) ? PageSize::Size4M
                                                   : PageSize::Size1G;
  }
  static constexpr unsigned kFilterBits = 4096;

  struct alignas(64) Set {
    u64 tags[kWays];
    u64 data[kWays];
  };

  void reset();
  u32 new_space();
  void drop_pieces(u64 linear, PageSize size, u32 space, u32 global_space);
  static unsigned filter_slot(u64 linear, u64 page_bytes) {
    return (linear / page_bytes) & (kFilterBits - 1);
  }

  std::array<Set, kSets> sets_;
  u32 current_space_;
  u32 global_space_;
  u32 next_space_;
  std::array<u32, 4096> space_of_pcid_;  // 0: none yet
  // By page size: which large pages may have pieces here, hashed. Only flush_all clears them.
  std::array<std::bitset<kFilterBits>, 4> large_pages_;
};

}  // namespace reprise::mmu
