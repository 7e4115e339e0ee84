#include "cpu/core/breakpoints.h"

#include <array>

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

}  // namespace reprise::cpu
