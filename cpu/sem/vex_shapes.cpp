#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

bool vex_linear(Cpu& cpu, const Insn& in, unsigned bytes, Alignment alignment, mmu::Access access,
                u64& linear) {
  if (alignment == Alignment::Aligned &&
      ((effective_address(cpu.state, in) + cpu.state.seg[in.seg].base) & (bytes - 1)) != 0) {
    return raise_misaligned(cpu, in, bytes, access);
  }
  return data_linear(cpu, in, bytes, access, linear);
}

}  // namespace

bool load_vex(Cpu& cpu, const Insn& in, unsigned bytes, V256& value, Alignment alignment) {
  u64 linear;
  value = {};
  if (!vex_linear(cpu, in, bytes, alignment, mmu::Access::Read, linear)) return false;
  if (cpu.mmu.load_bytes(linear, std::span(reinterpret_cast<u8*>(&value), bytes))) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

bool store_vex(Cpu& cpu, const Insn& in, unsigned bytes, const V256& value, Alignment alignment) {
  u64 linear;
  if (!vex_linear(cpu, in, bytes, alignment, mmu::Access::Write, linear)) return false;
  if (cpu.mmu.store_bytes(linear, std::span(reinterpret_cast<const u8*>(&value), bytes))) return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

}  // namespace reprise::cpu
