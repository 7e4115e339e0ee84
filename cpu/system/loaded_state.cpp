#include "cpu/system/loaded_state.h"

#include "cpu/profile/allowed_bits.h"
#include "cpu/state/flags.h"
#include "cpu/state/x87_bits.h"
#include "cpu/state/xsave.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu {

using namespace mmu;

namespace {

constexpr u64 kCr0Defined =
    kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts | kCr0Et | kCr0Ne | kCr0Wp | kCr0Am | kCr0Nw | kCr0Cd | kCr0Pg;
constexpr u64 kLow32 = 0xffff'ffff;
/// B0 to B3, BD, BS, BT.
constexpr u64 kDebugTraps = 0xe00f;
constexpr u64 kMaxRetired = u64{1} << 62;

bool only(u64 value, u64 bits) { return (value & ~bits) == 0; }

}  // namespace

std::string_view impossible_in(const CpuState& state, const CpuProfile& profile) {
  const bool protected_mode = (state.cr0 & kCr0Pe) != 0;
  const bool paging = (state.cr0 & kCr0Pg) != 0;
  const bool long_mode = (state.efer & kEferLma) != 0;
  const bool v86 = (state.rflags & kRflagsVm) != 0;

  if (state.activity > Activity::Shutdown || state.after_init > Activity::Shutdown) return "an activity";
  if (!only(state.rflags, kRflagsDefined | kRflagsFixed) || !(state.rflags & kRflagsFixed)) return "RFLAGS";
  // SDM 3A 2.5
  if (!only(state.cr0, kCr0Defined) || (paging && !protected_mode)) return "CR0";
  if ((state.cr0 & kCr0Nw) && !(state.cr0 & kCr0Cd)) return "CR0";
  if (!only(state.cr4, allowed_cr4(profile)) || ((state.cr4 & kCr4Pcide) && !long_mode)) return "CR4";
  // SDM 3A 9.8.5
  if (!only(state.efer, allowed_efer(profile)) || long_mode != (paging && (state.efer & kEferLme)))
    return "EFER";
  if (long_mode && !(state.cr4 & kCr4Pae)) return "CR4";
  if (!only(state.xcr0, allowed_xcr0(profile)) || !(state.xcr0 & 1) || (state.xcr0 & 6) == 4) return "XCR0";
  if (state.cpl > 3 || (!protected_mode && state.cpl != 0)) return "CPL";
  if (v86 && (!protected_mode || long_mode || state.cpl != 3)) return "RFLAGS.VM";
  if (!only(state.dr6, kLow32) || !only(state.dr7, kLow32) || !only(state.pending_debug, kDebugTraps))
    return "debug registers";
  // The host's own registers take these.
  if (!only(state.mxcsr, kMxcsrMask)) return "MXCSR";
  X87 x87 = state.x87;
  x87::update_summary(x87);
  if (!only(x87.fcw, kFcwWritable | kFcwFixed) || x87.fsw != state.x87.fsw) return "x87 control and status";
  if (state.retired > kMaxRetired || state.retired_no_insn > state.retired || state.stalled_ns > kMaxRetired)
    return "a number of instructions";
  if (state.pmu.impossible()) return "performance counters";
  return {};
}

}  // namespace reprise::cpu
