// Shapes of VEX-encoded vector instructions. Bodies are those of the SSE forms, run on each 128-bit half; operands are
// where cpu/core/insn.h says. Only the registers of the result differ from SSE: sources are not destroyed, and bits above the
// result are zero.
//
//   vex3<B, N>       V128 B(V128 a, V128 b)     dst := B(op1, op2)                       VPADDB, VADDPS, VSHUFPD
//   vex3_low<B, S>   V128 B(V128 a, S b)        the low S of op2; XMM only               VADDSS, VMOVHPS
//   vex3_gpr<B, T>   V128 B(V128 a, T b)        op2 is a general register or memory      VPINSRB, VCVTSI2SD
//   vex3_wide<B>     V256 B(V256 a, V256 b)     across halves; YMM only                  VPERMD, VPERM2F128
//   vex4<B>          V128 B(V128, V128, V128)   dst := B(op1, op2, op3)                  VBLENDVPS
//   vex2<B, N>       V128 B(V128 a)             dst := B(op1)                            VPABSB, VSQRTPS
//   vex2_wide<B>     V256 B(V256 a)             YMM only                                 VPERMQ
//   vex2_widen<B, S> V128 B(S a)                half h from the h-th S of op1            VPMOVZXBW, VCVTPS2PD
//   vex2_narrow<B>   V128 B(V128 a)             low quadwords of both halves, joined     VCVTPD2PS
//   vex_fma<B>       V128 B(V128, V128, V128)   dst := B(dst, op1, op2)                  VFMADD132PS
//   vex_fma_low<B,S> V128 B(V128, V128, S)      the low S of op2; XMM only               VFMADD132SS
//   vex_shift<B>     V128 B(V128 a, u64 count)  count is imm8 or the low quadword of XMM op2 or m128
//   vex_test<B>      u64 B(V128 a, V128 b)      status flags := those that all halves set   VPTEST
//
// As in vector_shapes.h a body may take imm8 last, and a floating-point body an SseEnv& first, one for all elements. N is
// by how many bits of imm8 the upper half is further than the lower one. Memory operands need no alignment.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

inline V128 half(const V256& value, unsigned h) { return V128{{value.qword[2 * h], value.qword[2 * h + 1]}}; }
inline void set_half(V256& value, unsigned h, const V128& part) {
  value.qword[2 * h] = part.qword[0];
  value.qword[2 * h + 1] = part.qword[1];
}
/// The value with zeros above.
inline V256 zero_extended(const V128& value) { return V256{{value.qword[0], value.qword[1], 0, 0}}; }
/// Element `index` of the S that a register value is made of.
template <class S>
inline S element(const V256& value, unsigned index = 0) {
  return read_unaligned<S>(reinterpret_cast<const u8*>(&value) + index * sizeof(S));
}

inline unsigned halves(const Insn& in) { return in.has(Insn::kVex256) ? 2 : 1; }
inline unsigned vector_bytes(const Insn& in) { return 16 * halves(in); }

/// Memory operands of `bytes`: a power of two from 1 to 32. An aligned one that is not raises #GP(0).
[[nodiscard]] bool load_vex(Cpu& cpu, const Insn& in, unsigned bytes, V256& value,
                            Alignment alignment = Alignment::Unaligned);
[[nodiscard]] bool store_vex(Cpu& cpu, const Insn& in, unsigned bytes, const V256& value,
                             Alignment alignment = Alignment::Unaligned);

/// The instruction as it would be with EFLAGS.AC clear.
inline Insn without_alignment_check(Insn in) {
  in.flags &= static_cast<u16>(~Insn::kAlignCheck);
  return in;
}

/// Operand `index`: a vector register, or `bytes` of memory with zeros above.
[[nodiscard]] inline bool load_source(Cpu& cpu, const Insn& in, unsigned index, unsigned bytes, V256& value) {
  if (form_kind(in, index) == OperandKind::Mem) return load_vex(cpu, in, bytes, value);
  value = cpu.state.ymm[in.reg[index]];
  return true;
}

/// Calls a body, with the environment and the immediate if it takes them.
template <class Body, class... Args>
inline auto call_half(SseEnv& env, u8 imm, const Args&... args) {
  if constexpr (std::is_invocable_v<Body, SseEnv&, const Args&..., u8>) {
    return Body{}(env, args..., imm);
  } else if constexpr (std::is_invocable_v<Body, SseEnv&, const Args&...>) {
    return Body{}(env, args...);
  } else if constexpr (std::is_invocable_v<Body, const Args&..., u8>) {
    return Body{}(args..., imm);
  } else {
    return Body{}(args...);
  }
}

/// fn(half) for each half of the destination; then writes it. `Fp`: exceptions count.
template <bool Fp, class Fn>
inline Status write_halves(Cpu& cpu, const Insn& in, SseEnv& env, Fn fn) {
  V256 result{};
  for (unsigned h = 0; h < halves(in); ++h) set_half(result, h, fn(h));
  if (Fp && !commit_mxcsr(cpu, env)) return Status::Fault;
  cpu.state.ymm[in.reg[0]] = result;
  return Status::Next;
}
template <bool Fp>
inline Status write_low(Cpu& cpu, const Insn& in, const SseEnv& env, const V128& result) {
  if (Fp && !commit_mxcsr(cpu, env)) return Status::Fault;
  cpu.state.ymm[in.reg[0]] = zero_extended(result);
  return Status::Next;
}

template <class Body, unsigned ImmShift>
Status run_vex3(Cpu& cpu, const Insn& in) {
  V256 b;
  if (!load_source(cpu, in, 2, vector_bytes(in), b)) return Status::Fault;
  const V256 a = cpu.state.ymm[in.reg[1]];
  SseEnv env = sse_env(cpu.state.mxcsr);
  return write_halves<kRunsFp<Body, V128, V128>>(cpu, in, env, [&](unsigned h) {
    return call_half<Body>(env, static_cast<u8>(in.imm >> (h * ImmShift)), half(a, h), half(b, h));
  });
}
template <class Body, unsigned ImmShift = 0>
using vex3 = direct<run_vex3<Body, ImmShift>>;

template <class Body, class S>
Status run_vex3_low(Cpu& cpu, const Insn& in) {
  V256 b;
  if (!load_source(cpu, in, 2, sizeof(S), b)) return Status::Fault;
  SseEnv env = sse_env(cpu.state.mxcsr);
  const V128 result = call_half<Body>(env, static_cast<u8>(in.imm), xmm(cpu.state, in.reg[1]), element<S>(b));
  return write_low<kRunsFp<Body, V128, S>>(cpu, in, env, result);
}
template <class Body, class S>
using vex3_low = direct<run_vex3_low<Body, S>>;

template <class Body, class T>
Status run_vex3_gpr(Cpu& cpu, const Insn& in) {
  T b;
  if (form_kind(in, 2) != OperandKind::Mem) {
    b = gpr<T>(cpu.state, in.reg[2]);
  } else if (!load_operand(cpu, in, b)) {
    return Status::Fault;
  }
  SseEnv env = sse_env(cpu.state.mxcsr);
  const V128 result = call_half<Body>(env, static_cast<u8>(in.imm), xmm(cpu.state, in.reg[1]), b);
  return write_low<kRunsFp<Body, V128, T>>(cpu, in, env, result);
}
template <class Body, class T>
using vex3_gpr = direct<run_vex3_gpr<Body, T>>;

template <class Body>
Status run_vex3_wide(Cpu& cpu, const Insn& in) {
  V256 b;
  if (!load_source(cpu, in, 2, sizeof(V256), b)) return Status::Fault;
  SseEnv env;
  cpu.state.ymm[in.reg[0]] = call_half<Body>(env, static_cast<u8>(in.imm), cpu.state.ymm[in.reg[1]], b);
  return Status::Next;
}
template <class Body>
using vex3_wide = direct<run_vex3_wide<Body>>;

template <class Body>
Status run_vex4(Cpu& cpu, const Insn& in) {
  V256 b;
  if (!load_source(cpu, in, 2, vector_bytes(in), b)) return Status::Fault;
  const V256 a = cpu.state.ymm[in.reg[1]], c = cpu.state.ymm[in.reg[3]];
  SseEnv env;
  return write_halves<false>(cpu, in, env,
                             [&](unsigned h) { return Body{}(half(a, h), half(b, h), half(c, h)); });
}
template <class Body>
using vex4 = direct<run_vex4<Body>>;

template <class Body, unsigned ImmShift>
Status run_vex2(Cpu& cpu, const Insn& in) {
  V256 a;
  if (!load_source(cpu, in, 1, vector_bytes(in), a)) return Status::Fault;
  SseEnv env = sse_env(cpu.state.mxcsr);
  return write_halves<kRunsFp<Body, V128>>(cpu, in, env, [&](unsigned h) {
    return call_half<Body>(env, static_cast<u8>(in.imm >> (h * ImmShift)), half(a, h));
  });
}
template <class Body, unsigned ImmShift = 0>
using vex2 = direct<run_vex2<Body, ImmShift>>;

template <class Body>
Status run_vex2_wide(Cpu& cpu, const Insn& in) {
  V256 a;
  if (!load_source(cpu, in, 1, sizeof(V256), a)) return Status::Fault;
  SseEnv env;
  cpu.state.ymm[in.reg[0]] = call_half<Body>(env, static_cast<u8>(in.imm), a);
  return Status::Next;
}
template <class Body>
using vex2_wide = direct<run_vex2_wide<Body>>;

template <class Body, class S>
Status run_vex2_widen(Cpu& cpu, const Insn& in) {
  V256 a;
  if (!load_source(cpu, in, 1, sizeof(S) * halves(in), a)) return Status::Fault;
  SseEnv env = sse_env(cpu.state.mxcsr);
  return write_halves<kRunsFp<Body, S>>(cpu, in, env, [&](unsigned h) {
    return call_half<Body>(env, static_cast<u8>(in.imm), element<S>(a, h));
  });
}
template <class Body, class S>
using vex2_widen = direct<run_vex2_widen<Body, S>>;

template <class Body>
Status run_vex2_narrow(Cpu& cpu, const Insn& in) {
  V256 a;
  if (!load_source(cpu, in, 1, vector_bytes(in), a)) return Status::Fault;
  SseEnv env = sse_env(cpu.state.mxcsr);
  V128 result{};
  for (unsigned h = 0; h < halves(in); ++h) result.qword[h] = Body{}(env, half(a, h)).qword[0];
  return write_low<true>(cpu, in, env, result);
}
template <class Body>
using vex2_narrow = direct<run_vex2_narrow<Body>>;

template <class Body>
Status run_vex_fma(Cpu& cpu, const Insn& in) {
  V256 c;
  if (!load_source(cpu, in, 2, vector_bytes(in), c)) return Status::Fault;
  const V256 a = cpu.state.ymm[in.reg[0]], b = cpu.state.ymm[in.reg[1]];
  SseEnv env = sse_env(cpu.state.mxcsr);
  return write_halves<true>(cpu, in, env,
                            [&](unsigned h) { return Body{}(env, half(a, h), half(b, h), half(c, h)); });
}
template <class Body>
using vex_fma = direct<run_vex_fma<Body>>;

template <class Body, class S>
Status run_vex_fma_low(Cpu& cpu, const Insn& in) {
  V256 c;
  if (!load_source(cpu, in, 2, sizeof(S), c)) return Status::Fault;
  SseEnv env = sse_env(cpu.state.mxcsr);
  const V128 result = Body{}(env, xmm(cpu.state, in.reg[0]), xmm(cpu.state, in.reg[1]), element<S>(c));
  return write_low<true>(cpu, in, env, result);
}
template <class Body, class S>
using vex_fma_low = direct<run_vex_fma_low<Body, S>>;

template <class Body>
Status run_vex_shift(Cpu& cpu, const Insn& in) {
  u64 count = static_cast<u8>(in.imm);
  if (form_kind(in, 2) != OperandKind::Imm) {
    V256 counts;
    if (!load_source(cpu, in, 2, 16, counts)) return Status::Fault;
    count = counts.qword[0];
  }
  const V256 a = cpu.state.ymm[in.reg[1]];
  SseEnv env;
  return write_halves<false>(cpu, in, env, [&](unsigned h) { return Body{}(half(a, h), count); });
}
template <class Body>
using vex_shift = direct<run_vex_shift<Body>>;

template <class Body>
Status run_vex_test(Cpu& cpu, const Insn& in) {
  V256 b;
  if (!load_source(cpu, in, 1, vector_bytes(in), b)) return Status::Fault;
  const V256 a = cpu.state.ymm[in.reg[0]];
  u64 status_flags = kRflagsStatus;
  for (unsigned h = 0; h < halves(in); ++h) status_flags &= Body{}(half(a, h), half(b, h));
  flags::assign(cpu.state.rflags, kRflagsStatus, status_flags);
  return Status::Next;
}
template <class Body>
using vex_test = direct<run_vex_test<Body>>;

}  // namespace reprise::cpu
