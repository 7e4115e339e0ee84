// What generated code calls on a first-level miss. Compiled without vector registers: those of the
// host may hold the guest's.
#include "mmu/mmu.h"

namespace reprise::mmu {

/// What the second level holds of the page of `linear`; 0 when it does not, or the access is not allowed.
u64 Mmu::find_allowed(u64 linear, Access access, View view) const {
  const u64 data = second_level_->find(linear);
  const unsigned right = static_cast<unsigned>(view) * kAccessKinds + static_cast<unsigned>(access);
  if (((rights_[data & SecondLevelTlb::kRightsMask] >> right) & 1) == 0) return 0;
  return access == Access::Write && (data & SecondLevelTlb::kDirty) == 0 ? 0 : data;
}

bool Mmu::watched(u64 linear, u64 bytes) const {
  for (const Watch& watch : watches_) {
    // Compared as distances, so that ranges may end at the top of the address space.
    const u64 first = watch.linear & kPageMask;
    const u64 length = align_up((watch.linear & ~kPageMask) + watch.bytes, kPageBytes);
    if (linear - first < length || first - linear < bytes) return true;
  }
  return false;
}

bool Mmu::debugged(u64 linear, u64 phys, Access access) const {
  if (debug_pages_ == nullptr) [[likely]]
    return false;
  if (access == Access::Fetch) return debug_pages_->code.contains(linear);
  if (access == Access::Read)
    return debug_pages_->linear_reads.contains(linear) || debug_pages_->phys_reads.contains(phys);
  return debug_pages_->linear_writes.contains(linear) || debug_pages_->phys_writes.contains(phys);
}

bool Mmu::leave_tag(u64 linear, Access access, View view, u8* host, u64 phys_page, bool global) {
  if (access != Access::Fetch && watched(linear & kPageMask, kPageBytes)) return false;
  if (debugged(linear, phys_page, access)) return false;
  if (access == Access::Write) {
    if (code_pages_.has_code(phys_page) || stores_are_watched(phys_page)) return false;
    const u64 ram_page = static_cast<u64>(host - phys_map_.ram().host()) >> kPageShift;
    const u64 bit = u64{1} << (ram_page % 64);
    if ((write_tagged_[ram_page / 64] & bit) == 0) {
      write_tagged_[ram_page / 64] |= bit;
      phys_map_.ram().mark_written(ram_page << kPageShift);
    }
  }
  const u64 host_page = reinterpret_cast<u64>(host);
  const u64 linear_page = linear & kPageMask;
  const u64 delta = access == Access::Fetch ? fetch_note_ : host_page - linear_page;
  array(view, access).fill(linear_page, host_page, delta, phys_page, global);
  return true;
}

bool Mmu::refill(u64 linear, Access access, View view) {
  if (paging_observer_ != nullptr) return false;  // it is told by the slow path
  TlbArray& tags = array(view, access);
  // The tag is right, so the access crosses into the next page or is misaligned.
  if (linear - tags.entries[tlb_slot(linear)].tag_linear < kPageBytes) return false;
  if (!paging() || !is_canonical(context_, linear)) return false;

  const u64 data = find_allowed(linear, access, view);
  if (data == 0) return false;
  const u64 phys_page = data & kPageMask & a20_mask_;
  u8* const host = ram_page(phys_page, access);
  if (host == nullptr) return false;
  if (!leave_tag(linear, access, view, host, phys_page, (data & SecondLevelTlb::kGlobal) != 0)) return false;
  ++stats_.l1_misses[static_cast<unsigned>(access)];
  ++stats_.l2_hits;
  return true;
}

bool Mmu::store_beside_code(u64 linear, u64 bytes, View view) {
  if (paging_observer_ != nullptr) return false;
  const u64 linear_page = linear & kPageMask;
  if (linear - linear_page + bytes > kPageBytes || watched(linear_page, kPageBytes) ||
      !is_canonical(context_, linear))
    return false;
  u64 data = linear_page;
  if (paging()) {
    data = find_allowed(linear, Access::Write, view);
    if (data == 0) return false;
  }
  const u64 phys_page = data & kPageMask & a20_mask_;
  u8* const host = ram_page(phys_page, Access::Write);
  if (host == nullptr || !code_pages_.has_code(phys_page) || debugged(linear, phys_page, Access::Write))
    return false;
  if (code_pages_.may_hit_code(phys_page + (linear - linear_page), bytes)) return false;
  phys_map_.ram().mark_written(static_cast<u64>(host - phys_map_.ram().host()));
  ++stats_.stores_beside_code;
  const u64 host_page = reinterpret_cast<u64>(host);
  beside_code_ = {linear_page, host_page, host_page - linear_page, phys_page};
  return true;
}

}  // namespace reprise::mmu
