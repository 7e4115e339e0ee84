#include "cpu/system/debug_regs.h"

#include <array>

#include "cpu/core/operands.h"
#include "cpu/system/special_mov.h"

namespace reprise::cpu {
void record_debug_exception(CpuState& state, u64 dr6_bits) {
  if (dr6_bits != 0) state.dr6 = (state.dr6 & ~kDr6Hits) | dr6_bits;
  state.dr7 &= ~kDr7Gd;
  constexpr u64 kDebugctlLbrBtf = 3;
  state.debugctl &= ~kDebugctlLbrBtf;
}

// --- MOV DR ---

namespace {

/// DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them undefined. Returns false after raising #UD or #DB.
bool access_allowed(Cpu& cpu, unsigned& index) {
  if (index == 4 || index == 5) {
    if (cpu.state.cr4 & mmu::kCr4De) {
      cpu.raise(kUD);
      return false;
    }
    index += 2;
  }
  if (cpu.state.cpl != 0) {
    cpu.raise(kGP, 0);
    return false;
  }
  if (cpu.state.dr7 & kDr7Gd) {
    cpu.raise(kDB);
    cpu.fault.dr6 = kDr6Bd;
    return false;
  }
  return true;
}

Status mov_from_debug(Cpu& cpu, const Insn& in) {
  unsigned index = in.reg[1];
  if (!access_allowed(cpu, index)) return Status::Fault;
  const CpuState& state = cpu.state;
  const u64 value = index < 4 ? state.dr[index] : index == 6 ? state.dr6 : state.dr7;
  set_gpr<u64>(cpu.state, in.reg[0], in.has(Insn::kCode64) ? value : static_cast<u32>(value));
  return Status::Next;
}

Status mov_to_debug(Cpu& cpu, const Insn& in) {
  unsigned index = in.reg[0];
  if (!access_allowed(cpu, index)) return Status::Fault;
  CpuState& state = cpu.state;
  u64 value = gpr<u64>(state, in.reg[1]);
  if (!in.has(Insn::kCode64)) value = static_cast<u32>(value);
  if (index >= 6 && (value >> 32) != 0) return cpu.raise(kGP, 0);
  // SDM 3B 17.2: reserved bits read as fixed values. RTM debugging is not offered, so DR6.16 is 1 and DR7.11 is 0.
  if (index < 4) {
    state.dr[index] = value;
  } else if (index == 6) {
    state.dr6 = (value & (kDr6Hits | kDr6Bd | kDr6Bs | kDr6Bt)) | kDr6Fixed;
  } else {
    state.dr7 = (value & kDr7Defined) | kDr7Fixed;
  }
  update_watches(cpu);
  return Status::Stop;
}

}  // namespace

Handler select_mov_debug(const Insn& in) {
  return in.reg_class[0] == RegClass::Debug ? mov_to_debug : mov_from_debug;
}

}  // namespace reprise::cpu
