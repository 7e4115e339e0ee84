#include "cpu/debug/debug_stops.h"

#include <algorithm>

namespace reprise::cpu {
namespace {

bool overlaps(const Watchpoint& watchpoint, u64 address, u64 bytes) {
  // As distances, so that ranges may end at the top of the address space.
  return watchpoint.address - address < bytes || address - watchpoint.address < watchpoint.bytes;
}

bool matches(Watchpoint::On on, mmu::Access access) {
  switch (on) {
    case Watchpoint::On::Write: return access == mmu::Access::Write;
    case Watchpoint::On::Read: return access == mmu::Access::Read;
    case Watchpoint::On::Access: break;
  }
  return true;
}

}  // namespace

DebugStops::Blocks DebugStops::add(const Breakpoint& breakpoint) {
  breakpoints_.emplace(breakpoint.linear, breakpoint.root);
  update_pages();
  const u64 offset = breakpoint.linear & ~kPageMask;
  if (splits_[offset]) return Blocks::Good;
  splits_.set(offset);
  if (++generation_ <= ModeKey::kDebugGenerations) return Blocks::Good;
  generation_ = 1;
  splits_.reset();
  for (const auto& [linear, root] : breakpoints_) splits_.set(linear & ~kPageMask);
  return Blocks::Outdated;
}

void DebugStops::add(const Watchpoint& watchpoint) {
  watchpoints_.push_back(watchpoint);
  update_pages();
}

bool DebugStops::remove(const Breakpoint& breakpoint) {
  const auto [first, last] = breakpoints_.equal_range(breakpoint.linear);
  const auto found =
      std::find_if(first, last, [&](const auto& entry) { return entry.second == breakpoint.root; });
  if (found == last) return false;
  breakpoints_.erase(found);
  update_pages();
  return true;
}

bool DebugStops::remove(const Watchpoint& watchpoint) {
  const auto found = std::ranges::find(watchpoints_, watchpoint);
  if (found == watchpoints_.end()) return false;
  watchpoints_.erase(found);
  update_pages();
  return true;
}

void DebugStops::clear() {
  breakpoints_.clear();
  watchpoints_.clear();
  update_pages();
}

DebugStops::Blocks DebugStops::exchange(Wanted& wanted) {
  Wanted before{{}, std::move(watchpoints_), std::exchange(listener_, wanted.listener)};
  for (const auto& [linear, root] : breakpoints_) before.breakpoints.push_back({linear, root});
  breakpoints_.clear();
  watchpoints_ = std::move(wanted.watchpoints);
  Blocks blocks = Blocks::Good;
  for (const Breakpoint& breakpoint : wanted.breakpoints)
    if (add(breakpoint) == Blocks::Outdated) blocks = Blocks::Outdated;
  update_pages();
  wanted = std::move(before);
  return blocks;
}

void DebugStops::update_pages() {
  pages_ = {};
  for (const auto& [linear, root] : breakpoints_) pages_.code.add(linear, 1);
  for (const Watchpoint& watchpoint : watchpoints_) {
    const bool linear = watchpoint.space == Watchpoint::Space::Linear;
    if (watchpoint.on != Watchpoint::On::Write)
      (linear ? pages_.linear_reads : pages_.phys_reads).add(watchpoint.address, watchpoint.bytes);
    // What loads and stores at once looks for the tag of stores.
    (linear ? pages_.linear_writes : pages_.phys_writes).add(watchpoint.address, watchpoint.bytes);
  }
}

bool DebugStops::breaks_at(u64 linear, u64 cr3, bool paging) const {
  const auto [first, last] = breakpoints_.equal_range(linear);
  return std::any_of(first, last, [&](const auto& entry) {
    return !entry.second || (paging && *entry.second == (cr3 & kRootMask));
  });
}

bool DebugStops::note(const DebugHit& hit) {
  if (listener_ != nullptr) {
    listener_->hit(hit);
    return false;
  }
  if (hits_.size() < kMaxHits) hits_.push_back(hit);
  return true;
}

bool DebugStops::hit_breakpoint(const Cpu& cpu, u64 linear) {
  return note({.kind = DebugHit::Kind::Breakpoint, .cpu = &cpu, .linear = linear});
}

bool DebugStops::accessed(const Cpu* cpu, std::optional<u64> linear, u64 phys, u64 bytes, mmu::Access access,
                          DebugHit::By by) {
  bool hit = false;
  for (const Watchpoint& watchpoint : watchpoints_) {
    if (watchpoint.space == Watchpoint::Space::Linear && !linear) continue;
    const u64 address = watchpoint.space == Watchpoint::Space::Linear ? *linear : phys;
    if (!matches(watchpoint.on, access) || !overlaps(watchpoint, address, bytes)) continue;
    hit |= note({.kind = DebugHit::Kind::Watchpoint,
                 .by = by,
                 .cpu = cpu,
                 .watchpoint = watchpoint,
                 .access = access,
                 .address = address,
                 .bytes = bytes});
  }
  return hit;
}

}  // namespace reprise::cpu
