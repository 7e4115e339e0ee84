// SMBIOS tables: what the machine is called and how much memory it has. DMTF DSP0134 2.8. Types 0, 1, 3, 4,
// 16, 17, 19, 32, 127.
#pragma once

#include <vector>

#include "common/types.h"

namespace reprise::machine {

struct SmbiosConfig {
  u64 ram_bytes = 0;
  unsigned cpus = 1;
};

struct SmbiosTables {
  std::vector<u8>
      anchor;  // the entry point structure; firmware fills in where the tables are, and the checksums
  std::vector<u8> tables;
};

SmbiosTables build_smbios(const SmbiosConfig& config);

}  // namespace reprise::machine
