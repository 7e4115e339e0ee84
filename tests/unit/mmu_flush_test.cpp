// Flush rules, SDM 3A 4.10.4.1: for each event, which cached translations survive it and which do not.
// A translation is cached, its entry changed in memory without a flush, and the event decides which one a
// load sees.
#include <functional>

#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

constexpr u64 kNoFlushBit = u64{1} << 63;

// What is cached. Linear addresses differ in slot and 2 MiB region.
constexpr u64 kLocal = 0x0000'1000'0000'0000;   // current PCID, 4 KiB
constexpr u64 kGlobal = 0x0000'2000'0020'1000;  // global, 4 KiB
constexpr u64 kLarge = 0x0000'3000'0040'0000;   // current PCID, 2 MiB; used at two pieces
constexpr u64 kLargePiece = kLarge + 0x1f'3000;
constexpr u64 kGlobalLarge = 0x0000'4000'0060'0000;
constexpr u64 kOther = 0x0000'5000'0080'4000;  // cached under another PCID

class MmuFlush : public MmuTest {
 protected:
  static constexpr u64 kMarkOld = 0x01d, kMarkNew = 0x2e3;
  // Large frames, every page of which starts with the mark; the small frames lie inside them.
  static constexpr u64 kLargeOld = 2 * kMiB, kLargeNew = 4 * kMiB;
  static constexpr u64 kSmallOld = kLargeOld + 0x3000, kSmallNew = kLargeNew + 0x3000;

  void SetUp() override {
    for (u64 page = 0; page < 512; ++page) {
      poke64(kLargeOld + page * kPageBytes, kMarkOld);
      poke64(kLargeNew + page * kPageBytes, kMarkNew);
    }
  }

  void point_at(u64 small, u64 large) {
    map(kLocal, small);
    map(kGlobal, small, kAllBits | kPteG);
    map_large(kLarge, large, 2);
    map_large(kGlobalLarge, large, 2, kAllBits | kPteG);
    map_under(other_root, kOther, small);
  }

  /// Caches everything from the old frames, then points the tables at the new ones.
  void cache_old_map_new() {
    point_at(kSmallOld, kLargeOld);
    if (cr4 & kCr4Pcide) {
      mmu->set_cr3(other_root | 2);
      EXPECT_EQ(load64(kOther), kMarkOld);
      mmu->set_cr3(root | 1);
    }
    for (const u64 linear : {kLocal, kGlobal, kLarge, kLargePiece, kGlobalLarge})
      EXPECT_EQ(load64(linear), kMarkOld);
    point_at(kSmallNew, kLargeNew);
    EXPECT_EQ(load64(kLocal), kMarkOld) << "nothing was flushed yet";
  }
  bool survives(u64 linear) { return load64(linear) == kMarkOld; }

  /// Fills the first-level slots of the cached pages with other pages, so that only the second level can
  /// answer.
  void evict_first_level() {
    for (const u64 linear : {kLocal, kGlobal, kLarge, kLargePiece, kGlobalLarge, kOther}) {
      const u64 rival = 0x0000'7000'0000'0000 | (linear & 0x3f'f000);
      map(rival, 0x6000, kAllBits | kPteG);
      EXPECT_EQ(load64(rival), 0u);
    }
  }

  u64 other_root = new_table();
};

struct Survivors {
  bool local, global, large, global_large, other;
};

struct Event {
  const char* name;
  u64 cr4;  // before the event
  std::function<void(Mmu&, u64 root, u64 other_root)> run;
  Survivors survivors;
};

constexpr u64 kEfer = kEferLme | kEferLma | kEferNxe;
constexpr u64 kCr0 = kCr0Pe | kCr0Pg | kCr0Wp;
constexpr u64 kBase = kCr4Pae | kCr4Pge;
constexpr u64 kPcid = kBase | kCr4Pcide;

const Event kEvents[] = {
    {"MOV CR3, no PCIDs", kBase, [](Mmu& m, u64 r, u64) { m.set_cr3(r); }, {false, true, false, true, false}},
    {"MOV CR3, same PCID",
     kPcid,
     [](Mmu& m, u64 r, u64) { m.set_cr3(r | 1); },
     {false, true, false, true, true}},
    {"MOV CR3, no-flush bit",
     kPcid,
     [](Mmu& m, u64 r, u64) { m.set_cr3(r | 1 | kNoFlushBit); },
     {true, true, true, true, true}},
    {"MOV CR3 away and back, no-flush",
     kPcid,
     [](Mmu& m, u64 r, u64 o) {
       m.set_cr3(o | 2 | kNoFlushBit);
       m.set_cr3(r | 1 | kNoFlushBit);
     },
     {true, true, true, true, true}},
    {"MOV CR3 of the other PCID, back without flush",
     kPcid,
     [](Mmu& m, u64 r, u64 o) {
       m.set_cr3(o | 2);
       m.set_cr3(r | 1 | kNoFlushBit);
     },
     {true, true, true, true, false}},
    {"bit 63 without PCIDE flushes",
     kBase,
     [](Mmu& m, u64 r, u64) { m.set_cr3(r | kNoFlushBit); },
     {false, true, false, true, false}},
    {"CR0.PG off and on",
     kBase,
     [](Mmu& m, u64, u64) {
       m.set_paging(kCr0Pe, kBase, kEferLme);
       m.set_paging(kCr0, kBase, kEfer);
     },
     {false, false, false, false, false}},
    {"CR0.WP",
     kPcid,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0 & ~kCr0Wp, kPcid, kEfer); },
     {true, true, true, true, true}},
    {"CR4.SMAP",
     kPcid,
     [](Mmu& m, u64, u64) {
       m.set_paging(kCr0, kPcid | kCr4Smap, kEfer);
       m.set_view(View::KernelAc);
     },
     {true, true, true, true, true}},
    {"CR4.SMEP on",
     kBase,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kBase | kCr4Smep, kEfer); },
     {false, false, false, false, false}},
    {"CR4.SMEP off",
     kPcid | kCr4Smep,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kPcid, kEfer); },
     {true, true, true, true, true}},
    {"CR4.PGE off",
     kPcid,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kPcid & ~kCr4Pge, kEfer); },
     {false, false, false, false, false}},
    {"CR4.PGE toggled",
     kPcid,
     [](Mmu& m, u64, u64) {
       m.set_paging(kCr0, kPcid & ~kCr4Pge, kEfer);
       m.set_paging(kCr0, kPcid, kEfer);
     },
     {false, false, false, false, false}},
    {"CR4.PCIDE off",
     kPcid,
     [](Mmu& m, u64 r, u64) {
       m.set_paging(kCr0, kBase, kEfer);
       m.set_cr3(r);
     },
     {false, false, false, false, false}},
    {"CR4.PCIDE on",
     kBase,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kPcid, kEfer); },
     {true, true, true, true, false}},
    {"CR4.OSFXSR changes nothing",
     kPcid,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kPcid | kCr4Osfxsr, kEfer); },
     {true, true, true, true, true}},
    {"EFER.NXE",
     kPcid,
     [](Mmu& m, u64, u64) { m.set_paging(kCr0, kPcid, kEfer & ~kEferNxe); },
     {false, false, false, false, false}},
    {"INVLPG of the local page",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kLocal + 0xabc); },
     {false, true, true, true, true}},
    {"INVLPG of the global page",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kGlobal); },
     {true, false, true, true, true}},
    {"INVLPG inside the large page",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kLarge + 0x5'5555); },
     {true, true, false, true, true}},
    {"INVLPG inside the global large page",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kGlobalLarge + 0x1f'ffff); },
     {true, true, true, false, true}},
    {"INVLPG of another PCID's page",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kOther); },
     {true, true, true, true, true}},
    {"INVLPG of a non-canonical address",
     kPcid,
     [](Mmu& m, u64, u64) { m.invlpg(kLocal | u64{1} << 60); },
     {true, true, true, true, true}},
    {"INVPCID 0 local",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 1, kLocal); },
     {false, true, true, true, true}},
    {"INVPCID 0 leaves globals",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 1, kGlobal); },
     {true, true, true, true, true}},
    {"INVPCID 0 leaves large globals",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 1, kGlobalLarge); },
     {true, true, true, true, true}},
    {"INVPCID 0 large",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 1, kLarge + 0x8000); },
     {true, true, false, true, true}},
    {"INVPCID 0 of the other PCID",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 2, kOther); },
     {true, true, true, true, false}},
    {"INVPCID 0, our address, other PCID",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::Address, 2, kLocal); },
     {true, true, true, true, true}},
    {"INVPCID 1 current",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::SingleContext, 1, 0); },
     {false, true, false, true, true}},
    {"INVPCID 1 other",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::SingleContext, 2, 0); },
     {true, true, true, true, false}},
    {"INVPCID 2",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::AllGlobal, 0, 0); },
     {false, false, false, false, false}},
    {"INVPCID 3",
     kPcid,
     [](Mmu& m, u64, u64) { m.invpcid(Mmu::InvpcidType::AllNonGlobal, 0, 0); },
     {false, true, false, true, false}},
    {"flush_all", kPcid, [](Mmu& m, u64, u64) { m.flush_all(); }, {false, false, false, false, false}},
};

TEST_F(MmuFlush, EveryEventFromBothLevels) {
  for (const bool second_level_only : {false, true}) {
    for (const Event& event : kEvents) {
      SCOPED_TRACE(std::string(event.name) + (second_level_only ? ", from the second level" : ""));
      mmu->flush_all();
      mmu->set_view(View::Kernel);
      enter_long_mode(event.cr4);
      const bool pcids = event.cr4 & kCr4Pcide;
      cache_old_map_new();
      if (second_level_only) evict_first_level();
      event.run(*mmu, root, other_root);
      EXPECT_EQ(survives(kLocal), event.survivors.local) << "local";
      EXPECT_EQ(survives(kGlobal), event.survivors.global) << "global";
      EXPECT_EQ(survives(kLarge), event.survivors.large) << "large";
      EXPECT_EQ(survives(kLargePiece), event.survivors.large) << "second piece of the large page";
      EXPECT_EQ(survives(kGlobalLarge), event.survivors.global_large) << "global large";
      if (pcids && (mmu->context().cr4 & kCr4Pcide)) {
        mmu->set_cr3(other_root | 2 | kNoFlushBit);
        EXPECT_EQ(survives(kOther), event.survivors.other) << "other PCID";
      }
    }
  }
}

// Whoever looks at A and D bits sees what the second level holds, and nothing of the first.
TEST_F(MmuFlush, APageThatIsPutOutIsWalkedAgain) {
  for (const bool tags_dropped : {false, true}) {
    mmu->set_tlb_geometry(TlbGeometry::of(8));
    enter_long_mode(kCr4Pge);
    map(kLocal, kSmallOld);
    EXPECT_TRUE(mmu->store(kLocal, u64{1}));
    map(kLocal, kSmallOld);  // A and D clear, no flush
    if (tags_dropped) mmu->drop_all_tags();
    EXPECT_TRUE(mmu->store(kLocal, u64{2}));
    EXPECT_EQ(pte(kLocal) & (kPteA | kPteD), 0u) << "the TLB knows it as dirty";
    observer.changed.clear();
    for (u64 i = 1; i <= 4; ++i) {  // of the same set
      const u64 rival = kLocal + i * 2 * kPageBytes;
      map(rival, kSmallNew);
      EXPECT_EQ(load64(rival), kMarkNew);
    }
    EXPECT_EQ(observer.changed, (std::vector<RecordingObserver::Changed>{{kLocal, kPageBytes}}));
    if (tags_dropped) mmu->drop_all_tags();
    EXPECT_TRUE(mmu->store(kLocal, u64{3}));
    EXPECT_EQ(pte(kLocal) & (kPteA | kPteD), kPteA | kPteD);
  }
}

TEST_F(MmuFlush, RightsAreJudgedAnewWhenWpSmepSmapChange) {
  enter_long_mode(kCr4Pge);
  map(kLocal, 0x5000, kPteP | kPteUs);
  EXPECT_EQ(load64(kLocal), 0u);
  EXPECT_TRUE(store_faults(kLocal));
  mmu->set_paging(cr0 & ~kCr0Wp, cr4, kEfer);
  EXPECT_TRUE(mmu->store(kLocal, u64{1}));
  mmu->set_paging(cr0, cr4, kEfer);
  EXPECT_TRUE(store_faults(kLocal));
  EXPECT_EQ(load64(kLocal), 1u);
  mmu->set_paging(cr0, cr4 | kCr4Smap, kEfer);
  EXPECT_TRUE(load_faults(kLocal));
  mmu->set_paging(cr0, cr4, kEfer);
  EXPECT_EQ(load64(kLocal), 1u);
  Mmu::FetchTarget target;
  EXPECT_TRUE(mmu->fetch(kLocal, target));
  mmu->set_paging(cr0, cr4 | kCr4Smep, kEfer);
  EXPECT_FALSE(mmu->fetch(kLocal, target));
}

TEST_F(MmuFlush, UntranslatedTagsGoWhenPagingStarts) {
  poke64(0x5000, 5);
  poke64(0x6000, 6);
  map(0x5000, 0x6000);
  EXPECT_EQ(load64(0x5000), 5u);
  enter_long_mode();
  EXPECT_EQ(load64(0x5000), 6u);
  mmu->set_paging(kCr0Pe, 0, 0);
  EXPECT_EQ(load64(0x5000), 5u);
}

TEST_F(MmuFlush, GibPageGoesAsAWhole) {
  enter_long_mode();
  constexpr u64 kGib = 0x0000'6000'4000'0000;
  map_large(kGib, 0, 3);
  poke64(0x5000, 5);
  poke64(15 * kMiB, 15);
  EXPECT_EQ(load64(kGib + 0x5000), 5u);
  EXPECT_EQ(load64(kGib + 15 * kMiB), 15u);
  poke64(entry_phys(root, kGib, 3), 0);
  EXPECT_EQ(load64(kGib + 15 * kMiB), 15u);
  mmu->invlpg(kGib + 0x3fff'ffff);
  EXPECT_TRUE(load_faults(kGib + 0x5000));
  EXPECT_TRUE(load_faults(kGib + 15 * kMiB));
}

TEST_F(MmuFlush, PaeAndLegacyModesTranslate) {
  // 32-bit paging with a 4 MiB page and a 4 KiB page.
  const u64 directory = new_table(), table = new_table();
  write_unaligned<u32>(ram->host() + directory + 4 * 1, static_cast<u32>(0x40'0000 | kAllBits | kPtePs));
  write_unaligned<u32>(ram->host() + directory + 4 * 2, static_cast<u32>(table | kAllBits));
  write_unaligned<u32>(ram->host() + table + 4 * 3, static_cast<u32>(0x7000 | kAllBits));
  poke64(0x7008, 7);
  mmu->set_paging(kCr0Pe | kCr0Pg, kCr4Pse, 0);
  mmu->set_cr3(directory);
  poke64(0x41'2340, 41);
  EXPECT_EQ(load64(0x41'2340), 41u);
  EXPECT_EQ(load64(0x80'3008), 7u);
  EXPECT_EQ(load64(0x1'0080'3008), 7u) << "wraps at 4 GiB";
  write_unaligned<u32>(ram->host() + directory + 4, 0);
  mmu->invlpg(0x7f'f000);
  EXPECT_TRUE(load_faults(0x41'2340)) << "the whole 4 MiB page";

  const u64 pae_directory = new_table();
  poke64(pae_directory + 8 * 4, 0x60'0000 | kAllBits | kPtePs);
  poke64(0x60'0010, 60);
  mmu->set_paging(kCr0Pe | kCr0Pg, kCr4Pae, 0);
  const u64 pdptes[4] = {pae_directory | 1, 0, 0, 0};
  mmu->set_pdptes(pdptes);
  mmu->set_cr3(0x1000);
  EXPECT_EQ(load64(0x80'0010), 60u);
  EXPECT_TRUE(load_faults(0x4080'0010));
}

// The tables of one mode say nothing in another.
TEST_F(MmuFlush, AChangeOfModeForgetsAll) {
  struct Change {
    u64 cr4_before, cr4_after, efer;
  };
  const Change changes[] = {{kCr4Pse, 0, 0}, {0, kCr4Pae, 0}, {kCr4Pae, kCr4Pae | kCr4La57, kEfer}};
  for (const Change& change : changes) {
    SCOPED_TRACE(change.cr4_after);
    // Anything that maps linear 0 in the mode before: entries at index 0 of every table of `root`.
    for (u64 phys = root; phys < root + 4 * kPageBytes; phys += kPageBytes)
      poke64(phys, (phys + kPageBytes) | kAllBits | (change.cr4_before & kCr4Pse ? kPtePs : 0));
    mmu->set_paging(kCr0Pe | kCr0Pg, change.cr4_before, change.efer);
    mmu->set_cr3(root);
    ASSERT_TRUE(mmu->probe_read(0, 8));
    const u64 walks = mmu->stats().walks;
    mmu->set_paging(kCr0Pe | kCr0Pg, change.cr4_after, change.efer);
    (void)mmu->probe_read(0, 8);
    EXPECT_EQ(mmu->stats().walks, walks + 1);
  }
}

TEST_F(MmuFlush, La57) {
  const u64 top = new_table();
  constexpr u64 kHigh = 0x00ab'1234'5678'9000;
  poke64(entry_phys(top, kHigh, 1, 5), 0x7000 | kAllBits);
  poke64(0x7000, 57);
  mmu->set_paging(kCr0Pe | kCr0Pg, kCr4Pae | kCr4La57, kEfer);
  mmu->set_cr3(top);
  EXPECT_EQ(load64(kHigh), 57u);
  EXPECT_TRUE(load_faults(0x0100'0000'0000'0000));
  EXPECT_EQ(mmu->fault().kind, MemFault::Kind::NonCanonical);
}

}  // namespace
}  // namespace reprise::mmu
