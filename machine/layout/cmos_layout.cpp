#include "machine/layout/cmos_layout.h"

#include <algorithm>

namespace reprise::machine {
namespace {

constexpr u8 kFloppyTypes = 0x10;  // high nibble: drive A
constexpr u8 kEquipment = 0x14;
constexpr u8 kBaseMemoryKiB = 0x15;
constexpr u8 kExtendedMemoryKiB = 0x17;
constexpr u8 kChecksum = 0x2e;  // of 10h to 2Dh, high byte first
constexpr u8 kExtendedMemoryKiBAgain = 0x30;
constexpr u8 kMemoryAbove16MiB = 0x34;  // in 64 KiB, up to 4 GiB
constexpr u8 kBootThird = 0x38;         // high nibble; bit 0: floppies boot without 55AAh too
constexpr u8 kBootFirstAndSecond = 0x3d;
constexpr u8 kMemoryAbove4GiB = 0x5b;  // three bytes, in 64 KiB
constexpr u8 kMoreProcessors = 0x5f;

// Equipment.
constexpr u8 kHasFloppies = 0x01;
constexpr u8 kHasFpu = 0x02;
constexpr u8 kHasPs2Mouse = 0x04;
constexpr u8 kTwoFloppies = 0x40;

constexpr u64 kUnit = 64 * kKiB;

class CmosBytes {
 public:
  void set(u8 index, u64 value, unsigned bytes = 1) {
    for (unsigned i = 0; i < bytes; ++i) bytes_.at(index + i) = static_cast<u8>(value >> (8 * i));
  }
  u8 operator[](u8 index) const { return bytes_.at(index); }

 private:
  std::array<u8, devices::CmosRtc::kBytes> bytes_{};
};

void set_memory_sizes(CmosBytes& cmos, const MemoryMap& memory) {
  constexpr u64 kMax16 = 0xffff;
  const u64 low_end = memory.low_ram_end_phys();
  const u64 extended_kib = std::min((low_end - kHighMemoryPhys) / kKiB, kMax16);
  cmos.set(kBaseMemoryKiB, kVgaWindowPhys / kKiB, 2);
  cmos.set(kExtendedMemoryKiB, extended_kib, 2);
  cmos.set(kExtendedMemoryKiBAgain, extended_kib, 2);
  cmos.set(kMemoryAbove16MiB, low_end > 16 * kMiB ? std::min((low_end - 16 * kMiB) / kUnit, kMax16) : 0, 2);
  cmos.set(kMemoryAbove4GiB, (memory.high_ram_end_phys() - kAbove4GPhys) / kUnit, 3);
}

void set_drives(CmosBytes& cmos, const CmosFacts& facts) {
  const auto [a, b] = facts.floppies;
  cmos.set(kFloppyTypes, static_cast<u64>(a) << 4 | static_cast<u64>(b));
  u8 equipment = kHasFpu;
  if (facts.ps2_mouse) equipment |= kHasPs2Mouse;
  const unsigned floppies = (a != FloppyType::None) + (b != FloppyType::None);
  if (floppies != 0) equipment |= kHasFloppies;
  if (floppies == 2) equipment |= kTwoFloppies;
  cmos.set(kEquipment, equipment);
}

}  // namespace

void fill_cmos(devices::CmosRtc& rtc, const CmosFacts& facts) {
  CmosBytes cmos;
  set_memory_sizes(cmos, facts.memory);
  set_drives(cmos, facts);
  const auto [first, second, third] = facts.boot_order;
  cmos.set(kBootFirstAndSecond, static_cast<u64>(second) << 4 | static_cast<u64>(first));
  cmos.set(kBootThird, static_cast<u64>(third) << 4);
  cmos.set(kMoreProcessors, facts.cpus - 1);
  u16 sum = 0;
  for (u8 index = kFloppyTypes; index < kChecksum; ++index) sum = static_cast<u16>(sum + cmos[index]);
  cmos.set(kChecksum, sum >> 8);
  cmos.set(kChecksum + 1, sum);

  constexpr u8 kFirstMemory = 0x0e;
  constexpr u8 kCentury = 0x32;  // kept by the clock
  for (u8 index = kFirstMemory; index < devices::CmosRtc::kBytes; ++index)
    if (index != kCentury) rtc.set_memory(index, cmos[index]);
}

}  // namespace reprise::machine
