// Control registers and EFER: reserved bits, mode transitions, and what each write tells the MMU. SDM 3A 2.5, 4, 9.
#pragma once

#include "cpu/core/cpu.h"
#include "cpu/profile/allowed_bits.h"

namespace reprise::cpu {

/// CR0 bits that exist. The others read as zero.
inline constexpr u64 kCr0Defined = mmu::kCr0Pe | mmu::kCr0Mp | mmu::kCr0Em | mmu::kCr0Ts | mmu::kCr0Et |
                                   mmu::kCr0Ne | mmu::kCr0Wp | mmu::kCr0Am | mmu::kCr0Nw | mmu::kCr0Cd |
                                   mmu::kCr0Pg;

// Each returns false after raising #GP(0); nothing has changed then.
[[nodiscard]] bool write_cr0(Cpu& cpu, u64 value);
[[nodiscard]] bool write_cr3(Cpu& cpu, u64 value);
[[nodiscard]] bool write_cr4(Cpu& cpu, u64 value);
[[nodiscard]] bool write_efer(Cpu& cpu, u64 value);
[[nodiscard]] bool write_xcr0(Cpu& cpu, u64 value);

/// Loads the PDPTEs that `cr3` points to.
[[nodiscard]] bool load_pdptes(Cpu& cpu, u64 cr3);
/// Whether these values make PAE paging, which has PDPTEs.
bool pae_paging(u64 cr0, u64 cr4, u64 efer);

}  // namespace reprise::cpu
