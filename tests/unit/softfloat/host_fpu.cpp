#include "tests/unit/softfloat/host_fpu.h"

#include <csetjmp>
#include <csignal>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#include <ucontext.h>

namespace reprise::softfloat::test {
namespace {

sigjmp_buf g_after_fault;
volatile u32 g_fault_mxcsr;

void on_sigfpe(int, siginfo_t*, void* context) {
  g_fault_mxcsr = static_cast<ucontext_t*>(context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(g_after_fault, 1);
}

void set_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value) : "memory"); }
u32 get_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value) : : "memory");
  return value;
}

/// Runs `body` under the environment's MXCSR and catches #XM.
template <class Body>
SseResult under_mxcsr(const FpEnv& env, Body body) {
  SseResult result;
  const bool may_fault = (env.masks & kAllExceptions) != kAllExceptions;
  if (may_fault) {
    struct sigaction action = {};
    action.sa_sigaction = on_sigfpe;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGFPE, &action, nullptr);
    if (sigsetjmp(g_after_fault, 0) != 0) {
      set_mxcsr(0x1f80);
      result.flags = g_fault_mxcsr & kAllExceptions;
      result.faulted = true;
      return result;
    }
  }
  set_mxcsr(mxcsr_of(env));
  result.value = body();
  result.flags = get_mxcsr() & kAllExceptions;
  set_mxcsr(0x1f80);
  return result;
}

}  // namespace

u32 mxcsr_of(const FpEnv& env) {
  return ((env.masks & kAllExceptions) << 7) | (static_cast<u32>(env.rounding) << 13) |
         (env.ftz ? 0x8000u : 0) | (env.daz ? 0x40u : 0);
}

SseResult host_sse32(SseOp op, u32 a_bits, u32 b_bits, const FpEnv& env) {
  return under_mxcsr(env, [&]() -> u64 {
    float a, b;
    std::memcpy(&a, &a_bits, 4);
    std::memcpy(&b, &b_bits, 4);
    u64 rflags = 0;
    switch (op) {
      case SseOp::Add: asm volatile("addss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Sub: asm volatile("subss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Mul: asm volatile("mulss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Div: asm volatile("divss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Sqrt:
        asm volatile("sqrtss %1, %0" : "+x"(b) : "x"(a));
        a = b;
        break;
      case SseOp::Min: asm volatile("minss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Max: asm volatile("maxss %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Comi:
        asm volatile("comiss %2, %1; pushfq; popq %0" : "=r"(rflags) : "x"(a), "x"(b) : "cc");
        return rflags & 0x45;
      case SseOp::Ucomi:
        asm volatile("ucomiss %2, %1; pushfq; popq %0" : "=r"(rflags) : "x"(a), "x"(b) : "cc");
        return rflags & 0x45;
    }
    u32 out;
    std::memcpy(&out, &a, 4);
    return out;
  });
}

SseResult host_sse64(SseOp op, u64 a_bits, u64 b_bits, const FpEnv& env) {
  return under_mxcsr(env, [&]() -> u64 {
    double a, b;
    std::memcpy(&a, &a_bits, 8);
    std::memcpy(&b, &b_bits, 8);
    u64 rflags = 0;
    switch (op) {
      case SseOp::Add: asm volatile("addsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Sub: asm volatile("subsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Mul: asm volatile("mulsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Div: asm volatile("divsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Sqrt:
        asm volatile("sqrtsd %1, %0" : "+x"(b) : "x"(a));
        a = b;
        break;
      case SseOp::Min: asm volatile("minsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Max: asm volatile("maxsd %1, %0" : "+x"(a) : "x"(b)); break;
      case SseOp::Comi:
        asm volatile("comisd %2, %1; pushfq; popq %0" : "=r"(rflags) : "x"(a), "x"(b) : "cc");
        return rflags & 0x45;
      case SseOp::Ucomi:
        asm volatile("ucomisd %2, %1; pushfq; popq %0" : "=r"(rflags) : "x"(a), "x"(b) : "cc");
        return rflags & 0x45;
    }
    u64 out;
    std::memcpy(&out, &a, 8);
    return out;
  });
}

// The 231 forms: first operand is the addend, the product is second * third.
__attribute__((target("fma"))) SseResult host_fma32(FmaForm form, u32 a_bits, u32 b_bits, u32 c_bits,
                                                    const FpEnv& env) {
  return under_mxcsr(env, [&]() -> u64 {
    float a, b, c;
    std::memcpy(&a, &a_bits, 4);
    std::memcpy(&b, &b_bits, 4);
    std::memcpy(&c, &c_bits, 4);
    switch (form) {
      case FmaForm::Madd: asm volatile("vfmadd231ss %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Msub: asm volatile("vfmsub231ss %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Nmadd: asm volatile("vfnmadd231ss %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Nmsub: asm volatile("vfnmsub231ss %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
    }
    u32 out;
    std::memcpy(&out, &c, 4);
    return out;
  });
}

__attribute__((target("fma"))) SseResult host_fma64(FmaForm form, u64 a_bits, u64 b_bits, u64 c_bits,
                                                    const FpEnv& env) {
  return under_mxcsr(env, [&]() -> u64 {
    double a, b, c;
    std::memcpy(&a, &a_bits, 8);
    std::memcpy(&b, &b_bits, 8);
    std::memcpy(&c, &c_bits, 8);
    switch (form) {
      case FmaForm::Madd: asm volatile("vfmadd231sd %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Msub: asm volatile("vfmsub231sd %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Nmadd: asm volatile("vfnmadd231sd %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
      case FmaForm::Nmsub: asm volatile("vfnmsub231sd %2, %1, %0" : "+x"(c) : "x"(a), "x"(b)); break;
    }
    u64 out;
    std::memcpy(&out, &c, 8);
    return out;
  });
}

SseResult host_sse_convert(SseConversion conversion, u64 a, const FpEnv& env, bool suppress) {
  return under_mxcsr(env, [&]() -> u64 {
    double in;
    std::memcpy(&in, &a, 8);
    const u32 a32 = static_cast<u32>(a);
    double out = 0;
    u64 integer = 0;
    u32 integer32 = 0;
    switch (conversion) {
      case SseConversion::Ss2Sd: asm volatile("cvtss2sd %1, %0" : "+x"(out) : "x"(in)); break;
      case SseConversion::Sd2Ss: asm volatile("cvtsd2ss %1, %0" : "+x"(out) : "x"(in)); break;
      case SseConversion::Ss2Si32:
        asm volatile("cvtss2si %1, %0" : "=r"(integer32) : "x"(in));
        return static_cast<u64>(static_cast<i32>(integer32));
      case SseConversion::Ss2Si64: asm volatile("cvtss2si %1, %0" : "=r"(integer) : "x"(in)); return integer;
      case SseConversion::Tss2Si32:
        asm volatile("cvttss2si %1, %0" : "=r"(integer32) : "x"(in));
        return static_cast<u64>(static_cast<i32>(integer32));
      case SseConversion::Tss2Si64:
        asm volatile("cvttss2si %1, %0" : "=r"(integer) : "x"(in));
        return integer;
      case SseConversion::Sd2Si32:
        asm volatile("cvtsd2si %1, %0" : "=r"(integer32) : "x"(in));
        return static_cast<u64>(static_cast<i32>(integer32));
      case SseConversion::Sd2Si64: asm volatile("cvtsd2si %1, %0" : "=r"(integer) : "x"(in)); return integer;
      case SseConversion::Tsd2Si32:
        asm volatile("cvttsd2si %1, %0" : "=r"(integer32) : "x"(in));
        return static_cast<u64>(static_cast<i32>(integer32));
      case SseConversion::Tsd2Si64:
        asm volatile("cvttsd2si %1, %0" : "=r"(integer) : "x"(in));
        return integer;
      case SseConversion::Si32ToSs: asm volatile("cvtsi2ss %1, %0" : "+x"(out) : "r"(a32)); break;
      case SseConversion::Si64ToSs: asm volatile("cvtsi2ss %1, %0" : "+x"(out) : "r"(a)); break;
      case SseConversion::Si32ToSd: asm volatile("cvtsi2sd %1, %0" : "+x"(out) : "r"(a32)); break;
      case SseConversion::Si64ToSd: asm volatile("cvtsi2sd %1, %0" : "+x"(out) : "r"(a)); break;
      case SseConversion::Ph2Ps: asm volatile("vcvtph2ps %1, %0" : "=x"(out) : "x"(in)); break;
      case SseConversion::Ps2Ph: asm volatile("vcvtps2ph $4, %1, %0" : "=x"(out) : "x"(in)); break;
      case SseConversion::RoundSs:
        if (suppress)
          asm volatile("roundss $12, %1, %0" : "+x"(out) : "x"(in));
        else
          asm volatile("roundss $4, %1, %0" : "+x"(out) : "x"(in));
        break;
      case SseConversion::RoundSd:
        if (suppress)
          asm volatile("roundsd $12, %1, %0" : "+x"(out) : "x"(in));
        else
          asm volatile("roundsd $4, %1, %0" : "+x"(out) : "x"(in));
        break;
    }
    u64 bits;
    std::memcpy(&bits, &out, 8);
    switch (conversion) {
      case SseConversion::Ps2Ph: return bits & 0xffff;
      case SseConversion::Ss2Sd:
      case SseConversion::Si32ToSd:
      case SseConversion::Si64ToSd:
      case SseConversion::RoundSd: return bits;
      default: return bits & 0xffffffff;
    }
  });
}

u32 host_div_packed_flags(const u64 (&a)[2], const u64 (&b)[2], const FpEnv& env) {
  return under_mxcsr(env,
                     [&]() -> u64 {
                       __m128d x, y;
                       std::memcpy(&x, a, 16);
                       std::memcpy(&y, b, 16);
                       asm volatile("divpd %1, %0" : "+x"(x) : "x"(y));
                       return 0;
                     })
      .flags;
}

X87Result host_x87(X87Op op, Float80 a, Float80 b, const FpEnv& env, u64 memory, u16 memory_high) {
  struct [[gnu::packed]] Image {
    u16 control, pad0, status, pad1, tag, pad2;
    u32 fip, fcs, fdp, fds;
    u8 st[8][10];
  };
  struct [[gnu::packed]] Tbyte {
    u64 low;
    u16 high;
  };
  X87Result result;
  std::memset(result.memory, 0xa5, sizeof result.memory);
  const Tbyte ta{a.significand, a.sign_exponent};
  const Tbyte tb{b.significand, b.sign_exponent};
  struct alignas(16) {
    u64 low;
    u16 high;
  } source{memory, memory_high};
  Image image;
  const u16 control = static_cast<u16>((env.masks & 0x3f) | (static_cast<u16>(env.precision) << 8) |
                                       (static_cast<u16>(env.rounding) << 10) | 0x40);
  u8(&dest)[16] = result.memory;
  asm volatile("fninit; fldt %1; fldt %0; fldcw %2" : : "m"(ta), "m"(tb), "m"(control) : "memory");
  switch (op) {
    case X87Op::Add: asm volatile("fadd %st(1), %st"); break;
    case X87Op::Sub: asm volatile("fsub %st(1), %st"); break;
    case X87Op::Mul: asm volatile("fmul %st(1), %st"); break;
    case X87Op::Div: asm volatile("fdiv %st(1), %st"); break;
    case X87Op::Sqrt: asm volatile("fsqrt"); break;
    case X87Op::Prem: asm volatile("fprem"); break;
    case X87Op::Prem1: asm volatile("fprem1"); break;
    case X87Op::Rndint: asm volatile("frndint"); break;
    case X87Op::Scale: asm volatile("fscale"); break;
    case X87Op::Xtract: asm volatile("fxtract"); break;
    case X87Op::Com: asm volatile("fcom %st(1)"); break;
    case X87Op::Ucom: asm volatile("fucom %st(1)"); break;
    case X87Op::Tst: asm volatile("ftst"); break;
    case X87Op::F2xm1: asm volatile("f2xm1"); break;
    case X87Op::Yl2x: asm volatile("fyl2x"); break;
    case X87Op::Yl2xp1: asm volatile("fyl2xp1"); break;
    case X87Op::Patan: asm volatile("fpatan"); break;
    case X87Op::Sin: asm volatile("fsin"); break;
    case X87Op::Cos: asm volatile("fcos"); break;
    case X87Op::Sincos: asm volatile("fsincos"); break;
    case X87Op::Ptan: asm volatile("fptan"); break;
    case X87Op::AddM32: asm volatile("fadds %0" : : "m"(source) : "memory"); break;
    case X87Op::AddM64: asm volatile("faddl %0" : : "m"(source) : "memory"); break;
    case X87Op::DivM32: asm volatile("fdivs %0" : : "m"(source) : "memory"); break;
    case X87Op::DivM64: asm volatile("fdivl %0" : : "m"(source) : "memory"); break;
    case X87Op::DivrM32: asm volatile("fdivrs %0" : : "m"(source) : "memory"); break;
    case X87Op::ComM32: asm volatile("fcoms %0" : : "m"(source) : "memory"); break;
    case X87Op::LdM32: asm volatile("flds %0" : : "m"(source) : "memory"); break;
    case X87Op::LdM64: asm volatile("fldl %0" : : "m"(source) : "memory"); break;
    case X87Op::StM32: asm volatile("fsts %0" : "+m"(dest) : : "memory"); break;
    case X87Op::StM64: asm volatile("fstl %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Ild64: asm volatile("fildll %0" : : "m"(source) : "memory"); break;
    case X87Op::Ist16: asm volatile("fists %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Ist32: asm volatile("fistl %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Ist64: asm volatile("fistpll %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Istt16: asm volatile("fisttps %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Istt32: asm volatile("fisttpl %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Istt64: asm volatile("fisttpll %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Bld: asm volatile("fbld %0" : : "m"(source) : "memory"); break;
    case X87Op::Bstp: asm volatile("fbstp %0" : "+m"(dest) : : "memory"); break;
    case X87Op::Ld1: asm volatile("fld1"); break;
    case X87Op::Ldl2t: asm volatile("fldl2t"); break;
    case X87Op::Ldl2e: asm volatile("fldl2e"); break;
    case X87Op::Ldpi: asm volatile("fldpi"); break;
    case X87Op::Ldlg2: asm volatile("fldlg2"); break;
    case X87Op::Ldln2: asm volatile("fldln2"); break;
    case X87Op::Ldz: asm volatile("fldz"); break;
  }
  asm volatile("fnsave %0; fninit" : "=m"(image) : : "memory");
  result.status = image.status;
  result.flags = image.status & kAllExceptions;
  const auto load = [&](int index) {
    Float80 value;
    std::memcpy(&value.significand, image.st[index], 8);
    std::memcpy(&value.sign_exponent, image.st[index] + 8, 2);
    return value;
  };
  result.st0 = load(0);
  result.st1 = load(1);
  return result;
}

}  // namespace reprise::softfloat::test
#endif
