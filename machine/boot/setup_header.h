// The setup header of Linux kernels, at the same offsets in the image and in the zero page.
// Documentation/arch/x86/boot.rst of Linux 6.x, "The Real-Mode Kernel Header".
#pragma once

#include "common/types.h"

namespace reprise::machine::boot::setup {

inline constexpr u64 kSetupSects = 0x1f1;
inline constexpr u64 kSysSize = 0x1f4;        // of the protected-mode part, in 16-byte units
inline constexpr u64 kBootFlag = 0x1fe;       // AA55h
inline constexpr u64 kHeaderEndByte = 0x201;  // the header ends at 202h plus this
inline constexpr u64 kHeaderMagic = 0x202;    // "HdrS"
inline constexpr u64 kVersion = 0x206;
inline constexpr u64 kTypeOfLoader = 0x210;
inline constexpr u64 kLoadFlags = 0x211;
inline constexpr u64 kExtLoaderVer = 0x226;
inline constexpr u64 kExtLoaderType = 0x227;
inline constexpr u64 kRamdiskImage = 0x218;
inline constexpr u64 kRamdiskSize = 0x21c;
inline constexpr u64 kHeapEndPtr = 0x224;
inline constexpr u64 kCmdLinePtr = 0x228;
inline constexpr u64 kInitrdAddrMax = 0x22c;
inline constexpr u64 kKernelAlignment = 0x230;
inline constexpr u64 kRelocatableKernel = 0x234;
inline constexpr u64 kXloadFlags = 0x236;
inline constexpr u64 kCmdlineSize = 0x238;
inline constexpr u64 kHardwareSubarch = 0x23c;
inline constexpr u64 kHardwareSubarchData = 0x240;
inline constexpr u64 kPayloadOffset = 0x248;  // from the protected-mode part's beginning
inline constexpr u64 kPayloadLength = 0x24c;
inline constexpr u64 kSetupData = 0x250;
inline constexpr u64 kPrefAddress = 0x258;
inline constexpr u64 kInitSize = 0x260;
inline constexpr u64 kHeaderRoomEnd = 0x290;  // in the zero page

inline constexpr u32 kMagicHdrS = 0x53726448;
inline constexpr u8 kLoadedHigh = 1u << 0;
inline constexpr u8 kCanUseHeap = 1u << 7;
inline constexpr u8 kLoaderUndefined = 0xff;

inline constexpr u64 kSectorBytes = 512;
/// Of the real-mode part, boot sector included, by its number of setup sectors.
constexpr u64 setup_bytes(u8 sectors) { return (u64{sectors == 0 ? u8{4} : sectors} + 1) * kSectorBytes; }

// Protocol versions.
inline constexpr u16 kVersion2_01 = 0x0201;  // heap_end_ptr
inline constexpr u16 kVersion2_02 = 0x0202;  // cmd_line_ptr
inline constexpr u16 kVersion2_03 = 0x0203;  // initrd_addr_max
inline constexpr u16 kVersion2_06 = 0x0206;  // cmdline_size
inline constexpr u16 kVersion2_10 = 0x020a;  // pref_address and init_size
inline constexpr u16 kVersion2_12 = 0x020c;  // xloadflags

}  // namespace reprise::machine::boot::setup
