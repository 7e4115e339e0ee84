// Shuffling bodies against the host's instructions.
#include "cpu/sem/sse_mov_bodies.h"
#include "cpu/sem/sse_shuffle_bodies.h"
#include "tests/unit/cpu_vector/host_vector.h"

#if defined(__x86_64__)
namespace reprise::cpu {
namespace {

#define BOTH2(op, ...)                        \
  compare2<__VA_ARGS__, V128>(op, HOST2(op)); \
  compare2<__VA_ARGS__, V64>(op, MMX2(op))
#define XMM2(op, ...) compare2<__VA_ARGS__, V128>(op, HOST2(op))

TEST(VectorShuffle, UnpackPack) {
  BOTH2("punpcklbw", sem_unpack<u8, Half::Low>);
  BOTH2("punpcklwd", sem_unpack<u16, Half::Low>);
  BOTH2("punpckldq", sem_unpack<u32, Half::Low>);
  XMM2("punpcklqdq", sem_unpack<u64, Half::Low>);
  BOTH2("punpckhbw", sem_unpack<u8, Half::High>);
  BOTH2("punpckhwd", sem_unpack<u16, Half::High>);
  BOTH2("punpckhdq", sem_unpack<u32, Half::High>);
  XMM2("punpckhqdq", sem_unpack<u64, Half::High>);
  BOTH2("packsswb", sem_pack<i8, i16>);
  BOTH2("packssdw", sem_pack<i16, i32>);
  BOTH2("packuswb", sem_pack<u8, i16>);
  XMM2("packusdw", sem_pack<u16, i32>);
  BOTH2("pshufb", sem_pshufb);
}

TEST(VectorShuffle, Moves) {
  XMM2("movhlps", sem_movhlps);
  compare1<sem_movdup<0>, V128>("movsldup", HOST1("movsldup"));
  compare1<sem_movdup<1>, V128>("movshdup", HOST1("movshdup"));
  OperandSource source(3);
  for (int i = 0; i < kRounds; ++i) {
    const V128 a = source.vector<V128>(), b = source.vector<V128>();
    HostXmm low = to_host(a), twice;
    asm("movlhps %1, %0" : "+x"(low) : "x"(to_host(b)));
    ASSERT_EQ(sem_set_qword<1>{}(a, b.qword[0]), from_host(low));
    asm("movddup %1, %0" : "=x"(twice) : "x"(to_host(b)));
    ASSERT_EQ(sem_movddup{}(b.qword[0]), from_host(twice));
    u32 bytes, singles, doubles;
    asm("pmovmskb %3, %0\n movmskps %3, %1\n movmskpd %3, %2" : "=&r"(bytes), "=&r"(singles), "=r"(doubles) : "x"(to_host(a)));
    ASSERT_EQ(sem_movmsk<u8>{}(a), bytes);
    ASSERT_EQ(sem_movmsk<u32>{}(a), singles);
    ASSERT_EQ(sem_movmsk<u64>{}(a), doubles);
  }
}

TEST(VectorShuffle, ByImmediate) {
  IMM2("shufps", sem_shufps);
  IMM2("shufpd", sem_shufpd);
  IMM1("pshufd", sem_pshufd);
  IMM1("pshuflw", sem_pshufw<0>);
  IMM1("pshufhw", sem_pshufw<4>);
  IMM2("palignr", sem_palignr);
  IMM2("blendps", sem_blend<u32>);
  IMM2("blendpd", sem_blend<u64>);
  IMM2("pblendw", sem_blend<u16>);
}

TEST(VectorShuffle, MmxByImmediate) {
  const auto words = host_by_imm8<V64>([]<std::size_t Imm>(V64 a) {
    asm volatile("pshufw %1, %0, %%mm0\n movq %%mm0, %0\n emms" : "+m"(a) : "i"(Imm) : "mm0");
    return a;
  });
  const auto aligned = host_by_imm8<V64, V64>([]<std::size_t Imm>(V64 a, V64 b) {
    asm volatile("movq %0, %%mm0\n palignr %2, %1, %%mm0\n movq %%mm0, %0\n emms" : "+m"(a) : "m"(b), "i"(Imm) : "mm0");
    return a;
  });
  OperandSource source(2);
  for (unsigned i = 0; i < 256; ++i) {
    const V64 a = source.vector<V64>(), b = source.vector<V64>();
    const u8 imm = static_cast<u8>(i);
    ASSERT_EQ(sem_pshufw<0>{}(a, imm), words[imm](a)) << i;
    ASSERT_EQ(sem_palignr{}(a, b, imm), aligned[imm](a, b)) << i;
  }
}

#define HOST_INSERT(op, size)                                                    \
  host_by_imm8<V128, u64>([]<std::size_t Imm>(V128 a, u64 element) {             \
    HostXmm dst = to_host(a);                                                    \
    asm(op " %2, %" size "1, %0" : "+x"(dst) : "r"(element), "i"(Imm));          \
    return from_host(dst);                                                       \
  })
#define HOST_EXTRACT(op, size)                                                   \
  host_by_imm8<V128>([]<std::size_t Imm>(V128 a) {                               \
    u64 element;                                                                 \
    asm(op " %2, %1, %" size "0" : "=r"(element) : "x"(to_host(a)), "i"(Imm));   \
    return element;                                                              \
  })
template <class T, class Insert, class Extract>
void compare_element(const Insert& insert, const Extract& extract) {
  OperandSource source(4);
  for (unsigned i = 0; i < 256; ++i) {
    const V128 a = source.vector<V128>();
    const u64 element = source.qword();
    const u8 imm = static_cast<u8>(i);
    EXPECT_EQ(sem_insert<T>{}(a, static_cast<T>(element), imm), insert[imm](a, element)) << i;
    EXPECT_EQ(sem_extract<T>{}(a, imm), extract[imm](a)) << i;
  }
}
TEST(VectorShuffle, InsertExtract) {
  compare_element<u8>(HOST_INSERT("pinsrb", "k"), HOST_EXTRACT("pextrb", "k"));
  compare_element<u16>(HOST_INSERT("pinsrw", "k"), HOST_EXTRACT("pextrw", "k"));
  compare_element<u32>(HOST_INSERT("pinsrd", "k"), HOST_EXTRACT("pextrd", "k"));
  compare_element<u64>(HOST_INSERT("pinsrq", "q"), HOST_EXTRACT("pextrq", "q"));
  const auto host = HOST_IMM2("insertps");
  OperandSource source(6);
  for (unsigned i = 0; i < 256; ++i) {
    const V128 a = source.vector<V128>(), b = source.vector<V128>();
    EXPECT_EQ(sem_insertps{}(a, lane<u32>(b, i >> 6), static_cast<u8>(i)), host[i](a, b)) << i;
  }
}

template <class Body, class Host>
void compare_blendv(Host host) {
  OperandSource source(5);
  for (int i = 0; i < kRounds; ++i) {
    const V128 a = source.vector<V128>(), b = source.vector<V128>(), mask = source.vector<V128>();
    ASSERT_EQ(Body{}(a, b, mask), host(a, b, mask));
  }
}
#define BLENDV(op)                                                                         \
  [](V128 a, V128 b, V128 mask) {                                                          \
    HostXmm dst = to_host(a);                                                              \
    asm("movdqa %2, %%xmm0\n " op " %1, %0" : "+x"(dst) : "x"(to_host(b)), "x"(to_host(mask)) : "xmm0"); \
    return from_host(dst);                                                                 \
  }
TEST(VectorShuffle, BlendByMask) {
  compare_blendv<sem_blendv<u8>>(BLENDV("pblendvb"));
  compare_blendv<sem_blendv<u32>>(BLENDV("blendvps"));
  compare_blendv<sem_blendv<u64>>(BLENDV("blendvpd"));
}

template <class To, class From, class Host>
void compare_extend(const char* name, Host host) {
  OperandSource source(9);
  for (int i = 0; i < kRounds; ++i) {
    const V128 a = source.vector<V128>();
    using Source = typename sem_extend<To, From>::Source;
    ASSERT_EQ((sem_extend<To, From>{}(static_cast<Source>(a.qword[0]))), host(a)) << name;
  }
}
TEST(VectorShuffle, Extend) {
  compare_extend<u16, u8>("pmovzxbw", HOST1("pmovzxbw"));
  compare_extend<u32, u8>("pmovzxbd", HOST1("pmovzxbd"));
  compare_extend<u64, u8>("pmovzxbq", HOST1("pmovzxbq"));
  compare_extend<u32, u16>("pmovzxwd", HOST1("pmovzxwd"));
  compare_extend<u64, u16>("pmovzxwq", HOST1("pmovzxwq"));
  compare_extend<u64, u32>("pmovzxdq", HOST1("pmovzxdq"));
  compare_extend<i16, i8>("pmovsxbw", HOST1("pmovsxbw"));
  compare_extend<i32, i8>("pmovsxbd", HOST1("pmovsxbd"));
  compare_extend<i64, i8>("pmovsxbq", HOST1("pmovsxbq"));
  compare_extend<i32, i16>("pmovsxwd", HOST1("pmovsxwd"));
  compare_extend<i64, i16>("pmovsxwq", HOST1("pmovsxwq"));
  compare_extend<i64, i32>("pmovsxdq", HOST1("pmovsxdq"));
}

}  // namespace
}  // namespace reprise::cpu
#endif
