#include "cpu/state/state.h"

#include "cpu/state/flags.h"

namespace reprise::cpu {

void CpuState::serialize(Archive& ar) {
  ar.tag("cpu");
  // The slots beyond r15 are an engine's scratch.
  for (unsigned i = 0; i < 16; ++i) ar.value(gpr[i]);
  ar.value(rip), ar.value(rflags);
  for (Segment& segment : seg) segment.serialize(ar);
  ldtr.serialize(ar), tr.serialize(ar), gdtr.serialize(ar), idtr.serialize(ar);
  ar.value(cr0), ar.value(cr2), ar.value(cr3), ar.value(cr4), ar.value(xcr0);
  ar.value(dr), ar.value(dr6), ar.value(dr7), ar.value(cpl);
  ar.value(activity), ar.value(sti_shadow), ar.value(mov_ss_shadow), ar.value(nmi_blocked),
      ar.value(nmi_pending);
  ar.value(in_smm), ar.value(smi_pending), ar.value(init_pending), ar.value(after_init), ar.value(smbase);
  ar.value(sipi_pending), ar.value(sipi_vector), ar.value(a20_pin), ar.at_most(pauses_left, kPausesAlone);
  ar.value(pending_debug);
  ar.value(efer), ar.value(star), ar.value(lstar), ar.value(cstar), ar.value(fmask), ar.value(kernel_gs_base);
  ar.value(sysenter_cs), ar.value(sysenter_esp), ar.value(sysenter_eip);
  ar.value(tsc_offset), ar.value(tsc_adjust), ar.value(tsc_aux);
  ar.value(pat), ar.value(misc_enable), ar.value(mtrr_def_type), ar.value(mtrr_fixed), ar.value(mtrr_phys);
  ar.value(debugctl), ar.value(spec_ctrl), ar.value(mcg_status), ar.value(bios_sign_id), ar.value(xss);
  for (V256& reg : ymm) ar.value(reg.qword);
  ar.value(mxcsr);
  x87.serialize(ar);
  ar.value(retired), ar.value(retired_no_insn), ar.value(stalled_ns), ar.value(rng_state);
  pmu.serialize(ar);
}

namespace {

/// What RESET and INIT have in common: the execution environment of the first instruction, at FFFFFFF0H.
void reset_execution(CpuState& state, u32 signature) {
  constexpr u16 kDataAccess = Segment::kPresent | Segment::kS | Segment::kWritable | Segment::kAccessed;
  constexpr u16 kLdtAccess = Segment::kPresent | 2;
  constexpr u16 kTssAccess = Segment::kPresent | 11;
  for (unsigned i = 0; i < kGprPageBase; ++i) state.gpr[i] = 0;
  state.gpr[RDX] = signature;
  state.rip = 0xfff0;
  state.rflags = kRflagsFixed;
  for (unsigned i = 0; i < kSegFlat; ++i)
    state.seg[i] = {.base = 0, .limit = 0xffff, .selector = 0, .access = kDataAccess};
  state.seg[CS].selector = 0xf000;
  state.seg[CS].base = 0xffff0000;
  state.ldtr = {.base = 0, .limit = 0xffff, .selector = 0, .access = kLdtAccess};
  state.tr = {.base = 0, .limit = 0xffff, .selector = 0, .access = kTssAccess};
  state.gdtr = TableRegister{};
  state.idtr = TableRegister{};
  state.cr2 = state.cr3 = state.cr4 = 0;
  for (u64& breakpoint : state.dr) breakpoint = 0;
  state.dr6 = 0xffff0ff0;
  state.dr7 = 0x400;
  state.cpl = 0;
  state.activity = Activity::Running;
  state.sti_shadow = state.mov_ss_shadow = false;
  state.nmi_blocked = state.nmi_pending = false;
  state.in_smm = state.init_pending = false;
  state.pending_debug = 0;
  state.efer = 0;
}

}  // namespace

CpuState reset_state(u32 signature, u64 rng_seed) {
  CpuState state;
  reset_execution(state, signature);
  state.rng_state = rng_seed;
  return state;
}

void init_state(CpuState& state, u32 signature) {
  constexpr u64 kCacheBits = 0x60000000;  // CD and NW stay
  constexpr u64 kEt = 0x10;
  reset_execution(state, signature);
  state.cr0 = (state.cr0 & kCacheBits) | kEt;
}

}  // namespace reprise::cpu
