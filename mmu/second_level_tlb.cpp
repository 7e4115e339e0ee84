#include "mmu/second_level_tlb.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace reprise::mmu {

namespace {

constexpr unsigned kLargeShift = 21;

// What note() records.
enum Event : u64 { kInsert = 1, kDrop, kSelect, kFlushPcid, kFlushNonglobal, kFlushAll };

}  // namespace

SecondLevelTlb::SecondLevelTlb(const TlbGeometry& geometry)
    : geometry_(geometry), small_(kPageShift, geometry.sets), large_(kLargeShift, geometry.large_sets) {
  reset();
}

void SecondLevelTlb::reset() {
  small_.clear();
  large_.clear();
  space_of_pcid_.fill(0);
  for (auto& bits : pieces_of_) bits.reset();
  current_space_ = 0;
  global_space_ = 1;
  next_space_ = 2;
}

// Once in half a million flushes the numbers run out and everything is forgotten.
u32 SecondLevelTlb::new_space() {
  if (next_space_ == geometry_.spaces) {
    reset();
    emptied_ = true;
  }
  return next_space_++;
}

SecondLevelTlb::Selected SecondLevelTlb::select_pcid(u16 pcid) {
  pcid &= 0xfff;
  note(kSelect, pcid);
  if (space_of_pcid_[pcid] == 0) {
    const u32 space = new_space();
    space_of_pcid_[pcid] = space;
  }
  const bool changed = current_space_ != space_of_pcid_[pcid];
  current_space_ = space_of_pcid_[pcid];
  if (std::exchange(emptied_, false)) return Selected::Emptied;
  return changed ? Selected::Switched : Selected::Same;
}

void SecondLevelTlb::flush_pcid(u16 pcid) {
  note(kFlushPcid, pcid);
  space_of_pcid_[pcid & 0xfff] = 0;
}

void SecondLevelTlb::flush_nonglobal() {
  note(kFlushNonglobal, 0);
  space_of_pcid_.fill(0);
}

void SecondLevelTlb::flush_all() {
  note(kFlushAll, 0);
  space_of_pcid_.fill(0);
  for (auto& bits : pieces_of_) bits.reset();
  const u32 space = new_space();
  global_space_ = space;
  emptied_ = true;
}

u64 SecondLevelTlb::insert(u64 linear, const Translation& translation, TlbChanges& changes) {
  const PageSize size = page_size(translation.page_bytes);
  const bool is_large = size != PageSize::Size4K;
  TlbSets& into = is_large ? large_ : small_;
  const u64 piece_bytes = into.piece_bytes();
  const u64 data = (translation.phys & kPageMask & ~(piece_bytes - 1)) | kPresent |
                   (translation.user ? kUser : 0) | (translation.writable ? kWritable : 0) |
                   (translation.executable ? kExecutable : 0) | (translation.dirty ? kDirty : 0) |
                   (translation.global ? kGlobal : 0) | u64{static_cast<u8>(size)} << kSizeShift;
  const u64 answer = is_large ? piece(data, linear) : data;
  note(kInsert, linear >> kPageShift ^ data);

  // Whatever answered for the address goes: one address has one answer.
  const u64 before = find(linear);
  const bool dropped_other = drop_in(is_large ? small_ : large_, linear, current_space_, global_space_);
  const bool dropped_large = dropped_other && !is_large;
  const u64 local = into.tag(linear, current_space_);
  const u64 global = into.tag(linear, global_space_);
  const TlbSets::Entry out = into.insert(linear, {translation.global ? global : local, data}, local, global);
  mark_in_filter(linear, data);

  // An answer that has become dirty allows all it did before.
  const bool same = ((before ^ answer) & ~kDirty) == 0 && (before & ~answer & kDirty) == 0;
  const bool was_large = before != 0 && size_of(before) != PageSize::Size4K;
  // A new large global page answers before what the space has in its range.
  if (dropped_large || (before != 0 ? !same : is_large && translation.global))
    changes.add(linear, is_large || was_large || dropped_large ? kLargeBytes : kPageBytes);
  const u32 out_space = TlbSets::space_of(out.tag);
  if (out.tag != 0 && (out_space == current_space_ || out_space == global_space_))
    changes.add(into.linear_of(out.tag), piece_bytes);
  return answer;
}

void SecondLevelTlb::mark_in_filter(u64 linear, u64 data) {
  const PageSize size = size_of(data);
  if (size_bytes(size) > kLargeBytes) filter(size).set(filter_slot(linear, size));
}

std::vector<SecondLevelTlb::Held> SecondLevelTlb::held() const {
  std::map<u32, u16> pcid_of_space;
  for (u16 pcid = 0; pcid < space_of_pcid_.size(); ++pcid)
    if (space_of_pcid_[pcid] != 0) pcid_of_space[space_of_pcid_[pcid]] = pcid;
  std::vector<Held> held;
  for (const TlbSets* sets : {&small_, &large_}) {
    sets->for_each([&](u64 tag, u64 data) {
      const u32 space = TlbSets::space_of(tag);
      const auto pcid = pcid_of_space.find(space);
      const bool global = space == global_space_;
      if (!global && pcid == pcid_of_space.end()) return;  // of a space that was flushed
      held.push_back({sets->linear_of(tag), sets->piece_bytes(), data, global ? u16{0} : pcid->second,
                      global || space == current_space_});
    });
  }
  std::ranges::sort(held, {},
                    [](const Held& entry) { return std::tuple(entry.linear, entry.pcid, entry.bytes); });
  return held;
}

SecondLevelTlb::Reach SecondLevelTlb::reach() const {
  const auto usable = [&](const TlbSets& sets) {
    u64 count = 0;
    sets.for_each([&](u64 tag, u64) {
      const u32 space = TlbSets::space_of(tag);
      count += space == current_space_ || space == global_space_;
    });
    return count;
  };
  return {usable(small_), usable(large_)};
}

bool SecondLevelTlb::drop_in(TlbSets& sets, u64 linear, u32 space, u32 other_space) {
  const bool one = space != 0 && sets.drop(linear, sets.tag(linear, space));
  const bool other = other_space != 0 && sets.drop(linear, sets.tag(linear, other_space));
  return one || other;
}

void SecondLevelTlb::drop_address(u64 linear, TlbChanges& changes) {
  const bool small = drop_in(small_, linear, current_space_, global_space_);
  const bool large = drop_in(large_, linear, current_space_, global_space_);
  if (!small && !large) return;
  note(kDrop, linear >> kPageShift);
  changes.add(linear, large ? kLargeBytes : kPageBytes);
}

void SecondLevelTlb::drop_page(u64 linear, u16 pcid, Globals globals, TlbChanges& changes) {
  const u32 space = space_of_pcid_[pcid & 0xfff];
  const u32 global_space = globals == Globals::Drop ? global_space_ : space;
  u64 bytes = drop_in(small_, linear, space, global_space) ? kPageBytes : 0;
  if (drop_in(large_, linear, space, global_space)) bytes = kLargeBytes;
  for (const PageSize size : {PageSize::Size4M, PageSize::Size1G}) {
    if (!filter(size)[filter_slot(linear, size)]) continue;
    if (drop_pieces(linear, size, space, global_space)) bytes = size_bytes(size);
  }
  if (bytes == 0) return;
  note(kDrop, linear >> kPageShift);
  changes.add(linear, bytes);
}

// Drops the pieces of the page at `linear` that the two spaces hold.
bool SecondLevelTlb::drop_pieces(u64 linear, PageSize size, u32 space, u32 other_space) {
  const u64 first = large_.linear_of(large_.tag(align_down(linear, size_bytes(size)), 0));
  return large_.drop_if([&](u64 tag, u64 data) {
    const u32 its = TlbSets::space_of(tag);
    return size_of(data) == size && (its == space || its == other_space) &&
           large_.linear_of(tag) - first < size_bytes(size);
  });
}

void SecondLevelTlb::serialize(Archive& archive) {
  archive.tag("tlb");
  archive.value(current_space_);
  archive.value(global_space_);
  archive.value(next_space_);
  archive.value(space_of_pcid_);
  small_.serialize(archive);
  large_.serialize(archive);
  if (!archive.loading()) return;
  const auto bad = [&](u32 space) { return space >= geometry_.spaces; };
  if (bad(current_space_) || bad(global_space_) || next_space_ > geometry_.spaces ||
      std::ranges::any_of(space_of_pcid_, bad)) {
    archive.fail();
  }
  if (!archive.ok()) reset();
  for (auto& bits : pieces_of_) bits.reset();
  large_.for_each([&](u64 tag, u64 data) { mark_in_filter(large_.linear_of(tag), data); });
}

bool operator==(const SecondLevelTlb& a, const SecondLevelTlb& b) {
  return a.current_space_ == b.current_space_ && a.global_space_ == b.global_space_ &&
         a.next_space_ == b.next_space_ && a.space_of_pcid_ == b.space_of_pcid_ && a.small_ == b.small_ &&
         a.large_ == b.large_;
}

}  // namespace reprise::mmu
