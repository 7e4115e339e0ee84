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
  const Gp accumulator = e.reg(cpu::RAX, 8);
  e.save_flags();
  e.a.rorx(e.scratch0(4), x86::eax, 8);
  e.a.rorx(accumulator, accumulator, 8);
  e.a.mov(accumulator.r8(), e.scratch0(1));
  e.a.rorx(accumulator, accumulator, 56);
  return true;
}

bool sahf(BlockEmitter& e) {
  e.save_flags();
  e.a.mov(e.scratch0(4), e.reg(cpu::RAX, 4));
  e.a.and_(e.scratch0(4), kFlagsInRax);
  e.a.movzx(x86::eax, x86::al);
  e.a.or_(x86::eax, e.scratch0(4));
  e.a.or_(x86::eax, kFixedInRax);
  e.flags_lost();
  return true;
}

bool rdtsc(BlockEmitter& e, bool with_aux) {
  if (e.mode().has(cpu::ModeKey::kTsd)) return false;
  e.read_tsc();
  e.a.mov(e.reg(cpu::RAX, 4), kScratch0.r32());
  e.a.mov(e.reg(cpu::RDX, 8), kScratch0);
  e.a.shr(e.reg(cpu::RDX, 8), 32);
  if (with_aux) e.a.mov(e.reg(cpu::RCX, 4), e.tsc_aux());
  return true;
}

bool read_segment_base(BlockEmitter& e, const Insn& in, cpu::SegmentIndex seg) {
  const unsigned bytes = in.size0;
  if (!e.mode().has(cpu::ModeKey::kFsgsbase) || in.form != Form::R || bytes < 4 || !operands_ok(in))
    return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  Mem base = e.segment_base(seg);
  base.setSize(bytes);
  e.a.mov(host, base);
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  return true;
}

}  // namespace

bool emit_misc(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::CLC: e.need_flags(), e.a.clc(), e.flags_made(); return true;
    case Mnemonic::STC: e.need_flags(), e.a.stc(), e.flags_made(); return true;
    case Mnemonic::CMC: e.need_flags(), e.a.cmc(), e.flags_made(); return true;
    case Mnemonic::CLD:
      e.save_flags();
      e.a.and_(e.rflags(), ~static_cast<i32>(cpu::kRflagsDf));
      e.flags_lost();
      return true;
    case Mnemonic::STD:
      e.save_flags();
      e.a.or_(e.rflags(), static_cast<i32>(cpu::kRflagsDf));
      e.flags_lost();
      return true;
    case Mnemonic::CLI:
      if (!e.mode().has(cpu::ModeKey::kIoplOk)) return false;
      e.save_flags();
      e.a.and_(e.rflags(), ~static_cast<i32>(cpu::kRflagsIf));
      e.flags_lost();
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
