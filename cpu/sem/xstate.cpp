// FXSAVE, XSAVE and relatives. An area is checked and translated as a whole before any of it is read or written.
// Undefined: XINUSE; every offered component counts as in use, so XSAVE writes what it is asked for.
#include "cpu/xsave.h"

#include "cpu/control_regs.h"
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

constexpr unsigned kMxcsrOffset = 24;
constexpr unsigned kMxcsrMaskOffset = 28;

unsigned xmm_count(const Insn& in) { return in.has(Insn::kCode64) ? 16 : 8; }
/// Bytes of the legacy area up to the last XMM register of the mode; the rest is left alone.
unsigned legacy_bytes(const Insn& in) { return 160 + 16 * xmm_count(in); }

/// The operand's linear address; areas must be aligned, or #GP(0).
bool area_linear(Cpu& cpu, const Insn& in, u64 bytes, u64 alignment, mmu::Access access, u64& linear) {
  if (!data_linear(cpu, in, bytes, access, linear)) return false;
  if ((linear & (alignment - 1)) == 0) return true;
  // A non-canonical address through the stack segment is #SS, aligned or not.
  const bool stack_fault = in.has(Insn::kStackSegment) && !mmu::is_canonical(cpu.mmu.context(), linear);
  cpu.raise(stack_fault ? kSS : kGP, 0);
  return false;
}

bool load_area(Cpu& cpu, const Insn& in, u64 linear, std::span<u8> area) {
  if (cpu.mmu.load_bytes(linear, area)) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

bool store_area(Cpu& cpu, const Insn& in, u64 linear, std::span<const u8> area) {
  if (cpu.mmu.store_bytes(linear, area)) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

void save_mxcsr(const CpuState& state, u8* area) {
  write_unaligned<u32>(area + kMxcsrOffset, state.mxcsr);
  write_unaligned<u32>(area + kMxcsrMaskOffset, kMxcsrMask);
}

template <PointerFormat Format>
Status sem_fxsave(Cpu& cpu, const Insn& in) {
  u64 linear;
  if (!area_linear(cpu, in, kFxsaveBytes, 16, mmu::Access::Write, linear)) return Status::Fault;
  u8 area[kFxsaveBytes] = {};
  save_x87(cpu.state.x87, Format, area);
  save_mxcsr(cpu.state, area);
  save_xmm(cpu.state, xmm_count(in), area);
  return store_area(cpu, in, linear, std::span(area).first(legacy_bytes(in))) ? Status::Next : Status::Fault;
}

template <PointerFormat Format>
Status sem_fxrstor(Cpu& cpu, const Insn& in) {
  u64 linear;
  if (!area_linear(cpu, in, kFxsaveBytes, 16, mmu::Access::Read, linear)) return Status::Fault;
  u8 area[kFxsaveBytes];
  if (!load_area(cpu, in, linear, area)) return Status::Fault;
  const u32 mxcsr = read_unaligned<u32>(area + kMxcsrOffset);
  if ((mxcsr & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);
  load_x87(cpu.state.x87, Format, area);
  cpu.state.mxcsr = mxcsr;
  load_xmm(cpu.state, xmm_count(in), area);
  return Status::Next;
}

/// EDX:EAX within XCR0: the requested-feature bitmap.
u64 requested_features(const CpuState& state) {
  const u64 mask = gpr_part<u32>(state, RAX) | u64{gpr_part<u32>(state, RDX)} << 32;
  return mask & state.xcr0;
}

template <PointerFormat Format>
Status sem_xsave(Cpu& cpu, const Insn& in) {
  const CpuState& state = cpu.state;
  const u64 requested = requested_features(state);
  const u32 bytes = xsave_area_bytes(requested);
  u64 linear;
  if (!area_linear(cpu, in, bytes, 64, mmu::Access::Write, linear)) return Status::Fault;
  u8 buffer[kXsaveMaxBytes];
  const std::span<u8> area = std::span(buffer).first(bytes);
  if (!cpu.mmu.probe_write(linear, bytes)) return cpu.memory_fault(in.has(Insn::kStackSegment));
  if (!load_area(cpu, in, linear, area)) return Status::Fault;

  if (requested & kXstateX87) save_x87(state.x87, Format, area);
  if (requested & (kXstateSse | kXstateAvx)) save_mxcsr(state, buffer);
  if (requested & kXstateSse) save_xmm(state, xmm_count(in), area);
  if (requested & kXstateAvx) {
    for (unsigned i = 0; i < xmm_count(in); ++i) {
      write_unaligned<u64>(buffer + kXsaveAvxOffset + 16 * i, state.ymm[i].qword[2]);
      write_unaligned<u64>(buffer + kXsaveAvxOffset + 16 * i + 8, state.ymm[i].qword[3]);
    }
  }
  const u64 xstate_bv = read_unaligned<u64>(buffer + kXsaveHeaderOffset);
  write_unaligned<u64>(buffer + kXsaveHeaderOffset, xstate_bv | requested);
  return store_area(cpu, in, linear, area) ? Status::Next : Status::Fault;
}

template <PointerFormat Format>
Status sem_xrstor(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  const u64 requested = requested_features(state);
  const u32 bytes = xsave_area_bytes(requested);
  u64 linear;
  if (!area_linear(cpu, in, bytes, 64, mmu::Access::Read, linear)) return Status::Fault;
  u8 buffer[kXsaveMaxBytes];
  const std::span<u8> area = std::span(buffer).first(bytes);
  if (!load_area(cpu, in, linear, area)) return Status::Fault;

  // SDM 1 13.8.1: the standard form; the compacted one is not offered.
  const u64 xstate_bv = read_unaligned<u64>(buffer + kXsaveHeaderOffset);
  const u64 xcomp_bv = read_unaligned<u64>(buffer + kXsaveHeaderOffset + 8);
  const u64 reserved = read_unaligned<u64>(buffer + kXsaveHeaderOffset + 16);
  if ((xstate_bv & ~state.xcr0) != 0 || xcomp_bv != 0 || reserved != 0) return cpu.raise(kGP, 0);
  const u32 mxcsr = read_unaligned<u32>(buffer + kMxcsrOffset);
  const bool takes_mxcsr = (requested & (kXstateSse | kXstateAvx)) != 0;
  if (takes_mxcsr && (mxcsr & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);

  if (requested & kXstateX87) {
    if (xstate_bv & kXstateX87) {
      load_x87(state.x87, Format, area);
    } else {
      reset_x87(state.x87);
    }
  }
  if (takes_mxcsr) state.mxcsr = mxcsr;
  for (unsigned i = 0; i < xmm_count(in); ++i) {
    V256& reg = state.ymm[i];
    if ((requested & kXstateSse) && !(xstate_bv & kXstateSse)) reg.qword[0] = reg.qword[1] = 0;
    if (requested & kXstateAvx) {
      const bool in_use = (xstate_bv & kXstateAvx) != 0;
      reg.qword[2] = in_use ? read_unaligned<u64>(buffer + kXsaveAvxOffset + 16 * i) : 0;
      reg.qword[3] = in_use ? read_unaligned<u64>(buffer + kXsaveAvxOffset + 16 * i + 8) : 0;
    }
  }
  if (requested & xstate_bv & kXstateSse) load_xmm(state, xmm_count(in), area);
  return Status::Next;
}

Status sem_xgetbv(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state;
  const u32 index = gpr_part<u32>(state, RCX);
  if (index > 1 || (index == 1 && !cpu.profile.has(Feature::XgetbvEcx1))) return cpu.raise(kGP, 0);
  set_gpr_part<u32>(state, RAX, static_cast<u32>(state.xcr0));
  set_gpr_part<u32>(state, RDX, static_cast<u32>(state.xcr0 >> 32));
  return Status::Next;
}

Status sem_xsetbv(Cpu& cpu, const Insn&) {
  const CpuState& state = cpu.state;
  if (gpr_part<u32>(state, RCX) != 0) return cpu.raise(kGP, 0);
  const u64 value = gpr_part<u32>(state, RAX) | u64{gpr_part<u32>(state, RDX)} << 32;
  return write_xcr0(cpu, value) ? Status::Stop : Status::Fault;
}

Status sem_ldmxcsr(Cpu& cpu, const Insn& in) {
  u32 value;
  if (!load_operand(cpu, in, value)) return Status::Fault;
  if ((value & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);
  cpu.state.mxcsr = value;
  return Status::Next;
}

Status sem_stmxcsr(Cpu& cpu, const Insn& in) {
  return store_operand<u32>(cpu, in, cpu.state.mxcsr) ? Status::Next : Status::Fault;
}

}  // namespace

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/xstate.inc"
#undef INSN

}  // namespace reprise::cpu
