// Emission of instructions on single flags, of hints and of fences.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// SF, ZF, AF, PF and CF in AH, where rax keeps the guest's status flags; and the bit of AH that is always
/// set.
constexpr u32 kFlagsInRax = 0xd500;
constexpr u32 kFixedInRax = 0x0200;

bool lahf(BlockEmitter& e) {
  if (!host_has(asmjit::CpuFeatures::X86::kBMI2)) return false;
  const Gp accumulator = e.regs.reg(cpu::RAX, 8);
  e.flags.save();
  e.a.rorx(scratch0(4), x86::eax, 8);
  e.a.rorx(accumulator, accumulator, 8);
  e.a.mov(accumulator.r8(), scratch0(1));
  e.a.rorx(accumulator, accumulator, 56);
  return true;
}

bool sahf(BlockEmitter& e) {
  e.flags.save();
  e.a.mov(scratch0(4), e.regs.reg(cpu::RAX, 4));
  e.a.and_(scratch0(4), kFlagsInRax);
  e.a.movzx(x86::eax, x86::al);
  e.a.or_(x86::eax, scratch0(4));
  e.a.or_(x86::eax, kFixedInRax);
  e.flags.lost();
  return true;
}

/// Scratch 0: the time-stamp counter at the running instruction. Takes scratch 1.
void read_tsc(BlockEmitter& e) {
  e.flags.save();
  e.a.mov(kScratch1, x86::ptr(x86::rsp, offsetof(Frame, context)));
  e.a.mov(kScratch0, e.regs.field(&e.context.cpu.state.tsc_offset, 8));
  e.a.add(kScratch0, x86::ptr(kScratch1, offsetof(JitContext, target_ns)));
  e.a.sub(kScratch0, kBudgetReg);
  e.a.sub(kScratch0, e.unit.count() - e.index);
  e.flags.lost();
}

bool rdtsc(BlockEmitter& e, bool with_aux) {
  if (e.mode().has(cpu::ModeKey::kTsd)) return false;
  read_tsc(e);
  e.a.mov(e.regs.reg(cpu::RAX, 4), kScratch0.r32());
  e.a.mov(e.regs.reg(cpu::RDX, 8), kScratch0);
  e.a.shr(e.regs.reg(cpu::RDX, 8), 32);
  if (with_aux) e.a.mov(e.regs.reg(cpu::RCX, 4), e.regs.field(&e.context.cpu.state.tsc_aux, 4));
  return true;
}

bool read_segment_base(BlockEmitter& e, const Insn& in, cpu::SegmentIndex seg) {
  const unsigned bytes = in.size0;
  if (!e.mode().has(cpu::ModeKey::kFsgsbase) || in.form != Form::R || bytes < 4 || !operands_ok(in))
    return false;
  const unsigned dst = gpr_of(in, 0);
  const Gp host = e.regs.result(dst, bytes);
  Mem base = e.regs.segment_base(seg);
  base.setSize(bytes);
  e.a.mov(host, base);
  e.regs.assign_result(dst, bytes, host);
  return true;
}

}  // namespace

bool emit_misc(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::CLC: e.flags.need(), e.a.clc(), e.flags.made(); return true;
    case Mnemonic::STC: e.flags.need(), e.a.stc(), e.flags.made(); return true;
    case Mnemonic::CMC: e.flags.need(), e.a.cmc(), e.flags.made(); return true;
    case Mnemonic::CLD:
      e.flags.save();
      e.a.and_(e.regs.rflags(), ~static_cast<i32>(cpu::kRflagsDf));
      e.flags.lost();
      return true;
    case Mnemonic::STD:
      e.flags.save();
      e.a.or_(e.regs.rflags(), static_cast<i32>(cpu::kRflagsDf));
      e.flags.lost();
      return true;
    case Mnemonic::CLI:
      if (!e.mode().has(cpu::ModeKey::kIoplOk)) return false;
      e.flags.save();
      e.a.and_(e.regs.rflags(), ~static_cast<i32>(cpu::kRflagsIf));
      e.flags.lost();
      return true;
    case Mnemonic::RDTSC: return rdtsc(e, false);
    case Mnemonic::RDTSCP: return rdtsc(e, true);
    case Mnemonic::LAHF: return lahf(e);
    case Mnemonic::SAHF: return sahf(e);
    case Mnemonic::RDFSBASE: return read_segment_base(e, in, cpu::FS);
    case Mnemonic::RDGSBASE: return read_segment_base(e, in, cpu::GS);
    case Mnemonic::NOP:
    case Mnemonic::PAUSE:
    case Mnemonic::SERIALIZE:
    case Mnemonic::LFENCE:
    case Mnemonic::MFENCE:
    case Mnemonic::SFENCE:
    case Mnemonic::PREFETCH:
    case Mnemonic::PREFETCHW:
    case Mnemonic::PREFETCHNTA:
    case Mnemonic::PREFETCHT0:
    case Mnemonic::PREFETCHT1:
    case Mnemonic::PREFETCHT2: return true;
    default: return false;
  }
}

}  // namespace reprise::jit::x64
