#include "mmu/second_level_tlb.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/bits.h"

namespace reprise::mmu {

void SecondLevelTlb::reset() {
  for (Set& set : sets_) set = Set{};
  space_of_pcid_.fill(0);
  for (auto& filter : large_pages_) filter.reset();
  current_space_ = 0;
  global_space_ = 1;
  next_space_ = 2;
}

// Once in half a million flushes the numbers run out and everything is forgotten.
u32 SecondLevelTlb::new_space() {
  if (next_space_ == kSpaces) reset();
  return next_space_++;
}

bool SecondLevelTlb::select_pcid(u16 pcid) {
  pcid &= 0xfff;
  if (space_of_pcid_[pcid] == 0) {
    const u32 space = new_space();
    space_of_pcid_[pcid] = space;
  }
  const bool changed = current_space_ != space_of_pcid_[pcid];
  current_space_ = space_of_pcid_[pcid];
  return changed;
}

void SecondLevelTlb::flush_pcid(u16 pcid) { space_of_pcid_[pcid & 0xfff] = 0; }

void SecondLevelTlb::flush_nonglobal() { space_of_pcid_.fill(0); }

void SecondLevelTlb::flush_all() {
  space_of_pcid_.fill(0);
  for (auto& filter : large_pages_) filter.reset();
  const u32 space = new_space();
  global_space_ = space;
}

u64 SecondLevelTlb::insert(u64 linear, const Translation& translation) {
  const PageSize size = page_size(translation.page_bytes);
  if (size != PageSize::Size4K)
    large_pages_[static_cast<unsigned>(size)].set(filter_slot(linear, translation.page_bytes));

  const u64 data = (translation.phys & kPageMask) | kPresent | (translation.user ? kUser : 0) |
                   (translation.writable ? kWritable : 0) | (translation.executable ? kExecutable : 0) |
                   (translation.dirty ? kDirty : 0) | (translation.global ? kGlobal : 0) |
                   u64{static_cast<u8>(size)} << kSizeShift;

  // First in, first out. An older entry for the same address goes first: one address has one answer.
  Set& set = sets_[set_index(linear)];
  const u64 local = tag(linear, current_space_);
  const u64 global = tag(linear, global_space_);
  unsigned victim = 0;
  while (victim < kWays - 1 && set.tags[victim] != local && set.tags[victim] != global) ++victim;
  for (unsigned way = victim; way > 0; --way) {
    set.tags[way] = set.tags[way - 1];
    set.data[way] = set.data[way - 1];
  }
  set.tags[0] = translation.global ? global : local;
  set.data[0] = data;
  return data;
}

std::vector<SecondLevelTlb::Held> SecondLevelTlb::held() const {
  constexpr unsigned kTagLinearBits = 57;
  std::map<u32, u16> pcid_of_space;
  for (u16 pcid = 0; pcid < space_of_pcid_.size(); ++pcid)
    if (space_of_pcid_[pcid] != 0) pcid_of_space[space_of_pcid_[pcid]] = pcid;
  std::vector<Held> held;
  for (const Set& set : sets_) {
    for (unsigned way = 0; way < kWays; ++way) {
      if (set.tags[way] == 0) continue;
      const u32 space = static_cast<u32>(set.tags[way] & (kSpaces - 1));
      const u64 linear = sign_extend((set.tags[way] >> kSpaceBits) << kPageShift, kTagLinearBits);
      const auto pcid = pcid_of_space.find(space);
      const bool global = space == global_space_;
      if (!global && pcid == pcid_of_space.end()) continue;  // of a space that was flushed
      held.push_back(
          {linear, set.data[way], global ? u16{0} : pcid->second, global || space == current_space_});
    }
  }
  std::ranges::sort(held, {}, [](const Held& entry) { return std::pair(entry.linear, entry.pcid); });
  return held;
}

void SecondLevelTlb::drop_piece(u64 linear) {
  Set& set = sets_[set_index(linear)];
  for (u64& found : set.tags)
    if (found == tag(linear, current_space_) || found == tag(linear, global_space_)) found = 0;
}

u64 SecondLevelTlb::drop_page(u64 linear, u16 pcid, Globals globals) {
  const u32 space = space_of_pcid_[pcid & 0xfff];
  const u32 global_space = globals == Globals::Drop ? global_space_ : 0;
  Set& set = sets_[set_index(linear)];
  for (u64& found : set.tags)
    if (found == tag(linear, space) || found == tag(linear, global_space)) found = 0;
  u64 largest = kPageBytes;
  for (const PageSize size : {PageSize::Size2M, PageSize::Size4M, PageSize::Size1G}) {
    const u64 page_bytes = size_bytes(size);
    if (!large_pages_[static_cast<unsigned>(size)][filter_slot(linear, page_bytes)]) continue;
    drop_pieces(linear, size, space, global_space);
    largest = page_bytes;
  }
  return largest;
}

// Drops the pieces of the large page at `linear` that the two spaces hold.
void SecondLevelTlb::drop_pieces(u64 linear, PageSize size, u32 space, u32 global_space) {
  const u64 pages = size_bytes(size) / kPageBytes;
  const u64 region_mask = ~(pages - 1) << kSpaceBits;
  const u64 region = tag(linear, 0) & region_mask;
  const auto drop_in = [&](Set& set) {
    for (unsigned way = 0; way < kWays; ++way) {
      const u64 found = set.tags[way];
      const u32 found_space = static_cast<u32>(found & (kSpaces - 1));
      const bool ours =
          (found & region_mask) == region && (found_space == space || found_space == global_space);
      if (ours && ((set.data[way] >> kSizeShift) & 3) == static_cast<u64>(size)) set.tags[way] = 0;
    }
  };
  if (pages >= kSets) {
    for (Set& set : sets_) drop_in(set);
    return;
  }
  const u64 first_linear = align_down(linear, size_bytes(size));
  for (u64 page = 0; page < pages; ++page) drop_in(sets_[set_index(first_linear + page * kPageBytes)]);
}

}  // namespace reprise::mmu
