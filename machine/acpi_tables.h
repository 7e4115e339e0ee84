// The ACPI tables of the PC: RSDP, XSDT, FADT, FACS, MADT, HPET and DSDT. ACPI specification 6.4, chapter 5.
// Missing: SRAT, SLIT and MCFG (one node, configuration mechanism 1 only); sleep states other than S5.
#pragma once

#include <vector>

#include "common/types.h"

namespace reprise::machine {

struct AcpiConfig {
  /// Local APIC id of each processor that runs.
  std::vector<u8> apic_ids;
  /// Bits 31:0 of the HPET's general capabilities and id register.
  u32 hpet_block_id = 0;
};

/// One block of bytes for guest-physical address `phys`, with the RSDP at its start.
struct AcpiTables {
  u64 phys = 0;
  std::vector<u8> bytes;
  u64 rsdp_phys() const { return phys; }
};

/// `phys` is 64-byte aligned, in the area that guests search for the RSDP (E0000h to FFFFFh).
AcpiTables build_acpi_tables(const AcpiConfig& config, u64 phys);

/// The DSDT's AML, without its header. machine/acpi_dsdt.cpp.
std::vector<u8> dsdt_aml(const AcpiConfig& config);

}  // namespace reprise::machine
