#include "machine/monitor/walk_report.h"

#include <fmt/format.h>

#include <array>

#include "mmu/page_walk_impl.h"

namespace reprise::machine::monitor {
namespace {

using namespace mmu;  // names of bits

constexpr std::string_view kModeNames[] = {"no paging", "32-bit", "PAE", "4-level", "5-level"};
constexpr std::string_view kStructures[] = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

struct BitName {
  u64 bit;
  std::string_view name;
};
constexpr u64 kPtePwt = 1u << 3;
constexpr u64 kPtePcd = 1u << 4;
constexpr u64 kLargePagePat = 1u << 12;
constexpr BitName kEntryBits[] = {{kPteP, "P"},     {kPteRw, "R/W"},  {kPteUs, "U/S"},
                                  {kPtePwt, "PWT"}, {kPtePcd, "PCD"}, {kPteA, "A"}};
constexpr BitName kLeafBits[] = {{kPteD, "D"}, {kPteG, "G"}};

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ' ';
  list += name;
}

std::string bit_names(const WalkStep& step, unsigned level, PagingMode mode) {
  std::string names;
  const auto add = [&](const BitName& bit) {
    if (step.raw & bit.bit) append(names, bit.name);
  };
  for (const BitName& bit : kEntryBits) add(bit);
  if (step.leaf) {
    for (const BitName& bit : kLeafBits) add(bit);
    add(level == 1 ? BitName{kPtePs, "PAT"} : BitName{kLargePagePat, "PAT"});
  }
  if (level > 1) add({kPtePs, "PS"});
  if (mode != PagingMode::Bits32) add({kPteXd, "XD"});
  return names;
}

/// "bit 5", "bits 52 51 40".
std::string bit_numbers(u64 bits) {
  std::string text = std::popcount(bits) == 1 ? "bit" : "bits";
  for (unsigned bit = 64; bit-- > 0;)
    if (bits >> bit & 1) fmt::format_to(std::back_inserter(text), " {}", bit);
  return text;
}

/// The entries in which `bit` is `set`, as "the PDE and PTE".
std::string where(const WalkReport& report, u64 bit, bool set) {
  std::string text = "the";
  bool any = false;
  for (const WalkStep& step : report.steps) {
    if (step.in_register || ((step.raw & bit) != 0) != set) continue;
    fmt::format_to(std::back_inserter(text), "{} {}", any ? " and" : "", step.structure);
    any = true;
  }
  return text;
}

/// The step of `level` in memory; the walk goes on at `next_table`.
WalkStep read_step(const PagingContext& context, PeekMemory& memory, PagingMode mode, unsigned level,
                   u64 table_phys, u64 linear) {
  const unsigned index_bits = mode == PagingMode::Bits32 ? 10 : 9;
  WalkStep step;
  step.structure = kStructures[level];
  step.entry_bytes = mode == PagingMode::Bits32 ? 4 : 8;
  step.index = static_cast<unsigned>(
      field(linear, static_cast<unsigned>(kPageShift) + (level - 1) * index_bits, index_bits));
  step.entry_phys = memory.board_phys(table_phys + u64{step.index} * step.entry_bytes);
  step.raw = memory.read_entry(step.entry_phys, step.entry_bytes);
  const ReservedBits reserved = reserved_bits(context, mode);
  const bool large = (step.raw & kPtePs) != 0;
  step.leaf = level == 1;
  u64 must_be_zero = reserved.any;
  if (large && level == 2 && (mode != PagingMode::Bits32 || context.cr4 & kCr4Pse)) {
    step.leaf = true;
    must_be_zero = reserved.level2_leaf;
  } else if (large && level == 3 && context.gib_pages) {
    step.leaf = true;
    must_be_zero = reserved.level3_leaf;
  } else if (large && level > 2) {
    must_be_zero |= kPtePs;
  }
  if (step.raw & kPteP) step.reserved = step.raw & must_be_zero;
  step.bits = bit_names(step, level, mode);
  return step;
}

/// The accumulated rights of a walk that reached a page.
Translation page_of(const PagingContext& context, PeekMemory& memory, const WalkReport& report) {
  // One of these is allowed whatever the page's rights are: a supervisor read with EFLAGS.AC = 1.
  Translation page =
      page_walk(context, memory, report.linear, Access::Read, View::KernelAc, WalkEffects::None).translation;
  page.phys = memory.board_phys(page.phys);
  return page;
}

std::string structural_reason(const WalkReport& report) {
  const WalkStep& last = report.steps.back();
  if (!(last.raw & kPteP)) {
    if (last.in_register) return fmt::format("P is 0 in PDPTE register {}.", last.index);
    return fmt::format("P is 0 in the {} at {:#x}: nothing is mapped there.", last.structure,
                       last.entry_phys);
  }
  return fmt::format("{} of the {} at {:#x} {} set but reserved.", bit_numbers(last.reserved), last.structure,
                     last.entry_phys, std::popcount(last.reserved) == 1 ? "is" : "are");
}

std::string denied_reason(const PagingContext& context, const WalkReport& report, View view, Access access) {
  const Translation& page = *report.page;
  if (view == View::User && !page.user)
    return fmt::format("U/S is 0 in {}: the page belongs to the supervisor.", where(report, kPteUs, false));
  if (view != View::User && page.user) {
    constexpr std::string_view kUserPage = "U/S is 1 in every entry, so this is a user page";
    if (access == Access::Fetch && context.cr4 & kCr4Smep)
      return fmt::format("{}, and CR4.SMEP is 1: the supervisor may not execute it.", kUserPage);
    if (access != Access::Fetch && view == View::Kernel && context.cr4 & kCr4Smap)
      return fmt::format("{}, and CR4.SMAP is 1 with EFLAGS.AC = 0: the supervisor may not touch it.",
                         kUserPage);
  }
  if (access == Access::Fetch) return fmt::format("XD is 1 in {}.", where(report, kPteXd, true));
  return fmt::format("R/W is 0 in {}{}.", where(report, kPteRw, false),
                     view == View::User ? "" : ", and CR0.WP is 1");
}

std::string allowed_reason(const WalkReport& report, View view, Access access) {
  if (report.steps.empty()) return "CR0.PG is 0: there is no paging.";
  const Translation& page = *report.page;
  const std::string_view owner = page.user ? "U/S is 1 in every entry" : "U/S is 0";
  switch (access) {
    case Access::Read: return fmt::format("{}.", owner);
    case Access::Fetch: return fmt::format("{}; nothing forbids execution.", owner);
    case Access::Write: break;
  }
  if (page.writable) return fmt::format("{}; R/W is 1 in every entry.", owner);
  return fmt::format("R/W is 0 in {}, but CR0.WP is 0{}.", where(report, kPteRw, false),
                     view == View::User ? "" : " and this is the supervisor");
}

AccessVerdict judge(const PagingContext& context, PeekMemory& memory, const WalkReport& report, View view,
                    Access access) {
  AccessVerdict verdict = {view, access, false, false, 0, {}};
  if (!report.canonical) {
    verdict.general_protection = true;
    verdict.reason = fmt::format("The address is not canonical: bits 63:{0} are not all equal to bit {0}.",
                                 context.cr4 & kCr4La57 ? 56 : 47);
    return verdict;
  }
  const WalkResult result = page_walk(context, memory, report.linear, access, view, WalkEffects::None);
  verdict.allowed = result.ok;
  verdict.error_code = result.error_code;
  verdict.reason = result.ok      ? allowed_reason(report, view, access)
                   : !report.page ? structural_reason(report)
                                  : denied_reason(context, report, view, access);
  return verdict;
}

void walk_tables(const PagingContext& context, PeekMemory& memory, PagingMode mode, WalkReport& report) {
  u64 table_phys = context.cr3 & (mode == PagingMode::Bits32 ? 0xffff'f000 : kEntryAddressMask);
  unsigned level = mode == PagingMode::Level5 ? 5 : mode == PagingMode::Level4 ? 4 : 2;
  if (mode == PagingMode::Pae) {
    WalkStep step;
    step.structure = kStructures[3];
    step.in_register = true;
    step.index = static_cast<unsigned>(report.linear >> 30 & 3);
    step.raw = context.pdptes[step.index];
    step.bits = step.raw & kPteP ? "P" : "";
    report.steps.push_back(step);
    if (!(step.raw & kPteP)) return;
    table_phys = step.raw & kEntryAddressMask;
  }
  for (;; --level) {
    const WalkStep step = read_step(context, memory, mode, level, table_phys, report.linear);
    report.steps.push_back(step);
    if (!(step.raw & kPteP) || step.reserved != 0) return;
    if (step.leaf) break;
    table_phys = step.raw & (step.entry_bytes == 4 ? 0xffff'f000 : kEntryAddressMask);
  }
  report.page = page_of(context, memory, report);
}

}  // namespace

u64 PeekMemory::read_entry(u64 phys, unsigned bytes) {
  const PhysMap::Target target = map_.find(board_phys(phys));
  // The walker's own rule: what nobody answers reads as ones.
  if (target.kind == PhysMap::Kind::Unmapped) return field(~u64{0}, 0, 8 * bytes);
  if (target.host == nullptr || target.bytes_left < bytes) return 0;
  return bytes == 8 ? read_unaligned<u64>(target.host) : u64{read_unaligned<u32>(target.host)};
}

WalkReport report_walk(const PagingContext& context, PeekMemory& memory, u64 linear) {
  const PagingMode mode = paging_mode(context);
  WalkReport report;
  report.mode = kModeNames[static_cast<unsigned>(mode)];
  report.linear = context.efer & kEferLma ? linear : linear & 0xffff'ffff;
  report.canonical = is_canonical(context, report.linear);
  if (mode == PagingMode::None) {
    report.page = page_of(context, memory, report);
  } else if (report.canonical) {
    walk_tables(context, memory, mode, report);
  }
  for (const View view : {View::User, View::Kernel, View::KernelAc}) {
    // EFLAGS.AC matters only to data accesses to user pages under SMAP.
    const bool smap_matters = context.cr4 & kCr4Smap && report.page && report.page->user;
    if (view == View::KernelAc && !smap_matters) continue;
    for (const Access access : {Access::Read, Access::Write, Access::Fetch}) {
      if (view == View::KernelAc && access == Access::Fetch) continue;
      report.verdicts.push_back(judge(context, memory, report, view, access));
    }
  }
  return report;
}

WalkReport report_walk(mmu::Mmu& mmu, u64 linear) {
  PeekMemory memory(mmu.phys_map(), mmu.a20_enabled());
  return report_walk(mmu.context(), memory, linear);
}

std::string_view name_of(View view) {
  constexpr std::string_view kNames[] = {"user", "kernel", "kernel with EFLAGS.AC=1"};
  return kNames[static_cast<unsigned>(view)];
}

std::string_view name_of(Access access) {
  constexpr std::string_view kNames[] = {"read", "write", "execute"};
  return kNames[static_cast<unsigned>(access)];
}

std::string error_code_bits(u32 error_code) {
  constexpr std::array kBits = {BitName{kPfP, "P"},       BitName{kPfW, "W/R"}, BitName{kPfU, "U/S"},
                                BitName{kPfRsvd, "RSVD"}, BitName{kPfI, "I/D"}, BitName{kPfPk, "PK"}};
  std::string text;
  for (const BitName& bit : kBits)
    if (error_code & bit.bit) append(text, bit.name);
  return text;
}

}  // namespace reprise::machine::monitor
