// Bodies of cpu/insn/far.inc. Far CALL, JMP, RET and IRET are in cpu/system/far_control.cpp, INT in cpu/system/interrupts.cpp;
// SYSCALL and SYSENTER, which load fixed segments, are here. On Intel processors SYSCALL exists in 64-bit mode only and
// SYSRET checks RCX at level 0; on those of AMD SYSENTER is undefined in long mode. SDM 2A, 2B; APM 3.
#include <utility>

#include "cpu/sem/shapes.h"
#include "cpu/system/far_control.h"
#include "cpu/system/interrupts.h"

namespace reprise::cpu {
namespace {

/// JMP and CALL with a far pointer, immediate or in memory: offset, then selector.
template <Status (*Transfer)(Cpu&, const Insn&, u16, u64)>
struct far_transfer {
  static Status immediate(Cpu& cpu, const Insn& in) {
    const u64 offset = in.operand_bytes == 2 ? static_cast<u16>(in.imm) : static_cast<u32>(in.imm);
    return Transfer(cpu, in, static_cast<u16>(in.disp), offset);
  }
  template <class T>
  static Status memory(Cpu& cpu, const Insn& in) {
    T offset;
    u16 selector;
    if (!load_part(cpu, in, 0, offset) || !load_part(cpu, in, sizeof(T), selector)) return Status::Fault;
    return Transfer(cpu, in, selector, offset);
  }
  static Handler select(const Insn& in) {
    const bool in_memory = in.form == Form::M;
    switch (in.operand_bytes) {
      case 2: return in_memory ? memory<u16> : immediate;
      case 4: return in_memory ? memory<u32> : immediate;
      case 8: return in_memory ? memory<u64> : immediate;
      default: return nullptr;
    }
  }
};

Status sem_ret_far(Cpu& cpu, const Insn& in) {
  return return_far(cpu, in.operand_bytes, in.form == Form::I ? static_cast<u16>(in.imm) : 0);
}

/// INT n in virtual-8086 mode needs IOPL 3; INT3 and INTO do not. SDM 3A 20.2.7
Status sem_int(Cpu& cpu, const Insn& in) {
  if (in_v86(cpu) && !cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  return software_interrupt(cpu, in, static_cast<u8>(in.imm), EventKind::SoftwareInterrupt);
}

Status sem_int3(Cpu& cpu, const Insn& in) {
  return software_interrupt(cpu, in, kBP, EventKind::SoftwareInterrupt);
}

/// A debug exception of its own kind: no check of the gate's DPL, DR6 stays. Undefined: a breakpoint that MOV SS has
/// held back becomes part of it; a second #DB would overwrite the frame of the first on an IST stack.
Status sem_int1(Cpu& cpu, const Insn& in) {
  const Status status = software_interrupt(cpu, in, kDB, EventKind::Trap);
  if (status != Status::Fault) cpu.state.dr6 |= std::exchange(cpu.state.pending_debug, 0);
  return status;
}

Status sem_into(Cpu& cpu, const Insn& in) {
  if ((cpu.state.rflags & kRflagsOf) == 0) return Status::Next;
  return software_interrupt(cpu, in, kOF, EventKind::SoftwareInterrupt);
}

struct bound {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    T lower, upper;
    if (!load_part(cpu, in, 0, lower) || !load_part(cpu, in, sizeof(T), upper)) return Status::Fault;
    const T index = static_cast<T>(gpr<std::make_unsigned_t<T>>(cpu.state, in.reg[0]));
    return lower <= index && index <= upper ? Status::Next : cpu.raise(kBR);
  }
  static Handler select(const Insn& in) { return in.size0 == 2 ? run<i16> : run<i32>; }
};

/// Observers are told of an instruction that leads out of one of the system's handlers, or into it.
Status passed(Cpu& cpu, Passage passage, u64 from, Status status) {
  if (status == Status::StopJump) cpu.tell_passed(passage, from);
  return status;
}

template <unsigned Bytes>
Status sem_iret(Cpu& cpu, const Insn& in) {
  const u64 from = cpu.linear_of(in);
  return passed(cpu, Passage::Iret, from, interrupt_return(cpu, in, Bytes));
}

// --- SYSCALL, SYSENTER ---

/// The flat segments that fast transfers load without looking at any descriptor.
enum class FlatKind : u8 { Code64, Code32, Stack };
Segment flat_segment(u64 selector, FlatKind kind, u8 cpl) {
  constexpr u16 kCommon = Segment::kGranularity | Segment::kPresent | Segment::kS | Segment::kAccessed;
  u16 access = static_cast<u16>(kCommon | cpl << Segment::kDplShift);
  switch (kind) {
    case FlatKind::Code64: access |= Segment::kCode | Segment::kReadable | Segment::kLong; break;
    case FlatKind::Code32: access |= Segment::kCode | Segment::kReadable | Segment::kDb; break;
    case FlatKind::Stack: access |= Segment::kWritable | Segment::kDb; break;
  }
  return {.base = 0,
          .limit = 0xffffffff,
          .selector = static_cast<u16>((selector & ~u64{3}) | cpl),
          .access = access};
}

void enter(CpuState& state, u64 cs_selector, u64 ss_selector, FlatKind kind, u8 cpl) {
  state.seg[CS] = flat_segment(cs_selector, kind, cpl);
  state.seg[SS] = flat_segment(ss_selector, FlatKind::Stack, cpl);
  state.cpl = cpl;
}

/// Intel: 64-bit mode only. AMD: everywhere.
bool syscall_enabled(const Cpu& cpu) {
  return (cpu.state.efer & mmu::kEferSce) != 0 && (in_64bit(cpu) || cpu.profile.amd());
}

/// AMD outside long mode: the entry point and both selectors are STAR's, and only IF, VM and RF change.
Status syscall_legacy(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  state.gpr[RCX] = static_cast<u32>(cpu.next_rip(in));
  const u64 selector = (state.star >> 32) & 0xffff;
  enter(state, selector, selector + 8, FlatKind::Code32, 0);
  state.rflags &= ~(kRflagsIf | kRflagsVm | kRflagsRf);
  state.rip = static_cast<u32>(state.star);
  return Status::StopJump;
}

Status enter_by_syscall(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (!syscall_enabled(cpu)) return cpu.raise(kUD);
  if (!in_long_mode(cpu)) return syscall_legacy(cpu, in);
  const bool from_64bit = in_64bit(cpu);
  state.gpr[RCX] = cpu.next_rip(in);
  state.gpr[R11] = state.rflags & ~kRflagsRf;
  state.rflags = (state.rflags & ~(state.fmask | kRflagsRf)) | kRflagsFixed;
  const u64 selector = (state.star >> 32) & 0xffff;
  enter(state, selector, selector + 8, FlatKind::Code64, 0);
  state.rip = from_64bit ? state.lstar : state.cstar;
  // TF counts as FMASK leaves it.
  cpu.single_step = (state.rflags & kRflagsTf) != 0;
  return Status::StopJump;
}

Status leave_by_sysret(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (!syscall_enabled(cpu)) return cpu.raise(kUD);
  if (state.cpl != 0 || (state.cr0 & mmu::kCr0Pe) == 0) return cpu.raise(kGP, 0);
  const bool amd = cpu.profile.amd();
  const bool to_64bit = in.operand_bytes == 8;
  const u64 rip = to_64bit ? state.gpr[RCX] : static_cast<u32>(state.gpr[RCX]);
  if (!amd && !canonical(cpu, rip)) return cpu.raise(kGP, 0);
  constexpr u64 kLoaded = 0x3c7fd7;
  if (in_64bit(cpu)) {
    state.rflags = (state.gpr[R11] & kLoaded) | kRflagsFixed;
  } else {
    state.rflags |= kRflagsIf;
  }
  const u64 selector = state.star >> 48;
  const Segment stack_before = state.seg[SS];
  enter(state, to_64bit ? selector + 16 : selector, selector + 8,
        to_64bit ? FlatKind::Code64 : FlatKind::Code32, 3);
  if (amd) {
    // Only the selector of SS is loaded.
    const u16 stack_selector = state.seg[SS].selector;
    state.seg[SS] = stack_before;
    state.seg[SS].selector = stack_selector;
  }
  state.rip = rip;
  // TF restored here traps at once, before the first instruction of the program.
  cpu.single_step = (state.rflags & kRflagsTf) != 0;
  return Status::StopJump;
}

/// AMD has no SYSENTER and SYSEXIT in long mode.
bool sysenter_enabled(const Cpu& cpu) { return !cpu.profile.amd() || !in_long_mode(cpu); }

Status enter_by_sysenter(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state;
  if (!sysenter_enabled(cpu)) return cpu.raise(kUD);
  if ((state.cr0 & mmu::kCr0Pe) == 0 || is_null(static_cast<u16>(state.sysenter_cs)))
    return cpu.raise(kGP, 0);
  const bool long_mode = in_long_mode(cpu);
  state.rflags &= ~(kRflagsVm | kRflagsIf | kRflagsRf);
  enter(state, state.sysenter_cs, (state.sysenter_cs & 0xfffc) + 8,
        long_mode ? FlatKind::Code64 : FlatKind::Code32, 0);
  state.rip = long_mode ? state.sysenter_eip : static_cast<u32>(state.sysenter_eip);
  state.gpr[RSP] = long_mode ? state.sysenter_esp : static_cast<u32>(state.sysenter_esp);
  return Status::StopJump;
}

Status leave_by_sysexit(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (!sysenter_enabled(cpu)) return cpu.raise(kUD);
  if (state.cpl != 0 || (state.cr0 & mmu::kCr0Pe) == 0) return cpu.raise(kGP, 0);
  if (is_null(static_cast<u16>(state.sysenter_cs))) return cpu.raise(kGP, 0);
  const bool to_64bit = in.operand_bytes == 8;
  const u64 rip = to_64bit ? state.gpr[RDX] : static_cast<u32>(state.gpr[RDX]);
  const u64 rsp = to_64bit ? state.gpr[RCX] : static_cast<u32>(state.gpr[RCX]);
  if (!canonical(cpu, rip) || !canonical(cpu, rsp)) return cpu.raise(kGP, 0);
  const u64 selector = (state.sysenter_cs & 0xfffc) + (to_64bit ? 32 : 16);
  enter(state, selector, selector + 8, to_64bit ? FlatKind::Code64 : FlatKind::Code32, 3);
  state.rip = rip;
  state.gpr[RSP] = rsp;
  return Status::StopJump;
}

/// One of these four, with those who are told.
template <Passage Which, Handler Body>
Status told(Cpu& cpu, const Insn& in) {
  const u64 from = cpu.linear_of(in);
  return passed(cpu, Which, from, Body(cpu, in));
}
constexpr Handler sem_syscall = told<Passage::Syscall, enter_by_syscall>;
constexpr Handler sem_sysret = told<Passage::Sysret, leave_by_sysret>;
constexpr Handler sem_sysenter = told<Passage::Sysenter, enter_by_sysenter>;
constexpr Handler sem_sysexit = told<Passage::Sysexit, leave_by_sysexit>;

}  // namespace

#define ROWS "cpu/insn/far.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
