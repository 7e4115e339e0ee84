#include "cpu/state/mode.h"

#include "cpu/state/flags.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu {
namespace {

using namespace reprise::mmu;

bool flat_data(const Segment& seg) {
  constexpr u16 kNeeded = Segment::kS | Segment::kWritable | Segment::kPresent;
  return seg.base == 0 && seg.limit == 0xffffffff && seg.usable() && !seg.code() &&
         (seg.access & kNeeded) == kNeeded && (seg.access & Segment::kExpandDown) == 0;
}

CodeSize code_size(const CpuState& state) {
  const Segment& cs = state.seg[CS];
  if ((state.efer & kEferLma) && (cs.access & Segment::kLong)) return CodeSize::Bits64;
  return cs.db() ? CodeSize::Bits32 : CodeSize::Bits16;
}

}  // namespace

ModeKey mode_key(const CpuState& state) {
  u32 bits = 0;
  const auto set = [&bits](bool condition, u32 mask) { bits |= condition ? mask : 0; };
  const bool v86 = (state.rflags & kRflagsVm) != 0;
  const bool protected_mode = (state.cr0 & kCr0Pe) != 0;
  const CodeSize size = code_size(state);
  const bool is64 = size == CodeSize::Bits64;
  const unsigned iopl = (state.rflags >> kRflagsIoplShift) & 3;

  bits |= static_cast<u32>(size);
  bits |= u32{state.cpl} << ModeKey::kCplShift;
  set(state.seg[SS].db(), ModeKey::kStack32);
  set(protected_mode && !v86, ModeKey::kProtected);
  set(v86, ModeKey::kV86);
  set(state.efer & kEferLma, ModeKey::kLongMode);
  set(is64 || (flat_data(state.seg[ES]) && flat_data(state.seg[SS]) && flat_data(state.seg[DS])),
      ModeKey::kFlatData);
  set(is64 || (state.seg[CS].base == 0 && state.seg[CS].limit == 0xffffffff), ModeKey::kFlatCode);
  set(state.cpl == 3 && (state.cr0 & kCr0Am) && (state.rflags & kRflagsAc), ModeKey::kAlignCheck);
  set(state.cr0 & kCr0Ts, ModeKey::kTs);
  set(state.cr0 & kCr0Em, ModeKey::kEm);
  set(state.cr0 & kCr0Mp, ModeKey::kMp);
  set(state.cr4 & kCr4Osfxsr, ModeKey::kOsfxsr);
  set(state.cr4 & kCr4Osxsave, ModeKey::kOsxsave);
  set((state.cr4 & kCr4Osxsave) && (state.xcr0 & 6) == 6, ModeKey::kAvx);
  set(state.cpl <= iopl, ModeKey::kIoplOk);
  set((state.cr4 & kCr4Umip) && state.cpl > 0, ModeKey::kUmip);
  set((state.cr4 & kCr4Tsd) && state.cpl > 0, ModeKey::kTsd);
  set(state.cr4 & kCr4Fsgsbase, ModeKey::kFsgsbase);
  set(state.cpl < 3 && (state.rflags & kRflagsAc), ModeKey::kKernelAc);
  set(state.in_smm, ModeKey::kSmm);
  return {bits};
}

}  // namespace reprise::cpu
