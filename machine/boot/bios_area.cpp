#include "machine/boot/bios_area.h"

#include <algorithm>
#include <string_view>

#include "common/bits.h"
#include "common/check.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/pir_table.h"

namespace reprise::machine::boot {
namespace {

constexpr u8 kServices[] = {
#include "roms/bios_services.inc"
};

// The labels at the start of bios_services.asm.
constexpr u64 kExtendedKib = 0;
constexpr u64 kKibBelow16M = 2;
constexpr u64 kUnitsAbove16M = 4;
constexpr u64 kE820Bytes = 6;
constexpr u64 kE820Table = 8;
constexpr std::size_t kVectors = 10;

constexpr u16 kBiosSegment = kBiosSegmentPhys >> 4;
constexpr u64 kDataPhys = 0x400;

/// The timer ticks 1193182 / 65536 times a second.
constexpr u64 ticks_of(u64 seconds) { return seconds * 1'193'182 >> 16; }

class Writer {
 public:
  explicit Writer(mmu::PhysMap& phys_map) : phys_map_(phys_map) {}
  void u8_at(u64 phys, u64 value) { phys_map_.write(phys, Width::Byte, value & 0xff); }
  void u16_at(u64 phys, u64 value) { phys_map_.write(phys, Width::Word, value & 0xffff); }
  void u32_at(u64 phys, u64 value) { phys_map_.write(phys, Width::Dword, value & 0xffff'ffff); }
  void bytes_at(u64 phys, std::span<const u8> bytes) { phys_map_.write_bytes(phys, bytes); }
  /// At the next place of that alignment; returns the one behind it.
  u64 table_at(u64 phys, std::span<const u8> bytes) {
    bytes_at(phys, bytes);
    CHECK(phys + bytes.size() <= kBiosServicesPhys);
    return align_up(phys + bytes.size(), 16);
  }

 private:
  mmu::PhysMap& phys_map_;
};

u16 service_word(std::size_t offset) {
  return static_cast<u16>(kServices[offset] | kServices[offset + 1] << 8);
}

/// The vectors as the table in the services' code says; those for the user's programs (60h to 66h) are null.
void write_vectors(Writer& out) {
  const auto set = [&](unsigned vector, u16 offset) {
    out.u16_at(4 * vector, offset);
    out.u16_at(4 * vector + 2, kBiosSegment);
  };
  std::size_t at = kVectors;
  while (service_word(at) != 0) at += 4;
  for (unsigned vector = 0; vector < 256; ++vector) set(vector, service_word(at + 2));
  for (unsigned vector = 0x60; vector <= 0x66; ++vector) out.u32_at(4 * vector, 0);
  for (at = kVectors; service_word(at) != 0; at += 4) set(service_word(at), service_word(at + 2));
}

void write_services(Writer& out, const MemoryMap& memory) {
  constexpr u64 k63MiB = 63 * kMiB;
  const u64 extended = memory.low_ram_end_phys() - kHighMemoryPhys;
  const u64 below_16m = std::min(extended, 15 * kMiB);
  out.bytes_at(kBiosServicesPhys, kServices);
  out.u16_at(kBiosServicesPhys + kExtendedKib, std::min(extended, k63MiB) / kKiB);
  out.u16_at(kBiosServicesPhys + kKibBelow16M, below_16m / kKiB);
  out.u16_at(kBiosServicesPhys + kUnitsAbove16M, (extended - below_16m) / (64 * kKiB));
  u64 phys = align_up(kBiosServicesPhys + std::size(kServices), 4);
  const u64 table_phys = phys;
  for (const E820Entry& entry : memory.e820()) {
    out.u32_at(phys, entry.phys);
    out.u32_at(phys + 4, entry.phys >> 32);
    out.u32_at(phys + 8, entry.bytes);
    out.u32_at(phys + 12, entry.bytes >> 32);
    out.u32_at(phys + 16, static_cast<u32>(entry.type));
    phys += 20;
  }
  CHECK(phys <= kGdtPhys);
  out.u16_at(kBiosServicesPhys + kE820Bytes, phys - table_phys);
  out.u16_at(kBiosServicesPhys + kE820Table, table_phys - kBiosSegmentPhys);
}

/// Of the data area, the screen: mode 3, 80 columns, page size, cursor shape, CRTC; last row, height of a character, a VGA with 256 KiB,
/// its switches, a colour display.
void write_screen(Writer& out) {
  const auto at = [](u64 offset) { return kDataPhys + offset; };
  out.u8_at(at(0x49), 3);
  out.u16_at(at(0x4a), 80);
  out.u16_at(at(0x4c), 0x1000);
  out.u16_at(at(0x60), 0x0607);
  out.u16_at(at(0x63), 0x3d4);
  out.u8_at(at(0x84), 24);
  out.u16_at(at(0x85), 16);
  out.u8_at(at(0x87), 0x60);
  out.u8_at(at(0x88), 0xf9);
  out.u8_at(at(0x89), 0x51);
  out.u8_at(at(0x8a), 0x08);
}

void write_data_area(Writer& out, const BiosFacts& facts) {
  constexpr u16 kColourText80 = 0x20;
  constexpr unsigned kSerialPortsAt = 9;
  constexpr u16 kKeyBufferBegin = 0x1e;
  constexpr u16 kKeyBufferEnd = 0x3e;
  constexpr u8 kKeyboardOf101Keys = 0x10;
  const auto at = [](u64 offset) { return kDataPhys + offset; };
  if (facts.serial_ports > 0) out.u16_at(at(0x00), kCom1Port);
  if (facts.serial_ports > 1) out.u16_at(at(0x02), kCom2Port);
  out.u16_at(at(0x0e), kEbdaPhys >> 4);
  out.u16_at(at(0x10), facts.cmos_equipment | (facts.screen ? kColourText80 : 0) |
                           facts.serial_ports << kSerialPortsAt);
  out.u16_at(at(0x13), kEbdaPhys / kKiB);
  out.u16_at(at(0x1a), kKeyBufferBegin);  // nothing was typed
  out.u16_at(at(0x1c), kKeyBufferBegin);
  if (facts.screen) write_screen(out);
  out.u32_at(at(0x6c), ticks_of(facts.second_of_day));
  out.u8_at(at(0x75), facts.hard_disks);
  out.u8_at(at(0x7c), 10);  // time-outs of the serial ports
  out.u8_at(at(0x7d), 10);
  out.u16_at(at(0x80), kKeyBufferBegin);
  out.u16_at(at(0x82), kKeyBufferEnd);
  out.u8_at(at(0x96), kKeyboardOf101Keys);
  out.u8_at(kEbdaPhys, 1);  // KiB of the EBDA
}

/// F000:FFF0, where the processor would start. Real-mode programs jump there to start the machine again.
void write_reset_vector(Writer& out) {
  constexpr u64 kResetPhys = 0xffff0;
  constexpr unsigned kRestartVector = 0x19;
  u16 restart = 0;
  for (std::size_t at = kVectors; service_word(at) != 0; at += 4)
    if (service_word(at) == kRestartVector) restart = service_word(at + 2);
  constexpr u8 kFarJump = 0xea;
  constexpr u8 kModelAt = 0xfc;
  constexpr std::string_view kDate = "01/01/25";
  out.u8_at(kResetPhys, kFarJump);
  out.u16_at(kResetPhys + 1, restart);
  out.u16_at(kResetPhys + 3, kBiosSegment);
  out.bytes_at(kResetPhys + 5, {reinterpret_cast<const u8*>(kDate.data()), kDate.size()});
  out.u8_at(kResetPhys + 14, kModelAt);
}

}  // namespace

void write_bios_area(mmu::PhysMap& phys_map, const BiosFacts& facts) {
  Writer out(phys_map);
  write_services(out, facts.memory);
  write_vectors(out);
  write_data_area(out, facts);
  write_reset_vector(out);
  u64 phys = kBiosSegmentPhys;
  if (const devices::Chipset chipset = facts.memory.chipset(); chipset != devices::Chipset::Microvm)
    phys = out.table_at(phys, build_pir_table(chipset));
  phys = out.table_at(phys, build_mp_table(facts.processors, phys));
  out.table_at(phys, place_smbios(build_smbios(facts.smbios), phys));
}

}  // namespace reprise::machine::boot
