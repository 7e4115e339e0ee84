// Moves of MMX and XMM registers. SDM 2A/2B MOV*, MASKMOV*.
#include "cpu/sem/sse_mov_bodies.h"

namespace reprise::cpu {
namespace {

/// Whole XMM registers.
template <Alignment A>
struct vmov {
  static Status rr(Cpu& cpu, const Insn& in) {
    set_xmm(cpu.state, in.reg[0], xmm(cpu.state, in.reg[1]));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    V128 value;
    if (!load_vector<A>(cpu, in, value)) return Status::Fault;
    set_xmm(cpu.state, in.reg[0], value);
    return Status::Next;
  }
  static Status mr(Cpu& cpu, const Insn& in) {
    return store_vector<A>(cpu, in, xmm(cpu.state, in.reg[1])) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<vmov>(in.form); }
};

/// MOVD, MOVQ: the low T of a vector register, to and from general registers, memory and vector registers. A vector
/// destination is zero-extended.
template <class T>
struct vmov_low {
  template <class V>
  struct Instance {
    static void write(CpuState& state, u8 number, T value) {
      V wide{};
      wide.qword[0] = value;
      set_vreg(state, number, wide);
    }
    static Status vector_from_vector(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      write(cpu.state, in.reg[0], static_cast<T>(vreg<V>(cpu.state, in.reg[1]).qword[0]));
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status vector_from_gpr(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      write(cpu.state, in.reg[0], gpr<T>(cpu.state, in.reg[1]));
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status vector_from_memory(Cpu& cpu, const Insn& in) {
      T value;
      if (!begin_mmx<V>(cpu) || !load_operand(cpu, in, value)) return Status::Fault;
      write(cpu.state, in.reg[0], value);
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status gpr_from_vector(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      set_gpr(cpu.state, in.reg[0], static_cast<T>(vreg<V>(cpu.state, in.reg[1]).qword[0]));
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status memory_from_vector(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      if (!store_operand(cpu, in, static_cast<T>(vreg<V>(cpu.state, in.reg[1]).qword[0])))
        return Status::Fault;
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Handler select(const Insn& in) {
      if (in.form == Form::RM) return vector_from_memory;
      if (in.form == Form::MR) return memory_from_vector;
      if (in.reg_class[0] == RegClass::Gpr) return gpr_from_vector;
      return in.reg_class[1] == RegClass::Gpr ? vector_from_gpr : vector_from_vector;
    }
  };
  static Handler select(const Insn& in) {
    const bool mmx = in.reg_class[0] == RegClass::Mmx || in.reg_class[1] == RegClass::Mmx;
    return mmx ? Instance<V64>::select(in) : Instance<V128>::select(in);
  }
};

/// MOVSS, MOVSD: a load clears the rest of the register, a move between registers keeps it.
template <class T>
struct vmov_scalar {
  static Status rr(Cpu& cpu, const Insn& in) {
    write_unaligned(&cpu.state.ymm[in.reg[0]], source_reg<T>(cpu.state, in.reg[1]));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    T value;
    if (!load_operand(cpu, in, value)) return Status::Fault;
    set_xmm(cpu.state, in.reg[0], V128{{value, 0}});
    return Status::Next;
  }
  static Status mr(Cpu& cpu, const Insn& in) {
    return store_operand(cpu, in, source_reg<T>(cpu.state, in.reg[1])) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<vmov_scalar>(in.form); }
};

/// MOVLPS, MOVHPS and kin: quadword I of the register, to and from memory.
template <unsigned I>
struct vmov_half {
  static Handler select(const Insn& in) {
    if (in.form == Form::MR) return vstore_gpr<sem_get_qword<I>, u64>::select(in);
    return vrmw2<sem_set_qword<I>, u64>::select(in);
  }
};

/// A general register to memory; an SSE2 instruction without SSE state.
struct movnti {
  template <class T>
  static Status mr(Cpu& cpu, const Insn& in) {
    return store_operand(cpu, in, gpr<T>(cpu.state, in.reg[1])) ? Status::Next : Status::Fault;
  }
  static Handler select(const Insn& in) {
    if (in.form != Form::MR) return nullptr;
    return in.size0 == 8 ? mr<u64> : mr<u32>;
  }
};

/// MASKMOVDQU, MASKMOVQ: the bytes of the first operand whose mask byte has its top bit set, to DS:rDI.
/// Undefined: with bytes masked off, faults are those of stores of all quadwords of the operand, the upper one first.
template <class V>
struct maskmov {
  static Status run(Cpu& cpu, const Insn& in) {
    if (!begin_mmx<V>(cpu)) return Status::Fault;
    Insn at_di = in;
    at_di.base = RDI * 8;
    u64 linear;
    // The whole operand for the limit, a quadword for the alignment, unless the upper one is not canonical.
    if (!data_linear(cpu, at_di, sizeof(V), mmu::Access::Write, linear)) return Status::Fault;
    const bool canonical = mmu::is_canonical(cpu.mmu.context(), linear + sizeof(V) - 8);
    if (canonical && !data_linear(cpu, at_di, 8, mmu::Access::Write, linear)) return Status::Fault;
    for (u64 end = sizeof(V); end != 0; end -= 8) {
      if (!cpu.mmu.probe_write(linear + end - 8, 8)) return cpu.memory_fault(in.has(Insn::kStackSegment));
    }
    const auto bytes = lanes<u8>(vreg<V>(cpu.state, in.reg[0]));
    const u32 mask = sign_mask<u8>(vreg<V>(cpu.state, in.reg[1]));
    for (unsigned i = 0; i < sizeof(V); ++i) {
      if (bit(mask, i) && !cpu.mmu.store(linear + i, bytes[i]))
        return cpu.memory_fault(in.has(Insn::kStackSegment));
    }
    end_mmx<V>(cpu);
    return Status::Next;
  }
  static Handler select(const Insn& in) { return in.form == Form::RR ? run : nullptr; }
};

}  // namespace

#define ROWS "cpu/insn/sse_mov.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
