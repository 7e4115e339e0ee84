// One case: a few instructions, the registers and memory they start from, and what came out.
#pragma once

#include <array>
#include <cstring>
#include <string>

#include "common/types.h"
#include "tests/native/layout.h"

namespace reprise::native {

/// x87 and SSE state in the 64-bit FXSAVE layout. SDM 1 10.5.1, table 10-2.
struct FxImage {
  alignas(16) u8 bytes[512];

  template <class T>
  T get(unsigned offset) const {
    T value;
    std::memcpy(&value, bytes + offset, sizeof(T));
    return value;
  }
  template <class T>
  void set(unsigned offset, T value) {
    std::memcpy(bytes + offset, &value, sizeof(T));
  }
  static constexpr unsigned kFcw = 0, kFsw = 2, kFtw = 4, kFop = 6, kFip = 8, kFdp = 16, kMxcsr = 24,
                            kMxcsrMask = 28;
  static constexpr unsigned st(unsigned i) { return 32 + 16 * i; }
  static constexpr unsigned xmm(unsigned i) { return 160 + 16 * i; }
};

struct Registers {
  u64 gpr[16];  // encoding order
  u64 rip;
  u64 rflags;
  FxImage fx;
  u8 ymm_high[16][16];
};

/// What a case may differ in.
enum Tolerance : u32 {
  kExact = 0,
  // Where the host leaves traces of an instruction that faulted, and Reprise, by its rule that a faulting instruction
  // changes nothing, does not. docs/undefined.md has the list.
  kMemoryOnFault = 1u << 1,      // stores before the fault stay
  kX87OnFault = 1u << 2,         // the switch to MMX state happens before the fault
  kHighHalvesOnFault = 1u << 3,  // 32-bit addresses: registers are already truncated
  kStateOnFault = 1u << 5,       // x87 and vector registers are loaded in part
  // Always: results may differ by one unit in the last place, and so may C1.
  kTranscendental = 1u << 4,
  // Where processors of AMD do otherwise than those of Intel, as which we do: tests/native/vendor.h says which rows.
  kFlagsOnFault = 1u << 8,      // of the iterations before the fault
  kMxcsrOnFault = 1u << 9,      // unchanged
  kFaultChoice = 1u << 10,      // which of several faults, and its address
  kStoreFaults = 1u << 11,      // although an unmasked exception keeps the store from happening
  kVectorAlignment = 1u << 12,  // #AC of vector operands in memory
  kNoAlignment = 1u << 13,      // no #GP of unaligned ones
  kHighHalves = 1u << 14,       // 32-bit addresses and a count of 0: RCX is not truncated
  kMxcsrMask = 1u << 15,        // in the area that is saved
  kApproximation = 1u << 16,    // results within the bounds of the manuals
  kNanChoice = 1u << 17,        // which of several NaNs
  kResult = 1u << 18,           // destination and flags are undefined
  kFetch = 1u << 19,            // how much of what is no instruction is fetched
  kAccepted = 1u << 20,         // encodings that are #UD elsewhere
  kAlignmentLast = 1u << 21,    // #AC behind the #GP or #SS of an operand of which a part is not canonical
};
inline constexpr u32 kOnFaultOnly = kMemoryOnFault | kX87OnFault | kHighHalvesOnFault | kStateOnFault |
                                    kFlagsOnFault | kMxcsrOnFault | kFaultChoice;

/// A quadword of the data pages that a case sets on top of what its seed gives.
struct Patch {
  u16 offset;
  u64 value;
};
inline constexpr unsigned kMaxPatches = 9;

struct Case {
  u64 seed;  // memory contents come from it
  Patch patches[kMaxPatches];
  u8 patch_count;
  u8 code[kMaxCodeBytes];
  u8 code_bytes;
  u64 rip;  // where the code lies
  Registers in;
  u64 undefined_flags;  // status flags no one may rely on afterwards
  u32 tolerance;        // Tolerance bits
};

struct Outcome {
  Registers out;
  u32 vector;  // of the exception that ended the case; 3 is the INT3 behind the code
  u32 error_code;
  u64 cr2;
  bool timed_out;
  alignas(16) u8 data[kDataBytes];
};

/// Fills the data pages for a case: random bytes, edge values of every width, pointers into the code; then its patches.
void fill_data(const Case& test, u8* data);

/// Differences between the two outcomes, one per line; empty when they agree.
std::string compare(const Case& test, const Outcome& host, const Outcome& emulated);

}  // namespace reprise::native
