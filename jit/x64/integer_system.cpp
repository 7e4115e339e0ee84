// Emission of instructions on flags with privilege and on the base of GS.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// A change of RFLAGS bits that the host's flags do not have.
template <u64 Bit, bool Value>
void assign_bit(BlockEmitter& e) {
  e.flags.save();
  if (Value)
    e.a.or_(e.regs.rflags(), static_cast<i32>(Bit));
  else
    e.a.and_(e.regs.rflags(), ~static_cast<i32>(Bit));
  e.flags.lost();
}

bool cli(BlockEmitter& e, const Insn&) {
  if (!e.mode().has(cpu::ModeKey::kIoplOk)) return false;
  assign_bit<cpu::kRflagsIf, false>(e);
  return true;
}

/// Where IF was clear, the next boundary is passed if nothing waits there: JitContext's processor knows. The host's vector
/// registers may not be the guest's then.
bool sti(BlockEmitter& e, const Insn&) {
  if (!e.mode().has(cpu::ModeKey::kIoplOk)) return false;
  const Label done = e.a.newLabel();
  e.flags.save();
  e.a.test(e.regs.field(&e.context.cpu.state.rflags, 4), static_cast<i32>(cpu::kRflagsIf));
  e.a.long_().jnz(done);
  e.a.cmp(x86::word_ptr(x86::rsp, offsetof(Frame, owned_vectors)), 0);
  e.a.jne(e.slow());
  if (e.index + 1 == e.unit.count()) {
    // The budget ends behind it.
    e.a.test(kBudgetReg, kBudgetReg);
    e.a.jz(e.slow());
  }
  e.a.call(e.address_of(e.context.stubs.set_interrupts));
  e.a.jz(e.slow());
  e.a.bind(done);
  e.flags.lost();
  return true;
}

/// Flags that matter to more than the instructions that read them are the handler's to change.
bool popf(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in) || e.mode().has(cpu::ModeKey::kV86)) return false;
  const unsigned bytes = in.operand_bytes;
  const bool wide = bytes > 2;
  constexpr u32 kCleared = cpu::kRflagsRf | cpu::kRflagsVif | cpu::kRflagsVip;
  u32 watched = cpu::kRflagsTf | (wide ? cpu::kRflagsAc : 0);
  if (e.mode().has(cpu::ModeKey::kIoplOk)) watched |= cpu::kRflagsIf;
  if (e.mode().cpl() == 0) watched |= cpu::kRflagsIopl;
  constexpr u32 kBodies = cpu::kRflagsDf | cpu::kRflagsNt;
  constexpr u32 kInAh = 0xd5;
  constexpr u32 kFixedInAh = 0x02;
  const Mem m = e.memory.probe_stack(cpu::RSP, 0, Access::Read, bytes);
  e.flags.save();
  if (wide)
    e.a.mov(scratch0(bytes), m);
  else
    e.a.movzx(scratch0(4), m);
  e.a.mov(scratch1(4), e.regs.field(&e.context.cpu.state.rflags, 4));
  if (wide) {
    e.a.test(scratch1(4), kCleared);
    e.a.jnz(e.slow());
  }
  e.a.xor_(scratch1(4), scratch0(4));
  e.a.test(scratch1(4), watched);
  e.a.jnz(e.slow());
  e.a.and_(scratch1(4), kBodies | (wide ? cpu::kRflagsId : 0));
  e.a.xor_(e.regs.rflags(), kScratch1);
  e.a.movzx(scratch1(4), scratch0(1));
  e.a.and_(scratch1(4), kInAh);
  e.a.or_(scratch1(4), kFixedInAh);
  e.a.shl(scratch1(4), 8);
  e.a.shr(scratch0(4), 11);
  e.a.and_(scratch0(4), 1);
  e.a.mov(x86::eax, scratch0(4));
  e.a.or_(x86::eax, scratch1(4));
  move_stack(e, static_cast<i32>(bytes));
  e.flags.made_in_rax();
  return true;
}

/// AC below level 3 selects the view of memory: code goes on in another mode.
template <bool Set>
bool alignment_check(BlockEmitter& e, const Insn& in) {
  if (!e.mode().is64() || e.mode().cpl() != 0) return false;
  if (e.mode().has(cpu::ModeKey::kKernelAc) == Set) return true;
  e.flags.save();
  e.a.call(e.address_of(e.context.stubs.set_alignment_check[Set]));
  e.a.jz(e.slow());
  e.flags.lost();
  e.exits.go_to_view(Set ? mmu::View::KernelAc : mmu::View::Kernel, in.next_offset);
  return true;
}

bool swapgs(BlockEmitter& e, const Insn&) {
  const Mem base = e.regs.segment_base(cpu::GS);
  const Mem kernel_base = e.regs.field(&e.context.cpu.state.kernel_gs_base, 8);
  e.a.mov(kScratch0, base);
  e.a.mov(kScratch1, kernel_base);
  e.a.mov(base, kScratch1);
  e.a.mov(kernel_base, kScratch0);
  return true;
}

}  // namespace

bool emit_system(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::CLI: return cli(e, in);
    case Mnemonic::CLAC: return alignment_check<false>(e, in);
    case Mnemonic::STAC: return alignment_check<true>(e, in);
    case Mnemonic::STI: return sti(e, in);
    case Mnemonic::POPF:
    case Mnemonic::POPFD:
    case Mnemonic::POPFQ: return popf(e, in);
    case Mnemonic::SWAPGS: return swapgs(e, in);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
