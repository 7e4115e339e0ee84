// Emission of instructions on single flags, of hints and of fences.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// SF, ZF, AF, PF and CF in AH, where rax keeps the guest's status flags; and the bit of AH that is always
/// set.
constexpr u32 kFlagsInRax = 0xd500;
constexpr u32 kFixedInRax = 0x0200;

bool lahf(BlockEmitter& e, const Insn&) {
  if (!host_has(asmjit::CpuFeatures::X86::kBMI2)) return false;
  const Gp accumulator = e.regs.reg(cpu::RAX, 8);
  e.flags.save();
  e.a.rorx(scratch0(4), x86::eax, 8);
  e.a.rorx(accumulator, accumulator, 8);
  e.a.mov(accumulator.r8(), scratch0(1));
  e.a.rorx(accumulator, accumulator, 56);
  return true;
}

bool sahf(BlockEmitter& e, const Insn&) {
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

enum class TscAux : u8 { No, Yes };

template <TscAux Aux>
bool rdtsc(BlockEmitter& e, const Insn&) {
  if (e.mode().has(cpu::ModeKey::kTsd)) return false;
  read_tsc(e);
  e.a.mov(e.regs.reg(cpu::RAX, 4), kScratch0.r32());
  e.a.mov(e.regs.reg(cpu::RDX, 8), kScratch0);
  e.a.shr(e.regs.reg(cpu::RDX, 8), 32);
  if (Aux == TscAux::Yes) e.a.mov(e.regs.reg(cpu::RCX, 4), e.regs.field(&e.context.cpu.state.tsc_aux, 4));
  return true;
}

template <cpu::SegmentIndex Seg>
bool read_segment_base(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!e.mode().has(cpu::ModeKey::kFsgsbase) || in.form != Form::R || bytes < 4 || !operands_ok(in))
    return false;
  const unsigned dst = gpr_of(in, 0);
  const Gp host = e.regs.result(dst, bytes);
  Mem base = e.regs.segment_base(Seg);
  base.setSize(bytes);
  e.a.mov(host, base);
  e.regs.assign_result(dst, bytes, host);
  return true;
}

/// CLC, STC, CMC: on flags that are in the host's.
template <InstId Id>
bool carry(BlockEmitter& e, const Insn&) {
  e.flags.need();
  e.a.emit(Id);
  e.flags.made();
  return true;
}

/// A bit of RFLAGS that the host's flags do not have.
template <u64 Bit, bool Value>
bool assign_bit(BlockEmitter& e, const Insn&) {
  e.flags.save();
  if (Value)
    e.a.or_(e.regs.rflags(), static_cast<i32>(Bit));
  else
    e.a.and_(e.regs.rflags(), ~static_cast<i32>(Bit));
  e.flags.lost();
  return true;
}

bool nothing(BlockEmitter&, const Insn&) { return true; }

/// Where others could run, it may end the turn.
bool pause(BlockEmitter& e, const Insn&) { return e.context.cpu.profile.topology.count() == 1; }

struct MiscRow {
  Mnemonic mnemonic;
  bool (*emit)(BlockEmitter& e, const Insn& in);
};
constexpr MiscRow kRows[] = {
    {Mnemonic::CLC, carry<Inst::kIdClc>},
    {Mnemonic::STC, carry<Inst::kIdStc>},
    {Mnemonic::CMC, carry<Inst::kIdCmc>},
    {Mnemonic::CLD, assign_bit<cpu::kRflagsDf, false>},
    {Mnemonic::STD, assign_bit<cpu::kRflagsDf, true>},
    {Mnemonic::RDTSC, rdtsc<TscAux::No>},
    {Mnemonic::RDTSCP, rdtsc<TscAux::Yes>},
    {Mnemonic::LAHF, lahf},
    {Mnemonic::SAHF, sahf},
    {Mnemonic::RDFSBASE, read_segment_base<cpu::FS>},
    {Mnemonic::RDGSBASE, read_segment_base<cpu::GS>},
    {Mnemonic::NOP, nothing},
    {Mnemonic::PAUSE, pause},
    {Mnemonic::SERIALIZE, nothing},
    {Mnemonic::LFENCE, nothing},
    {Mnemonic::MFENCE, nothing},
    {Mnemonic::SFENCE, nothing},
    {Mnemonic::PREFETCH, nothing},
    {Mnemonic::PREFETCHW, nothing},
    {Mnemonic::PREFETCHNTA, nothing},
    {Mnemonic::PREFETCHT0, nothing},
    {Mnemonic::PREFETCHT1, nothing},
    {Mnemonic::PREFETCHT2, nothing},
};

}  // namespace

bool emit_misc(BlockEmitter& e, const Insn& in) {
  const MiscRow* const row = find_row(kRows, in.mnemonic);
  return row != nullptr && row->emit(e, in);
}

}  // namespace reprise::jit::x64
