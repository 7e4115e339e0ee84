// A page walk told in full: each entry it reads, what the bits are called, and what an access would meet.
// SDM 3A chapter 4. Reads RAM and ROM only and writes nothing; whether an access is allowed is asked of
// mmu::page_walk.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mmu/mmu.h"
#include "mmu/page_walk.h"
#include "mmu/phys_map.h"

namespace reprise::machine::monitor {

/// Paging-structure entries as they lie in memory, without the side effects of a guest's walk: a device is
/// not read (its entries are 0).
class PeekMemory final : public mmu::WalkMemory {
 public:
  PeekMemory(const mmu::PhysMap& map, bool a20_enabled)
      : map_(map), a20_mask_(a20_enabled ? ~u64{0} : ~(u64{1} << 20)) {}
  u64 read_entry(u64 phys, unsigned bytes) override;
  void write_entry(u64, unsigned, u64) override {}
  /// The address that the board sees, with A20 as it is.
  u64 board_phys(u64 phys) const { return phys & a20_mask_; }

 private:
  const mmu::PhysMap& map_;
  const u64 a20_mask_;
};

struct WalkStep {
  std::string_view structure;  // "PML4E", "PDPTE", "PDE", "PTE"
  bool in_register = false;    // a PDPTE register of PAE paging: no address
  u64 entry_phys = 0;
  unsigned entry_bytes = 8;
  unsigned index = 0;
  u64 raw = 0;
  bool leaf = false;
  u64 reserved = 0;  // bits that are set and reserved
  std::string bits;  // the names of those that are set: "P R/W A"
};

struct AccessVerdict {
  mmu::View view;
  mmu::Access access;
  bool allowed;
  bool general_protection;  // #GP(0) (#SS(0) with the stack segment), else #PF, when not allowed
  u32 error_code;           // of #PF
  std::string reason;       // a sentence that names the bit
};

struct WalkReport {
  std::string_view mode;  // "no paging", "32-bit", "PAE", "4-level", "5-level"
  u64 linear = 0;         // as the processor truncates it
  bool canonical = true;
  std::vector<WalkStep> steps;
  /// Present, without reserved bits, down to a page; its rights are the ones of all levels.
  std::optional<mmu::Translation> page;
  std::vector<AccessVerdict> verdicts;
};

WalkReport report_walk(const mmu::PagingContext& context, PeekMemory& memory, u64 linear);
/// As `mmu` would walk now.
WalkReport report_walk(mmu::Mmu& mmu, u64 linear);

/// "user", "kernel", "kernel with EFLAGS.AC=1"; "read", "write", "execute".
std::string_view name_of(mmu::View view);
std::string_view name_of(mmu::Access access);
/// The bits of a page-fault error code: "P W/R U/S". SDM 3A 4.7.
std::string error_code_bits(u32 error_code);

}  // namespace reprise::machine::monitor
