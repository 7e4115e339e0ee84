// Moving, shuffling, text comparison and AES bodies against the host's instructions.
#include "cpu/sem/crypto_bodies.h"
#include "cpu/sem/sse_mov_bodies.h"
#include "cpu/sem/sse_shuffle_bodies.h"
#include "cpu/sem/sse_string_bodies.h"
#include "tests/unit/cpu_vector/host_insn.h"

#if defined(__x86_64__)
namespace reprise::cpu {
namespace {

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
  XMM1("movsldup", sem_movdup<0>);
  XMM1("movshdup", sem_movdup<1>);
  compare({"movlhps", CODE("movlhps %%xmm1, %%xmm0"), model2<sem_set_qword<1>, V128, u64>});
  compare({"movddup", CODE("movddup %%xmm1, %%xmm0"), model1<sem_movddup, u64>});
  compare({"movmskps", CODE("movmskps %%xmm1, %%eax"), model1<sem_movmsk<u32>, V128>});
  compare({"movmskpd", CODE("movmskpd %%xmm1, %%eax"), model1<sem_movmsk<u64>, V128>});
  compare({"pmovmskb", CODE("pmovmskb %%xmm1, %%eax"), model1<sem_movmsk<u8>, V128>});
  compare({"pmovmskb", CODE("pmovmskb %%mm1, %%eax"), model1<sem_movmsk<u8>, V64>});
  compare({"movq2dq", CODE("movq2dq %%mm1, %%xmm0"), model1<sem_movq2dq, V64>});
  compare({"movdq2q", CODE("movdq2q %%xmm1, %%mm0"), model1<sem_movdq2q, u64>});
}

TEST(VectorShuffle, ByImmediate) {
  XMM2_IMM("shufps", sem_shufps);
  XMM2_IMM("shufpd", sem_shufpd);
  XMM1_IMM("pshufd", sem_pshufd);
  XMM1_IMM("pshuflw", sem_pshufw<0>);
  XMM1_IMM("pshufhw", sem_pshufw<4>);
  XMM2_IMM("palignr", sem_palignr);
  XMM2_IMM("blendps", sem_blend<u32>);
  XMM2_IMM("blendpd", sem_blend<u64>);
  XMM2_IMM("pblendw", sem_blend<u16>);
  compare(
      {"pshufw", CODE("pshufw $0x7f, %%mm1, %%mm0"), model1<sem_pshufw<0>, V64>, Operands::Integer, true});
  compare(
      {"palignr", CODE("palignr $0x7f, %%mm1, %%mm0"), model2<sem_palignr, V64>, Operands::Integer, true});
}

template <class T>
void model_insert(VectorState& state) {
  state.xmm0 = sem_insert<T>{}(state.xmm0, static_cast<T>(state.rax), state.imm);
}
#define INSERT(op, reg, T) \
  compare({op, CODE(op " $0x7f, %%" reg ", %%xmm0"), model_insert<T>, Operands::Integer, true})
#define EXTRACT(op, reg, T) \
  compare({op, CODE(op " $0x7f, %%xmm1, %%" reg), model1<sem_extract<T>, V128>, Operands::Integer, true})
TEST(VectorShuffle, InsertExtract) {
  INSERT("pinsrb", "eax", u8);
  INSERT("pinsrw", "eax", u16);
  INSERT("pinsrd", "eax", u32);
  INSERT("pinsrq", "rax", u64);
  EXTRACT("pextrb", "eax", u8);
  EXTRACT("pextrw", "eax", u16);
  EXTRACT("pextrd", "eax", u32);
  EXTRACT("pextrq", "rax", u64);
  compare({"insertps", CODE("insertps $0x7f, %%xmm1, %%xmm0"),
           [](VectorState& s) { s.xmm0 = sem_insertps{}(s.xmm0, lane<u32>(s.xmm1, s.imm >> 6), s.imm); },
           Operands::Integer, true});
}

/// The mask is XMM0, so the destination is XMM1 here; it is moved where the harness looks.
template <class Body>
void model_blendv(VectorState& state) {
  state.xmm0 = Body{}(state.xmm1, state.xmm0, state.xmm0);
}
#define BLENDV(op, ...) \
  compare({op, CODE(op " %%xmm0, %%xmm0, %%xmm1\n movdqa %%xmm1, %%xmm0"), model_blendv<__VA_ARGS__>})
TEST(VectorShuffle, BlendByMask) {
  BLENDV("pblendvb", sem_blendv<u8>);
  BLENDV("blendvps", sem_blendv<u32>);
  BLENDV("blendvpd", sem_blendv<u64>);
}

#define EXTEND(op, ...) \
  compare({op, CODE(op " %%xmm1, %%xmm0"), model1<sem_extend<__VA_ARGS__>, sem_extend<__VA_ARGS__>::Source>})
TEST(VectorShuffle, Extend) {
  EXTEND("pmovzxbw", u16, u8);
  EXTEND("pmovzxbd", u32, u8);
  EXTEND("pmovzxbq", u64, u8);
  EXTEND("pmovzxwd", u32, u16);
  EXTEND("pmovzxwq", u64, u16);
  EXTEND("pmovzxdq", u64, u32);
  EXTEND("pmovsxbw", i16, i8);
  EXTEND("pmovsxbd", i32, i8);
  EXTEND("pmovsxbq", i64, i8);
  EXTEND("pmovsxwd", i32, i16);
  EXTEND("pmovsxwq", i64, i16);
  EXTEND("pmovsxdq", i64, i32);
}

TEST(VectorCrypto, Aes) {
  if (!__builtin_cpu_supports("aes")) GTEST_SKIP() << "no AES";
  XMM2("aesenc", sem_aesenc);
  XMM2("aesenclast", sem_aesenclast);
  XMM2("aesdec", sem_aesdec);
  XMM2("aesdeclast", sem_aesdeclast);
  XMM1("aesimc", sem_aesimc);
  XMM1_IMM("aeskeygenassist", sem_aeskeygenassist);
}
TEST(VectorCrypto, Pclmulqdq) { XMM2_IMM("pclmulqdq", sem_pclmulqdq); }

/// Lengths in rax and rdx: small, negative, huge, all from the operand source.
template <bool Explicit, bool Index, bool Wide>
void model_string(VectorState& state) {
  const StringControl control{state.imm};
  const auto length = [&](const V128& text, u64 reg) {
    if constexpr (!Explicit) return implicit_length(control, text);
    return explicit_length(control, Wide ? static_cast<i64>(reg) : static_cast<i32>(reg));
  };
  const auto compared = compare_strings(control, state.xmm0, length(state.xmm0, state.rax), state.xmm1,
                                        length(state.xmm1, state.rdx));
  state.status_flags = compared.status_flags;
  if constexpr (Index) {
    state.rcx = string_index(control, compared.result);
  } else {
    state.xmm0 = string_mask(control, compared.result);
  }
}
/// Lengths are mostly short ones.
#define STRING(op, ...)                                                                             \
  compare({op,                                                                                      \
           CODE("andb $0x1f, %%al\n movsbl %%al, %%eax\n movsbl %%dl, %%edx\n sarl $2, %%edx\n " op \
                " $0x7f, %%xmm1, %%xmm0"),                                                          \
           [](VectorState& s) {                                                                     \
             s.rax = s.rax & 0x1f;                                                                  \
             s.rdx = static_cast<u32>(static_cast<i8>(s.rdx) >> 2);                                 \
             model_string<__VA_ARGS__>(s);                                                          \
           },                                                                                       \
           Operands::Integer, true, false, 256 * 100})
TEST(VectorString, Compare) {
  STRING("pcmpestri", true, true, false);
  STRING("pcmpestrm", true, false, false);
  STRING("pcmpistri", false, true, false);
  STRING("pcmpistrm", false, false, false);
}
TEST(VectorString, LengthsOfAnyValue) {
  compare({"pcmpestri", CODE("pcmpestri $0x7f, %%xmm1, %%xmm0"), model_string<true, true, false>,
           Operands::Integer, true});
  compare({"pcmpestriq", CODE(".byte 0x66, 0x48, 0x0f, 0x3a, 0x61, 0xc1, 0x7f"),
           model_string<true, true, true>, Operands::Integer, true});
}

}  // namespace
}  // namespace reprise::cpu
#endif
