// Loads, stores, probes and fetches: pages, page crossings, devices, ROM, code pages, watches, the dirty
// bitmap.
#include <cstring>
#include <numeric>

#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

using Kind = MemFault::Kind;
constexpr u64 kA = 0x0000'1234'5678'9000;  // a linear page; the next one is kA + 0x1000
constexpr u64 kB = kA + kPageBytes;

class MmuAccess : public MmuTest {};

struct Bytes64 {
  u8 bytes[64];
  bool operator==(const Bytes64&) const = default;
};

// --- Without paging ---

TEST_F(MmuAccess, RealModeIsIdentityAndHitsAfterwards) {
  EXPECT_TRUE(mmu->store(0x1234, u32{0xa5a5'1111}));
  EXPECT_EQ(read_unaligned<u32>(ram->host() + 0x1234), 0xa5a5'1111u);
  EXPECT_NE(mmu->write_pointer(0x1fff, 1), nullptr);
  EXPECT_EQ(mmu->write_pointer(0x1fff, 2), nullptr) << "crosses the page";
  EXPECT_EQ(mmu->read_pointer(0x1234, 4), nullptr) << "read tags are apart";
  EXPECT_EQ(load64(0x1234), 0xa5a5'1111u);
  EXPECT_EQ(mmu->read_pointer(0x1234, 4), ram->host() + 0x1234);
  EXPECT_EQ(mmu->stats().walks, 0u);
}

TEST_F(MmuAccess, OutsideLongModeAddressesWrapAt4GiB) {
  std::memset(rom.data() + kRomBytes - 2, 0x11, 2);
  poke64(0, 0x2222'2222'2222'2222);
  u32 value = 0;
  EXPECT_TRUE(mmu->load(0xffff'fffe, value));
  EXPECT_EQ(value, 0x2222'1111u);
  EXPECT_TRUE(mmu->load(0x1'0000'0000, value));
  EXPECT_EQ(value, 0x2222'2222u);
  EXPECT_TRUE(mmu->store(0xffff'fffe, u32{0xaaaa'bbbb}));
  EXPECT_EQ(peek64(0) & 0xffff, 0xaaaau) << "the ROM part is dropped";
}

TEST_F(MmuAccess, A20MasksBit20) {
  poke64(0x100, 1);
  poke64(kMiB + 0x100, 2);
  EXPECT_EQ(load64(kMiB + 0x100), 2u);
  mmu->set_a20(false);
  EXPECT_EQ(load64(kMiB + 0x100), 1u);
  EXPECT_TRUE(mmu->store(3 * kMiB + 0x108, u64{7}));
  EXPECT_EQ(peek64(2 * kMiB + 0x108), 7u);
  Mmu::FetchTarget target;
  ASSERT_TRUE(mmu->fetch(kMiB + 0x100, target));
  EXPECT_EQ(target.phys, 0x100u);
  mmu->set_a20(true);
  EXPECT_EQ(load64(kMiB + 0x100), 2u);
}

TEST_F(MmuAccess, SmramIsSeenInSmmOnly) {
  constexpr u64 kWindow = 0xa0000;
  RecordingDevice window;
  ASSERT_TRUE(phys_map.add_mmio("window", kWindow, 0x20000, window, 2).ok());
  mmu->set_smram({.phys = kWindow, .bytes = 0x20000, .code = true, .data = true});
  poke64(kWindow + 0x10, 0x1234);
  EXPECT_EQ(load64(kWindow + 0x10), RecordingDevice::pattern(0x10, Width::Qword));
  mmu->set_smm(true);
  EXPECT_EQ(load64(kWindow + 0x10), 0x1234u);
  EXPECT_TRUE(mmu->store(kWindow + 0x18, u64{5}));
  EXPECT_EQ(peek64(kWindow + 0x18), 5u);
  EXPECT_EQ(mmu->read_phys(kWindow + 0x10, Width::Qword), 0x1234u);
  mmu->write_phys(kWindow + 0x1ffc, Width::Qword, 0x1122'3344'5566'7788);
  EXPECT_EQ(peek64(kWindow + 0x1ffc), 0x1122'3344'5566'7788u) << "across a page";
  Mmu::FetchTarget target;
  ASSERT_TRUE(mmu->fetch(kWindow + 0x10, target));
  EXPECT_EQ(target.host, ram->host() + kWindow + 0x10);
  // Stores to translated code are seen.
  EXPECT_TRUE(mmu->store(kWindow + 0x3000, u64{1}));
  code_pages.add_code(kWindow + 0x3000, 64);
  EXPECT_TRUE(mmu->store(kWindow + 0x3000, u64{2}));
  EXPECT_EQ(listener.writes.size(), 1u);
  mmu->set_smram({.phys = kWindow, .bytes = 0x20000, .code = true, .data = false});
  EXPECT_EQ(load64(kWindow + 0x10), RecordingDevice::pattern(0x10, Width::Qword));
  ASSERT_TRUE(mmu->fetch(kWindow + 0x10, target));
  EXPECT_EQ(target.host, ram->host() + kWindow + 0x10);
  mmu->set_smm(false);
  ASSERT_TRUE(mmu->fetch(kWindow + 0x10, target));
  EXPECT_EQ(target.host, nullptr);
  EXPECT_EQ(mmu->read_phys(kWindow + 0x10, Width::Byte), RecordingDevice::pattern(0x10, Width::Byte));
}

TEST_F(MmuAccess, PageTablesInSmram) {
  RecordingDevice window;
  map(kA, 0x5000);
  poke64(0x5000, 77);
  const u64 smram = root & ~(0x20000 - u64{1});
  ASSERT_TRUE(phys_map.add_mmio("window", smram, 0x20000, window, 2).ok());
  mmu->set_smram({.phys = smram, .bytes = 0x20000, .code = true, .data = true});
  mmu->set_smm(true);
  enter_long_mode();
  EXPECT_EQ(load64(kA), 77u);
  u64 phys = 0;
  EXPECT_TRUE(mmu->peek_translate(kA + 5, phys));
  EXPECT_EQ(phys, 0x5005u);
  EXPECT_TRUE(window.events.empty());
  mmu->set_smm(false);
  EXPECT_TRUE(load_faults(kA));
}

TEST_F(MmuAccess, A20MasksPageTables) {
  map(kA, 0x5000);
  poke64(0x5000, 77);
  const u64 table_base = 8 * kMiB;
  std::memcpy(ram->host() + table_base + 2 * kMiB, ram->host() + table_base, kMiB);
  enter_long_mode();
  mmu->set_cr3(root + 3 * kMiB);  // with A20 off this is root + 2 MiB
  mmu->set_a20(false);
  EXPECT_EQ(load64(kA), 77u);
  u64 phys = 0;
  EXPECT_TRUE(mmu->peek_translate(kA + 5, phys));
  EXPECT_EQ(phys, 0x5005u);
}

// --- Sizes and page crossings ---

TEST_F(MmuAccess, EverySizeAtEveryOffsetAroundAPageEnd) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);  // not adjacent in memory
  for (u64 i = 0; i < kPageBytes; ++i) {
    ram->host()[0x20000 + i] = static_cast<u8>(i * 5 + 1);
    ram->host()[0x30000 + i] = static_cast<u8>(i * 11 + 3);
  }
  const auto byte_at = [&](u64 linear) -> u8& {
    return ram->host()[(linear < kB ? 0x20000 : 0x30000) + (linear & 0xfff)];
  };
  for (u64 bytes = 1; bytes <= 64; ++bytes) {
    for (u64 start = kB - 66; start <= kB + 2; ++start) {
      u8 buffer[64] = {};
      ASSERT_TRUE(mmu->load_bytes(start, std::span(buffer, bytes)));
      for (u64 i = 0; i < bytes; ++i) ASSERT_EQ(buffer[i], byte_at(start + i)) << bytes << " at " << start;
      for (u64 i = 0; i < bytes; ++i) buffer[i] = static_cast<u8>(bytes + start + i);
      ASSERT_TRUE(mmu->store_bytes(start, std::span(buffer, bytes)));
      for (u64 i = 0; i < bytes; ++i) ASSERT_EQ(byte_at(start + i), static_cast<u8>(bytes + start + i));
    }
  }
  EXPECT_EQ(ram->host()[0x21000], 0) << "the physically next page is not touched";
  EXPECT_GT(mmu->stats().page_crossings, 0u);
}

TEST_F(MmuAccess, ValuesOf64BytesAndWholePages) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);
  Bytes64 out, in;
  std::iota(std::begin(out.bytes), std::end(out.bytes), 1);
  EXPECT_TRUE(mmu->store(kB - 32, out));
  EXPECT_TRUE(mmu->load(kB - 32, in));
  EXPECT_EQ(in, out);
  std::vector<u8> page(kPageBytes, 0x42), back(kPageBytes);
  EXPECT_TRUE(mmu->store_bytes(kA + 100, page));
  EXPECT_TRUE(mmu->load_bytes(kA + 100, back));
  EXPECT_EQ(back, page);
  EXPECT_TRUE(mmu->load_bytes(0xdead'0000'0000, {})) << "no bytes, no access";
}

TEST_F(MmuAccess, FaultAddresses) {
  enter_long_mode();
  map(kA, 0x20000);
  EXPECT_TRUE(load_faults(kB + 5));
  EXPECT_EQ(mmu->fault().linear, kB + 5);
  EXPECT_TRUE(load_faults(kB - 4));
  EXPECT_EQ(mmu->fault().kind, Kind::PageFault);
  EXPECT_EQ(mmu->fault().linear, kB) << "the first byte of the page that is missing";
  EXPECT_TRUE(load_faults(kA - 4));
  EXPECT_EQ(mmu->fault().linear, kA - 4) << "the access itself when its first page is missing";
}

TEST_F(MmuAccess, ACrossingStoreThatFaultsWritesNothing) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000, kPteP | kPteUs);  // read-only
  poke64(0x20ff8, 0x1111'1111'1111'1111);
  EXPECT_TRUE(store_faults(kB - 4));
  EXPECT_EQ(mmu->fault().linear, kB);
  EXPECT_EQ(mmu->fault().error_code, kPfP | kPfW);
  EXPECT_EQ(peek64(0x20ff8), 0x1111'1111'1111'1111u);
  EXPECT_FALSE(pte(kB) & (kPteA | kPteD));
  map(kA, 0x20000, kPteP | kPteUs);
  map(kB, 0x30000);
  mmu->invlpg(kA);
  EXPECT_TRUE(store_faults(kB - 4));
  EXPECT_EQ(mmu->fault().linear, kB - 4);
  EXPECT_EQ(peek64(0x30000), 0u);
}

TEST_F(MmuAccess, NonCanonical) {
  enter_long_mode();
  constexpr u64 kLowEnd = 0x0000'8000'0000'0000;
  map(kLowEnd - kPageBytes, 0x20000);
  map(0xffff'8000'0000'0000, 0x30000);
  map(0xffff'ffff'ffff'f000, 0x40000);
  map(0, 0x50000);
  EXPECT_EQ(load64(kLowEnd - 8), 0u);
  for (const u64 linear : {kLowEnd, kLowEnd - 4, u64{0xffff'7fff'ffff'fffc}, u64{0x8000'0000'0000'0000}}) {
    EXPECT_TRUE(load_faults(linear));
    EXPECT_EQ(mmu->fault().kind, Kind::NonCanonical) << std::hex << linear;
    EXPECT_EQ(mmu->fault().linear, linear);
    EXPECT_TRUE(store_faults(linear));
    EXPECT_EQ(mmu->fault().kind, Kind::NonCanonical);
    EXPECT_FALSE(mmu->probe_write(linear, 8));
  }
  Mmu::FetchTarget target;
  EXPECT_FALSE(mmu->fetch(kLowEnd, target));
  EXPECT_EQ(mmu->fault().kind, Kind::NonCanonical);
  EXPECT_EQ(load64(0xffff'8000'0000'0000), 0u);
  write_unaligned<u32>(ram->host() + 0x40ffc, 0x1111'1111);
  write_unaligned<u32>(ram->host() + 0x50000, 0x2222'2222);
  EXPECT_EQ(load64(0xffff'ffff'ffff'fffc), 0x2222'2222'1111'1111u) << "both ends are canonical";
}

// --- Rights and views ---

TEST_F(MmuAccess, OneTranslationServesAllViewsAndKinds) {
  enter_long_mode(kCr4Smap | kCr4Smep);
  map(kA, 0x20000);
  EXPECT_TRUE(load_faults(kA)) << "SMAP";
  EXPECT_EQ(mmu->fault().error_code, kPfP);
  mmu->set_view(View::KernelAc);
  EXPECT_EQ(load64(kA), 0u);
  EXPECT_TRUE(mmu->store(kA, u64{1}));
  EXPECT_EQ(mmu->stats().walks, 3u) << "fault, read, and a walk to set D";
  mmu->set_view(View::User);
  EXPECT_EQ(load64(kA), 1u);
  EXPECT_TRUE(mmu->store(kA, u64{2}));
  Mmu::FetchTarget target;
  EXPECT_TRUE(mmu->fetch(kA + 8, target));
  EXPECT_EQ(target.host, ram->host() + 0x20008);
  EXPECT_EQ(target.phys, 0x20008u);
  EXPECT_EQ(mmu->stats().walks, 3u);
  mmu->set_view(View::KernelAc);
  EXPECT_FALSE(mmu->fetch(kA, target)) << "SMEP";
  EXPECT_EQ(mmu->fault().error_code, kPfP | kPfI);
  mmu->set_view(View::Kernel);
  EXPECT_TRUE(load_faults(kA)) << "no tag of another view answers";
}

TEST_F(MmuAccess, SystemAccessesIgnoreTheCurrentView) {
  enter_long_mode();
  map(kA, 0x20000, kPteP | kPteRw);
  mmu->set_view(View::User);
  EXPECT_TRUE(load_faults(kA));
  EXPECT_EQ(mmu->fault().error_code, kPfP | kPfU);
  u32 value = 5;
  EXPECT_TRUE(mmu->store_system(kA, u32{9}));
  EXPECT_TRUE(mmu->load_system(kA, value));
  EXPECT_EQ(value, 9u);
  EXPECT_TRUE(mmu->load_system(kA, value)) << "now from the tag";
  EXPECT_TRUE(mmu->probe_system(kA, 8, Access::Write));
  EXPECT_FALSE(mmu->probe_as(View::User, kA, 8, Access::Write));
  EXPECT_TRUE(mmu->store_as(View::Kernel, kA, &value, 4));
  EXPECT_FALSE(mmu->load_as(View::User, kA, &value, 4));
  EXPECT_EQ(mmu->view(), View::User);
}

// SDM 3A 4.10.4.3 allows a stale refusal; here a refusal is always from the tables of now.
TEST_F(MmuAccess, MoreRightsCountAtOnce) {
  enter_long_mode();
  map(kA, 0x20000, kPteP | kPteUs);
  EXPECT_EQ(load64(kA), 0u);
  EXPECT_TRUE(store_faults(kA));
  map(kA, 0x20000);
  EXPECT_TRUE(mmu->store(kA, u64{1}));
}

TEST_F(MmuAccess, APageFaultDropsTheTranslation) {
  enter_long_mode();
  map(kA, 0x20000);
  poke64(0x20000, 1);
  poke64(0x30000, 2);
  EXPECT_EQ(load64(kA), 1u);
  map(kA, 0x30000, kPteP | kPteUs);
  EXPECT_EQ(load64(kA), 1u) << "stale, as on hardware";
  EXPECT_TRUE(store_faults(kA));
  EXPECT_EQ(load64(kA), 2u);
}

// --- Accessed and dirty through the TLBs ---

TEST_F(MmuAccess, DirtyIsSetByTheFirstStoreAfterALoad) {
  enter_long_mode();
  map(kA, 0x20000);
  EXPECT_EQ(load64(kA), 0u);
  EXPECT_EQ(pte(kA) & (kPteA | kPteD), kPteA);
  EXPECT_EQ(mmu->write_pointer(kA, 8), nullptr);
  EXPECT_TRUE(mmu->store(kA, u64{1}));
  EXPECT_EQ(pte(kA) & (kPteA | kPteD), kPteA | kPteD);
}

TEST_F(MmuAccess, ProbesSetWhatTheStoreWould) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);
  EXPECT_TRUE(mmu->probe_read(kA, 8));
  EXPECT_FALSE(pte(kA) & kPteD);
  EXPECT_TRUE(mmu->probe_write(kB - 4, 8));
  EXPECT_TRUE(pte(kA) & kPteD);
  EXPECT_TRUE(pte(kB) & kPteD);
  EXPECT_EQ(peek64(0x20ff8), 0u);
  EXPECT_TRUE(mmu->probe_write(kA, 4096));
  EXPECT_FALSE(mmu->probe_write(kB + 0xfff, 2));
  EXPECT_EQ(mmu->fault().linear, kB + 0x1000);
}

TEST_F(MmuAccess, PeekTranslateHasNoEffects) {
  enter_long_mode(kCr4Smap);
  map(kA, 0x20000);
  u64 phys = 0;
  EXPECT_TRUE(mmu->peek_translate(kA + 0x123, phys));
  EXPECT_EQ(phys, 0x20123u);
  EXPECT_FALSE(pte(kA) & kPteA);
  EXPECT_FALSE(mmu->peek_translate(kB, phys));
  EXPECT_FALSE(mmu->peek_translate(0x8000'0000'0000'0000, phys));
  EXPECT_EQ(mmu->stats().page_faults, 0u);
  mmu->set_cr3(kDevicePhys);
  EXPECT_FALSE(mmu->peek_translate(kA, phys)) << "a device is not read";
  EXPECT_TRUE(device.events.empty());
}

// --- Devices and ROM ---

using Event = RecordingDevice::Event;

TEST_F(MmuAccess, DeviceAccessesAreSplitInAlignedPieces) {
  enter_long_mode();
  map(kA, kDevicePhys);
  u64 value = 0;
  ASSERT_TRUE(mmu->load(kA + 8, value));
  EXPECT_EQ(value, RecordingDevice::pattern(8, Width::Qword));
  EXPECT_EQ(device.events, (std::vector<Event>{{false, 8, 8, 0}}));
  EXPECT_EQ(observer.stops, 1);
  EXPECT_EQ(mmu->read_pointer(kA + 8, 1), nullptr) << "never a tag";

  device.events.clear();
  ASSERT_TRUE(mmu->store(kA + 3, u64{0x8877'6655'4433'2211}));
  EXPECT_EQ(device.events,
            (std::vector<Event>{
                {true, 3, 1, 0x11}, {true, 4, 4, 0x5544'3322}, {true, 8, 2, 0x7766}, {true, 10, 1, 0x88}}));
  device.events.clear();
  ASSERT_TRUE(mmu->store(kA + 6, u16{0x2211}));
  ASSERT_TRUE(mmu->store(kA + 5, u8{0x99}));
  EXPECT_EQ(device.events, (std::vector<Event>{{true, 6, 2, 0x2211}, {true, 5, 1, 0x99}}));

  device.events.clear();
  Bytes64 wide;
  ASSERT_TRUE(mmu->load(kA + 0x40, wide));
  ASSERT_EQ(device.events.size(), 8u);
  for (u64 i = 0; i < 8; ++i) EXPECT_EQ(device.events[i], (Event{false, 0x40 + 8 * i, 8, 0}));
  for (u64 i = 0; i < 64; ++i) EXPECT_EQ(wide.bytes[i], RecordingDevice::pattern(0x40 + i, Width::Byte));
  EXPECT_EQ(mmu->stats().mmio_reads, 9u);
  EXPECT_EQ(mmu->stats().mmio_writes, 6u);
}

TEST_F(MmuAccess, AnAccessFromRamIntoADevice) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, kDevicePhys);
  ASSERT_TRUE(mmu->store(kB - 2, u32{0x4433'2211}));
  EXPECT_EQ(read_unaligned<u16>(ram->host() + 0x20ffe), 0x2211);
  EXPECT_EQ(device.events, (std::vector<Event>{{true, 0, 2, 0x4433}}));
  device.events.clear();
  u32 value = 0;
  ASSERT_TRUE(mmu->load(kB - 2, value));
  EXPECT_EQ(value, 0x2211u | RecordingDevice::pattern(0, Width::Word) << 16);
}

TEST_F(MmuAccess, ADeviceIsNotTouchedWhenTheOtherPageFaults) {
  enter_long_mode();
  map(kA, kDevicePhys);
  EXPECT_TRUE(load_faults(kB - 4));
  EXPECT_TRUE(store_faults(kB - 4));
  EXPECT_TRUE(device.events.empty());
  EXPECT_EQ(observer.stops, 0);
  EXPECT_TRUE(mmu->probe_write(kA, 8));
  EXPECT_TRUE(device.events.empty()) << "a probe is not an access";
}

// A page of which a device takes a part: no tags, each byte to its owner.
TEST_F(MmuAccess, MixedPages) {
  RecordingDevice small;
  ASSERT_TRUE(phys_map.add_mmio("small", 0x20010, 4, small));
  ASSERT_TRUE(mmu->store(0x2000c, u64{0x8877'6655'4433'2211}));
  EXPECT_EQ(peek64(0x20008) >> 32, 0x4433'2211u);
  EXPECT_EQ(small.events, (std::vector<Event>{{true, 0, 4, 0x8877'6655}}));
  EXPECT_TRUE(ram->written_since(0, 0x20000));
  EXPECT_EQ(mmu->write_pointer(0x20800, 1), nullptr);
  EXPECT_EQ(load64(0x2000c), 0x4433'2211u | RecordingDevice::pattern(0, Width::Dword) << 32);
  Mmu::FetchTarget target;
  ASSERT_TRUE(mmu->fetch(0x20123, target));
  EXPECT_EQ(target.host, nullptr);
  EXPECT_EQ(target.phys, 0x20123u);
}

TEST_F(MmuAccess, RomReadsAndFetchesButDropsStores) {
  EXPECT_EQ(load64(kRomPhys + 0x100), read_unaligned<u64>(rom.data() + 0x100));
  const u8 before = rom[0x100];
  EXPECT_TRUE(mmu->store(kRomPhys + 0x100, u64{0x1234}));
  EXPECT_EQ(rom[0x100], before);
  EXPECT_EQ(observer.stops, 0);
  EXPECT_EQ(mmu->write_pointer(kRomPhys, 1), nullptr);
  EXPECT_EQ(mmu->read_pointer(kRomPhys, 1), rom.data()) << "reads are tagged";
  Mmu::FetchTarget target;
  for (int i = 0; i < 2; ++i) {  // the second from a tag
    ASSERT_TRUE(mmu->fetch(kRomPhys + 0xff0, target));
    EXPECT_EQ(target.host, rom.data() + 0xff0);
    EXPECT_EQ(target.phys, kRomPhys + 0xff0);
  }
  EXPECT_EQ(mmu->stats().l1_misses[static_cast<int>(Access::Fetch)], 1u);
}

TEST_F(MmuAccess, FetchFromADeviceHasNoHostAddress) {
  Mmu::FetchTarget target;
  ASSERT_TRUE(mmu->fetch(kDevicePhys + 4, target));
  EXPECT_EQ(target.host, nullptr);
  EXPECT_EQ(target.phys, kDevicePhys + 4);
  EXPECT_TRUE(device.events.empty());
}

TEST_F(MmuAccess, HolesReadOnes) {
  EXPECT_EQ(load64(0x8000'0000), ~u64{0});
  EXPECT_TRUE(mmu->store(0x8000'0000, u64{1}));
  EXPECT_EQ(load64(0x8000'0000), ~u64{0});
  EXPECT_EQ(phys_map.unmapped_reads(), 2u);
}

// Page tables in a device, in ROM or nowhere: a defined result, no crash.
TEST_F(MmuAccess, PageTablesInOddPlaces) {
  enter_long_mode();
  for (const u64 cr3 : {kDevicePhys, kRomPhys, u64{0x8000'0000}, u64{0x000f'ffff'ffff'f000}}) {
    mmu->set_cr3(cr3);
    u64 value;
    (void)mmu->load(kA, value);
    (void)mmu->store(kA, value);
  }
  mmu->set_cr3(kDevicePhys);
  observer.stops = 0;
  EXPECT_TRUE(load_faults(0));
  EXPECT_GE(observer.stops, 1) << "the walk was a device access";
}

// --- Code pages ---

TEST_F(MmuAccess, CodePagesHaveNoWriteTag) {
  enter_long_mode();
  map(kA, 0x20000);
  ASSERT_TRUE(mmu->store(kA, u64{1}));
  ASSERT_EQ(load64(kA), 1u);
  mmu->set_view(View::User);
  ASSERT_TRUE(mmu->store(kA, u64{1}));
  code_pages.add_code(0x20040, 10);
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
  mmu->set_view(View::Kernel);
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
  EXPECT_NE(mmu->read_pointer(kA, 1), nullptr) << "reads go on";

  EXPECT_TRUE(mmu->store(kA + 0x80, u64{5}));
  EXPECT_EQ(peek64(0x20080), 5u);
  EXPECT_EQ(observer.stops, 0);
  EXPECT_TRUE(listener.writes.empty()) << "another line";
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);

  EXPECT_TRUE(mmu->store(kA + 0x3c, u64{6}));
  EXPECT_EQ(peek64(0x2003c), 6u);
  EXPECT_EQ(listener.writes, (std::vector<RecordingListener::Write>{{0x2003c, 8}}));
  EXPECT_EQ(observer.stops, 1);
  EXPECT_EQ(mmu->stats().code_page_stores, 2u);

  code_pages.refresh(0x20000);
  EXPECT_TRUE(mmu->store(kA + 0x3c, u64{6}));
  EXPECT_NE(mmu->write_pointer(kA, 1), nullptr);
}

TEST_F(MmuAccess, GeneratedCodeStoresBesideCode) {
  enter_long_mode();
  map(kA, 0x20000);
  ASSERT_TRUE(mmu->store(kA, u64{1}));
  EXPECT_FALSE(mmu->store_beside_code(kA, 8, View::Kernel)) << "nothing is in the way of a tag";
  code_pages.add_code(0x20040, 10);
  EXPECT_FALSE(mmu->refill(kA, Access::Write, View::Kernel));
  ASSERT_TRUE(mmu->store_beside_code(kA + 0x38, 8, View::Kernel));
  ASSERT_EQ(load64(kA), 1u);
  EXPECT_EQ(mmu->beside_code().tag_linear, kA);
  EXPECT_EQ(mmu->beside_code().phys_page, 0x20000u);
  EXPECT_EQ(mmu->beside_code().host_page, reinterpret_cast<u64>(mmu->read_pointer(kA, 1)));
  EXPECT_FALSE(mmu->store_beside_code(kA + 0x39, 8, View::Kernel)) << "the last byte's line has code";
  EXPECT_FALSE(mmu->store_beside_code(kA + 0xffc, 8, View::Kernel)) << "it crosses into the next page";
  EXPECT_FALSE(mmu->store_beside_code(kB, 8, View::Kernel)) << "not mapped";
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
}

TEST_F(MmuAccess, TwoMappingsOfOneCodePage) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x20000);
  ASSERT_TRUE(mmu->store(kA, u64{1}));
  ASSERT_TRUE(mmu->store(kB, u64{1}));
  code_pages.add_code(0x20000, 64);
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
  EXPECT_EQ(mmu->write_pointer(kB, 1), nullptr);
  EXPECT_TRUE(mmu->store(kB + 1, u8{1}));
  EXPECT_EQ(listener.writes.size(), 1u);
}

TEST_F(MmuAccess, ACrossingStoreTellsBothCodePages) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);
  code_pages.add_code(0x20fc0, 64);
  code_pages.add_code(0x30000, 64);
  EXPECT_TRUE(mmu->store(kB - 3, u64{0}));
  EXPECT_TRUE(listener.writes.empty()) << "that is what was there";
  EXPECT_TRUE(mmu->store(kB - 3, ~u64{0}));
  EXPECT_EQ(listener.writes, (std::vector<RecordingListener::Write>{{0x20ffd, 3}, {0x30000, 5}}));
}

// A and D bits are stores too.
TEST_F(MmuAccess, TableUpdatesInACodePageAreSeen) {
  enter_long_mode();
  map(kA, 0x20000);
  const u64 leaf = entry_phys(root, kA, 1);
  code_pages.add_code(leaf, 8);
  EXPECT_EQ(load64(kA), 0u);
  EXPECT_EQ(listener.writes, (std::vector<RecordingListener::Write>{{leaf, 8}}));
  EXPECT_EQ(observer.stops, 1);
}

TEST_F(MmuAccess, WriteTagsGrantedAgainAreDroppedAgain) {
  enter_long_mode();
  map(kA, 0x20000);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(mmu->store(kA, u64{1}));
    ASSERT_NE(mmu->write_pointer(kA, 1), nullptr);
    code_pages.add_code(0x20000, 1);
    ASSERT_EQ(mmu->write_pointer(kA, 1), nullptr);
    code_pages.refresh(0x20000);
  }
}

// --- Watches ---

using Watched = RecordingObserver::Watched;

TEST_F(MmuAccess, WatchedPagesShowEachAccess) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);
  ASSERT_TRUE(mmu->store(kA, u64{1}));
  const Mmu::Watch watch{kA + 0x10, 8};
  mmu->set_watches(std::span(&watch, 1));
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(load64(kA + 0x800), 0u);
  EXPECT_TRUE(mmu->store(kA + 0x10, u32{1}));
  EXPECT_TRUE(mmu->store(kB - 4, u64{1}));
  EXPECT_TRUE(mmu->store(kB, u64{1})) << "not watched";
  EXPECT_EQ(observer.watched, (std::vector<Watched>{{kA + 0x800, 8, Access::Read},
                                                    {kA + 0x800, 8, Access::Read},
                                                    {kA + 0x10, 4, Access::Write},
                                                    {kB - 4, 8, Access::Write}}));
  EXPECT_NE(mmu->write_pointer(kB, 1), nullptr);
  mmu->set_watches({});
  EXPECT_EQ(load64(kA + 0x800), 0u);
  EXPECT_EQ(observer.watched.size(), 4u);
  EXPECT_NE(mmu->read_pointer(kA, 1), nullptr);
}

TEST_F(MmuAccess, WatchesAtTheEdges) {
  enter_long_mode();
  map(kA, 0x20000);
  map(kB, 0x30000);
  map(0xffff'ffff'ffff'f000, 0x40000);
  const Mmu::Watch watches[] = {{kB - 1, 2}, {0xffff'ffff'ffff'ffff, 1}};
  mmu->set_watches(watches);
  EXPECT_TRUE(mmu->store(kA, u8{1}));
  EXPECT_TRUE(mmu->store(kB + 0xfff, u8{1}));
  EXPECT_TRUE(mmu->store(0xffff'ffff'ffff'ffff, u8{1}));
  EXPECT_TRUE(mmu->load_as(View::Kernel, kB - 8, &cr0, 8));
  EXPECT_EQ(observer.watched.size(), 4u);
  Mmu::FetchTarget target;
  EXPECT_TRUE(mmu->fetch(kA, target));
  EXPECT_EQ(observer.watched.size(), 4u) << "fetches are not watched";
}

TEST_F(MmuAccess, FaultingAccessesAreNotReportedToTheWatcher) {
  enter_long_mode();
  const Mmu::Watch watch{kA, 8};
  mmu->set_watches(std::span(&watch, 1));
  EXPECT_TRUE(load_faults(kA));
  EXPECT_TRUE(observer.watched.empty());
}

// --- Epochs of memory ---

TEST_F(MmuAccess, StoresMarkPagesInEachEpoch) {
  enter_long_mode();
  map(kA, 0x20000);
  u64 epoch = ram->end_epoch();
  EXPECT_EQ(load64(kA), 0u);
  EXPECT_FALSE(ram->written_since(epoch, 0x20000));
  EXPECT_TRUE(ram->written_since(epoch, entry_phys(root, kA, 1))) << "A was set in the tables";
  EXPECT_TRUE(mmu->store(kA, u8{1}));
  EXPECT_TRUE(ram->written_since(epoch, 0x20000));

  epoch = ram->end_epoch();
  EXPECT_EQ(mmu->write_pointer(kA, 1), nullptr);
  EXPECT_NE(mmu->read_pointer(kA, 1), nullptr);
  EXPECT_TRUE(mmu->store(kA, u8{2}));
  EXPECT_TRUE(ram->written_since(epoch, 0x20000));

  code_pages.add_code(0x20800, 8);
  epoch = ram->end_epoch();
  EXPECT_TRUE(mmu->store(kA, u8{2}));
  EXPECT_TRUE(ram->written_since(epoch, 0x20000)) << "stores to code pages too";
}

// --- State ---

TEST_F(MmuAccess, SerializeRoundTrip) {
  enter_long_mode(kCr4Pge);
  map(kA, 0x20000);
  const u64 pdptes[4] = {1, 2, 3, 4};
  mmu->set_pdptes(pdptes);
  Archive out;
  mmu->serialize(out);
  auto other = std::make_unique<Mmu>(phys_map, code_pages, observer);
  const PagingContext& context = mmu->context();
  other->set_paging(context.cr0, context.cr4, context.efer);
  other->set_cr3(context.cr3);
  Archive in(out.bytes());
  other->serialize(in);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(other->context().pdptes[3], 4u);
  u64 value = 1;
  EXPECT_TRUE(other->load(kA, value));
  EXPECT_EQ(value, 0u);
  EXPECT_FALSE(other->load(kB, value));
}

}  // namespace
}  // namespace reprise::mmu
