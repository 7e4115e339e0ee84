// Moves of XMM and YMM registers, VEX forms. SDM 2B, 2C.
#include "cpu/sem/shapes.h"
#include "cpu/sem/sse_mov_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

/// Whole registers. Aligned: to the size of the operand.
template <Alignment A>
Status run_vex_mov(Cpu& cpu, const Insn& in) {
  const unsigned bytes = vector_bytes(in);
  if (in.form == Form::MR)
    return store_vex(cpu, in, bytes, cpu.state.ymm[in.reg[1]], A) ? Status::Next : Status::Fault;
  V256 value;
  if (in.form == Form::RM) {
    if (!load_vex(cpu, in, bytes, value, A)) return Status::Fault;
  } else {
    value = cpu.state.ymm[in.reg[1]];
  }
  cpu.state.ymm[in.reg[0]] = bytes == sizeof(V256) ? value : zero_extended(half(value, 0));
  return Status::Next;
}
template <Alignment A>
using vex_mov = direct<run_vex_mov<A>>;

/// VMOVD, VMOVQ: the low T of a vector register, to and from general registers, memory and vector registers.
template <class T>
Status run_vex_mov_low(Cpu& cpu, const Insn& in) {
  T value;
  if (in.form == Form::RM) {
    if (!load_operand(cpu, in, value)) return Status::Fault;
  } else {
    value =
        in.reg_class[1] == RegClass::Gpr ? gpr<T>(cpu.state, in.reg[1]) : source_reg<T>(cpu.state, in.reg[1]);
  }
  if (in.form == Form::MR) return store_operand(cpu, in, value) ? Status::Next : Status::Fault;
  if (in.reg_class[0] == RegClass::Gpr) {
    set_gpr(cpu.state, in.reg[0], value);
  } else {
    cpu.state.ymm[in.reg[0]] = V256{{value, 0, 0, 0}};
  }
  return Status::Next;
}
template <class T>
using vex_mov_low = direct<run_vex_mov_low<T>>;

/// VMOVSS, VMOVSD: between registers the rest comes from operand 1; a load clears it.
template <class T>
struct vex_mov_scalar {
  struct sem_set_low {
    V128 operator()(V128 a, T b) const { return with_lane(a, 0, b); }
  };
  static Handler select(const Insn& in) {
    return in.form == Form::RR ? run_vex3_low<sem_set_low, T> : run_vex_mov_low<T>;
  }
};

/// VMOVLPS, VMOVHPS and kin: quadword I, from memory into a copy of operand 1, or to memory.
template <unsigned I>
struct vex_mov_half {
  static Handler select(const Insn& in) {
    if (in.form == Form::MR) return vstore_gpr<sem_get_qword<I>, u64>::select(in);
    return run_vex3_low<sem_set_qword<I>, u64>;
  }
};

/// The even quadwords, each twice. The XMM form reads 8 bytes of memory.
struct vex_movddup {
  static Status run(Cpu& cpu, const Insn& in) {
    V256 a;
    if (!load_source(cpu, in, 1, in.has(Insn::kVex256) ? 32 : 8, a)) return Status::Fault;
    SseEnv env;
    return write_halves<false>(cpu, in, env, [&](unsigned h) { return sem_movddup{}(a.qword[2 * h]); });
  }
  static Handler select(const Insn&) { return run; }
};

template <class T>
struct vex_movmsk {
  static Status run(Cpu& cpu, const Insn& in) {
    const V256 a = cpu.state.ymm[in.reg[1]];
    u32 mask = 0;
    for (unsigned h = 0; h < halves(in); ++h) mask |= sign_mask<T>(half(a, h)) << (h * kLanes<T, V128>);
    set_gpr<u64>(cpu.state, in.reg[0], mask);
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};

/// The registers of the mode: sixteen in 64-bit mode, else eight.
unsigned vector_registers(const Insn& in) { return in.has(Insn::kCode64) ? 16 : 8; }

Status sem_vzeroupper(Cpu& cpu, const Insn& in) {
  for (unsigned i = 0; i < vector_registers(in); ++i)
    cpu.state.ymm[i] = zero_extended(xmm(cpu.state, static_cast<u8>(i)));
  return Status::Next;
}
Status sem_vzeroall(Cpu& cpu, const Insn& in) {
  for (unsigned i = 0; i < vector_registers(in); ++i) cpu.state.ymm[i] = {};
  return Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/avx_mov.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
