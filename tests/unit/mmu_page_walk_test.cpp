// The walker against tables written from SDM 3A chapter 4, not from the walker.
#include "mmu/page_walk.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "common/bits.h"

namespace reprise::mmu {
namespace {

/// Sparse memory: entries never written read as zero.
class SparseMemory final : public WalkMemory {
 public:
  u64 read_entry(u64 phys, unsigned bytes) override {
    ++reads;
    const u64 word = words_[phys & ~u64{7}];
    return bytes == 8 ? word : (word >> (8 * (phys & 4))) & 0xffff'ffff;
  }
  void write_entry(u64 phys, unsigned bytes, u64 value) override {
    ++writes;
    set(phys, bytes, value);
  }
  void set(u64 phys, unsigned bytes, u64 value) {
    u64& word = words_[phys & ~u64{7}];
    if (bytes == 8) {
      word = value;
    } else {
      const unsigned shift = 8 * (phys & 4);
      word = (word & ~(u64{0xffff'ffff} << shift)) | (value & 0xffff'ffff) << shift;
    }
  }
  int reads = 0;
  int writes = 0;

 private:
  std::map<u64, u64> words_;
};

enum class Mode { Bits32, Pae, Level4, Level5 };
const Mode kModes[] = {Mode::Bits32, Mode::Pae, Mode::Level4, Mode::Level5};
const char* name(Mode mode) {
  const char* names[] = {"32-bit", "PAE", "4-level", "5-level"};
  return names[static_cast<int>(mode)];
}

constexpr u64 kTables = 0x10000;  // table of level L at kTables + L pages
constexpr u64 kLinear = 0x0000'0000'5a7d'3000 | 0x678;

/// One path of tables for kLinear in a mode, down to `leaf_level`.
struct Path {
  Mode mode;
  unsigned leaf_level;
  PagingContext context;
  SparseMemory memory;

  Path(Mode path_mode, unsigned leaf) : mode(path_mode), leaf_level(leaf) {
    context.cr0 = kCr0Pe | kCr0Pg;
    context.cr3 = kTables + top() * kPageBytes;
    if (mode == Mode::Bits32) context.cr4 |= kCr4Pse;
    if (mode != Mode::Bits32) context.cr4 |= kCr4Pae;
    if (mode == Mode::Level5) context.cr4 |= kCr4La57;
    if (mode == Mode::Level4 || mode == Mode::Level5) context.efer |= kEferLme | kEferLma;
    for (unsigned level = leaf_level; level <= top(); ++level) set(level, kPteP | kPteRw | kPteUs);
    if (mode == Mode::Pae) context.pdptes[field(kLinear, 30, 2)] = (kTables + 2 * kPageBytes) | kPteP;
  }
  unsigned top() const { return mode == Mode::Level5 ? 5 : mode == Mode::Level4 ? 4 : 2; }
  unsigned entry_bytes() const { return mode == Mode::Bits32 ? 4 : 8; }
  unsigned index_bits() const { return mode == Mode::Bits32 ? 10 : 9; }
  unsigned shift(unsigned level) const { return 12 + (level - 1) * index_bits(); }
  u64 page_bytes() const { return u64{1} << shift(leaf_level); }
  u64 entry_phys(unsigned level) const {
    return kTables + level * kPageBytes + field(kLinear, shift(level), index_bits()) * entry_bytes();
  }
  /// Where the leaf points: an address that is aligned for any leaf and has bits in every part.
  u64 frame() const {
    return leaf_level == 3 ? 0x7'4000'0000 : mode == Mode::Bits32 ? 0x7040'0000 : 0x7'4460'0000;
  }
  void set(unsigned level, u64 flags) {
    u64 target = kTables + (level - 1) * kPageBytes;
    if (level == leaf_level) target = frame() | (level > 1 ? kPtePs : 0);
    memory.set(entry_phys(level), entry_bytes(), target | flags);
  }
  void set_raw(unsigned level, u64 entry) { memory.set(entry_phys(level), entry_bytes(), entry); }
  u64 get(unsigned level) { return memory.read_entry(entry_phys(level), entry_bytes()); }
  WalkResult walk(Access access, View view, WalkEffects effects = WalkEffects::SetAccessedDirty) {
    return page_walk(context, memory, kLinear, access, view, effects);
  }
};

std::vector<unsigned> leaf_levels(Mode mode) {
  if (mode == Mode::Bits32 || mode == Mode::Pae) return {1, 2};
  return {1, 2, 3};
}

// --- Access rights: SDM 3A 4.6.1, sentence by sentence ---

enum class Needs {
  Nothing,     // allowed
  Impossible,  // "may not be"
  SmapOff,     // "if CR4.SMAP = 0"
  Rw,          // "R/W flag is 1 in every paging-structure entry"
  RwOrWpOff,   // "if CR0.WP = 0 ...; if CR0.WP = 1, R/W is 1 in every entry"
  SmapOffAndRwOrWpOff,
  XdClear,  // "IA32_EFER.NXE = 0 or XD is 0 in every entry"
  SmepOffAndXdClear,
};

struct RightsRow {
  View view;
  bool user_page;
  Access access;
  Needs needs;
};

const RightsRow kRights[] = {
    // Supervisor-mode accesses, EFLAGS.AC = 0 or implicit.
    {View::Kernel, false, Access::Read, Needs::Nothing},
    {View::Kernel, false, Access::Write, Needs::RwOrWpOff},
    {View::Kernel, false, Access::Fetch, Needs::XdClear},
    {View::Kernel, true, Access::Read, Needs::SmapOff},
    {View::Kernel, true, Access::Write, Needs::SmapOffAndRwOrWpOff},
    {View::Kernel, true, Access::Fetch, Needs::SmepOffAndXdClear},
    // Explicit supervisor-mode accesses, EFLAGS.AC = 1.
    {View::KernelAc, false, Access::Read, Needs::Nothing},
    {View::KernelAc, false, Access::Write, Needs::RwOrWpOff},
    {View::KernelAc, false, Access::Fetch, Needs::XdClear},
    {View::KernelAc, true, Access::Read, Needs::Nothing},
    {View::KernelAc, true, Access::Write, Needs::RwOrWpOff},
    {View::KernelAc, true, Access::Fetch, Needs::SmepOffAndXdClear},
    // User-mode accesses.
    {View::User, false, Access::Read, Needs::Impossible},
    {View::User, false, Access::Write, Needs::Impossible},
    {View::User, false, Access::Fetch, Needs::Impossible},
    {View::User, true, Access::Read, Needs::Nothing},
    {View::User, true, Access::Write, Needs::Rw},
    {View::User, true, Access::Fetch, Needs::XdClear},
};

bool satisfied(Needs needs, bool rw, bool xd, bool wp, bool smep, bool smap) {
  switch (needs) {
    case Needs::Nothing: return true;
    case Needs::Impossible: return false;
    case Needs::SmapOff: return !smap;
    case Needs::Rw: return rw;
    case Needs::RwOrWpOff: return rw || !wp;
    case Needs::SmapOffAndRwOrWpOff: return !smap && (rw || !wp);
    case Needs::XdClear: return !xd;
    case Needs::SmepOffAndXdClear: return !smep && !xd;
  }
  return false;
}

// Every combination of R/W, U/S and XD in every level, in every mode and leaf size, with every control bit.
void check_rights(Mode mode, unsigned leaf_level) {
  SCOPED_TRACE(std::string(name(mode)) + ", leaf level " + std::to_string(leaf_level));
  Path path(mode, leaf_level);
  const unsigned levels = path.top() - leaf_level + 1;
  const bool has_xd = mode != Mode::Bits32;
  const unsigned bits_per_level = has_xd ? 3 : 2;
  u64 checked = 0;
  for (unsigned combination = 0; combination < 1u << (bits_per_level * levels); ++combination) {
    bool user = true, rw = true, xd = false;
    u64 flags[6] = {};
    for (unsigned i = 0; i < levels; ++i) {
      const unsigned bits = combination >> (bits_per_level * i) & ((1u << bits_per_level) - 1);
      user = user && (bits & 1);
      rw = rw && (bits & 2);
      xd = xd || (bits & 4);
      flags[leaf_level + i] =
          kPteP | kPteA | kPteD | (bits & 1 ? kPteUs : 0) | (bits & 2 ? kPteRw : 0) | (bits & 4 ? kPteXd : 0);
      path.set(leaf_level + i, flags[leaf_level + i]);
    }
    for (unsigned control = 0; control < 16; ++control) {
      const bool wp = control & 1, smep = control & 2, smap = control & 4, nxe = control & 8;
      if (xd && !nxe) continue;  // XD is then a reserved bit: tested below
      const u64 control_bits = kCr4Smep | kCr4Smap;
      path.context.cr0 = kCr0Pe | kCr0Pg | (wp ? kCr0Wp : 0);
      path.context.cr4 = (path.context.cr4 & ~control_bits) | (smep ? kCr4Smep : 0) | (smap ? kCr4Smap : 0);
      path.context.efer = (path.context.efer & ~kEferNxe) | (nxe ? kEferNxe : 0);
      for (const RightsRow& row : kRights) {
        if (row.user_page != user) continue;
        const WalkResult result = path.walk(row.access, row.view);
        ++checked;
        const bool expected = satisfied(row.needs, rw, xd, wp, smep, smap);
        ASSERT_EQ(result.ok, expected)
            << "combination " << combination << " control " << control << " view "
            << static_cast<int>(row.view) << " access " << static_cast<int>(row.access);
        if (expected) {
          ASSERT_EQ(result.translation.phys, path.frame() | (kLinear & (path.page_bytes() - 1)));
          ASSERT_EQ(result.translation.user, user);
          ASSERT_EQ(result.translation.writable, rw);
          ASSERT_EQ(result.translation.executable, !xd);
          continue;
        }
        // SDM 3A 4.7, figure 4-12.
        u32 code = 1;
        if (row.access == Access::Write) code |= 2;
        if (row.view == View::User) code |= 4;
        if (row.access == Access::Fetch && (smep || (has_xd && nxe))) code |= 16;
        ASSERT_EQ(result.error_code, code);
      }
    }
  }
  EXPECT_GT(checked, 100u);
  EXPECT_EQ(path.memory.writes, 0) << "A and D were set already";
}

TEST(PageWalkRights, Bits32) {
  for (unsigned leaf : {1u, 2u}) check_rights(Mode::Bits32, leaf);
}
TEST(PageWalkRights, Pae) {
  for (unsigned leaf : {1u, 2u}) check_rights(Mode::Pae, leaf);
}
TEST(PageWalkRights, Level4) {
  for (unsigned leaf : {1u, 2u, 3u}) check_rights(Mode::Level4, leaf);
}
TEST(PageWalkRights, Level5LargeLeaves) {
  for (unsigned leaf : {2u, 3u}) check_rights(Mode::Level5, leaf);
}

// --- Reserved bits ---

/// True when `bit` of a present entry must be zero: SDM 3A tables 4-4 to 4-6 (32-bit), 4-9 to 4-11 (PAE),
/// 4-14 to 4-20 (4- and 5-level).
bool bit_is_reserved(Mode mode, unsigned level, bool leaf, unsigned bit, unsigned max_phys, bool nxe) {
  if (mode == Mode::Bits32) {
    if (level != 2 || !leaf) return false;
    const unsigned m = max_phys < 40 ? max_phys : 40;
    return bit == 21 || (bit >= m - 19 && bit <= 20);  // "21:(M-19) reserved", address bits above M
  }
  if (bit == 63) return !nxe;
  if (mode == Mode::Pae && bit >= max_phys && bit <= 62) return true;
  if (mode != Mode::Pae && bit >= max_phys && bit <= 51) return true;
  if (leaf && level == 2) return bit >= 13 && bit <= 20;
  if (leaf && level == 3) return bit >= 13 && bit <= 29;
  if (level >= 4) return bit == 7;  // PS in a PML4E or PML5E
  return false;
}

TEST(PageWalkReserved, EverySingleBit) {
  for (const Mode mode : kModes) {
    for (const unsigned leaf_level : leaf_levels(mode)) {
      for (const unsigned max_phys : {32u, 36u, 39u, 40u, 46u, 52u}) {
        for (const bool nxe : {false, true}) {
          Path path(mode, leaf_level);
          // 36-bit addresses and wider hold the frame; with fewer bits use a low frame.
          path.context.physical_address_bits = static_cast<u8>(max_phys);
          if (nxe) path.context.efer |= kEferNxe;
          for (unsigned level = leaf_level; level <= path.top(); ++level) {
            const bool leaf = level == leaf_level;
            const u64 base =
                (leaf ? 0x4000'0000 | (level > 1 ? kPtePs : 0) : kTables + (level - 1) * kPageBytes) | kPteP |
                kPteRw | kPteUs;
            // Leaves elsewhere must be clean.
            for (unsigned other = leaf_level; other <= path.top(); ++other) {
              const u64 target = other == leaf_level ? 0x4000'0000 | (other > 1 ? kPtePs : 0)
                                                     : kTables + (other - 1) * kPageBytes;
              path.set_raw(other, target | kPteP | kPteRw | kPteUs);
            }
            for (unsigned bit = 1; bit < 8 * path.entry_bytes(); ++bit) {
              if (bit == 7 && level < 4) continue;  // changes what the entry is; tested below
              if (bit == 63 && nxe) continue;
              path.set_raw(level, base | u64{1} << bit);
              const WalkResult result = path.walk(Access::Read, View::User, WalkEffects::None);
              const bool expected = bit_is_reserved(mode, level, leaf, bit, max_phys, nxe);
              const bool reserved_fault = !result.ok && (result.error_code & kPfRsvd);
              ASSERT_EQ(reserved_fault, expected)
                  << name(mode) << " leaf " << leaf_level << " level " << level << " bit " << bit
                  << " MAXPHYADDR " << max_phys << " NXE " << nxe;
              if (expected) {
                ASSERT_EQ(result.error_code, kPfP | kPfRsvd | kPfU);
              }
              // A not-present entry has no reserved bits.
              path.set_raw(level, (base | u64{1} << bit) & ~kPteP);
              const WalkResult absent = path.walk(Access::Read, View::User, WalkEffects::None);
              ASSERT_FALSE(absent.ok);
              ASSERT_EQ(absent.error_code, kPfU);
            }
          }
        }
      }
    }
  }
}

TEST(PageWalkReserved, ErrorCodeTellsOfTheAccess) {
  Path path(Mode::Level4, 1);
  path.context.efer |= kEferNxe;
  path.set(4, kPteP | kPteRw | kPteUs | kPtePs);
  EXPECT_EQ(path.walk(Access::Write, View::Kernel).error_code, kPfP | kPfRsvd | kPfW);
  EXPECT_EQ(path.walk(Access::Fetch, View::User).error_code, kPfP | kPfRsvd | kPfU | kPfI);
}

// A reserved bit below an entry that denies the access is still a reserved-bit fault: rights are judged last.
TEST(PageWalkReserved, ComeBeforeRights) {
  Path path(Mode::Level4, 2);
  path.set(4, kPteP);
  path.set(2, kPteP | kPteRw | kPteUs | 1u << 13);
  EXPECT_EQ(path.walk(Access::Write, View::User).error_code, kPfP | kPfRsvd | kPfW | kPfU);
  path.set(2, 0);
  EXPECT_EQ(path.walk(Access::Write, View::User).error_code, kPfW | kPfU);
}

TEST(PageWalkReserved, GibPagesNeedTheFeature) {
  Path path(Mode::Level4, 3);
  EXPECT_TRUE(path.walk(Access::Read, View::Kernel).ok);
  path.context.gib_pages = false;
  EXPECT_EQ(path.walk(Access::Read, View::Kernel).error_code, kPfP | kPfRsvd);
}

// --- Presence ---

TEST(PageWalkPresence, NotPresentAtEachLevel) {
  for (const Mode mode : kModes) {
    for (const unsigned leaf : leaf_levels(mode)) {
      for (unsigned level = leaf; level <= (Path(mode, leaf).top()); ++level) {
        Path path(mode, leaf);
        path.set_raw(level, ~u64{0} & ~kPteP);
        const WalkResult result = path.walk(Access::Write, View::User);
        EXPECT_FALSE(result.ok) << name(mode) << " level " << level;
        EXPECT_EQ(result.error_code, kPfW | kPfU);
        EXPECT_EQ(path.memory.writes, 0);
      }
    }
  }
}

TEST(PageWalkPresence, FetchBitOfTheErrorCode) {
  struct Row {
    Mode mode;
    bool smep, nxe, reported;
  };
  // SDM 3A 4.7: I/D needs SMEP, or PAE and NXE.
  const Row rows[] = {{Mode::Bits32, false, false, false}, {Mode::Bits32, false, true, false},
                      {Mode::Bits32, true, false, true},   {Mode::Pae, false, false, false},
                      {Mode::Pae, false, true, true},      {Mode::Pae, true, false, true},
                      {Mode::Level4, false, false, false}, {Mode::Level4, false, true, true},
                      {Mode::Level4, true, false, true},   {Mode::Level5, false, true, true}};
  for (const Row& row : rows) {
    Path path(row.mode, 1);
    path.set(2, 0);
    if (row.smep) path.context.cr4 |= kCr4Smep;
    if (row.nxe) path.context.efer |= kEferNxe;
    EXPECT_EQ(path.walk(Access::Fetch, View::Kernel).error_code, row.reported ? kPfI : 0u) << name(row.mode);
    EXPECT_EQ(path.walk(Access::Read, View::Kernel).error_code, 0u);
  }
}

TEST(PageWalkPresence, PdpteRegisterNotPresent) {
  Path path(Mode::Pae, 1);
  EXPECT_TRUE(path.walk(Access::Read, View::Kernel).ok);
  path.context.pdptes[field(kLinear, 30, 2)] &= ~kPteP;
  const int reads = path.memory.reads;
  EXPECT_EQ(path.walk(Access::Read, View::User).error_code, kPfU);
  EXPECT_EQ(path.memory.reads, reads) << "the registers are used, not memory";
}

// --- Addresses ---

TEST(PageWalkAddress, NoPagingIsIdentityWithin4GiB) {
  PagingContext context;
  SparseMemory memory;
  const WalkResult result =
      page_walk(context, memory, 0x1'2345'6789, Access::Write, View::User, WalkEffects::None);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.translation.phys, 0x2345'6789u);
  EXPECT_EQ(memory.reads, 0);
}

TEST(PageWalkAddress, PageSizes) {
  struct Row {
    Mode mode;
    unsigned level;
    u64 bytes;
  };
  const Row rows[] = {{Mode::Bits32, 1, 4096},     {Mode::Bits32, 2, 4u << 20}, {Mode::Pae, 1, 4096},
                      {Mode::Pae, 2, 2u << 20},    {Mode::Level4, 1, 4096},     {Mode::Level4, 2, 2u << 20},
                      {Mode::Level4, 3, 1u << 30}, {Mode::Level5, 1, 4096},     {Mode::Level5, 2, 2u << 20},
                      {Mode::Level5, 3, 1u << 30}};
  for (const Row& row : rows) {
    Path path(row.mode, row.level);
    const WalkResult result = path.walk(Access::Read, View::User);
    ASSERT_TRUE(result.ok) << name(row.mode) << row.level;
    EXPECT_EQ(result.translation.page_bytes, row.bytes);
    EXPECT_EQ(result.translation.phys, path.frame() + kLinear % row.bytes);
  }
}

TEST(PageWalkAddress, Pse36) {
  Path path(Mode::Bits32, 2);
  path.context.physical_address_bits = 40;
  path.set_raw(2, 0xab40'0000 | u64{0x96} << 13 | kPtePs | kPteP);
  const WalkResult result = path.walk(Access::Read, View::Kernel);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.translation.phys, 0x96'ab40'0000 | (kLinear & 0x3f'ffff));
}

TEST(PageWalkAddress, PsIsIgnoredWithoutCr4Pse) {
  Path path(Mode::Bits32, 1);
  path.set(2, kPteP | kPteRw | kPteUs | kPtePs);
  path.context.cr4 &= ~kCr4Pse;
  const WalkResult result = path.walk(Access::Read, View::User);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.translation.page_bytes, 4096u);
  EXPECT_EQ(result.translation.phys, path.frame() | 0x678);
}

TEST(PageWalkAddress, OutsideLongModeOnly32BitsCount) {
  for (const Mode mode : {Mode::Bits32, Mode::Pae}) {
    Path path(mode, 1);
    const WalkResult result = page_walk(path.context, path.memory, kLinear | u64{0xffff'ffff} << 32,
                                        Access::Read, View::User, WalkEffects::None);
    ASSERT_TRUE(result.ok);
    EXPECT_EQ(result.translation.phys, path.frame() | 0x678);
  }
}

TEST(PageWalkAddress, PcidAndCacheBitsOfCr3AreNotAddress) {
  Path path(Mode::Level4, 1);
  path.context.cr4 |= kCr4Pcide;
  path.context.cr3 |= 0xfff;
  EXPECT_TRUE(path.walk(Access::Read, View::User).ok);
  Path legacy(Mode::Bits32, 1);
  legacy.context.cr3 |= 0xfff;
  EXPECT_TRUE(legacy.walk(Access::Read, View::User).ok);
}

TEST(PageWalkAddress, GlobalNeedsCr4PgeAndALeaf) {
  for (const Mode mode : kModes) {
    for (const unsigned leaf : leaf_levels(mode)) {
      Path path(mode, leaf);
      path.set(leaf, kPteP | kPteG);
      EXPECT_FALSE(path.walk(Access::Read, View::Kernel).translation.global);
      path.context.cr4 |= kCr4Pge;
      EXPECT_TRUE(path.walk(Access::Read, View::Kernel).translation.global);
      path.set(leaf, kPteP);
      if (leaf < path.top()) path.set(leaf + 1, kPteP | kPteG);
      EXPECT_FALSE(path.walk(Access::Read, View::Kernel).translation.global);
    }
  }
}

TEST(PageWalkAddress, Canonical) {
  PagingContext context;
  EXPECT_TRUE(is_canonical(context, 0x8000'0000'0000'0000));
  context.efer = kEferLma | kEferLme;
  EXPECT_TRUE(is_canonical(context, 0x0000'7fff'ffff'ffff));
  EXPECT_FALSE(is_canonical(context, 0x0000'8000'0000'0000));
  EXPECT_FALSE(is_canonical(context, 0xffff'7fff'ffff'ffff));
  EXPECT_TRUE(is_canonical(context, 0xffff'8000'0000'0000));
  context.cr4 = kCr4La57;
  EXPECT_TRUE(is_canonical(context, 0x00ff'ffff'ffff'ffff));
  EXPECT_FALSE(is_canonical(context, 0x0100'0000'0000'0000));
  EXPECT_FALSE(is_canonical(context, 0xfeff'ffff'ffff'ffff));
  EXPECT_TRUE(is_canonical(context, 0xff00'0000'0000'0000));
}

// --- Accessed and dirty: SDM 3A 4.8 ---

TEST(PageWalkAccessedDirty, SetByEachKindOfAccess) {
  for (const Mode mode : kModes) {
    for (const unsigned leaf : leaf_levels(mode)) {
      for (const Access access : {Access::Read, Access::Write, Access::Fetch}) {
        SCOPED_TRACE(std::string(name(mode)) + " leaf " + std::to_string(leaf));
        Path path(mode, leaf);
        const bool write = access == Access::Write;
        EXPECT_EQ(path.walk(access, View::User).translation.dirty, write);
        for (unsigned level = leaf; level <= path.top(); ++level) {
          EXPECT_TRUE(path.get(level) & kPteA);
          EXPECT_EQ((path.get(level) & kPteD) != 0, write && level == leaf) << "level " << level;
        }
        EXPECT_EQ(path.memory.writes, static_cast<int>(path.top() - leaf + 1));
        path.memory.writes = 0;
        path.walk(access, View::User);
        EXPECT_EQ(path.memory.writes, 0) << "nothing left to set";
        EXPECT_TRUE(path.walk(Access::Write, View::User).translation.dirty);
        EXPECT_TRUE(path.walk(Access::Read, View::User).translation.dirty);
        EXPECT_EQ(path.memory.writes, write ? 0 : 1) << "only D of the leaf";
      }
    }
  }
}

TEST(PageWalkAccessedDirty, AFaultSetsNothing) {
  for (const Mode mode : kModes) {
    Path denied(mode, 1);
    denied.set(1, kPteP | kPteUs);
    EXPECT_FALSE(denied.walk(Access::Write, View::User).ok);
    EXPECT_EQ(denied.memory.writes, 0);
    Path absent(mode, 1);
    absent.set(1, 0);
    EXPECT_FALSE(absent.walk(Access::Read, View::User).ok);
    EXPECT_EQ(absent.memory.writes, 0);
  }
}

TEST(PageWalkAccessedDirty, NoEffectsMeansNone) {
  Path path(Mode::Level4, 1);
  EXPECT_TRUE(path.walk(Access::Write, View::User, WalkEffects::None).ok);
  EXPECT_EQ(path.memory.writes, 0);
  EXPECT_EQ(path.get(1) & (kPteA | kPteD), 0u);
}

TEST(PageWalkAccessedDirty, OtherBitsOfTheEntryStay) {
  Path path(Mode::Level4, 1);
  const u64 entry = path.frame() | kPteP | kPteRw | kPteUs | kPteXd | u64{0x5a5} << 52 | 0x600;
  path.context.efer |= kEferNxe;
  path.set_raw(1, entry);
  EXPECT_TRUE(path.walk(Access::Write, View::User).ok);
  EXPECT_EQ(path.get(1), entry | kPteA | kPteD);
}

TEST(PageWalkAccessedDirty, A32BitEntryLeavesItsNeighbourAlone) {
  Path path(Mode::Bits32, 1);
  const u64 neighbour = path.entry_phys(1) ^ 4;
  path.memory.set(neighbour, 4, 0x1234'5678);
  EXPECT_TRUE(path.walk(Access::Write, View::User).ok);
  EXPECT_EQ(path.memory.read_entry(neighbour, 4), 0x1234'5678u);
}

// A table that maps itself: one entry is used at every level and is the leaf.
TEST(PageWalkAccessedDirty, SelfMappedTable) {
  PagingContext context;
  context.cr0 = kCr0Pe | kCr0Pg;
  context.cr4 = kCr4Pae;
  context.efer = kEferLme | kEferLma;
  context.cr3 = kTables;
  SparseMemory memory;
  const u64 slot = 0x1ed;
  memory.set(kTables + slot * 8, 8, kTables | kPteP | kPteRw);
  const u64 linear = sign_extend(slot << 39 | slot << 30 | slot << 21 | slot << 12, 48);
  const WalkResult result =
      page_walk(context, memory, linear, Access::Write, View::Kernel, WalkEffects::SetAccessedDirty);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.translation.phys, kTables);
  EXPECT_EQ(memory.read_entry(kTables + slot * 8, 8), kTables | kPteP | kPteRw | kPteA | kPteD);
}

}  // namespace
}  // namespace reprise::mmu
