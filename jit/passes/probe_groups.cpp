// Probe groups: accesses that lie close together off one base register, or one and the same scaled index, share one probe. A probe that hits
// proves that nothing in the group can fault, so the rest of the group needs no check; one that misses hands
// all instructions up to the group's last to their handlers. A group is never open across an instruction
// whose effect on registers or translations is not known.
#include <algorithm>
#include <optional>

#include "cpu/decode/insn_facts.h"
#include "jit/passes/passes.h"
#include "jit/plan/insn_effects.h"

namespace reprise::jit {
namespace {

using cpu::Insn;

/// Wider groups would cross pages more often.
constexpr i64 kMaxSpanBytes = 256;

/// A group and the one that follows it, found from the block's end to its beginning.
struct Choice {
  unsigned saved = 0;  // probes, from here to the end of the block
  u16 last = 0;        // of the group that begins here, 0 when none does
};

class GroupFinder {
 public:
  explicit GroupFinder(std::span<const Insn> block) : block_(block), steps_(block.begin(), block.end()) {}

  void find(Plan& plan) {
    std::vector<Choice> choices(block_.size() + 1);
    for (std::size_t i = block_.size(); i-- > 0;) {
      choices[i].saved = choices[i + 1].saved;
      unsigned members = 0;
      walk(i, [&](std::size_t at, i64, i64, i64, bool) {
        if (++members < 2) return;
        const unsigned saved = members - 1 + choices[at + 1].saved;
        if (saved > choices[i].saved) choices[i] = {saved, static_cast<u16>(at)};
      });
    }
    for (std::size_t i = 0; i < block_.size();) {
      if (choices[i].last == 0) {
        ++i;
        continue;
      }
      add(plan, i, choices[i].last);
      i = choices[i].last + std::size_t{1};
    }
  }

 private:
  /// What all groups ask of an instruction.
  struct Step {
    explicit Step(const Insn& in)
        : access(access_of(in)), written(cpu::written_gprs(in)), known(effects_known(in)) {}

    std::optional<MemoryAccess> access;
    cpu::RegisterSet written;
    bool known;
  };

  /// As change_of().
  std::optional<i32> change(std::size_t at, unsigned gpr) const {
    if (((steps_[at].written & cpu::kRegisterGprs) >> gpr & 1) == 0) return 0;
    return change_of(block_[at], gpr);
  }

  static bool same_place(const MemoryAccess& one, const MemoryAccess& other) {
    return one.base == other.base && one.index == other.index && one.scale == other.scale &&
           one.seg == other.seg;
  }

  /// Visits the accesses of the group that begins with the one of instruction `first`: index, how far the
  /// base has moved, and the bounds and kind of the group so far.
  template <class Visit>
  void walk(std::size_t first, Visit visit) const {
    if (!steps_[first].access) return;
    const MemoryAccess& leader = *steps_[first].access;
    i64 low = leader.disp;
    i64 high = leader.disp + leader.bytes;
    i64 shift = 0;
    bool writes = false;
    for (std::size_t i = first; i < block_.size(); ++i) {
      if (!steps_[i].known) return;
      if (const auto& access = steps_[i].access; access && same_place(*access, leader)) {
        const i64 begin = shift + access->disp;
        const i64 end = begin + access->bytes;
        if (std::max(high, end) - std::min(low, begin) <= kMaxSpanBytes) {
          low = std::min(low, begin);
          high = std::max(high, end);
          writes |= access->writes;
          visit(i, shift, low, high, writes);
        }
      }
      const std::optional<i32> of_base = change(i, leader.base);
      const std::optional<i32> of_index = change(i, leader.index);
      if (!of_base || !of_index) return;
      shift += *of_base + (i64{*of_index} << leader.scale);
    }
  }

  void add(Plan& plan, std::size_t first, std::size_t last) const {
    ProbeGroup group;
    group.base = steps_[first].access->base;
    group.index = steps_[first].access->index;
    group.scale = steps_[first].access->scale;
    group.seg = steps_[first].access->seg;
    group.first = static_cast<u16>(first);
    group.last = static_cast<u16>(last);
    const auto index = static_cast<i16>(plan.groups.size());
    walk(first, [&](std::size_t at, i64 shift, i64 low, i64 high, bool writes) {
      if (at > last) return;
      group.low = static_cast<i32>(low);
      group.high = static_cast<i32>(high);
      group.writes = writes;
      PlannedInsn& planned = plan.insns[at];
      planned.group = index;
      planned.stack = steps_[at].access->stack;
      planned.disp = static_cast<i32>(steps_[at].access->disp);
      planned.shift = static_cast<i32>(shift);
      if (const u8 alignment = steps_[at].access->alignment; alignment > group.alignment) {
        group.alignment = alignment;
        group.aligned = planned.disp + planned.shift;
      }
    });
    for (std::size_t at = first; at <= last; ++at) {
      PlannedInsn& planned = plan.insns[at];
      planned.aligned =
          planned.group == index && (planned.disp + planned.shift - group.aligned) % group.alignment == 0;
    }
    plan.groups.push_back(group);
  }

  std::span<const Insn> block_;
  std::vector<Step> steps_;
};

}  // namespace

void find_probe_groups(std::span<const Insn> insns, Plan& plan) { GroupFinder(insns).find(plan); }

}  // namespace reprise::jit
