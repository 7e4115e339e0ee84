// The report of a page walk and the list of an address space, against tables written here from SDM 3A chapter
// 4; and against the walker itself on random tables.
#include "machine/monitor/walk_report.h"

#include <gtest/gtest.h>

#include <random>

#include "common/bits.h"
#include "machine/monitor/address_space.h"

namespace reprise::machine::monitor {
namespace {

using namespace mmu;

constexpr u64 kRamBytes = u64{16} << 20;
constexpr u64 kUserBits = kPteP | kPteRw | kPteUs;
constexpr u64 kKernelBits = kPteP | kPteRw;

struct Tables {
  std::unique_ptr<Ram> ram = Ram::create(kRamBytes).take();
  PhysMap map{*ram};
  PeekMemory memory{map, true};
  PagingContext context;

  Tables() { EXPECT_TRUE(map.add_ram("ram", 0, kRamBytes, 0).ok()); }
  void set64(u64 phys, u64 value) { write_unaligned<u64>(ram->host() + phys, value); }
  void set32(u64 phys, u32 value) { write_unaligned<u32>(ram->host() + phys, value); }
  WalkReport walk(u64 linear) { return report_walk(context, memory, linear); }

  /// 4-level (or 5-level) tables at 1000h, 2000h, ... for one linear address, top level first; the last entry
  /// given.
  void long_mode(u64 linear, unsigned levels, u64 leaf, unsigned leaf_level = 1, u64 table_bits = kUserBits) {
    context.cr0 = kCr0Pe | kCr0Pg | kCr0Wp;
    context.cr4 = kCr4Pae | (levels == 5 ? kCr4La57 : 0);
    context.efer = kEferLme | kEferLma | kEferNxe;
    context.cr3 = 0x1000;
    u64 table = 0x1000;
    for (unsigned level = levels; level >= leaf_level; --level, table += kPageBytes)
      set64(table + 8 * field(linear, 12 + 9 * (level - 1), 9),
            level == leaf_level ? leaf : (table + kPageBytes) | table_bits);
  }
};

const AccessVerdict& verdict(const WalkReport& report, View view, Access access) {
  for (const AccessVerdict& found : report.verdicts)
    if (found.view == view && found.access == access) return found;
  ADD_FAILURE() << "no verdict";
  return report.verdicts.at(0);
}

TEST(WalkReport, FourLevels) {
  constexpr u64 kLinear = 0x7f12'3456'7890;
  Tables tables;
  tables.long_mode(kLinear, 4, 0x0080'0000 | kUserBits | kPteA | kPteXd);
  const WalkReport report = tables.walk(kLinear);
  EXPECT_EQ(report.mode, "4-level");
  ASSERT_EQ(report.steps.size(), 4u);
  constexpr std::string_view kNames[] = {"PML4E", "PDPTE", "PDE", "PTE"};
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(report.steps[i].structure, kNames[i]);
    EXPECT_EQ(report.steps[i].entry_phys, 0x1000 * (i + 1) + 8 * field(kLinear, 39 - 9 * i, 9));
    EXPECT_EQ(report.steps[i].leaf, i == 3);
  }
  EXPECT_EQ(report.steps[0].bits, "P R/W U/S");
  EXPECT_EQ(report.steps[3].bits, "P R/W U/S A XD");
  ASSERT_TRUE(report.page);
  EXPECT_EQ(report.page->phys, 0x0080'0890u);
  EXPECT_EQ(report.page->page_bytes, kPageBytes);
  EXPECT_TRUE(report.page->user && report.page->writable && !report.page->executable);
  EXPECT_TRUE(verdict(report, View::User, Access::Write).allowed);
  const AccessVerdict& fetch = verdict(report, View::User, Access::Fetch);
  EXPECT_FALSE(fetch.allowed);
  EXPECT_EQ(fetch.error_code, kPfP | kPfU | kPfI);
  EXPECT_EQ(fetch.reason, "XD is 1 in the PTE.");
}

TEST(WalkReport, LargePagesAndFiveLevels) {
  constexpr u64 kLinear = 0x00ab'cdef'1234'5678;
  Tables tables;
  tables.long_mode(kLinear, 5, 0x4000'0000 | kKernelBits | kPtePs | kPteG | kPteD, 3);
  tables.context.cr4 |= kCr4Pge;
  const WalkReport report = tables.walk(kLinear);
  EXPECT_EQ(report.mode, "5-level");
  ASSERT_EQ(report.steps.size(), 3u);
  EXPECT_EQ(report.steps[2].bits, "P R/W D G PS");
  ASSERT_TRUE(report.page);
  EXPECT_EQ(report.page->page_bytes, u64{1} << 30);
  EXPECT_EQ(report.page->phys, 0x4000'0000 + (kLinear & 0x3fff'ffff));
  EXPECT_TRUE(report.page->global);
  EXPECT_EQ(verdict(report, View::User, Access::Read).reason,
            "U/S is 0 in the PDPTE: the page belongs to the supervisor.");
}

TEST(WalkReport, PaeStartsAtRegisters) {
  constexpr u64 kLinear = 0xc020'3004;
  Tables tables;
  tables.context.cr0 = kCr0Pe | kCr0Pg;
  tables.context.cr4 = kCr4Pae;
  tables.context.pdptes[3] = 0x5000 | kPteP;
  tables.set64(0x5000 + 8 * 1, 0x6000 | kKernelBits);
  tables.set64(0x6000 + 8 * 3, 0x7000 | kPteP);
  const WalkReport report = tables.walk(kLinear);
  EXPECT_EQ(report.mode, "PAE");
  ASSERT_EQ(report.steps.size(), 3u);
  EXPECT_TRUE(report.steps[0].in_register);
  EXPECT_EQ(report.steps[0].index, 3u);
  ASSERT_TRUE(report.page);
  EXPECT_EQ(report.page->phys, 0x7004u);
  const AccessVerdict& write = verdict(report, View::Kernel, Access::Write);
  EXPECT_TRUE(write.allowed);
  EXPECT_EQ(write.reason, "R/W is 0 in the PTE, but CR0.WP is 0 and this is the supervisor.");
  tables.context.pdptes[3] = 0;
  EXPECT_EQ(verdict(tables.walk(kLinear), View::Kernel, Access::Read).reason, "P is 0 in PDPTE register 3.");
}

TEST(WalkReport, Bits32) {
  constexpr u64 kLinear = 0x0040'1abc;
  Tables tables;
  tables.context.cr0 = kCr0Pe | kCr0Pg | kCr0Wp;
  tables.context.cr4 = kCr4Pse;
  tables.context.cr3 = 0x3000;
  tables.set32(0x3000 + 4 * 1, 0x4000 | kUserBits);
  tables.set32(0x4000 + 4 * 1, 0x9000 | kPteP | kPteUs);
  WalkReport report = tables.walk(kLinear);
  EXPECT_EQ(report.mode, "32-bit");
  ASSERT_EQ(report.steps.size(), 2u);
  EXPECT_EQ(report.steps[1].entry_bytes, 4u);
  EXPECT_EQ(report.page->phys, 0x9abcu);
  EXPECT_EQ(verdict(report, View::Kernel, Access::Write).reason, "R/W is 0 in the PTE, and CR0.WP is 1.");
  EXPECT_EQ(verdict(report, View::User, Access::Write).reason, "R/W is 0 in the PTE.");

  tables.set32(0x3000 + 4 * 1, 0x0080'0000 | kKernelBits | kPtePs | u32{3} << 13);  // PSE-36
  report = tables.walk(kLinear);
  ASSERT_EQ(report.steps.size(), 1u);
  EXPECT_EQ(report.page->page_bytes, u64{4} << 20);
  EXPECT_EQ(report.page->phys, (u64{3} << 32) + 0x0080'1abc);
}

TEST(WalkReport, NoPaging) {
  Tables tables;
  const WalkReport report = tables.walk(0x1'2345'6789);
  EXPECT_EQ(report.mode, "no paging");
  EXPECT_TRUE(report.steps.empty());
  EXPECT_EQ(report.page->phys, 0x2345'6789u);
  for (const AccessVerdict& each : report.verdicts) EXPECT_TRUE(each.allowed);
}

TEST(WalkReport, WhyItFaults) {
  constexpr u64 kLinear = 0x7f12'3456'7890;
  Tables tables;
  tables.long_mode(kLinear, 4, 0, 2);
  WalkReport report = tables.walk(kLinear);
  EXPECT_FALSE(report.page);
  EXPECT_EQ(verdict(report, View::User, Access::Write).error_code, kPfW | kPfU);
  EXPECT_EQ(verdict(report, View::User, Access::Write).reason,
            "P is 0 in the PDE at 0x3d10: nothing is mapped there.");

  tables.long_mode(kLinear, 4, kUserBits | kPtePs | u64{1} << 13 | u64{1} << 50, 2);
  report = tables.walk(kLinear);
  EXPECT_FALSE(report.page);
  EXPECT_EQ(report.steps.back().reserved, u64{1} << 13 | u64{1} << 50);
  EXPECT_EQ(verdict(report, View::Kernel, Access::Read).error_code, kPfP | kPfRsvd);
  EXPECT_EQ(verdict(report, View::Kernel, Access::Read).reason,
            "bits 50 13 of the PDE at 0x3d10 are set but reserved.");

  tables.long_mode(kLinear, 4, 0x9000 | kUserBits);
  tables.context.cr4 |= kCr4Smep | kCr4Smap;
  report = tables.walk(kLinear);
  EXPECT_NE(verdict(report, View::Kernel, Access::Fetch).reason.find("CR4.SMEP is 1"), std::string::npos);
  EXPECT_NE(verdict(report, View::Kernel, Access::Read).reason.find("CR4.SMAP is 1"), std::string::npos);
  EXPECT_TRUE(verdict(report, View::KernelAc, Access::Read).allowed);

  report = tables.walk(0x8000'0000'0000);
  EXPECT_FALSE(report.canonical);
  EXPECT_TRUE(report.steps.empty());
  EXPECT_TRUE(verdict(report, View::Kernel, Access::Read).general_protection);
}

TEST(WalkReport, MaskedA20MovesTheTables) {
  constexpr u64 kLinear = 0x1000;
  Tables tables;
  tables.long_mode(kLinear, 4, 0x0030'0000 | kUserBits);
  PeekMemory masked(tables.map, false);
  tables.context.cr3 |= u64{1} << 20;
  const WalkReport report = report_walk(tables.context, masked, kLinear);
  ASSERT_TRUE(report.page);
  EXPECT_EQ(report.page->phys, 0x0020'0000u);
}

TEST(WalkReport, AgreesWithTheWalkerOnRandomTables) {
  std::mt19937_64 random(20251121);
  unsigned reached = 0;
  for (int round = 0; round < 20000; ++round) {
    Tables& tables = *[] {
      static Tables shared;
      return &shared;
    }();
    const unsigned mode = random() % 5;
    tables.context.cr0 = (mode ? kCr0Pe | kCr0Pg : 0) | (random() & kCr0Wp);
    tables.context.cr4 = (random() & (kCr4Pse | kCr4Smep | kCr4Smap | kCr4Pge)) | (mode >= 2 ? kCr4Pae : 0) |
                         (mode == 4 ? kCr4La57 : 0);
    tables.context.efer = (mode >= 3 ? kEferLme | kEferLma : 0) | (random() & kEferNxe);
    tables.context.gib_pages = random() % 2;
    tables.context.cr3 = 0;
    // Few tables of few distinct entries, so that walks reach pages.
    u64 raw[32];
    for (u64& entry : raw) {
      entry = (random() % 8) << 12 | (random() % 8 ? kPteP : 0) | (random() & 0x3fe);
      if (random() % 4) entry &= ~kPtePs;
      if (random() % 6 == 0) entry |= u64{1} << random() % 64;
      if (random() % 6 == 0) entry |= kPteXd;
    }
    for (u64 phys = 0; phys < 8 * kPageBytes; phys += 8) tables.set64(phys, raw[random() % 32]);
    for (u64& pdpte : tables.context.pdptes) pdpte = (random() % 8) << 12 | random() % 2;
    const u64 linear = sign_extend(random(), mode == 4 ? 57 : 48);

    const WalkReport report = tables.walk(linear);
    for (const AccessVerdict& each : report.verdicts) {
      const WalkResult truth =
          page_walk(tables.context, tables.memory, linear, each.access, each.view, WalkEffects::None);
      ASSERT_EQ(each.allowed, truth.ok);
      ASSERT_EQ(each.error_code, truth.error_code);
      // The reason must come from the same place as the fault.
      ASSERT_EQ(report.page.has_value(), truth.ok || (truth.error_code & (kPfP | kPfRsvd)) == kPfP);
      if (!truth.ok) {
        ASSERT_EQ(each.reason.starts_with("P is 0"), (truth.error_code & kPfP) == 0) << each.reason;
        ASSERT_EQ(each.reason.ends_with("reserved."), (truth.error_code & kPfRsvd) != 0) << each.reason;
      } else {
        ASSERT_EQ(report.page->phys, truth.translation.phys);
        ASSERT_EQ(report.page->writable, truth.translation.writable);
        ++reached;
      }
    }
  }
  EXPECT_GT(reached, 10000u);
}

// --- The list of an address space ---

TEST(AddressSpace, MergesWhatIsAlike) {
  Tables tables;
  tables.long_mode(0x40'0000, 4, 0x0080'0000 | kUserBits | kPteA | kPteD);
  for (u64 i = 1; i < 4; ++i) tables.set64(0x4000 + 8 * i, (0x0080'0000 + i * kPageBytes) | kUserBits);
  tables.set64(0x4000 + 8 * 4, 0x0090'0000 | kPteP | kPteUs);  // read-only
  tables.set64(0x4000 + 8 * 6, 0x00a0'0000 | kPteP | kPteUs);  // behind a gap
  tables.set64(0x4000 + 8 * 7, 0x00a0'2000 | kPteP | kPteUs);  // elsewhere in memory
  tables.set64(0x4000 + 8 * 8, u64{1} << 51 | kPteP);          // reserved bit
  // The kernel's half: two 2 MiB pages.
  tables.set64(0x1000 + 8 * 511, 0x8000 | kKernelBits);
  tables.set64(0x8000 + 8 * 510, 0x9000 | kKernelBits);
  tables.set64(0x9000 + 8 * 8, 0x0020'0000 | kKernelBits | kPtePs);
  tables.set64(0x9000 + 8 * 9, 0x0040'0000 | kKernelBits | kPtePs | kPteA);

  const AddressSpace space = list_address_space(tables.context, tables.memory);
  ASSERT_EQ(space.runs.size(), 4u);
  EXPECT_EQ(space.runs[0].first_linear, 0x40'0000u);
  EXPECT_EQ(space.runs[0].last_linear, 0x40'3fffu);
  EXPECT_EQ(space.runs[0].pages, 4u);
  EXPECT_EQ(space.runs[0].accessed_pages, 1u);
  EXPECT_EQ(space.runs[0].dirty_pages, 1u);
  EXPECT_TRUE(space.runs[0].phys_contiguous && space.runs[0].user && space.runs[0].writable);
  EXPECT_EQ(space.runs[0].phys, 0x0080'0000u);
  EXPECT_FALSE(space.runs[1].writable);
  EXPECT_EQ(space.runs[2].pages, 2u);
  EXPECT_FALSE(space.runs[2].phys_contiguous);
  EXPECT_EQ(space.runs[3].first_linear, 0xffff'ffff'8100'0000);
  EXPECT_EQ(space.runs[3].last_linear, 0xffff'ffff'813f'ffff);
  EXPECT_EQ(space.runs[3].page_bytes, u64{2} << 20);
  EXPECT_FALSE(space.runs[3].user);
  EXPECT_EQ(space.bad_entries, 1u);
  EXPECT_FALSE(space.more_from_linear);

  AddressSpaceLimits from;
  from.from_linear = 0x40'6000;
  EXPECT_EQ(list_address_space(tables.context, tables.memory, from).runs.size(), 2u);
}

TEST(AddressSpace, ATableThatHoldsItselfIsBounded) {
  Tables tables;
  tables.long_mode(0, 4, 0);
  for (u64 i = 0; i < 512; ++i) tables.set64(0x1000 + 8 * i, 0x1000 | kUserBits | (i % 2 ? 0 : kPteXd));
  const AddressSpace space = list_address_space(tables.context, tables.memory);
  ASSERT_TRUE(space.more_from_linear);
  EXPECT_LE(space.runs.size(), AddressSpaceLimits().max_runs);
}

TEST(AddressSpace, OtherModes) {
  Tables tables;
  ASSERT_EQ(list_address_space(tables.context, tables.memory).runs.size(), 1u);  // no paging: 4 GiB
  tables.context.cr0 = kCr0Pe | kCr0Pg;
  tables.context.cr4 = kCr4Pse;
  tables.context.cr3 = 0x3000;
  tables.set32(0x3000 + 4 * 1023, 0x0040'0000 | kKernelBits | kPtePs);
  AddressSpace space = list_address_space(tables.context, tables.memory);
  ASSERT_EQ(space.runs.size(), 1u);
  EXPECT_EQ(space.runs[0].first_linear, 0xffc0'0000u);
  EXPECT_EQ(space.runs[0].last_linear, 0xffff'ffffu);

  tables.context.cr4 = kCr4Pae;
  tables.context.pdptes[2] = 0x5000 | kPteP;
  tables.set64(0x5000, 0x0060'0000 | kKernelBits | kPtePs);
  space = list_address_space(tables.context, tables.memory);
  ASSERT_EQ(space.runs.size(), 1u);
  EXPECT_EQ(space.runs[0].first_linear, 0x8000'0000u);
  EXPECT_EQ(space.runs[0].page_bytes, u64{2} << 20);
}

}  // namespace
}  // namespace reprise::machine::monitor
