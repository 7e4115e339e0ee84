// Integer bodies against the host's instructions.
#include "cpu/sem/sse_int_bodies.h"
#include "tests/unit/cpu_vector/host_insn.h"

#if defined(__x86_64__)
namespace reprise::cpu {
namespace {

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
  XMM1("phminposuw", sem_phminposuw);
  XMM2_IMM("mpsadbw", sem_mpsadbw);
}

TEST(VectorInt, Ptest) {
  compare({"ptest", CODE("ptest %%xmm1, %%xmm0"),
           [](VectorState& s) { s.status_flags = sem_ptest{}(s.xmm0, s.xmm1) & kRflagsStatus; }});
}

/// Counts in range, just beyond, and with only high bits set.
template <class Body, class V>
void model_shift(VectorState& state) {
  set_result(state, Body{}(source_of<V>(state, true), source_of<V>(state, false).qword[0]));
}
template <class Body>
void model_shift_imm(VectorState& state) {
  set_result(state, Body{}(source_of<V128>(state, true), u64{state.imm}));
}
#define SHIFT(op, ...)                                                       \
  compare({op, CODE(op " %%xmm1, %%xmm0"), model_shift<__VA_ARGS__, V128>}); \
  compare({op, CODE(op " %%mm1, %%mm0"), model_shift<__VA_ARGS__, V64>});    \
  SHIFT_IMM(op, __VA_ARGS__)
#define SHIFT_IMM(op, ...) \
  compare({op, CODE(op " $0x7f, %%xmm0"), model_shift_imm<__VA_ARGS__>, Operands::Integer, true})

TEST(VectorInt, Shifts) {
  SHIFT("psllw", sem_psll<u16>);
  SHIFT("pslld", sem_psll<u32>);
  SHIFT("psllq", sem_psll<u64>);
  SHIFT("psrlw", sem_psrl<u16>);
  SHIFT("psrld", sem_psrl<u32>);
  SHIFT("psrlq", sem_psrl<u64>);
  SHIFT("psraw", sem_psra<u16>);
  SHIFT("psrad", sem_psra<u32>);
  SHIFT_IMM("pslldq", sem_pslldq);
  SHIFT_IMM("psrldq", sem_psrldq);
}

}  // namespace
}  // namespace reprise::cpu
#endif
