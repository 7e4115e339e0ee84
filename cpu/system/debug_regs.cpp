#include "cpu/system/debug_regs.h"

#include <array>

#include "cpu/core/operands.h"
#include "cpu/system/special_mov.h"

namespace reprise::cpu {
namespace {

/// DR7.R/Wn
enum class BreakOn : u8 { Execute = 0, Write = 1, Port = 2, ReadWrite = 3 };

bool enabled(const CpuState& state, unsigned index) { return ((state.dr7 >> (2 * index)) & 3) != 0; }

BreakOn break_on(const CpuState& state, unsigned index) {
  return static_cast<BreakOn>((state.dr7 >> (16 + 4 * index)) & 3);
}

/// DR7.LENn: 00 is 1 byte, 01 is 2, 10 is 8, 11 is 4.
u64 length_bytes(const CpuState& state, unsigned index) {
  constexpr u8 kLengths[] = {1, 2, 8, 4};
  return kLengths[(state.dr7 >> (18 + 4 * index)) & 3];
}

bool overlaps(const CpuState& state, unsigned index, u64 first, u64 bytes) {
  const u64 length = length_bytes(state, index);
  const u64 start = align_down(state.dr[index], length);
  return start - first < bytes || first - start < length;
}

}  // namespace

void record_debug_exception(CpuState& state, u64 dr6_bits) {
  if (dr6_bits != 0) state.dr6 = (state.dr6 & ~kDr6Hits) | dr6_bits;
  state.dr7 &= ~kDr7Gd;
  constexpr u64 kDebugctlLbrBtf = 3;
  state.debugctl &= ~kDebugctlLbrBtf;
}

bool has_code_breakpoints(const CpuState& state) {
  if ((state.dr7 & 0xff) == 0) return false;
  for (unsigned i = 0; i < 4; ++i) {
    if (enabled(state, i) && break_on(state, i) == BreakOn::Execute) return true;
  }
  return false;
}

u64 code_breakpoint_hits(const CpuState& state, u64 linear) {
  u64 hits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    if (enabled(state, i) && break_on(state, i) == BreakOn::Execute && state.dr[i] == linear)
      hits |= u64{1} << i;
  }
  return hits;
}

u64 data_breakpoint_hits(const CpuState& state, u64 linear, u64 bytes, mmu::Access access) {
  u64 hits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const BreakOn kind = break_on(state, i);
    const bool kind_matches =
        kind == BreakOn::ReadWrite || (kind == BreakOn::Write && access == mmu::Access::Write);
    if (enabled(state, i) && kind_matches && overlaps(state, i, linear, bytes)) hits |= u64{1} << i;
  }
  return hits;
}

void note_port_access(Cpu& cpu, u16 port, unsigned bytes) {
  const CpuState& state = cpu.state;
  if ((state.dr7 & 0xff) == 0 || (state.cr4 & mmu::kCr4De) == 0) return;
  for (unsigned i = 0; i < 4; ++i) {
    if (enabled(state, i) && break_on(state, i) == BreakOn::Port && overlaps(state, i, port, bytes)) {
      cpu.debug_hits |= u64{1} << i;
      cpu.block_end = nullptr;
    }
  }
}

void update_watches(Cpu& cpu) {
  const CpuState& state = cpu.state;
  std::array<mmu::Mmu::Watch, 4> watches;
  unsigned count = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const BreakOn kind = break_on(state, i);
    if (!enabled(state, i) || (kind != BreakOn::Write && kind != BreakOn::ReadWrite)) continue;
    const u64 length = length_bytes(state, i);
    watches[count++] = {align_down(state.dr[i], length), length};
  }
  cpu.mmu.set_watches(std::span(watches).first(count));
}

void Cpu::watched_access(u64 linear, u64 bytes, mmu::Access access) {
  const u64 hits = data_breakpoint_hits(state, linear, bytes, access);
  if (hits == 0) return;
  debug_hits |= hits;
  block_end = nullptr;
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
