// DebugStops: where a debugger wants processors to stop, and what they have hit. Shared by all processors of a machine.
//
// None of it is state: a run that stops and goes on is the run that never stopped. So a breakpoint is looked at before the
// instruction is fetched (a fetch may walk), guest memory stays as it is, and there are as many as one likes.
//
// How engines take part: a linear page with breakpoints gets no fetch tag (mmu/debug_pages.h) and its blocks a ModeKey of
// their own (block_mode), so that they are shared with no other linear page. They are split where a breakpoint may be,
// and what begins there is not translated: so the engine itself is at every such place, and asks stops_before()
// (cpu/engine/interpret.h). As with the processor's own breakpoints RF covers one instruction, so that one that faults
// and is started again, or a REP that is interrupted, is hit once.
//
// Thread: the one that runs the machine.
#pragma once

#include <bitset>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/bits.h"
#include "cpu/state/mode.h"
#include "mmu/debug_pages.h"
#include "mmu/tlb.h"

namespace reprise::cpu {

struct Cpu;

/// Stops before an instruction, of whatever processor.
struct Breakpoint {
  u64 linear = 0;
  /// Only while CR3 has this root (bits 51:12) and paging is on: a user program's address exists in every process.
  std::optional<u64> root = {};
  friend bool operator==(const Breakpoint&, const Breakpoint&) = default;
};

/// Stops after the instruction that touched one of these bytes.
struct Watchpoint {
  enum class Space : u8 { Linear, Phys };
  enum class On : u8 { Write, Read, Access };
  /// Linear: what processors access by this very address. Phys: whatever the address, page walks and devices too.
  Space space = Space::Linear;
  On on = On::Write;
  u64 address = 0;
  u64 bytes = 1;
  friend bool operator==(const Watchpoint&, const Watchpoint&) = default;
};

struct DebugHit {
  enum class Kind : u8 { Breakpoint, Watchpoint };
  /// Cpu: an instruction, or the delivery of an event.
  enum class By : u8 { Cpu, Walk, Device };
  Kind kind = Kind::Breakpoint;
  By by = By::Cpu;
  const Cpu* cpu = nullptr;  // whose it is; nullptr: a device
  u64 linear = 0;            // Breakpoint: the instruction
  // Watchpoint: which one, and the access, within one page.
  Watchpoint watchpoint = {};
  mmu::Access access = mmu::Access::Read;
  u64 address = 0;  // in the watchpoint's space
  u64 bytes = 0;
};

/// Hears of hits instead of a stop.
class HitListener {
 public:
  virtual ~HitListener() = default;
  /// Watchpoint: behind the access, amid the instruction. Breakpoint: before the instruction is fetched.
  virtual void hit(const DebugHit& hit) = 0;
};

class DebugStops {
 public:
  /// Of page-table roots in CR3.
  static constexpr u64 kRootMask = 0x000f'ffff'ffff'f000;

  /// What a new breakpoint means for decoded blocks.
  enum class Blocks : u8 { Good, Outdated };
  /// The same one may be there several times. Outdated: all blocks have to be forgotten before anything runs.
  [[nodiscard]] Blocks add(const Breakpoint& breakpoint);
  void add(const Watchpoint& watchpoint);
  /// One of them. False: there is none.
  bool remove(const Breakpoint& breakpoint);
  bool remove(const Watchpoint& watchpoint);
  void clear();
  bool empty() const { return breakpoints_.empty() && watchpoints_.empty(); }

  /// All there are, and who hears of them.
  struct Wanted {
    std::vector<Breakpoint> breakpoints = {};
    std::vector<Watchpoint> watchpoints = {};
    HitListener* listener = nullptr;  // nullptr: they stop processors
  };
  /// Those of before make place for `wanted`, and are returned. As add().
  [[nodiscard]] Blocks exchange(Wanted& wanted);

  /// What MMUs have to know (Mmu::set_debug_pages), after every change.
  const mmu::DebugPages& pages() const { return pages_; }

  // --- For engines ---

  /// The key of blocks at `linear`, in code of `mode`.
  ModeKey block_mode(ModeKey mode, u64 linear) const {
    if (pages_.code.contains(linear)) mode.bits |= generation_ << ModeKey::kDebugShift;
    return mode;
  }
  /// A block of block_mode() may not go on over the instruction at this offset in its page, and one that begins there is
  /// not to be translated.
  bool splits(u64 page_offset) const { return splits_[page_offset & ~kPageMask]; }
  /// Whether there is a breakpoint at `linear` for a processor with `cr3`; `paging`: CR0.PG.
  bool breaks_at(u64 linear, u64 cr3, bool paging) const;
  /// True: the processor stops.
  bool hit_breakpoint(const Cpu& cpu, u64 linear);
  /// An access of `cpu`, or of a device (nullptr, by physical address alone). True: the processor stops at a watchpoint.
  bool accessed(const Cpu* cpu, std::optional<u64> linear, u64 phys, u64 bytes, mmu::Access access,
                DebugHit::By by);

  // --- What was hit since forget_hits(), oldest first, at most kMaxHits ---

  static constexpr std::size_t kMaxHits = 16;
  const std::vector<DebugHit>& hits() const { return hits_; }
  void forget_hits() { hits_.clear(); }
  void set_hits(std::vector<DebugHit> hits) { hits_ = std::move(hits); }

 private:
  void update_pages();
  /// True: it stops.
  bool note(const DebugHit& hit);

  std::unordered_multimap<u64, std::optional<u64>> breakpoints_;  // linear -> root
  std::vector<Watchpoint> watchpoints_;
  HitListener* listener_ = nullptr;
  mmu::DebugPages pages_;
  // Blocks that were made before a new offset came to be one where they end must not be found any more: the generation,
  // from 1 to ModeKey::kDebugGenerations, then anew. Offsets stay until then.
  std::bitset<kPageBytes> splits_;
  u32 generation_ = 1;
  std::vector<DebugHit> hits_;
};

}  // namespace reprise::cpu
