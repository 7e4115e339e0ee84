// Control-register, EFER, paging-entry and page-fault bits. SDM vol. 3A chapters 2.5 and 4.
#pragma once

#include "common/types.h"

namespace reprise::mmu {

// CR0, SDM 3A 2.5
inline constexpr u64 kCr0Pe = 1u << 0;
inline constexpr u64 kCr0Mp = 1u << 1;
inline constexpr u64 kCr0Em = 1u << 2;
inline constexpr u64 kCr0Ts = 1u << 3;
inline constexpr u64 kCr0Et = 1u << 4;
inline constexpr u64 kCr0Ne = 1u << 5;
inline constexpr u64 kCr0Wp = 1u << 16;
inline constexpr u64 kCr0Am = 1u << 18;
inline constexpr u64 kCr0Nw = 1u << 29;
inline constexpr u64 kCr0Cd = 1u << 30;
inline constexpr u64 kCr0Pg = 1u << 31;

// CR3 with CR4.PCIDE=1, SDM 3A 4.10.4.1
inline constexpr u64 kCr3PcidMask = 0xfff;
inline constexpr u64 kCr3NoFlush = u64{1} << 63;

// CR4, SDM 3A 2.5
inline constexpr u64 kCr4Vme = 1u << 0;
inline constexpr u64 kCr4Pvi = 1u << 1;
inline constexpr u64 kCr4Tsd = 1u << 2;
inline constexpr u64 kCr4De = 1u << 3;
inline constexpr u64 kCr4Pse = 1u << 4;
inline constexpr u64 kCr4Pae = 1u << 5;
inline constexpr u64 kCr4Mce = 1u << 6;
inline constexpr u64 kCr4Pge = 1u << 7;
inline constexpr u64 kCr4Pce = 1u << 8;
inline constexpr u64 kCr4Osfxsr = 1u << 9;
inline constexpr u64 kCr4Osxmmexcpt = 1u << 10;
inline constexpr u64 kCr4Umip = 1u << 11;
inline constexpr u64 kCr4La57 = 1u << 12;
inline constexpr u64 kCr4Fsgsbase = 1u << 16;
inline constexpr u64 kCr4Pcide = 1u << 17;
inline constexpr u64 kCr4Osxsave = 1u << 18;
inline constexpr u64 kCr4Smep = 1u << 20;
inline constexpr u64 kCr4Smap = 1u << 21;
inline constexpr u64 kCr4Pke = 1u << 22;

// IA32_EFER, SDM 3A 2.2.1
inline constexpr u64 kEferSce = 1u << 0;
inline constexpr u64 kEferLme = 1u << 8;
inline constexpr u64 kEferLma = 1u << 10;
inline constexpr u64 kEferNxe = 1u << 11;

// Paging-structure entries, SDM 3A 4.3-4.5
inline constexpr u64 kPteP = 1u << 0;
inline constexpr u64 kPteRw = 1u << 1;
inline constexpr u64 kPteUs = 1u << 2;
inline constexpr u64 kPteA = 1u << 5;
inline constexpr u64 kPteD = 1u << 6;
inline constexpr u64 kPtePs = 1u << 7;
inline constexpr u64 kPteG = 1u << 8;
inline constexpr u64 kPteXd = u64{1} << 63;

// Page-fault error code, SDM 3A 4.7
inline constexpr u32 kPfP = 1u << 0;     // 0: not present, 1: protection
inline constexpr u32 kPfW = 1u << 1;     // write
inline constexpr u32 kPfU = 1u << 2;     // user-mode access
inline constexpr u32 kPfRsvd = 1u << 3;  // reserved bit set in an entry
inline constexpr u32 kPfI = 1u << 4;     // instruction fetch (NX or SMEP enabled)
inline constexpr u32 kPfPk = 1u << 5;    // protection key

}  // namespace reprise::mmu
