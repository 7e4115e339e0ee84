// What a BIOS leaves below 1 MiB, for kernels that are started without one: interrupt vectors, its data area, the
// tables that systems search for, and services that tell of memory, equipment and time. IBM PS/2 and PC BIOS Interface
// Technical Reference; SeaBIOS for what today's systems expect. Missing: services that do something, the PCI and
// BIOS32 services.
//
//     00000400  BIOS data area        0009fc00  extended BIOS data area
//     000e0000  ACPI tables
//     000f0000  $PIR, MP table, SMBIOS
//     000fe000  services (roms/bios_services.asm)
//     000ff000  the GDT of the start
//     000ffff0  a jump to a reset, date, model
#pragma once

#include "machine/layout/memory_map.h"
#include "machine/tables/mp_table.h"
#include "machine/tables/smbios.h"
#include "mmu/phys_map.h"

namespace reprise::machine::boot {

struct BiosFacts {
  const MemoryMap& memory;
  MpConfig processors;
  SmbiosConfig smbios;
  u8 cmos_equipment = 0;  // byte 14h
  unsigned serial_ports = 2;
  bool screen = true;  // there is one, with 80 columns
  unsigned hard_disks = 0;
  u64 second_of_day = 0;  // what the RTC shows
};

inline constexpr u64 kBiosSegmentPhys = 0xf0000;
inline constexpr u64 kBiosServicesPhys = 0xfe000;
inline constexpr u64 kGdtPhys = 0xff000;

/// Once, before a kernel is loaded. All of it is RAM.
void write_bios_area(mmu::PhysMap& phys_map, const BiosFacts& facts);

}  // namespace reprise::machine::boot
