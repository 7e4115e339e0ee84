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

/// Where the host leaves traces of an instruction that faulted, and Reprise, by its rule that a faulting
/// instruction changes nothing, does not. docs/undefined.md has the list.
enum Tolerance : u8 {
  kExact = 0,
  kMemoryOnFault = 1u << 1,      // stores before the fault stay
  kX87OnFault = 1u << 2,         // the switch to MMX state happens before the fault
  kHighHalvesOnFault = 1u << 3,  // 32-bit addresses: registers are already truncated
  kStateOnFault = 1u << 5,       // x87 and vector registers are loaded in part
  kTranscendental = 1u << 4,     // always: results may differ by one unit in the last place, and so may C1
};

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
  u8 tolerance;         // Tolerance bits, in force when the case ends in a fault
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
