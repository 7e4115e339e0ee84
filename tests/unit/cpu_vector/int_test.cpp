// Integer bodies against the host's instructions.
#include "cpu/sem/crypto_bodies.h"
#include "cpu/sem/sse_int_bodies.h"
#include "tests/unit/cpu_vector/host_vector.h"

#if defined(__x86_64__)
namespace reprise::cpu {
namespace {

#define BOTH2(op, ...)                              \
  compare2<__VA_ARGS__, V128>(op, HOST2(op));       \
  compare2<__VA_ARGS__, V64>(op, MMX2(op))
#define BOTH1(op, ...)                              \
  compare1<__VA_ARGS__, V128>(op, HOST1(op));       \
  compare1<__VA_ARGS__, V64>(op, MMX1(op))
#define XMM2(op, ...) compare2<__VA_ARGS__, V128>(op, HOST2(op))

TEST(VectorInt, AddSubtract) {
  BOTH2("paddb", sem_padd<u8>);
  BOTH2("paddw", sem_padd<u16>);
  BOTH2("paddd", sem_padd<u32>);
  BOTH2("paddq", sem_padd<u64>);
  BOTH2("paddsb", sem_padds<i8>);
  BOTH2("paddsw", sem_padds<i16>);
  BOTH2("paddusb", sem_padds<u8>);
  BOTH2("paddusw", sem_padds<u16>);
  BOTH2("psubb", sem_psub<u8>);
  BOTH2("psubw", sem_psub<u16>);
  BOTH2("psubd", sem_psub<u32>);
  BOTH2("psubq", sem_psub<u64>);
  BOTH2("psubsb", sem_psubs<i8>);
  BOTH2("psubsw", sem_psubs<i16>);
  BOTH2("psubusb", sem_psubs<u8>);
  BOTH2("psubusw", sem_psubs<u16>);
}

TEST(VectorInt, CompareMinMaxAverage) {
  BOTH2("pavgb", sem_pavg<u8>);
  BOTH2("pavgw", sem_pavg<u16>);
  BOTH2("pminub", sem_pmin<u8>);
  BOTH2("pminsw", sem_pmin<i16>);
  XMM2("pminsb", sem_pmin<i8>);
  XMM2("pminuw", sem_pmin<u16>);
  XMM2("pminsd", sem_pmin<i32>);
  XMM2("pminud", sem_pmin<u32>);
  BOTH2("pmaxub", sem_pmax<u8>);
  BOTH2("pmaxsw", sem_pmax<i16>);
  XMM2("pmaxsb", sem_pmax<i8>);
  XMM2("pmaxuw", sem_pmax<u16>);
  XMM2("pmaxsd", sem_pmax<i32>);
  XMM2("pmaxud", sem_pmax<u32>);
  BOTH2("pcmpeqb", sem_pcmpeq<u8>);
  BOTH2("pcmpeqw", sem_pcmpeq<u16>);
  BOTH2("pcmpeqd", sem_pcmpeq<u32>);
  XMM2("pcmpeqq", sem_pcmpeq<u64>);
  BOTH2("pcmpgtb", sem_pcmpgt<i8>);
  BOTH2("pcmpgtw", sem_pcmpgt<i16>);
  BOTH2("pcmpgtd", sem_pcmpgt<i32>);
  XMM2("pcmpgtq", sem_pcmpgt<i64>);
}

TEST(VectorInt, Logic) {
  BOTH2("pand", sem_pand);
  BOTH2("pandn", sem_pandn);
  BOTH2("por", sem_por);
  BOTH2("pxor", sem_pxor);
}

TEST(VectorInt, SignsAndProducts) {
  BOTH1("pabsb", sem_pabs<i8>);
  BOTH1("pabsw", sem_pabs<i16>);
  BOTH1("pabsd", sem_pabs<i32>);
  BOTH2("psignb", sem_psign<i8>);
  BOTH2("psignw", sem_psign<i16>);
  BOTH2("psignd", sem_psign<i32>);
  BOTH2("pmullw", sem_pmull<i16>);
  XMM2("pmulld", sem_pmull<u32>);
  BOTH2("pmulhw", sem_pmulh<i16>);
  BOTH2("pmulhuw", sem_pmulh<u16>);
  BOTH2("pmulhrsw", sem_pmulhrsw);
  BOTH2("pmuludq", sem_pmuludq);
  XMM2("pmuldq", sem_pmuldq);
  BOTH2("pmaddwd", sem_pmaddwd);
  BOTH2("pmaddubsw", sem_pmaddubsw);
  BOTH2("psadbw", sem_psadbw);
}

TEST(VectorInt, Horizontal) {
  BOTH2("phaddw", sem_horizontal<i16, wrap_add>);
  BOTH2("phaddd", sem_horizontal<u32, wrap_add>);
  BOTH2("phaddsw", sem_horizontal<i16, saturating_add>);
  BOTH2("phsubw", sem_horizontal<i16, wrap_sub>);
  BOTH2("phsubd", sem_horizontal<u32, wrap_sub>);
  BOTH2("phsubsw", sem_horizontal<i16, saturating_sub>);
  compare1<sem_phminposuw, V128>("phminposuw", HOST1("phminposuw"));
}

TEST(VectorInt, Mpsadbw) { IMM2("mpsadbw", sem_mpsadbw); }
TEST(VectorCrypto, Pclmulqdq) { IMM2("pclmulqdq", sem_pclmulqdq); }

TEST(VectorInt, Ptest) {
  OperandSource source(1);
  for (int i = 0; i < kRounds; ++i) {
    const V128 a = source.vector<V128>(), b = source.vector<V128>();
    u64 rflags;
    asm("ptest %2, %1\n pushfq\n popq %0" : "=r"(rflags) : "x"(to_host(a)), "x"(to_host(b)) : "cc");
    ASSERT_EQ(sem_ptest{}(a, b), rflags & kRflagsStatus);
  }
}

template <class Body, class V, class Host>
void compare_shift(const char* name, Host host) {
  OperandSource source(7);
  for (u64 count = 0; count < 140; ++count) {
    const u64 wide = count < 130 ? count : u64{1} << (count - 130 + 31);
    const V a = source.vector<V>();
    V b{};
    b.qword[0] = wide;
    if (sizeof(V) == 16) b.qword[sizeof(V) / 8 - 1] |= sizeof(V) == 16 ? source.qword() : 0;
    ASSERT_EQ(Body{}(a, wide), host(a, b)) << name << ' ' << wide;
  }
}
#define SHIFT(op, ...)                                   \
  compare_shift<__VA_ARGS__, V128>(op, HOST2(op));       \
  compare_shift<__VA_ARGS__, V64>(op, MMX2(op))

TEST(VectorInt, Shifts) {
  SHIFT("psllw", sem_psll<u16>);
  SHIFT("pslld", sem_psll<u32>);
  SHIFT("psllq", sem_psll<u64>);
  SHIFT("psrlw", sem_psrl<u16>);
  SHIFT("psrld", sem_psrl<u32>);
  SHIFT("psrlq", sem_psrl<u64>);
  SHIFT("psraw", sem_psra<u16>);
  SHIFT("psrad", sem_psra<u32>);
}

TEST(VectorInt, ByteShifts) {
  const auto left = host_by_imm8<V128>([]<std::size_t Imm>(V128 a) {
    HostXmm dst = to_host(a);
    asm("pslldq %1, %0" : "+x"(dst) : "i"(Imm));
    return from_host(dst);
  });
  const auto right = host_by_imm8<V128>([]<std::size_t Imm>(V128 a) {
    HostXmm dst = to_host(a);
    asm("psrldq %1, %0" : "+x"(dst) : "i"(Imm));
    return from_host(dst);
  });
  OperandSource source(11);
  for (unsigned imm = 0; imm < 256; ++imm) {
    const V128 a = source.vector<V128>();
    ASSERT_EQ(sem_pslldq{}(a, imm), left[imm](a)) << imm;
    ASSERT_EQ(sem_psrldq{}(a, imm), right[imm](a)) << imm;
  }
}

TEST(VectorCrypto, Aes) {
  XMM2("aesenc", sem_aesenc);
  XMM2("aesenclast", sem_aesenclast);
  XMM2("aesdec", sem_aesdec);
  XMM2("aesdeclast", sem_aesdeclast);
  compare1<sem_aesimc, V128>("aesimc", HOST1("aesimc"));
  IMM1("aeskeygenassist", sem_aeskeygenassist);
}

}  // namespace
}  // namespace reprise::cpu
#endif
