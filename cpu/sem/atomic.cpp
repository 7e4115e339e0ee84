// XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. SDM 2A/2C.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

struct sem_xchg {
  template <class T>
  T operator()(Cpu&, T, T src) const {
    return src;
  }
};

struct sem_xadd {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T result = static_cast<T>(dst + src);
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::add(dst, src, result));
    return result;
  }
};

/// dst := Body(dst, src); src := old dst.
template <class Body>
struct exchange {
  template <class T>
  struct Instance {
    static Status rr(Cpu& cpu, const Insn& in) {
      const T old = gpr<T>(cpu.state, in.reg[0]);
      const T result = Body{}(cpu, old, gpr<T>(cpu.state, in.reg[1]));
      set_gpr<T>(cpu.state, in.reg[1], old);
      set_gpr<T>(cpu.state, in.reg[0], result);
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) { return with_memory(cpu, in, in.reg[1]); }
    static Status rm(Cpu& cpu, const Insn& in) { return with_memory(cpu, in, in.reg[0]); }
    static Status with_memory(Cpu& cpu, const Insn& in, u8 reg) {
      const T src = gpr<T>(cpu.state, reg);
      T old;
      const bool done = modify_operand<T>(cpu, in, [&](T dst) { return old = dst, Body{}(cpu, dst, src); });
      if (!done) return Status::Fault;
      set_gpr<T>(cpu.state, reg, old);
      return Status::Next;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

/// Memory is written in either case. An unequal comparison writes only the accumulator, an equal one only the
/// destination: the other register keeps bits 63:32.
struct cmpxchg {
  template <class T>
  struct Instance {
    static bool compare(Cpu& cpu, T dst) {
      const T accumulator = gpr_part<T>(cpu.state, RAX);
      flags::assign(cpu.state.rflags, kRflagsStatus,
                    flags::sub(accumulator, dst, static_cast<T>(accumulator - dst)));
      return accumulator == dst;
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      const T dst = gpr<T>(cpu.state, in.reg[0]);
      if (compare(cpu, dst)) {
        set_gpr<T>(cpu.state, in.reg[0], gpr<T>(cpu.state, in.reg[1]));
      } else {
        set_gpr_part<T>(cpu.state, RAX, dst);
      }
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      const T src = gpr<T>(cpu.state, in.reg[1]);
      T old;
      bool equal = true;
      const bool done = modify_operand<T>(cpu, in, [&](T dst) {
        old = dst;
        equal = compare(cpu, dst);
        return equal ? src : dst;
      });
      if (!done) return Status::Fault;
      if (!equal) set_gpr_part<T>(cpu.state, RAX, old);
      return Status::Next;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

/// CMPXCHG8B and CMPXCHG16B: EDX:EAX with a quadword, RDX:RAX with an aligned double quadword.
template <class T, class Pair>
Status cmpxchg_pair(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  const auto pair = [&state](Gpr high, Gpr low) {
    return static_cast<Pair>(gpr_part<T>(state, high)) << kBits<T> | gpr_part<T>(state, low);
  };
  u64 linear;
  if (!data_linear(cpu, in, sizeof(Pair), mmu::Access::Write, linear)) return Status::Fault;
  if (sizeof(Pair) == 16 && (linear & 15) != 0) return cpu.raise(kGP, 0);
  const Pair expected = pair(RDX, RAX);
  const Pair replacement = pair(RCX, RBX);
  Pair old = 0;
  const bool done = modify_memory<Pair>(cpu, in.has(Insn::kStackSegment), linear, [&](Pair value) {
    old = value;
    return value == expected ? replacement : value;
  });
  if (!done) return Status::Fault;
  flags::assign(state.rflags, kRflagsZf, old == expected ? kRflagsZf : 0);
  if (old != expected) {
    set_gpr_part<T>(state, RAX, static_cast<T>(old));
    set_gpr_part<T>(state, RDX, static_cast<T>(old >> kBits<T>));
  }
  return Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/atomic.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
