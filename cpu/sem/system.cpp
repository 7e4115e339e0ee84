// Bodies of cpu/insn/system.inc, in its order.
#include "cpu/decode/insn_table.h"
#include "cpu/sem/shapes.h"
#include "cpu/sem/stack_ops.h"
#include "cpu/system/control_regs.h"
#include "cpu/system/msr.h"
#include "cpu/system/pmu.h"
#include "cpu/system/segments.h"
#include "cpu/system/smm.h"
#include "cpu/system/stack_access.h"

namespace reprise::cpu {
namespace {

// --- Segment and table registers ---

/// LDS, LES, LFS, LGS, LSS: offset, then selector.
template <SegmentIndex Index>
struct load_far_pointer {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    T offset;
    u16 selector;
    Segment loaded;
    if (!load_part(cpu, in, 0, offset) || !load_part(cpu, in, sizeof(T), selector)) return Status::Fault;
    if (!check_segment(cpu, Index, selector, loaded)) return Status::Fault;
    cpu.state.seg[Index] = loaded;
    set_gpr<T>(cpu.state, in.reg[0], offset);
    return Status::Stop;
  }
  static Handler select(const Insn& in) {
    switch (in.size0) {
      case 2: return run<u16>;
      case 4: return run<u32>;
      case 8: return run<u64>;
      default: return nullptr;
    }
  }
};

/// A 16-bit operand that is a selector or a machine status word.
bool selector_operand(Cpu& cpu, const Insn& in, u8 reg, bool in_register, u16& value) {
  if (!in_register) return load_operand(cpu, in, value);
  value = gpr<u16>(cpu.state, reg);
  return true;
}

bool assign_zf(Cpu& cpu, bool value) {
  flags::assign(cpu.state.rflags, kRflagsZf, value ? kRflagsZf : 0);
  return value;
}

/// The descriptor of LAR, LSL, VERR, VERW. `visible` tells whether it exists and its level may be looked at.
bool inspect_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor, bool& visible) {
  visible = !is_null(selector) && selector_in_table(cpu, selector);
  if (!visible) return true;
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return false;
  const u8 rpl = selector & kSelectorRpl;
  visible = descriptor.is_conforming_code() || (cpu.state.cpl <= descriptor.dpl() && rpl <= descriptor.dpl());
  return true;
}

/// LAR, LSL: a part of the descriptor, when it is visible and of a system type of which the bit in `Types` is set.
template <u16 Types, u16 TypesLong, u64 (*Part)(const Descriptor&)>
struct descriptor_part {
  template <class T>
  struct Instance {
    static Status finish(Cpu& cpu, const Insn& in, u16 selector) {
      Descriptor descriptor;
      bool visible;
      if (!inspect_descriptor(cpu, selector, descriptor, visible)) return Status::Fault;
      const u16 types = in_long_mode(cpu) ? TypesLong : Types;
      visible = visible && (descriptor.code_or_data() || bit(types, descriptor.type()));
      if (assign_zf(cpu, visible)) set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(Part(descriptor)));
      return Status::Next;
    }
    static Status rr(Cpu& cpu, const Insn& in) { return finish(cpu, in, gpr<u16>(cpu.state, in.reg[1])); }
    static Status rm(Cpu& cpu, const Insn& in) {
      u16 selector;
      return load_operand(cpu, in, selector) ? finish(cpu, in, selector) : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

/// Undefined: bits 19:16 of the result; they are the limit bits of the descriptor, as processors give them.
u64 access_rights(const Descriptor& descriptor) { return (descriptor.low >> 32) & 0x00ffff00; }
u64 limit_of(const Descriptor& descriptor) { return descriptor.limit(); }

// SDM 2A LAR, LSL: tables of types.
using lar = descriptor_part<0x1a3e, 0x1a04, access_rights>;
using lsl = descriptor_part<0x0a0e, 0x0a04, limit_of>;

enum class Verify : u8 { Read, Write };

/// VERR, VERW
template <Verify Kind>
struct verify {
  template <bool Register>
  static Status run(Cpu& cpu, const Insn& in) {
    u16 selector;
    Descriptor descriptor;
    bool visible;
    if (!selector_operand(cpu, in, in.reg[0], Register, selector)) return Status::Fault;
    if (!inspect_descriptor(cpu, selector, descriptor, visible)) return Status::Fault;
    const bool readable = descriptor.is_data() || descriptor.is_readable_code();
    assign_zf(cpu, visible && (Kind == Verify::Read ? readable : descriptor.is_writable_data()));
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.form == Form::R ? run<true> : run<false>; }
};

/// Unlike other instructions that change memory it reads, and writes only what changes: where the RPL stays, memory may be
/// read-only, and an absent page is a fault of reading. SDM 2A ARPL, and so on hardware.
struct arpl {
  static u16 raised(u16 dst, u16 rpl) { return static_cast<u16>((dst & ~kSelectorRpl) | rpl); }
  static bool raises(u16 dst, u16 rpl) { return (dst & kSelectorRpl) < rpl; }

  static Status register_form(Cpu& cpu, const Insn& in) {
    const u16 rpl = gpr<u16>(cpu.state, in.reg[1]) & kSelectorRpl;
    const u16 dst = gpr<u16>(cpu.state, in.reg[0]);
    if (assign_zf(cpu, raises(dst, rpl))) set_gpr<u16>(cpu.state, in.reg[0], raised(dst, rpl));
    return Status::Next;
  }
  static Status memory_form(Cpu& cpu, const Insn& in) {
    const u16 rpl = gpr<u16>(cpu.state, in.reg[1]) & kSelectorRpl;
    u16 dst;
    if (!load_operand(cpu, in, dst)) return Status::Fault;
    const bool writes = raises(dst, rpl);
    if (writes && !store_operand<u16>(cpu, in, raised(dst, rpl))) return Status::Fault;
    assign_zf(cpu, writes);
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.form == Form::RR ? register_form : memory_form; }
};

/// LLDT, LTR
template <bool (*Load)(Cpu&, u16)>
struct load_system_segment {
  template <bool Register>
  static Status run(Cpu& cpu, const Insn& in) {
    u16 selector;
    if (!selector_operand(cpu, in, in.reg[0], Register, selector)) return Status::Fault;
    return Load(cpu, selector) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) { return in.form == Form::R ? run<true> : run<false>; }
};

/// A 16-bit value for a register of any width or a word of memory: SLDT, STR.
template <Segment CpuState::*Field>
struct store_selector {
  template <class T>
  static Status to_register(Cpu& cpu, const Insn& in) {
    set_gpr<T>(cpu.state, in.reg[0], (cpu.state.*Field).selector);
    return Status::Next;
  }
  static Status to_memory(Cpu& cpu, const Insn& in) {
    return store_operand<u16>(cpu, in, (cpu.state.*Field).selector) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) {
    if (in.form == Form::M) return to_memory;
    return in.size0 == 2 ? to_register<u16> : in.size0 == 4 ? to_register<u32> : to_register<u64>;
  }
};

/// LGDT, LIDT: a 16-bit limit and a base of 64, 32 or (16-bit operand size) 24 bits.
template <TableRegister CpuState::*Field>
struct load_table {
  template <class Base>
  static Status run(Cpu& cpu, const Insn& in) {
    u16 limit;
    Base base;
    if (!load_part(cpu, in, 0, limit) || !load_part(cpu, in, 2, base)) return Status::Fault;
    if (sizeof(Base) == 4 && in.operand_bytes == 2) base &= 0xffffff;
    if (sizeof(Base) == 8 && !canonical_base(cpu, base)) return cpu.raise(kGP, 0);
    cpu.state.*Field = {.base = base, .limit = limit};
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.size0 == 10 ? run<u64> : run<u32>; }
};

/// SGDT, SIDT: the whole base, whatever the operand size.
template <TableRegister CpuState::*Field>
struct store_table {
  template <class Base>
  static Status run(Cpu& cpu, const Insn& in) {
    const TableRegister& table = cpu.state.*Field;
    u64 limit_linear, base_linear;
    if (!probe_part(cpu, in, 0, sizeof(u16), limit_linear) ||
        !probe_part(cpu, in, 2, sizeof(Base), base_linear))
      return Status::Fault;
    const bool stored = cpu.mmu.store(limit_linear, u16{table.limit}) &&
                        cpu.mmu.store(base_linear, static_cast<Base>(table.base));
    return stored ? Status::Next : cpu.memory_fault(in.has(Insn::kStackSegment));
  }
  static Handler select(const Insn& in) { return in.size0 == 10 ? run<u64> : run<u32>; }
};

Status sem_swapgs(Cpu& cpu, const Insn&) {
  std::swap(cpu.state.seg[GS].base, cpu.state.kernel_gs_base);
  return Status::Next;
}

template <SegmentIndex Index>
struct read_segment_base {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    if (!cpu.mode.has(ModeKey::kFsgsbase)) return cpu.raise(kUD);
    set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(cpu.state.seg[Index].base));
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.size0 == 8 ? run<u64> : run<u32>; }
};

template <SegmentIndex Index>
struct write_segment_base {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    if (!cpu.mode.has(ModeKey::kFsgsbase)) return cpu.raise(kUD);
    const u64 base = gpr<T>(cpu.state, in.reg[0]);
    if (!canonical(cpu, base)) return cpu.raise(kGP, 0);
    cpu.state.seg[Index].base = base;
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.size0 == 8 ? run<u64> : run<u32>; }
};

// --- Control ---

struct lmsw {
  template <bool Register>
  static Status run(Cpu& cpu, const Insn& in) {
    u16 word;
    if (!selector_operand(cpu, in, in.reg[0], Register, word)) return Status::Fault;
    // PE can be set but not cleared.
    constexpr u64 kLoaded = mmu::kCr0Mp | mmu::kCr0Em | mmu::kCr0Ts;
    const u64 cr0 = (cpu.state.cr0 & ~kLoaded) | (word & (kLoaded | mmu::kCr0Pe));
    return write_cr0(cpu, cr0) ? Status::Stop : Status::Fault;
  }
  static Handler select(const Insn& in) { return in.form == Form::R ? run<true> : run<false>; }
};

struct smsw {
  template <class T>
  static Status to_register(Cpu& cpu, const Insn& in) {
    set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(cpu.state.cr0));
    return Status::Next;
  }
  static Status to_memory(Cpu& cpu, const Insn& in) {
    return store_operand<u16>(cpu, in, static_cast<u16>(cpu.state.cr0)) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) {
    if (in.form == Form::M) return to_memory;
    return in.size0 == 2 ? to_register<u16> : in.size0 == 4 ? to_register<u32> : to_register<u64>;
  }
};

Status sem_clts(Cpu& cpu, const Insn&) {
  cpu.state.cr0 &= ~mmu::kCr0Ts;
  return Status::Stop;
}

/// No limit or canonical check: an address that cannot be mapped has nothing to invalidate.
Status sem_invlpg(Cpu& cpu, const Insn& in) {
  cpu.mmu.invlpg(effective_address(cpu.state, in) + cpu.state.seg[in.seg].base);
  return Status::Next;
}

struct invpcid {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    if (in_v86(cpu)) return cpu.raise(kGP, 0);
    V128 descriptor;
    if (!load_operand(cpu, in, descriptor)) return Status::Fault;
    const u64 type = gpr<T>(cpu.state, in.reg[0]);
    const u64 pcid = descriptor.qword[0];
    const u64 linear = descriptor.qword[1];
    if (type > 3 || pcid > mmu::kCr3PcidMask) return cpu.raise(kGP, 0);
    if (type <= 1 && pcid != 0 && !(cpu.state.cr4 & mmu::kCr4Pcide)) return cpu.raise(kGP, 0);
    if (type == 0 && !canonical(cpu, linear)) return cpu.raise(kGP, 0);
    cpu.mmu.invpcid(static_cast<mmu::Mmu::InvpcidType>(type), static_cast<u16>(pcid), linear);
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.size0 == 8 ? run<u64> : run<u32>; }
};

/// There are no caches to write back.
Status sem_cache_control(Cpu&, const Insn&) { return Status::Next; }

void set_edx_eax(CpuState& state, u64 value) {
  set_gpr_part<u32>(state, RAX, static_cast<u32>(value));
  set_gpr_part<u32>(state, RDX, static_cast<u32>(value >> 32));
}

Status sem_rdmsr(Cpu& cpu, const Insn&) {
  u64 value;
  if (!read_msr(cpu, gpr_part<u32>(cpu.state, RCX), value)) return cpu.raise(kGP, 0);
  set_edx_eax(cpu.state, value);
  return Status::Next;
}

Status sem_wrmsr(Cpu& cpu, const Insn&) {
  const u64 value = gpr_part<u32>(cpu.state, RAX) | u64{gpr_part<u32>(cpu.state, RDX)} << 32;
  if (!write_msr(cpu, gpr_part<u32>(cpu.state, RCX), value)) return cpu.raise(kGP, 0);
  return Status::Stop;
}

Status sem_rdpmc(Cpu& cpu, const Insn&) {
  u64 value;
  if (cpu.state.cpl != 0 && !(cpu.state.cr4 & mmu::kCr4Pce)) return cpu.raise(kGP, 0);
  if (!read_counter(cpu, gpr_part<u32>(cpu.state, RCX), value)) return cpu.raise(kGP, 0);
  set_edx_eax(cpu.state, value);
  return Status::Next;
}

Status sem_rdtsc(Cpu& cpu, const Insn&) {
  if (cpu.mode.has(ModeKey::kTsd)) return cpu.raise(kGP, 0);
  set_edx_eax(cpu.state, time_stamp_counter(cpu));
  return Status::Next;
}

Status sem_rdtscp(Cpu& cpu, const Insn& in) {
  const Status status = sem_rdtsc(cpu, in);
  if (status == Status::Next) set_gpr_part<u32>(cpu.state, RCX, static_cast<u32>(cpu.state.tsc_aux));
  return status;
}

/// IA32_TSC_AUX, at any privilege and whatever CR4.TSD says.
Status sem_rdpid(Cpu& cpu, const Insn& in) {
  set_gpr<u64>(cpu.state, in.reg[0], static_cast<u32>(cpu.state.tsc_aux));
  return Status::Next;
}

Status sem_cpuid(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state;
  const CpuidApic apic{.id = cpu.apic_id, .enabled = local_apic_enabled(cpu)};
  const CpuidResult result =
      cpuid(cpu.profile, state, apic, gpr_part<u32>(state, RAX), gpr_part<u32>(state, RCX));
  set_gpr_part<u32>(state, RAX, result.eax);
  set_gpr_part<u32>(state, RBX, result.ebx);
  set_gpr_part<u32>(state, RCX, result.ecx);
  set_gpr_part<u32>(state, RDX, result.edx);
  return Status::Next;
}

/// SplitMix64 (Steele, Lea, Flood 2014): the machine's seed decides every number.
u64 next_random(CpuState& state) {
  u64 z = state.rng_state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// RDRAND, RDSEED: always ready, so CF = 1.
struct random_number {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(next_random(cpu.state)));
    flags::assign(cpu.state.rflags, kRflagsStatus, kRflagsCf);
    return Status::Next;
  }
  static Handler select(const Insn& in) {
    return in.size0 == 2 ? run<u16> : in.size0 == 4 ? run<u32> : run<u64>;
  }
};

// --- Flags with privilege ---

Status sem_hlt(Cpu& cpu, const Insn&) {
  cpu.state.activity = Activity::Halted;
  return Status::Stop;
}

Status sem_rsm(Cpu& cpu, const Insn& in) {
  const u64 from = cpu.linear_of(in);
  const bool left = leave_smm(cpu);
  if (!left) {
    cpu.state.activity = Activity::Shutdown;
    cpu.state.rip = cpu.rip_of(in);
  }
  cpu.tell_passed(left ? Passage::Rsm : Passage::Shutdown, from);
  return Status::StopJump;
}

Status sem_cli(Cpu& cpu, const Insn&) {
  if (!cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  cpu.state.rflags &= ~kRflagsIf;
  return Status::Next;
}

/// When IF was clear, interrupts wait for one more instruction. SDM 2B STI
Status sem_sti(Cpu& cpu, const Insn&) {
  if (!cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  if (cpu.state.rflags & kRflagsIf) return Status::Next;
  cpu.state.rflags |= kRflagsIf;
  cpu.state.sti_shadow = true;
  return Status::Stop;
}

/// AC below level 3 selects the MMU's view, on which translated blocks depend: the block ends, but nothing that events
/// wait for has changed.
Status set_ac(Cpu& cpu, const Insn& in, u64 ac) {
  if (cpu.state.cpl != 0) return cpu.raise(kUD);
  flags::assign(cpu.state.rflags, kRflagsAc, ac);
  cpu.sync_mode();
  cpu.state.rip = cpu.next_rip(in);
  return Status::Jump;
}

Status sem_clac(Cpu& cpu, const Insn& in) { return set_ac(cpu, in, 0); }
Status sem_stac(Cpu& cpu, const Insn& in) { return set_ac(cpu, in, kRflagsAc); }

template <class T>
Status sem_pushf(Cpu& cpu, const Insn& in) {
  if (in_v86(cpu) && !cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  const T image = static_cast<T>(cpu.state.rflags & ~(kRflagsVm | kRflagsRf));
  return stack::push<T>(cpu, in, image) ? Status::Next : Status::Fault;
}

/// SDM 2B POPF, table 4-16
template <class T>
Status sem_popf(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (in_v86(cpu) && !cpu.mode.has(ModeKey::kIoplOk)) return cpu.raise(kGP, 0);
  T popped;
  if (!stack::top(cpu, in, popped)) return Status::Fault;
  u64 mask = kRflagsStatus | kRflagsTf | kRflagsDf | kRflagsNt;
  u64 cleared = 0;
  if (sizeof(T) > 2) {
    mask |= kRflagsAc | kRflagsId;
    cleared = kRflagsRf | (in_v86(cpu) ? 0 : kRflagsVif | kRflagsVip);
  }
  if (cpu.mode.has(ModeKey::kIoplOk)) mask |= kRflagsIf;
  if (state.cpl == 0) mask |= kRflagsIopl;
  const u64 old = state.rflags;
  state.rflags = (old & ~(mask | cleared)) | (popped & mask);
  stack::release(state, in, sizeof(T));
  constexpr u64 kBodies = kRflagsStatus | kRflagsDf | kRflagsNt | kRflagsId;
  return ((old ^ state.rflags) & ~kBodies) != 0 ? Status::Stop : Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/system.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
