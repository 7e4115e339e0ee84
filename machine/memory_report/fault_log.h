// FaultLog: page faults, what the guest's kernel made of each, and how long that took.
//
// A fault is answered when the page next lets the same kind of access through. What was done follows from the entry before
// and the page after, as far as it can be told from outside:
//
//   before             after                         kind
//   not present, 0     a page for the kernel alone   the kernel's own
//   not present, 0     the page is all zeros         demand zero (of 2 MiB: huge)
//   not present, 0     it is not                     from a file (or what else the kernel had there)
//   a swap entry       present                       swapped in
//   not present, else  present                       another entry (PROT_NONE, migration, ...)
//   present, no write  another page                  copy on write
//   present, no write  the same page, writable       writing was allowed
//   allowed            allowed                       the entry allowed it (the TLB was behind, or another processor ahead)
//   any                never                         not answered: a signal, an error that the kernel expected, the end
#pragma once

#include <array>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "machine/memory_report/kind_row.h"
#include "machine/memory_report/leaf_entry.h"
#include "machine/memory_report/sampled.h"
#include "machine/memory_report/windows.h"
#include "mmu/page_walk.h"

namespace reprise::machine::memory_report {

enum class FaultKind : u8 {
  DemandZero,
  DemandZeroHuge,
  FromFile,
  SwappedIn,
  CopyOnWrite,
  WriteAllowed,
  KernelsOwn,
  OtherEntry,
  Allowed,
  NotAnswered,
};
inline constexpr unsigned kFaultKinds = 10;
const KindRow& row_of(FaultKind kind);
/// What was done about a fault, by the entry `before` and the page that lets the access through now.
FaultKind answered_kind(u32 error_code, const LeafEntry& before, const mmu::Translation& after,
                        const mmu::PhysMap& map);
/// Of a page fault.
mmu::Access access_of(u32 error_code);

/// When something was, as a position for replays and debuggers: the machine's instruction count before it.
struct Moment {
  u64 retired = 0;
  u64 ns = 0;
};

struct Fault {
  Moment at;
  u32 space = 0;
  u64 linear = 0;
  u32 error_code = 0;
  u64 rip = 0;
  std::optional<u64> linked_rip = {};  // where it was when the kernel was linked, if it has a name there
  u64 entry_before = 0;
  u64 answered_ns = 0;  // 0: not
  FaultKind kind = FaultKind::NotAnswered;
  u64 took_ns() const { return answered_ns > at.ns ? answered_ns - at.ns : 0; }
};

class FaultLog {
 public:
  static constexpr unsigned kDurations = 40;  // powers of two of ns

  FaultLog();
  FaultLog(const FaultLog&) = delete;
  FaultLog& operator=(const FaultLog&) = delete;
  FaultLog(FaultLog&&) = default;
  FaultLog& operator=(FaultLog&&) = default;

  void faulted(const Fault& fault, const LeafEntry& before, u32 finest);
  /// An access of `linear` was let through by the tables.
  void walked(u32 space, u64 linear, mmu::Access access, const mmu::Translation& translation,
              const mmu::PhysMap& map, u64 now_ns);
  bool waits() const { return !pending_.empty(); }
  /// What waits for an answer in `space` gets none.
  void end(u32 space);
  void end_all();
  /// Windows are twice as wide from now on.
  void halve() {
    ++level_;
    for (Series& one : by_kind_) one.halve();
  }

  u64 count(FaultKind kind) const { return kept_[index(kind)].count(); }
  const Series& series(FaultKind kind) const { return by_kind_[index(kind)]; }
  /// Some of them, spread evenly.
  const std::vector<Fault>& sample(FaultKind kind) const { return kept_[index(kind)].kept(); }
  /// Those that took longest to answer, the longest first.
  const std::vector<Fault>& slowest(FaultKind kind) const { return slowest_[index(kind)]; }
  /// How many took [2^i, 2^(i+1)) ns.
  const std::array<u64, kDurations>& durations(FaultKind kind) const { return durations_[index(kind)]; }
  /// By bits 4:0 of their error codes, answered or not.
  const std::array<u64, 32>& by_error_code() const { return by_error_code_; }

 private:
  static constexpr std::size_t kMaxPending = 4096;
  static constexpr std::size_t kMaxSlowest = 12;
  static constexpr std::size_t index(FaultKind kind) { return static_cast<std::size_t>(kind); }
  struct Pending {
    Fault fault;
    LeafEntry before;
    u32 finest = 0;
  };
  static u64 key_of(u32 space, u64 linear) {
    return u64{space} << 45 | (linear >> kPageShift & ((u64{1} << 45) - 1));
  }
  void count(const Pending& pending, FaultKind kind);

  unsigned level_ = 0;  // of WindowScale
  using Waiting = std::list<Pending>;
  void not_answered(Waiting::iterator pending);

  Waiting pending_;  // in the order in which they came
  std::unordered_map<u64, Waiting::iterator> by_page_;
  std::vector<Series> by_kind_;
  std::array<Sampled<Fault>, kFaultKinds> kept_;
  std::array<std::vector<Fault>, kFaultKinds> slowest_;
  std::array<std::array<u64, kDurations>, kFaultKinds> durations_{};
  std::array<u64, 32> by_error_code_{};
};

}  // namespace reprise::machine::memory_report
