// The assembler, and which host register holds what in generated code. The only file that includes AsmJit.
//
//     rsp  a Frame                     rbp  the Cpu, plus kCpuBias
//     r10  instructions left           rax  guest status flags, as `lahf; seto al` leaves them
//     r14, r15  scratch                r9   of the open probe group (jit/plan/plan.h)
//     xmm0 to xmm15 or ymm0 to ymm15, MXCSR, x87: the guest's while Frame::owned_* say so (vector_state.h)
//     rcx rdx rbx rsi rdi r8           the guest's registers of the same name
//     r12 r13 r11                      guest rax, rsp, rbp
// Guest r9 to r15 stay in the Cpu, within reach of an 8-bit displacement.
#pragma once

#include <asmjit/x86.h>

#include "cpu/core/cpu.h"

namespace reprise::jit::x64 {

namespace x86 = asmjit::x86;
using asmjit::Label;
using x86::Gp;
using x86::Mem;

inline constexpr i32 kCpuBias = 128;
inline constexpr unsigned kPinnedGprs = 9;

/// Host registers by guest register number.
inline constexpr unsigned kHostOfGuest[kPinnedGprs] = {
    Gp::kIdR12, Gp::kIdCx, Gp::kIdDx, Gp::kIdBx, Gp::kIdR13, Gp::kIdR11, Gp::kIdSi, Gp::kIdDi, Gp::kIdR8};

inline const Gp kCpuReg = x86::rbp;
inline const Gp kBudgetReg = x86::r10;
inline const Gp kScratch0 = x86::r14;
inline const Gp kScratch1 = x86::r15;
inline const Gp kGroupReg = x86::r9;

/// A host general register by number and width in bytes.
inline Gp host_gp(unsigned id, unsigned bytes) {
  switch (bytes) {
    case 1: return x86::gpb_lo(id);
    case 2: return x86::gpw(id);
    case 4: return x86::gpd(id);
    default: return x86::gpq(id);
  }
}

inline Gp scratch0(unsigned bytes) { return host_gp(kScratch0.id(), bytes); }
inline Gp scratch1(unsigned bytes) { return host_gp(kScratch1.id(), bytes); }

/// Values of Frame::owned_vectors. kOwnedXmm: the upper halves of the YMM registers are zero, on the host and
/// in the Cpu, or the host has none.
enum OwnedVectors : u8 { kOwnedNone = 0, kOwnedXmm = 1, kOwnedYmm = 2 };

/// On the host stack while generated code runs; rsp points at it.
struct Frame {
  u64 context;        // JitContext*
  u64 target;         // of a branch, or the code there, while its instruction does something else
  u64 target_offset;  // of that in its page
  // Whether the host's registers hold the guest's, and the Cpu does not.
  u8 owned_vectors = kOwnedNone;  // OwnedVectors
  u8 owned_x87 = 0;
  u8 unowned[6] = {};
};

/// A field of the Cpu by its distance from the Cpu's beginning.
inline Mem cpu_field(i64 offset, unsigned bytes) {
  return x86::ptr(kCpuReg, static_cast<i32>(offset - kCpuBias), bytes);
}
inline i64 offset_in(const cpu::Cpu& cpu, const void* field) {
  return static_cast<const u8*>(field) - reinterpret_cast<const u8*>(&cpu);
}

}  // namespace reprise::jit::x64
