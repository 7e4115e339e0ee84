// SMBIOS tables: what the machine is called what processors and how much memory it has. DMTF DSP0134 2.8. Types 0, 1, 3, 4,
// 16, 17, 19, 32, 127.
#pragma once

#include <vector>

#include "common/types.h"
#include "cpu/profile/topology.h"

namespace reprise::machine {

struct SmbiosConfig {
  u64 ram_bytes = 0;
  cpu::Topology topology;
  u32 cpu_signature = 0;  // CPUID.1: EAX, EDX
  u32 cpu_features = 0;
};

struct SmbiosTables {
  std::vector<u8>
      anchor;  // the entry point structure; firmware fills in where the tables are, and the checksums
  std::vector<u8> tables;
};

SmbiosTables build_smbios(const SmbiosConfig& config);

/// The entry point structure with the tables behind it, for guest-physical address `phys`: 16-byte aligned, in the
/// area that guests search (F0000h to FFFFFh).
std::vector<u8> place_smbios(const SmbiosTables& smbios, u64 phys);

}  // namespace reprise::machine
