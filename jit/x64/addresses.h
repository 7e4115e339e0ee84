// Addresses: what the guest accesses, as host operands and in scratch 0, up to the linear address.
#pragma once

#include "jit/x64/guest_registers.h"
#include "jit/x64/slow_paths.h"

namespace reprise::jit::x64 {

class Addresses {
 public:
  Addresses(Emission& emission, GuestRegisters& registers, SlowPaths& slow_paths)
      : em_(emission), regs_(registers), slow_paths_(slow_paths) {}

  /// The effective address of the explicit memory operand, a plain_address(), to be truncated to the address
  /// size; uses the scratch registers where it must.
  Mem of(const cpu::Insn& in);
  /// Scratch 0: `disp` from guest register `gpr`, without its segment's base.
  void load(unsigned gpr, i32 disp);
  /// The same from the sum of `gpr` and `index`, shifted by `scale`; kGprZero: no index. Takes scratch 1.
  void load(unsigned gpr, unsigned index, u8 scale, i32 disp);
  /// `into`, of 4 or 8 bytes, is the address that `at` names.
  void load(const Gp& into, const Mem& at);
  /// Scratch 0, an address in segment `seg` of `bytes` to be accessed, becomes the linear one. Takes scratch
  /// 1. Outside 64-bit mode, what the limit or type of `seg` may forbid goes to the slow path.
  void add_segment(u8 seg, mmu::Access access, unsigned bytes);
  /// Scratch 0, rip, becomes the linear address in segmented_code().
  void add_code_base() { em_.a.add(kScratch0.r32(), regs_.segment_base(cpu::CS, 4)); }

 private:
  Emission& em_;
  GuestRegisters& regs_;
  SlowPaths& slow_paths_;
};

}  // namespace reprise::jit::x64
