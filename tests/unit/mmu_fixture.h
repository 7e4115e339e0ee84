// A machine that is only memory: RAM, a ROM, a recording device, code pages and one Mmu, with long-mode
// tables.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "mmu/mmu.h"

namespace reprise::mmu {

/// Remembers every access and answers reads with a pattern of the offset.
class RecordingDevice final : public MmioHandler {
 public:
  struct Event {
    bool is_write;
    u64 offset;
    unsigned bytes;
    u64 value;
    bool operator==(const Event&) const = default;
  };
  static u64 pattern(u64 offset, Width width) {
    u64 value = 0;
    for (unsigned i = 0; i < width_bytes(width); ++i) value |= ((offset + i) * 7 & 0xff) << (8 * i);
    return value;
  }
  u64 mmio_read(u64 offset, Width width) override {
    events.push_back({false, offset, width_bytes(width), 0});
    return pattern(offset, width);
  }
  void mmio_write(u64 offset, Width width, u64 value) override {
    events.push_back({true, offset, width_bytes(width), value});
  }
  std::vector<Event> events;
};

class RecordingObserver final : public AccessObserver {
 public:
  struct Watched {
    u64 linear, bytes;
    Access access;
    bool operator==(const Watched&) const = default;
  };
  void stop_after_instruction() override { ++stops; }
  void watched_access(u64 linear, u64 bytes, Access access) override {
    watched.push_back({linear, bytes, access});
  }
  struct Debugged {
    u64 linear, phys, bytes;
    Access access;
    bool operator==(const Debugged&) const = default;
  };
  void debugged_access(u64 linear, u64 phys, u64 bytes, Access access) override {
    debugged.push_back({linear, phys, bytes, access});
  }
  void translation_changed(u64 linear, u64 bytes) override { changed.push_back({linear, bytes}); }
  struct Changed {
    u64 linear, bytes;
    bool operator==(const Changed&) const = default;
  };
  int stops = 0;
  std::vector<Changed> changed;
  std::vector<Watched> watched;
  std::vector<Debugged> debugged;
};

class RecordingListener final : public CodeListener {
 public:
  struct Write {
    u64 phys, bytes;
    bool operator==(const Write&) const = default;
  };
  bool code_written(u64 phys, u64 bytes) override {
    writes.push_back({phys, bytes});
    return hits;
  }
  void mark_code(u64, CodeBytes& into) const override {
    if (code_bytes != 0) into.set(code_first, code_bytes);
  }
  std::vector<Write> writes;
  bool hits = true;
  // What mark_code() tells of any page.
  u64 code_first = 0, code_bytes = 0;
};

inline constexpr u64 kMiB = u64{1} << 20;
inline constexpr u64 kRamBytes = 16 * kMiB;
inline constexpr u64 kRomPhys = 0xffff'0000;
inline constexpr u64 kRomBytes = 0x1'0000;
inline constexpr u64 kDevicePhys = 0xfee0'0000;
inline constexpr u64 kDeviceBytes = 0x2000;
inline constexpr u64 kAllBits = kPteP | kPteRw | kPteUs;

class MmuTest : public ::testing::Test {
 protected:
  MmuTest() : ram(Ram::create(kRamBytes).take()), phys_map(*ram), rom(kRomBytes) {
    EXPECT_TRUE(phys_map.add_ram("ram", 0, kRamBytes, 0));
    EXPECT_TRUE(phys_map.add_rom("rom", kRomPhys, kRomBytes, rom.data()));
    EXPECT_TRUE(phys_map.add_mmio("device", kDevicePhys, kDeviceBytes, device));
    for (u64 i = 0; i < kRomBytes; ++i) rom[i] = static_cast<u8>(i * 3);
    mmu = std::make_unique<Mmu>(phys_map, code_pages, observer);
    code_pages.add_listener(listener);
  }

  u64 peek64(u64 phys) const { return read_unaligned<u64>(ram->host() + phys); }
  void poke64(u64 phys, u64 value) { write_unaligned<u64>(ram->host() + phys, value); }

  u64 new_table() {
    const u64 table = next_table;
    next_table += kPageBytes;
    return table;
  }

  /// The physical address of the entry at `level` for `linear` under a root; makes tables above it as needed.
  u64 entry_phys(u64 under, u64 linear, unsigned level, unsigned levels = 4) {
    u64 table = under;
    for (unsigned at = levels;; --at) {
      const u64 slot = table + 8 * field(linear, 12 + 9 * (at - 1), 9);
      if (at == level) return slot;
      if (!(peek64(slot) & kPteP)) poke64(slot, new_table() | kAllBits);
      table = peek64(slot) & 0x000f'ffff'ffff'f000;
    }
  }
  void map(u64 linear, u64 phys, u64 bits = kAllBits) { map_under(root, linear, phys, bits); }
  void map_under(u64 under, u64 linear, u64 phys, u64 bits = kAllBits) {
    poke64(entry_phys(under, linear, 1), phys | bits);
  }
  void map_large(u64 linear, u64 phys, unsigned level, u64 bits = kAllBits) {
    poke64(entry_phys(root, linear, level), phys | bits | kPtePs);
  }
  u64 pte(u64 linear) { return peek64(entry_phys(root, linear, 1)); }

  /// 64-bit mode with 4-level paging, NX on; extra CR0, CR4 bits as given.
  void enter_long_mode(u64 cr4_bits = 0, u64 cr0_bits = kCr0Wp) {
    cr0 = kCr0Pe | kCr0Pg | cr0_bits;
    cr4 = kCr4Pae | cr4_bits;
    mmu->set_paging(cr0, cr4, kEferLme | kEferLma | kEferNxe);
    mmu->set_cr3(root);
  }

  u64 load64(u64 linear) {
    u64 value = 0xdead;
    EXPECT_TRUE(mmu->load(linear, value)) << std::hex << linear;
    return value;
  }
  bool load_faults(u64 linear) {
    u64 value;
    return !mmu->load(linear, value);
  }
  bool store_faults(u64 linear) { return !mmu->store(linear, u64{1}); }

  std::unique_ptr<Ram> ram;
  PhysMap phys_map;
  std::vector<u8> rom;
  RecordingDevice device;
  RecordingObserver observer;
  RecordingListener listener;
  CodePages code_pages;
  std::unique_ptr<Mmu> mmu;
  u64 next_table = 8 * kMiB;
  u64 root = new_table();
  u64 cr0 = 0;
  u64 cr4 = 0;
};

}  // namespace reprise::mmu
