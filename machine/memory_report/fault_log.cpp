#include "machine/memory_report/fault_log.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

namespace reprise::machine::memory_report {
namespace {

constexpr KindRow kRows[kFaultKinds] = {
    {"demand zero", "the first use of a page of the program's own: the kernel gave it one of zeros"},
    {"demand zero, 2 MiB", "the same, with one huge page"},
    {"from a file",
     "the page's content was there already, as of a program's file in the page cache, or came from a disk"},
    {"swapped in", "the entry said where in a swap area the page is: it came back"},
    {"copy on write", "a store to a page that was shared, as after fork: the program got a copy of its own"},
    {"write allowed",
     "a store to a page that was read-only in the tables alone: the same page became writable"},
    {"the kernel's own",
     "a page that only the kernel may use: its first map of memory, its areas that are mapped late"},
    {"another entry",
     "an entry that was not present, but held something else: PROT_NONE, a page on its way elsewhere"},
    {"allowed already", "the tables allowed the access: another processor was first, or the TLB held less"},
    {"not answered",
     "the access was never let through: a signal, an error that the kernel expected, or the end came"},
};

bool is_zero(const mmu::PhysMap& map, u64 phys_page) {
  const u8* const host = map.ram_host(phys_page, kPageBytes);
  static constexpr u8 kZeros[kPageBytes] = {};
  return host != nullptr && std::memcmp(host, kZeros, kPageBytes) == 0;
}

}  // namespace

const KindRow& row_of(FaultKind kind) { return kRows[static_cast<unsigned>(kind)]; }

mmu::Access access_of(u32 error_code) {
  if (error_code & mmu::kPfI) return mmu::Access::Fetch;
  return error_code & mmu::kPfW ? mmu::Access::Write : mmu::Access::Read;
}

FaultKind answered_kind(u32 error_code, const LeafEntry& before, const mmu::Translation& after,
                        const mmu::PhysMap& map) {
  if (!(error_code & mmu::kPfP)) {
    if (before.present()) return FaultKind::Allowed;
    if (before.raw != 0) {
      return before.level == 1 && before.long_mode && LeafEntry::is_linux_swap(before.raw)
                 ? FaultKind::SwappedIn
                 : FaultKind::OtherEntry;
    }
    if (!after.user) return FaultKind::KernelsOwn;
    if (!is_zero(map, after.phys & kPageMask)) return FaultKind::FromFile;
    return after.page_bytes > kPageBytes ? FaultKind::DemandZeroHuge : FaultKind::DemandZero;
  }
  if (before.level == 0 || !(error_code & mmu::kPfW)) return FaultKind::Allowed;
  constexpr u64 kAddress = 0x000f'ffff'ffff'f000;
  if (((before.raw & kAddress) ^ after.phys) & ~(before.page_bytes - 1)) return FaultKind::CopyOnWrite;
  return before.raw & mmu::kPteRw ? FaultKind::Allowed : FaultKind::WriteAllowed;
}

FaultLog::FaultLog() : by_kind_(kFaultKinds, Series(Joined::Sum)) {}

void FaultLog::faulted(const Fault& fault, const LeafEntry& before, u32 finest) {
  ++by_error_code_[fault.error_code % 32];
  const u64 key = key_of(fault.space, fault.linear);
  // What is there already was not answered: the kernel did something else than to let the program try again.
  if (const auto found = by_page_.find(key); found != by_page_.end()) not_answered(found->second);
  if (pending_.size() == kMaxPending) not_answered(pending_.begin());
  pending_.push_back({fault, before, finest});
  by_page_[key] = std::prev(pending_.end());
}

void FaultLog::not_answered(Waiting::iterator pending) {
  count(*pending, FaultKind::NotAnswered);
  by_page_.erase(key_of(pending->fault.space, pending->fault.linear));
  pending_.erase(pending);
}

void FaultLog::walked(u32 space, u64 linear, mmu::Access access, const mmu::Translation& translation,
                      const mmu::PhysMap& map, u64 now_ns) {
  const auto found = by_page_.find(key_of(space, linear));
  if (found == by_page_.end()) return;
  Pending& pending = *found->second;
  if (access != access_of(pending.fault.error_code)) return;
  pending.fault.answered_ns = now_ns;
  count(pending, answered_kind(pending.fault.error_code, pending.before, translation, map));
  pending_.erase(found->second);
  by_page_.erase(found);
}

void FaultLog::end(u32 space) {
  for (auto next = pending_.begin(); next != pending_.end();) {
    const auto pending = next++;
    if (pending->fault.space == space) not_answered(pending);
  }
}

void FaultLog::end_all() {
  while (!pending_.empty()) not_answered(pending_.begin());
}

void FaultLog::count(const Pending& pending, FaultKind kind) {
  const std::size_t i = index(kind);
  Fault fault = pending.fault;
  fault.kind = kind;
  by_kind_[i].add(pending.finest >> level_, 1);
  kept_[i].add(fault);
  if (kind == FaultKind::NotAnswered) return;
  const u64 took = fault.took_ns();
  ++durations_[i][std::min<std::size_t>(std::bit_width(took | 1) - 1, kDurations - 1)];
  std::vector<Fault>& slowest = slowest_[i];
  if (slowest.size() == kMaxSlowest && took <= slowest.back().took_ns()) return;
  slowest.insert(std::ranges::upper_bound(slowest, took, std::ranges::greater{}, &Fault::took_ns), fault);
  if (slowest.size() > kMaxSlowest) slowest.pop_back();
}

}  // namespace reprise::machine::memory_report
