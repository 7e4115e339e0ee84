// Runs single vector instructions on an x86-64 host, as the reference for the bodies, over edge and random operands.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <utility>

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

inline void PrintTo(const V128& value, std::ostream* out) {
  char text[40];
  std::snprintf(text, sizeof text, "%016llx:%016llx", static_cast<unsigned long long>(value.qword[1]),
                static_cast<unsigned long long>(value.qword[0]));
  *out << text;
}
inline void PrintTo(const V64& value, std::ostream* out) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value.qword[0]));
  *out << text;
}

/// Operands: lanes of every width are often edge values, often equal in both operands.
class OperandSource {
 public:
  explicit OperandSource(u64 seed) : random_(seed) {}
  u64 qword() {
    static constexpr u64 kEdges[] = {0, ~u64{0}, 0x8000000000000000, 0x7fffffffffffffff, 0x8000800080008000,
                                     0x7fff7fff7fff7fff, 0x8080808080808080, 0x7f7f7f7f7f7f7f7f, 0x8000000080000000,
                                     0x7fffffff7fffffff, 0x0101010101010101, 0x00ff00ff00ff00ff, 1, 0x0001000100010001};
    const u64 choice = random_() % 4;
    if (choice == 0) return kEdges[random_() % std::size(kEdges)];
    if (choice == 1) return random_() & random_() & random_();
    return random_();
  }
  template <class V>
  V vector() {
    V value;
    for (u64& part : value.qword) part = qword();
    if (random_() % 8 == 0) value = last<V>();
    last<V>() = value;
    return value;
  }

 private:
  template <class V>
  V& last() {
    if constexpr (sizeof(V) == 8) return last64_;
    else return last128_;
  }
  std::mt19937_64 random_;
  V64 last64_{};
  V128 last128_{};
};

inline constexpr int kRounds = 4000;

#if defined(__x86_64__)
using HostXmm = long long __attribute__((vector_size(16)));
using HostMmx = long long __attribute__((vector_size(8)));
inline HostXmm to_host(const V128& value) { return std::bit_cast<HostXmm>(value); }
inline V128 from_host(HostXmm value) { return std::bit_cast<V128>(value); }

/// `host(dst, src)` against Body, on V.
template <class Body, class V, class Host>
void compare2(const char* name, Host host) {
  OperandSource source(0x5eed);
  for (int i = 0; i < kRounds; ++i) {
    const V a = source.vector<V>(), b = source.vector<V>();
    ASSERT_EQ(Body{}(a, b), host(a, b)) << name << ' ' << ::testing::PrintToString(a) << ' ' << ::testing::PrintToString(b);
  }
}
template <class Body, class V, class Host>
void compare1(const char* name, Host host) {
  OperandSource source(0x5eed);
  for (int i = 0; i < kRounds; ++i) {
    const V a = source.vector<V>();
    ASSERT_EQ(Body{}(a), host(a)) << name << ' ' << ::testing::PrintToString(a);
  }
}

// The instruction as a function of values. MMX: the unit is left empty again.
#define HOST2(op)                                                      \
  [](V128 a, V128 b) {                                                 \
    HostXmm dst = to_host(a);                                          \
    asm(op " %1, %0" : "+x"(dst) : "x"(to_host(b)));                   \
    return from_host(dst);                                             \
  }
#define HOST1(op)                                                      \
  [](V128 a) {                                                         \
    HostXmm dst;                                                       \
    asm(op " %1, %0" : "=x"(dst) : "x"(to_host(a)));                   \
    return from_host(dst);                                             \
  }
#define MMX2(op)                                                       \
  [](V64 a, V64 b) {                                                   \
    asm volatile("movq %0, %%mm0\n movq %1, %%mm1\n " op               \
                 " %%mm1, %%mm0\n movq %%mm0, %0\n emms"               \
                 : "+m"(a) : "m"(b) : "mm0", "mm1");                   \
    return a;                                                          \
  }
#define MMX1(op)                                                       \
  [](V64 a) {                                                          \
    asm volatile("movq %0, %%mm1\n " op                                \
                 " %%mm1, %%mm0\n movq %%mm0, %0\n emms"               \
                 : "+m"(a) : : "mm0", "mm1");                          \
    return a;                                                          \
  }

/// host[imm](operands...) for all 256 immediates, which must be constants for the host: Fn is a lambda template
/// over the immediate.
template <class... Args, class Fn>
auto host_by_imm8(Fn) {
  using R = decltype(Fn{}.template operator()<0>(std::declval<Args>()...));
  std::array<R (*)(Args...), 256> table;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((table[I] = [](Args... args) { return Fn{}.template operator()<I>(args...); }), ...);
  }(std::make_index_sequence<256>{});
  return table;
}
#define HOST_IMM2(op)                                                    \
  host_by_imm8<V128, V128>([]<std::size_t Imm>(V128 a, V128 b) {         \
    HostXmm dst = to_host(a);                                            \
    asm(op " %2, %1, %0" : "+x"(dst) : "x"(to_host(b)), "i"(Imm));       \
    return from_host(dst);                                               \
  })
#define HOST_IMM1(op)                                                    \
  host_by_imm8<V128>([]<std::size_t Imm>(V128 a) {                       \
    HostXmm dst;                                                         \
    asm(op " %2, %1, %0" : "=x"(dst) : "x"(to_host(a)), "i"(Imm));       \
    return from_host(dst);                                               \
  })

template <class Body, class Table>
void compare_imm2(const char* name, const Table& host) {
  OperandSource source(0x1111);
  for (int i = 0; i < 256 * 40; ++i) {
    const V128 a = source.vector<V128>(), b = source.vector<V128>();
    const u8 imm = static_cast<u8>(i);
    ASSERT_EQ(Body{}(a, b, imm), host[imm](a, b)) << name << " imm " << int{imm};
  }
}
template <class Body, class Table>
void compare_imm1(const char* name, const Table& host) {
  OperandSource source(0x1112);
  for (int i = 0; i < 256 * 40; ++i) {
    const V128 a = source.vector<V128>();
    const u8 imm = static_cast<u8>(i);
    ASSERT_EQ(Body{}(a, imm), host[imm](a)) << name << " imm " << int{imm};
  }
}
#define IMM2(op, ...) compare_imm2<__VA_ARGS__>(op, HOST_IMM2(op))
#define IMM1(op, ...) compare_imm1<__VA_ARGS__>(op, HOST_IMM1(op))
#endif

}  // namespace reprise::cpu
