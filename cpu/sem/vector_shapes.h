// Shapes of MMX and SSE instructions: how vector operands flow through a body. A body is a function object over
// values; the same body serves the MMX form (V64), the SSE form (V128) and, half by half, the VEX forms.
//
//   vrmw2<B, S>      V B(V dst, S src)             dst := B(dst, src)        PADDB, ADDSS, PINSRW
//   vwrite2<B, S>    V B(S src)                    dst := B(src)             PABSB, PSHUFD, PMOVZXBW
//   vrmw3<B>         V B(V dst, V src, V third)    third is XMM0             PBLENDVB
//   vread2<B, S>     u64 B(V a, S b)               status flags := B(a, b)   PTEST, COMISS
//   vshift<B>        V B(V dst, u64 count)         count is imm8 or the low quadword of the source
//   vload_gpr<B, T>  V B(V dst, T src)             src is a general register or memory    PINSRB, CVTSI2SD
//   vstore_gpr<B, T> T B(V src)                    to a general register, zero-extended, or memory   PEXTRB, PMOVMSKB
//   vwrite_gpr<B, S> T B(S src)                    dst, a general register, := B(src)    CVTSD2SI
//
// S says what the source is: Same (the type of the destination), V64 (MMX register or m64), V128 (XMM register or
// m128), or u8..u64: the low part of an XMM register, or a memory operand of just that size.
// A body may take the imm8 of the instruction as one more argument, last. A floating-point body takes an SseEnv&
// first: MXCSR in, exception flags out; with an unmasked exception the shape raises #XM and writes nothing.
//
// SDM 1 11.10, 3A 12: an instruction that touches an MMX register first takes pending x87 exceptions, and leaves
// the x87 register file with TOP = 0 and nothing empty. 16-byte operands must be aligned, except with `Unaligned`;
// #AC is for smaller ones only.
#pragma once

#include <type_traits>
#include <utility>

#include "cpu/core/form_kind.h"
#include "cpu/core/operands.h"
#include "cpu/core/x87_error.h"
#include "cpu/sem/lanes.h"
#include "cpu/sem/select.h"
#include "cpu/softfloat/env.h"

namespace reprise::cpu {

// --- Registers --------------------------------------------------------------------------------------------------

inline V128 xmm(const CpuState& state, u8 number) { return read_unaligned<V128>(&state.ymm[number]); }
/// A legacy SSE write: bits above 127 keep their value.
inline void set_xmm(CpuState& state, u8 number, const V128& value) {
  write_unaligned(&state.ymm[number], value);
}

/// MMX register for V64, XMM register for V128.
template <class V>
inline V vreg(const CpuState& state, u8 number) {
  if constexpr (sizeof(V) == 8) {
    return V64{{state.x87.st[number & 7].significand}};
  } else {
    return xmm(state, number);
  }
}
template <class V>
inline void set_vreg(CpuState& state, u8 number, const V& value) {
  if constexpr (sizeof(V) == 8) {
    state.x87.st[number & 7] = {value.qword[0], 0xffff};
  } else {
    set_xmm(state, number, value);
  }
}

/// The source in a register: all of it, or the low part of an XMM register.
template <class S>
inline S source_reg(const CpuState& state, u8 number) {
  if constexpr (std::is_integral_v<S>) {
    return read_unaligned<S>(&state.ymm[number]);
  } else {
    return vreg<S>(state, number);
  }
}

// --- x87 to MMX transition --------------------------------------------------------------------------------------

inline constexpr u16 kFswTop = 7u << 11;

template <class... Operands>
inline constexpr bool kUsesMmx = (std::is_same_v<Operands, V64> || ...);

/// Before anything else of an instruction with MMX operands. False: a pending x87 exception was raised.
template <class... Operands>
[[nodiscard]] inline bool begin_mmx(Cpu& cpu) {
  if constexpr (kUsesMmx<Operands...>) {
    if (x87::exception_pending(cpu)) [[unlikely]] {
      x87::report_pending(cpu);
      return false;
    }
  }
  return true;
}
/// When no memory operand can fault any more. A #XM comes after it, on processors too.
template <class... Operands>
inline void end_mmx(Cpu& cpu) {
  if constexpr (kUsesMmx<Operands...>) {
    cpu.state.x87.fsw &= static_cast<u16>(~kFswTop);
    cpu.state.x87.valid = 0xff;
  }
}

// --- Memory -----------------------------------------------------------------------------------------------------

enum class Alignment : u8 { Aligned, Unaligned };

/// The rest of vector_linear() for a misaligned operand: segment checks come first, then #GP(0). Returns false.
[[nodiscard]] bool raise_misaligned(Cpu& cpu, const Insn& in, u64 bytes, mmu::Access access);

/// data_linear() for a vector operand: 16-byte ones are aligned unless A says otherwise.
template <class T, Alignment A>
[[nodiscard]] inline bool vector_linear(Cpu& cpu, const Insn& in, mmu::Access access, u64& linear) {
  if constexpr (sizeof(T) == 16 && A == Alignment::Aligned) {
    if ((effective_address(cpu.state, in) + cpu.state.seg[in.seg].base) & 15) [[unlikely]] {
      return raise_misaligned(cpu, in, sizeof(T), access);
    }
  }
  return data_linear(cpu, in, sizeof(T), access, linear);
}

template <Alignment A = Alignment::Aligned, class T>
[[nodiscard]] inline bool load_vector(Cpu& cpu, const Insn& in, T& value) {
  u64 linear;
  if (!vector_linear<T, A>(cpu, in, mmu::Access::Read, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.load(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

template <Alignment A = Alignment::Aligned, class T>
[[nodiscard]] inline bool store_vector(Cpu& cpu, const Insn& in, const T& value) {
  u64 linear;
  if (!vector_linear<T, A>(cpu, in, mmu::Access::Write, linear)) [[unlikely]]
    return false;
  if (cpu.mmu.store(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

// --- Bodies -----------------------------------------------------------------------------------------------------

/// The source has the type of the destination.
struct Same {};
template <class S, class V>
using SourceOf = std::conditional_t<std::is_same_v<S, Same>, V, S>;

// MXCSR, SDM 1 10.2.3. Flags are bits 5:0 and masks bits 12:7, in the order of softfloat's.
inline constexpr u32 kMxcsrDaz = 1u << 6;
inline constexpr unsigned kMxcsrMasksShift = 7;
inline constexpr unsigned kMxcsrRcShift = 13;
inline constexpr u32 kMxcsrFtz = 1u << 15;
inline constexpr u32 kMxcsrControls = 0xffc0;
inline constexpr u32 kMxcsrReset = 0x1f80;  // all masked, round to nearest

/// The environment of one instruction. One that works in steps, each on all elements, moves the (masked) exceptions
/// of a step that is done to `done`.
struct SseEnv : softfloat::FpEnv {
  u32 done = 0;
  bool host_exact = false;  // MXCSR allows host arithmetic: see fp_host.h
  void finish_step() { done |= std::exchange(flags, 0); }
};

inline SseEnv sse_env(u32 mxcsr) {
  SseEnv env;
  env.rounding = static_cast<softfloat::Rounding>(mxcsr >> kMxcsrRcShift & 3);
  env.daz = (mxcsr & kMxcsrDaz) != 0;
  env.ftz = (mxcsr & kMxcsrFtz) != 0;
  env.masks = mxcsr >> kMxcsrMasksShift & softfloat::kAllExceptions;
  env.host_exact = (mxcsr & (kMxcsrControls | softfloat::kPE)) == (kMxcsrReset | softfloat::kPE);
  return env;
}
/// Raises #XM, or #UD when CR4.OSXMMEXCPT is clear. Returns false.
[[nodiscard]] bool raise_simd_exception(Cpu& cpu);

/// The exceptions that stick to MXCSR after operations on all elements: an unmasked pre-computation exception in any
/// element stops all of them before their results could overflow, underflow or be inexact. SDM 1 11.5.
inline u32 sticky_exceptions(const SseEnv& env) {
  const bool stopped = (env.unmasked() & softfloat::kPreComputation) != 0;
  return env.done | (stopped ? env.flags & softfloat::kPreComputation : env.flags);
}
/// Sticks the exceptions of an instruction to MXCSR. False: one is unmasked and was raised.
[[nodiscard]] inline bool commit_mxcsr(Cpu& cpu, const SseEnv& env) {
  cpu.state.mxcsr |= sticky_exceptions(env);
  return env.unmasked() == 0 || raise_simd_exception(cpu);
}

/// The body takes these operands, and SseEnv and an immediate if it likes.
template <class Body, class... Args>
inline constexpr bool kRunsFp =
    std::is_invocable_v<Body, SseEnv&, Args...> || std::is_invocable_v<Body, SseEnv&, Args..., u8>;
template <class Body, class... Args>
inline constexpr bool kRuns =
    std::is_invocable_v<Body, Args...> || std::is_invocable_v<Body, Args..., u8> || kRunsFp<Body, Args...>;

/// Calls a body, with the immediate if it takes one.
template <class Body, class... Args>
inline auto call_body(const Insn& in, Args&... args) {
  if constexpr (std::is_invocable_v<Body, Args&..., u8>) {
    return Body{}(args..., static_cast<u8>(in.imm));
  } else {
    return Body{}(args...);
  }
}

/// Runs a body. False: a fault was raised, `result` is not to be used.
template <class Body, class R, class... Args>
[[nodiscard]] inline bool run_body(Cpu& cpu, const Insn& in, R& result, const Args&... args) {
  if constexpr (kRunsFp<Body, Args...>) {
    SseEnv env = sse_env(cpu.state.mxcsr);
    result = call_body<Body>(in, env, args...);
    return commit_mxcsr(cpu, env);
  } else {
    result = call_body<Body>(in, args...);
    return true;
  }
}

/// by_form() of Instance<V>, V by the class of a register operand; only those that the body has a form for.
template <template <class> class Instance, bool HasMmx, bool HasXmm>
Handler by_register_file(RegClass reg_class, Form form) {
  if (reg_class == RegClass::Mmx) {
    if constexpr (HasMmx) return by_form<Instance<V64>>(form);
    return nullptr;
  }
  if constexpr (HasXmm) return by_form<Instance<V128>>(form);
  return nullptr;
}

// --- Shapes -----------------------------------------------------------------------------------------------------

/// dst := B(dst, src), or with ReadsDst false dst := B(src).
template <class Body, class S, Alignment A, bool ReadsDst>
struct vbinary {
  template <class V>
  struct Instance {
    using Source = SourceOf<S, V>;
    static bool run(Cpu& cpu, const Insn& in, V& result, const Source& src) {
      if constexpr (ReadsDst) {
        return run_body<Body>(cpu, in, result, vreg<V>(cpu.state, in.reg[0]), src);
      } else {
        return run_body<Body>(cpu, in, result, src);
      }
    }
    static Status finish(Cpu& cpu, const Insn& in, const Source& src) {
      V result;
      end_mmx<V, Source>(cpu);
      if (!run(cpu, in, result, src)) return Status::Fault;
      set_vreg(cpu.state, in.reg[0], result);
      return Status::Next;
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V, Source>(cpu)) return Status::Fault;
      return finish(cpu, in, source_reg<Source>(cpu.state, in.reg[1]));
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      Source src;
      if (!begin_mmx<V, Source>(cpu) || !load_vector<A>(cpu, in, src)) return Status::Fault;
      return finish(cpu, in, src);
    }
  };
  /// The body makes V from these operands.
  template <class V, class... Args>
  static constexpr bool makes() {
    return std::is_invocable_r_v<V, Body, Args...> || std::is_invocable_r_v<V, Body, Args..., u8> ||
           std::is_invocable_r_v<V, Body, SseEnv&, Args...> ||
           std::is_invocable_r_v<V, Body, SseEnv&, Args..., u8>;
  }
  template <class V>
  static constexpr bool kHasForm = ReadsDst ? makes<V, V, SourceOf<S, V>>() : makes<V, SourceOf<S, V>>();
  static Handler select(const Insn& in) {
    return by_register_file<Instance, kHasForm<V64>, kHasForm<V128>>(in.reg_class[0], in.form);
  }
};
template <class Body, class S = Same, Alignment A = Alignment::Aligned>
using vrmw2 = vbinary<Body, S, A, true>;
template <class Body, class S = Same, Alignment A = Alignment::Aligned>
using vwrite2 = vbinary<Body, S, A, false>;

template <class Body>
struct vrmw3 {
  static Status finish(Cpu& cpu, const Insn& in, const V128& src) {
    set_xmm(cpu.state, in.reg[0], Body{}(xmm(cpu.state, in.reg[0]), src, xmm(cpu.state, 0)));
    return Status::Next;
  }
  static Status rr(Cpu& cpu, const Insn& in) { return finish(cpu, in, xmm(cpu.state, in.reg[1])); }
  static Status rm(Cpu& cpu, const Insn& in) {
    V128 src;
    return load_vector(cpu, in, src) ? finish(cpu, in, src) : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<vrmw3>(in.form); }
};

template <class Body, class S = V128>
struct vread2 {
  static Status finish(Cpu& cpu, const Insn& in, const S& b) {
    u64 status_flags;
    if (!run_body<Body>(cpu, in, status_flags, source_reg<S>(cpu.state, in.reg[0]), b)) return Status::Fault;
    flags::assign(cpu.state.rflags, kRflagsStatus, status_flags);
    return Status::Next;
  }
  static Status rr(Cpu& cpu, const Insn& in) { return finish(cpu, in, source_reg<S>(cpu.state, in.reg[1])); }
  static Status rm(Cpu& cpu, const Insn& in) {
    S b;
    return load_vector(cpu, in, b) ? finish(cpu, in, b) : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<vread2>(in.form); }
};

template <class Body>
struct vshift {
  template <class V>
  struct Instance {
    static Status finish(Cpu& cpu, const Insn& in, u64 count) {
      set_vreg(cpu.state, in.reg[0], Body{}(vreg<V>(cpu.state, in.reg[0]), count));
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status ri(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      return finish(cpu, in, static_cast<u8>(in.imm));
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      return finish(cpu, in, vreg<V>(cpu.state, in.reg[1]).qword[0]);
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      V src;
      if (!begin_mmx<V>(cpu) || !load_vector(cpu, in, src)) return Status::Fault;
      return finish(cpu, in, src.qword[0]);
    }
  };
  static Handler select(const Insn& in) {
    return by_register_file<Instance, std::is_invocable_v<Body, V64, u64>,
                            std::is_invocable_v<Body, V128, u64>>(in.reg_class[0], in.form);
  }
};

template <class Body, class T>
struct vload_gpr {
  template <class V>
  struct Instance {
    static Status finish(Cpu& cpu, const Insn& in, T src) {
      V result;
      if (!run_body<Body>(cpu, in, result, vreg<V>(cpu.state, in.reg[0]), src)) return Status::Fault;
      set_vreg(cpu.state, in.reg[0], result);
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      if (!begin_mmx<V>(cpu)) return Status::Fault;
      return finish(cpu, in, gpr<T>(cpu.state, in.reg[1]));
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T src;
      if (!begin_mmx<V>(cpu) || !load_operand(cpu, in, src)) return Status::Fault;
      return finish(cpu, in, src);
    }
  };
  static Handler select(const Insn& in) {
    return by_register_file<Instance, kRuns<Body, V64, T>, kRuns<Body, V128, T>>(in.reg_class[0], in.form);
  }
};

template <class Body, class T>
struct vstore_gpr {
  template <class V>
  struct Instance {
    static Status rr(Cpu& cpu, const Insn& in) {
      T result;
      if (!begin_mmx<V>(cpu) || !run_body<Body>(cpu, in, result, vreg<V>(cpu.state, in.reg[1])))
        return Status::Fault;
      set_gpr<u64>(cpu.state, in.reg[0], result);
      end_mmx<V>(cpu);
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      T result;
      if (!begin_mmx<V>(cpu) || !run_body<Body>(cpu, in, result, vreg<V>(cpu.state, in.reg[1])))
        return Status::Fault;
      if (!store_operand<T>(cpu, in, result)) return Status::Fault;
      end_mmx<V>(cpu);
      return Status::Next;
    }
  };
  static Handler select(const Insn& in) {
    return by_register_file<Instance, kRuns<Body, V64>, kRuns<Body, V128>>(in.reg_class[1], in.form);
  }
};

template <class Body, class S>
struct vwrite_gpr {
  static Status finish(Cpu& cpu, const Insn& in, const S& src) {
    decltype(Body{}(std::declval<SseEnv&>(), src)) result;
    if (!run_body<Body>(cpu, in, result, src)) return Status::Fault;
    set_gpr(cpu.state, in.reg[0], result);
    return Status::Next;
  }
  static Status rr(Cpu& cpu, const Insn& in) { return finish(cpu, in, source_reg<S>(cpu.state, in.reg[1])); }
  static Status rm(Cpu& cpu, const Insn& in) {
    S src;
    return load_vector(cpu, in, src) ? finish(cpu, in, src) : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<vwrite_gpr>(in.form); }
};

/// A body per lane: T Fn(T a, T b) or T Fn(T a).
template <class T, class Fn>
struct per_lane {
  template <class V>
  V operator()(V a, V b) const {
    return map_lanes<T>(a, b, Fn{});
  }
};
template <class T, class Fn>
struct per_lane1 {
  template <class V>
  V operator()(V a) const {
    return map_lanes<T>(a, Fn{});
  }
};

}  // namespace reprise::cpu
