// The MultiProcessor tables: processors, buses, the I/O APIC and its inputs, for systems that do not read ACPI.
// MultiProcessor Specification 1.4, chapter 4. They say what MADT and _PRT say.
#pragma once

#include <vector>

#include "common/types.h"
#include "devices/pci/chipset.h"

namespace reprise::machine {

struct MpConfig {
  /// Local APIC id of each processor that runs, the boot processor's first. Ids of 255 and more have no place
  /// in these tables.
  std::vector<u32> apic_ids;
  u32 cpu_signature = 0;  // CPUID.1:EAX
  u32 cpu_features = 0;   // CPUID.1:EDX
  devices::Chipset chipset = devices::Chipset::I440fx;
};

/// The floating pointer structure, with the configuration table behind it, for guest-physical address `phys`:
/// 16-byte aligned, in the area that guests search (F0000h to FFFFFh).
std::vector<u8> build_mp_table(const MpConfig& config, u64 phys);

}  // namespace reprise::machine
