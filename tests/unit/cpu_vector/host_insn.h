// Runs one vector instruction on an x86-64 host, as the reference for a body. The instruction works on xmm1 or mm1
// (source) and xmm0, mm0 or rax (destination); an imm8, its last byte, is patched at run time.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <span>

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

/// What one instruction sees and leaves. Unused parts stay equal.
struct VectorState {
  V128 xmm0{}, xmm1{};
  V64 mm0{}, mm1{};
  u64 rax = 0, rcx = 0, rdx = 0;
  std::optional<u64> status_flags;  // unless the instruction leaves them alone
  u32 mxcsr = 0x1f80;
  bool fault = false;  // #XM; the destination is not compared then
  u8 imm = 0;          // input only
  friend bool operator==(const VectorState&, const VectorState&) = default;
};
std::ostream& operator<<(std::ostream& out, const VectorState& state);

/// Machine code of the instruction under test.
using Code = std::span<const u8>;

#if defined(__x86_64__)
/// The bytes of an instruction, from its AT&T text; immediates are written $0x7f.
#define CODE(text)                                                                                 \
  [] {                                                                                             \
    const u8 *begin, *end;                                                                         \
    asm("jmp 2f\n1: " text "\n2: lea 1b(%%rip), %0\n lea 2b(%%rip), %1" : "=r"(begin), "=r"(end)); \
    return Code(begin, end);                                                                       \
  }()
#endif

/// True when instructions can be run here at all.
bool host_can_run();
/// Runs `code` on `state`, with state.imm as its last byte if `patch_imm`.
VectorState run_on_host(Code code, const VectorState& state, bool patch_imm);

enum class Operands : u8 { Integer, Single, Double };

/// One comparison: `model` does to a state what the instruction should do.
struct Comparison {
  const char* name;
  Code code;
  std::function<void(VectorState&)> model;
  Operands operands = Operands::Integer;
  bool imm = false;
  bool unmask = false;  // leave some exceptions unmasked
  int rounds = 4000;
};
/// Runs it over edge and random operands; the first difference fails the test.
void compare(const Comparison& comparison);

/// The environment of `state` for a body, and its end: flags, or a fault that keeps everything else.
template <class Fn>
void with_env(VectorState& state, Fn fn) {
  const VectorState before = state;
  SseEnv env = sse_env(state.mxcsr);
  fn(env);
  if (env.unmasked() != 0) {
    state = before;
    state.fault = true;
  }
  state.mxcsr |= sticky_exceptions(env);
}

/// Registers of a state by the types bodies use.
template <class T>
T source_of(const VectorState& state, bool destination) {
  const V128& wide = destination ? state.xmm0 : state.xmm1;
  if constexpr (std::is_same_v<T, V128>) {
    return wide;
  } else if constexpr (std::is_same_v<T, V64>) {
    return destination ? state.mm0 : state.mm1;
  } else {
    return static_cast<T>(wide.qword[0]);
  }
}
template <class R>
void set_result(VectorState& state, const R& result) {
  if constexpr (std::is_same_v<R, V128>) {
    state.xmm0 = result;
  } else if constexpr (std::is_same_v<R, V64>) {
    state.mm0 = result;
  } else {
    state.rax = result;
  }
}

/// V Body([env,] V dst, S src [, imm]) as a model.
template <class Body, class V, class S = V>
void model2(VectorState& state) {
  const V dst = source_of<V>(state, true);
  const S src = source_of<S>(state, false);
  if constexpr (std::is_invocable_v<Body, SseEnv&, V, S, u8>) {
    with_env(state, [&](SseEnv& env) { set_result(state, Body{}(env, dst, src, state.imm)); });
  } else if constexpr (std::is_invocable_v<Body, SseEnv&, V, S>) {
    with_env(state, [&](SseEnv& env) { set_result(state, Body{}(env, dst, src)); });
  } else if constexpr (std::is_invocable_v<Body, V, S, u8>) {
    set_result(state, Body{}(dst, src, state.imm));
  } else {
    set_result(state, Body{}(dst, src));
  }
}
/// R Body([env,] S src [, imm]).
template <class Body, class S>
void model1(VectorState& state) {
  const S src = source_of<S>(state, false);
  if constexpr (std::is_invocable_v<Body, SseEnv&, S, u8>) {
    with_env(state, [&](SseEnv& env) { set_result(state, Body{}(env, src, state.imm)); });
  } else if constexpr (std::is_invocable_v<Body, SseEnv&, S>) {
    with_env(state, [&](SseEnv& env) { set_result(state, Body{}(env, src)); });
  } else if constexpr (std::is_invocable_v<Body, S, u8>) {
    set_result(state, Body{}(src, state.imm));
  } else {
    set_result(state, Body{}(src));
  }
}

// Rows: name and AT&T operands, body.
#define XMM2(op, ...) compare({op, CODE(op " %%xmm1, %%xmm0"), model2<__VA_ARGS__, V128>})
#define MMX2(op, ...) compare({op, CODE(op " %%mm1, %%mm0"), model2<__VA_ARGS__, V64>})
#define XMM1(op, ...) compare({op, CODE(op " %%xmm1, %%xmm0"), model1<__VA_ARGS__, V128>})
#define MMX1(op, ...) compare({op, CODE(op " %%mm1, %%mm0"), model1<__VA_ARGS__, V64>})
#define XMM2_IMM(op, ...)                                                                                    \
  compare({op, CODE(op " $0x7f, %%xmm1, %%xmm0"), model2<__VA_ARGS__, V128>, Operands::Integer, true, false, \
           256 * 32})
#define XMM1_IMM(op, ...)                                                                                    \
  compare({op, CODE(op " $0x7f, %%xmm1, %%xmm0"), model1<__VA_ARGS__, V128>, Operands::Integer, true, false, \
           256 * 32})
#define BOTH2(op, ...)   \
  XMM2(op, __VA_ARGS__); \
  MMX2(op, __VA_ARGS__)
#define BOTH1(op, ...)   \
  XMM1(op, __VA_ARGS__); \
  MMX1(op, __VA_ARGS__)

}  // namespace reprise::cpu
