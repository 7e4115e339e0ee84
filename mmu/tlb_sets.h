// One array of the second-level TLB: translations of pieces of one size, in sets of four ways, first in, first out.
//
// A tag is the number of a piece with that of an address space, or 0 for a hole. Ways lie in the order in which they
// came; only insert() moves them. Holes stay where they are until they are pushed out.
#pragma once

#include <bit>
#include <vector>

#include "common/archive.h"
#include "common/bits.h"
#include "common/types.h"

namespace reprise::mmu {

class TlbSets {
 public:
  static constexpr unsigned kWays = 4;
  // Tag: linear address bits 56 down to the piece's, then the space.
  static constexpr unsigned kSpaceBits = 19;
  static constexpr unsigned kLinearBits = 57;

  /// Pieces of 1 << `piece_shift` bytes in `sets` sets, a power of two.
  TlbSets(unsigned piece_shift, unsigned sets) : piece_shift_(piece_shift), sets_(sets) {}

  struct alignas(64) Set {
    u64 tags[kWays] = {};
    u64 data[kWays] = {};
    friend bool operator==(const Set&, const Set&) = default;
  };

  u64 piece_bytes() const { return u64{1} << piece_shift_; }
  u64 tag(u64 linear, u32 space) const { return (linear >> piece_shift_) << kSpaceBits | space; }
  static constexpr u32 space_of(u64 tag) { return static_cast<u32>(tag & ((1u << kSpaceBits) - 1)); }
  u64 linear_of(u64 tag) const { return sign_extend((tag >> kSpaceBits) << piece_shift_, kLinearBits); }

  const Set& set_of(u64 linear) const { return sets_[index(linear)]; }

  /// The data word of `linear` in `space`; 0 when there is none.
  static u64 find(const Set& set, u64 tag) {
    // All ways are compared before the one branch: which way hits cannot be predicted.
    static_assert(kWays == 4);
    const unsigned hits =
        static_cast<unsigned>(set.tags[0] == tag) | static_cast<unsigned>(set.tags[1] == tag) << 1 |
        static_cast<unsigned>(set.tags[2] == tag) << 2 | static_cast<unsigned>(set.tags[3] == tag) << 3;
    return hits != 0 ? set.data[std::countr_zero(hits)] : 0;
  }

  /// What insert() has put out; tag 0: nothing.
  struct Entry {
    u64 tag = 0;
    u64 data = 0;
  };
  /// Puts in `entry` for `linear`. It takes the place of the youngest that has one of the tags `one` and `other`, any
  /// further one of which goes as well; else the oldest way goes, and is returned.
  Entry insert(u64 linear, Entry entry, u64 one, u64 other);

  /// Makes a hole of each entry of `linear` with that tag. Returns whether there was one.
  bool drop(u64 linear, u64 tag) {
    Set& set = sets_[index(linear)];
    bool dropped = false;
    for (unsigned way = 0; way < kWays; ++way) {
      if (set.tags[way] != tag) continue;
      set.tags[way] = set.data[way] = 0;
      dropped = true;
    }
    return dropped;
  }
  /// Makes a hole of each entry for which `matches(tag, data)` holds, anywhere. Returns whether there was one.
  template <class Matches>
  bool drop_if(Matches matches) {
    bool dropped = false;
    for (Set& set : sets_) {
      for (unsigned way = 0; way < kWays; ++way) {
        if (set.tags[way] == 0 || !matches(set.tags[way], set.data[way])) continue;
        set.tags[way] = set.data[way] = 0;
        dropped = true;
      }
    }
    return dropped;
  }
  /// Calls `visit(tag, data)` for each entry, set by set.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Set& set : sets_)
      for (unsigned way = 0; way < kWays; ++way)
        if (set.tags[way] != 0) visit(set.tags[way], set.data[way]);
  }
  void clear() { sets_.assign(sets_.size(), Set{}); }

  /// All ways in order, holes and entries of dead spaces too. A load wants the same number of sets.
  void serialize(Archive& archive);
  friend bool operator==(const TlbSets&, const TlbSets&) = default;

 private:
  std::size_t index(u64 linear) const {
    const u64 piece = linear >> piece_shift_;
    return (piece ^ (piece >> 11)) & (sets_.size() - 1);
  }

  unsigned piece_shift_;
  std::vector<Set> sets_;
};

}  // namespace reprise::mmu
