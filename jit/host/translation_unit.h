// What a host back end is asked to translate: a value that holds all it may know of the guest, so that it
// looks at neither the processor nor the block cache.
#pragma once

#include <optional>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/jit_options.h"
#include "jit/plan/insn_forms.h"
#include "jit/plan/plan.h"
#include "mmu/tlb.h"

namespace reprise::jit {

/// The view that data accesses of code of `mode` go by.
inline mmu::View data_view(cpu::ModeKey mode) {
  if (mode.cpl() == 3) return mmu::View::User;
  return mode.has(cpu::ModeKey::kKernelAc) ? mmu::View::KernelAc : mmu::View::Kernel;
}

/// Rip is not the linear address in code of this mode, and may have to be looked at: 16-bit code, and 32-bit
/// code in a segment that is not flat.
inline bool segmented_code(cpu::ModeKey mode) {
  return mode.code_size() == cpu::CodeSize::Bits16 || !mode.has(cpu::ModeKey::kFlatCode);
}

/// A block where the unit may go on. It may be another one by then, so generated code that relies on a hint
/// goes there through an edge, which is only linked while that holds.
struct SuccessorHint {
  u64 page_offset = 0;
  u32 insns = 0;
  bool flags_dead = false;  // as TranslationUnit::flags_dead_at_entry
};

struct TranslationUnit {
  static constexpr unsigned kMaxJoined = 5;  // with two exits at the end: as edge_id() numbers them

  u32 number = 0;  // of its region: handed back by the code, and by its edges
  std::vector<cpu::Insn> insns;
  /// Blocks behind the first one whose instructions these are too: each begins where the conditional jump at the end of the
  /// one before does not jump.
  std::vector<cpu::Block*> joined;
  cpu::ModeKey mode;
  mmu::View view = mmu::View::Kernel;  // data_view()
  /// Physical address of the page after that of the first byte, when the code, a single instruction then,
  /// crosses into it.
  std::optional<u64> second_page;
  /// Not nullptr: the code runs only where rip's page begins at this. Else it leaves, as if it had no code.
  const u64* known_page_base = nullptr;
  /// Its probe groups miss often: each access then has a probe of its own (SlowPaths).
  bool groups_miss = false;
  /// Nobody sees the status flags that the code is entered with.
  bool flags_dead_at_entry = false;
  Plan plan;
  std::vector<SuccessorHint> successors;  // of the ends of conditional jumps, what is known

  u32 count() const { return static_cast<u32>(insns.size()); }
  /// Jumps to fixed places in the page: two at the end, and one behind each block that is followed.
  std::size_t most_exits() const { return joined.size() + 2; }
  /// Whether instruction `index` is a conditional jump behind which the unit goes on.
  bool goes_on_behind(u32 index) const { return index + 1 < count() && conditional_jump(insns[index]); }
  const SuccessorHint* successor(u64 page_offset) const;
};

/// What is asked about a kind of host before there is a unit.
class HostTraits {
 public:
  virtual ~HostTraits() = default;
  /// Whether code for `block` begins with checks that may leave it, behind which the flags it was entered with must be
  /// there.
  virtual bool checks_at_head(const cpu::Block& block) const = 0;
  /// Whether code for `block` may be the code of a block before it, which goes on there.
  virtual bool joinable(const cpu::Block& block) const = 0;
};

/// The unit, but for its plan, for `block`, whose neighbours are in `blocks`, for `host`. `may_join`: the pass of that name may run.
/// `known_page_base`: TranslationUnit's, of this one; its neighbours ask likewise.
TranslationUnit make_unit(const cpu::Block& block, const cpu::BlockCache& blocks, PassSet passes,
                          const HostTraits& host, bool may_join = true, const u64* known_page_base = nullptr);

}  // namespace reprise::jit
