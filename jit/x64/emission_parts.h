// EmissionParts: what operands, probe groups and exits are built on.
#pragma once

#include "jit/x64/addresses.h"
#include "jit/x64/tlb_probe.h"

namespace reprise::jit::x64 {

struct EmissionParts {
  Emission& em_;
  GuestRegisters& regs_;
  StatusFlags& flags_;
  SlowPaths& slow_paths_;
  Addresses& addresses_;
  TlbProbe& tlb_;
};

}  // namespace reprise::jit::x64
