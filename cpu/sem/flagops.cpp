// Single flags, sign extensions of the accumulator, cache hints, fences. SDM 2A/2B.
// Caches are not modelled: CLFLUSH and relatives only check their address, as a load of one byte does.
#include "cpu/decode/insn_table.h"
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

Status sem_clc(Cpu& cpu, const Insn&) {
  cpu.state.rflags &= ~kRflagsCf;
  return Status::Next;
}

Status sem_stc(Cpu& cpu, const Insn&) {
  cpu.state.rflags |= kRflagsCf;
  return Status::Next;
}

Status sem_cmc(Cpu& cpu, const Insn&) {
  cpu.state.rflags ^= kRflagsCf;
  return Status::Next;
}

Status sem_cld(Cpu& cpu, const Insn&) {
  cpu.state.rflags &= ~kRflagsDf;
  return Status::Next;
}

Status sem_std(Cpu& cpu, const Insn&) {
  cpu.state.rflags |= kRflagsDf;
  return Status::Next;
}

constexpr u8 kAh = RAX * 8 + 1;

Status sem_lahf(Cpu& cpu, const Insn&) {
  constexpr u64 kCopied = kRflagsStatus & ~kRflagsOf;
  set_gpr<u8>(cpu.state, kAh, static_cast<u8>((cpu.state.rflags & kCopied) | kRflagsFixed));
  return Status::Next;
}

Status sem_sahf(Cpu& cpu, const Insn&) {
  flags::assign(cpu.state.rflags, kRflagsStatus & ~kRflagsOf, gpr<u8>(cpu.state, kAh));
  return Status::Next;
}

Status sem_salc(Cpu& cpu, const Insn&) {
  set_gpr_part<u8>(cpu.state, RAX, (cpu.state.rflags & kRflagsCf) ? 0xff : 0);
  return Status::Next;
}

/// CBW, CWDE, CDQE.
template <class From, class To>
Status sem_widen_a(Cpu& cpu, const Insn&) {
  const auto value = static_cast<Signed<From>>(gpr_part<From>(cpu.state, RAX));
  set_gpr_part<To>(cpu.state, RAX, static_cast<To>(static_cast<Signed<To>>(value)));
  return Status::Next;
}

/// CWD, CDQ, CQO.
template <class T>
Status sem_sign_to_d(Cpu& cpu, const Insn&) {
  const bool negative = bit(gpr_part<T>(cpu.state, RAX), kBits<T> - 1);
  set_gpr_part<T>(cpu.state, RDX, negative ? static_cast<T>(~T{0}) : T{0});
  return Status::Next;
}

Status sem_hint(Cpu&, const Insn&) { return Status::Next; }

/// A spin loop: others run sooner when there are others.
Status sem_pause(Cpu& cpu, const Insn&) {
  if (cpu.profile.topology.count() == 1) return Status::Next;
  return --cpu.state.pauses_left == 0 ? Status::Stop : Status::Next;
}

Status sem_clflush(Cpu& cpu, const Insn& in) {
  u64 linear;
  if (!data_linear(cpu, in, 1, mmu::Access::Read, linear)) return Status::Fault;
  if (cpu.mmu.probe_read(linear, 1)) return Status::Next;
  return cpu.memory_fault(in.has(Insn::kStackSegment));
}

}  // namespace

#define ROWS "cpu/insn/flagops.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
