// GuestRegisters: where the guest's registers are while generated code runs, as host operands.
#pragma once

#include "jit/x64/emission.h"

namespace reprise::jit::x64 {

class GuestRegisters {
 public:
  explicit GuestRegisters(Emission& emission)
      : a_(emission.a), cpu_(emission.context.cpu), word_bytes_(emission.word_bytes()) {}

  // --- General registers ---
  /// Whether a host register holds guest register `gpr`, and which.
  bool pinned(unsigned gpr) const { return gpr < kPinnedGprs; }
  Gp reg(unsigned gpr, unsigned bytes) const { return host_gp(kHostOfGuest[gpr], bytes); }
  /// Its place in the Cpu, which holds it when it is not pinned.
  Mem slot(unsigned gpr, unsigned bytes) const { return field(&cpu_.state.gpr[gpr], bytes); }
  /// Where it is.
  asmjit::Operand place(unsigned gpr, unsigned bytes) const {
    return pinned(gpr) ? asmjit::Operand(reg(gpr, bytes)) : asmjit::Operand(slot(gpr, bytes));
  }
  /// The register itself, or `scratch` after loading it.
  Gp fetched(unsigned gpr, unsigned bytes, const Gp& scratch);
  /// Stores `value`, a register of `bytes`, as guest register `gpr`.
  void assign(unsigned gpr, unsigned bytes, const Gp& value);
  /// Stores `value`, which was fetched() and then changed: all of it.
  void put_back(unsigned gpr, const Gp& value) {
    if (!pinned(gpr)) assign(gpr, 8, value.r64());
  }
  /// What an instruction may write a new value to: the register itself, or `scratch`; assign_result() follows.
  Gp result(unsigned gpr, unsigned bytes, const Gp& scratch = kScratch0) const {
    return pinned(gpr) ? reg(gpr, bytes) : host_gp(scratch.id(), bytes);
  }
  void assign_result(unsigned gpr, unsigned bytes, const Gp& value) {
    if (!pinned(gpr)) assign(gpr, bytes, value);
  }

  // --- Others ---
  /// Any field of the Cpu.
  Mem field(const void* field, unsigned bytes) const { return cpu_field(offset_in(cpu_, field), bytes); }
  Mem rflags() const { return field(&cpu_.state.rflags, 8); }
  Mem segment_base(unsigned seg, unsigned bytes = 8) const { return field(&cpu_.state.seg[seg].base, bytes); }
  Mem segment_limit(unsigned seg) const { return field(&cpu_.state.seg[seg].limit, 4); }
  Mem segment_access(unsigned seg) const { return field(&cpu_.state.seg[seg].access, 2); }
  Mem selector(unsigned seg) const { return field(&cpu_.state.seg[seg].selector, 2); }
  /// The first address beyond the code segment.
  Mem code_end() const { return field(&cpu_.code_end, 8); }
  Mem rip() const { return field(&cpu_.state.rip, 8); }
  /// Rip where page offsets count from.
  Mem page_base() const { return slot(cpu::kGprPageBase, 8); }
  /// Scratch 0: rip of the instruction at `page_offset`, which may lie in another page.
  void load_rip(i32 page_offset);
  /// Rip is that of the instruction at `page_offset`. Takes scratch 0.
  void set_rip(u16 page_offset);

 private:
  CountingAssembler& a_;
  const cpu::Cpu& cpu_;
  const unsigned word_bytes_;
};

}  // namespace reprise::jit::x64
