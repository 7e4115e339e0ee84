// Random tables and random use: nothing crashes or loops, and the TLBs never say anything the tables do not.
#include <random>

#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

class MmuFuzz : public MmuTest {
 protected:
  u64 random() { return generator(); }
  u64 below(u64 limit) { return generator() % limit; }

  /// What a first-level tag says, the second level must say too.
  void expect_tags_are_answers() const {
    for (unsigned view = 0; view < kViews; ++view) {
      for (unsigned access = 0; access < kAccessKinds; ++access) {
        const TlbArray& tags = mmu->tlb_array(static_cast<View>(view), static_cast<Access>(access));
        tags.for_each_used([&](unsigned slot) {
          const TlbEntry& tag = tags.entries[slot];
          if (tag.tag_linear == tlb_invalid_tag(slot)) return;
          const u64 data = mmu->second_level().find(tag.tag_linear);
          ASSERT_NE(data, 0u) << std::hex << tag.tag_linear;
          ASSERT_EQ(data & kPageMask, tag.phys_page);
          ASSERT_TRUE(access_permitted(mmu->context(), data & SecondLevelTlb::kUser,
                                       data & SecondLevelTlb::kWritable, data & SecondLevelTlb::kExecutable,
                                       static_cast<Access>(access), static_cast<View>(view)));
          ASSERT_TRUE(access != static_cast<unsigned>(Access::Write) || (data & SecondLevelTlb::kDirty));
        });
      }
    }
  }
  std::mt19937_64 generator{20240607};
};

constexpr u64 kTableBytes = 64 * kPageBytes;

TEST_F(MmuFuzz, RandomTablesHaveADefinedResult) {
  u64 translated = 0;
  for (int round = 0; round < 300; ++round) {
    // Entries that are mostly present and point mostly into the tables or RAM; sometimes pure noise.
    for (u64 phys = 0; phys < kTableBytes; phys += 8) {
      u64 entry = random();
      if (round % 4 != 0) {
        entry = below(kTableBytes) & kPageMask;
        entry |= (random() & 0xfff) | kPteP;
        if (below(4)) entry &= ~kPtePs;
        if (below(16) == 0) entry |= random() & 0xfff0'0000'0000'0000;
        if (below(32) == 0) entry = kDevicePhys | (entry & 0xfff);
      }
      poke64(phys, entry);
    }
    mmu->set_cpu_profile(static_cast<u8>(30 + below(30)), below(2));
    mmu->set_paging(random() | (below(8) ? kCr0Pg : 0), random(), random());
    u64 pdptes[4];
    for (u64& pdpte : pdptes) pdpte = (below(kTableBytes) & kPageMask) | below(2);
    mmu->set_pdptes(pdptes);
    mmu->set_cr3(below(2) ? random() : below(kTableBytes));
    for (int access = 0; access < 200; ++access) {
      u64 linear = random();
      if (below(8)) linear = sign_extend(linear, 48);
      if (below(8) == 0) linear |= 0xfff;
      mmu->set_view(static_cast<View>(below(kViews)));
      u64 value = random();
      Mmu::FetchTarget target;
      switch (below(8)) {
        case 0: translated += mmu->store(linear, value); break;
        case 1: translated += mmu->fetch(linear, target); break;
        case 2: mmu->invlpg(linear); break;
        case 3:
          mmu->invpcid(static_cast<Mmu::InvpcidType>(below(4)), static_cast<u16>(random()), linear);
          break;
        case 4: translated += mmu->probe_write(linear, 1 + below(64)); break;
        case 5: mmu->set_a20(below(2)); break;
        case 6: (void)mmu->peek_translate(linear, value); break;
        default: translated += mmu->load(linear, value); break;
      }
    }
  }
  EXPECT_GT(translated, 1000u);
}

// The guest changes its tables and flushes as the manual asks; after that every access must agree with a
// walk.
TEST_F(MmuFuzz, WithProperFlushesTheTlbsAgreeWithTheTables) {
  constexpr u64 kSpace = 0x0000'1234'0000'0000;
  enter_long_mode(kCr4Pge | kCr4Pcide);
  const u64 roots[3] = {root, new_table(), new_table()};
  u64 current = 0;
  u64 granted = 0, refused = 0;
  std::map<u64, u64> table_of;  // by directory entry, for when a large page goes again
  const auto random_linear = [&] {
    return kSpace + below(6) * (u64{2} << 20) + below(16) * 0x41'000 % (u64{2} << 20) +
           (below(4) ? 0 : 0x1000 * below(512));
  };
  const auto random_bits = [&](bool global) {
    return (below(8) ? kPteP : 0) | (below(2) ? kPteRw : 0) | (below(4) ? kPteUs : 0) |
           (below(4) ? 0 : kPteXd) | (global ? kPteG : 0);
  };
  const auto random_frame = [&] { return below(256) * kPageBytes; };
  for (u64 i = 0; i < 256; ++i) poke64(i * kPageBytes, 0xf000 + i);

  u64 cr0_now = cr0, cr4_now = cr4;
  for (int step = 0; step < 200'000; ++step) {
    const u64 linear = random_linear();
    const u64 under = roots[current];
    switch (below(20)) {
      case 0:
      case 1: {  // a 4 KiB mapping, or a table where a large page was
        const u64 directory = entry_phys(under, linear, 2);
        u64& table = table_of[directory];
        if (table == 0) table = new_table();
        poke64(directory, table | kAllBits);
        map_under(under, linear, random_frame(), random_bits(false));
        mmu->invlpg(linear);
        if (below(2)) mmu->invlpg(linear & ~u64{0x1f'ffff});
        break;
      }
      case 2:  // a large page over whatever was there; one INVLPG may leave pieces of 4 KiB pages, so flush
               // the PCID
        poke64(entry_phys(under, linear, 2), (below(2) ? u64{2} << 20 : 0) | random_bits(false) | kPtePs);
        mmu->invlpg(linear);
        mmu->invpcid(Mmu::InvpcidType::SingleContext, static_cast<u16>(current), 0);
        break;
      case 3: {
        current = below(3);
        mmu->set_cr3(roots[current] | current | (below(2) ? kCr3NoFlush : 0));
        break;
      }
      case 4:
        if (below(8) == 0) cr0_now ^= kCr0Wp;
        if (below(8) == 0) cr4_now ^= kCr4Smap;
        if (below(8) == 0) cr4_now ^= kCr4Smep;
        if (below(64) == 0) cr4_now ^= kCr4Pge;
        mmu->set_paging(cr0_now, cr4_now, kEferLme | kEferLma | kEferNxe);
        break;
      case 5: code_pages.add_code(random_frame() + below(64) * 64, 64); break;
      case 6: code_pages.refresh(random_frame()); break;
      default: {
        const View view = static_cast<View>(below(kViews));
        const Access access = static_cast<Access>(below(kAccessKinds));
        mmu->set_view(view);
        const PagingContext& context = mmu->context();
        const WalkResult expected = page_walk(context, phys_map, linear, access, view, WalkEffects::None);
        bool ok = false;
        if (access == Access::Fetch) {
          Mmu::FetchTarget target{};
          ok = mmu->fetch(linear, target);
          if (ok) {
            ASSERT_EQ(target.phys, expected.translation.phys);
          }
        } else if (access == Access::Read) {
          u64 value = 0;
          ok = mmu->load(linear, value);
          if (ok) {
            ASSERT_EQ(value, peek64(expected.translation.phys)) << std::hex << linear << " step " << step;
          }
        } else {
          const u64 value = random();
          ok = mmu->store(linear, value);
          if (ok) {
            ASSERT_EQ(value, peek64(expected.translation.phys)) << std::hex << linear << " step " << step;
            ASSERT_TRUE(ram->written_since(0, expected.translation.phys));
            ASSERT_EQ(mmu->write_pointer(linear, 1) == nullptr,
                      code_pages.has_code(expected.translation.phys));
          }
        }
        ASSERT_EQ(ok, expected.ok) << std::hex << linear << " step " << step;
        if (!ok) {
          ASSERT_EQ(mmu->fault().error_code, expected.error_code);
          ASSERT_EQ(mmu->fault().linear, linear);
        }
        (ok ? granted : refused) += 1;
        break;
      }
    }
  }
  EXPECT_GT(granted, 20'000u);
  EXPECT_GT(refused, 20'000u);
  EXPECT_GT(mmu->stats().l2_hits, 1000u);
}

// The same without flushes, with little room, spaces that run out, and entries of all sizes.
TEST_F(MmuFuzz, EveryTagIsAnAnswerOfTheSecondLevel) {
  constexpr u64 kSpace = 0x0000'1234'0000'0000;
  const u64 root2 = new_table();
  for (const u32 entries : {4u, 16u, 256u}) {
    mmu->set_tlb_geometry({entries / 4, 1, 12});
    enter_long_mode(kCr4Pge | kCr4Pcide);
    u64 current = root;
    u64 checked = 0;
    for (int step = 0; step < 60'000; ++step) {
      const u64 linear =
          kSpace + below(3) * (u64{2} << 20) + below(3) * (u64{1} << 30) + below(12) * kPageBytes;
      const u64 bits = kPteP | (below(4) ? kPteRw : 0) | (below(2) ? kPteUs : 0) | (below(4) ? 0 : kPteG) |
                       (below(2) ? kPteA | kPteD : 0);
      switch (below(12)) {
        case 0: {
          const u64 level = 1 + below(8) / 5 + below(16) / 15;
          const u64 bytes = u64{1} << (12 + 9 * (level - 1));
          if (level > 1) {
            poke64(entry_phys(current, linear, static_cast<unsigned>(level)),
                   (below(2) ? bytes : 0) % kRamBytes | bits | kPtePs);
          } else {
            for (unsigned at = 3; at > 1; --at) {
              const u64 slot = entry_phys(current, linear, at);
              if (peek64(slot) & kPtePs) poke64(slot, 0);
            }
            map_under(current, linear, below(64) * kPageBytes, bits);
            if (next_table > kRamBytes - 64 * kPageBytes) next_table = 12 * kMiB;
          }
          break;
        }
        case 1: mmu->invlpg(linear); break;
        case 2:
          current = below(2) ? root : root2;
          mmu->set_cr3(current | below(3) | (below(2) ? kCr3NoFlush : 0));
          break;
        case 3:
          if (below(8) == 0)
            mmu->invpcid(static_cast<Mmu::InvpcidType>(below(4)), static_cast<u16>(below(3)), linear);
          break;
        default: {
          mmu->set_view(static_cast<View>(below(kViews)));
          u64 value = 0;
          Mmu::FetchTarget target;
          switch (below(3)) {
            case 0: (void)mmu->load(linear, value); break;
            case 1: (void)mmu->store(linear + 0x800, value); break;
            default: (void)mmu->fetch(linear, target);
          }
        }
      }
      if (step % 4 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(expect_tags_are_answers()) << "step " << step;
      ++checked;
    }
    EXPECT_EQ(checked, 15'000u);
  }
  EXPECT_GT(mmu->stats().walks, 20'000u);
  EXPECT_GT(mmu->stats().l2_hits, 1000u);
}

TEST_F(MmuFuzz, RandomRegionsNeverOverlapInTheFlatMap) {
  for (int round = 0; round < 200; ++round) {
    PhysMap map(*ram);
    RecordingDevice devices[8];
    int added = 0;
    for (int i = 0; i < 24; ++i) {
      const u64 phys = below(64) * 0x400, bytes = (1 + below(16)) * 0x400;
      const std::string region = "r" + std::to_string(i);
      const int priority = static_cast<int>(below(6));
      if (below(2))
        added += map.add_ram(region, phys & kPageMask, kPageBytes, phys & kPageMask, priority).ok();
      else
        added += map.add_mmio(region, phys, bytes, devices[i % 8], priority).ok();
      if (below(8) == 0) map.remove("r" + std::to_string(below(24)));
    }
    ASSERT_GT(added, 0);
    for (u64 phys = 0; phys < 0x18000;) {
      const PhysMap::Target target = map.find(phys);
      ASSERT_GT(target.bytes_left, 0u);
      const PhysMap::Target last = map.find(phys + target.bytes_left - 1);
      ASSERT_EQ(last.kind, target.kind);
      ASSERT_EQ(last.bytes_left, 1u);
      if (target.kind == PhysMap::Kind::Ram) {
        ASSERT_EQ(target.ram_offset, phys);
        ASSERT_EQ(map.ram_host(phys, target.bytes_left), ram->host() + phys);
        ASSERT_EQ(map.ram_host(phys, target.bytes_left + 1), nullptr);
      }
      if (target.bytes_left > 0x20000) break;
      phys += target.bytes_left;
    }
  }
}

}  // namespace
}  // namespace reprise::mmu
