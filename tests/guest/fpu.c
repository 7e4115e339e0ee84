// x87, MMX and SSE state as an operating system sees it: #NM and #UD by CR0 and CR4, #MF, #XM, MXCSR, the FXSAVE and
// XSAVE images. SDM 1 chapters 8, 10, 13; SDM 3A 2.5, 13.
#include "runtime/guest.h"

static u8 area[4096] __attribute__((aligned(64)));
static u8 other[4096] __attribute__((aligned(64)));
static u32 vector_a[4] __attribute__((aligned(16))) = {0x3f800000, 0x40000000, 0x40400000, 0x40800000};
static u32 vector_b[4] __attribute__((aligned(16)));

static u16 read16(const u8* at) { return (u16)(at[0] | at[1] << 8); }
static u32 read32(const u8* at) {
  u32 v;
  memcpy(&v, at, 4);
  return v;
}
static u64 read64(const u8* at) {
  u64 v;
  memcpy(&v, at, 8);
  return v;
}
static void set_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value)); }
static u32 get_mxcsr(void) {
  u32 v;
  asm volatile("stmxcsr %0" : "=m"(v));
  return v;
}
static u16 get_fsw(void) {
  u16 v;
  asm volatile("fnstsw %0" : "=a"(v));
  return v;
}
static u16 get_fcw(void) {
  u16 v;
  asm volatile("fnstcw %0" : "=m"(v));
  return v;
}
static void set_fcw(u16 v) { asm volatile("fldcw %0" : : "m"(v)); }

static void test_task_switched(void) {
  write_cr0(read_cr0() | kCr0Ts);
  check_trap(CATCH(asm volatile("fld1")), kNM, 0, "x87 with TS: #NM");
  check_trap(CATCH(asm volatile("movaps %xmm0, %xmm1")), kNM, 0, "SSE with TS: #NM");
  check_trap(CATCH(asm volatile("pxor %mm0, %mm0")), kNM, 0, "MMX with TS: #NM");
  check_trap(CATCH(asm volatile("fxsave %0" : "=m"(area))), kNM, 0, "FXSAVE with TS: #NM");
  check_trap(CATCH(asm volatile("ldmxcsr %0" : : "m"(*(u32*)area))), kNM, 0, "LDMXCSR with TS: #NM");
  check_trap(CATCH(asm volatile("fnstsw %%ax" : : : "rax")), kNM, 0, "FNSTSW with TS: #NM");
  check_trap(CATCH(asm volatile("fwait")), kNM, 0, "FWAIT with TS and MP: #NM");
  check_trap(CATCH(asm volatile("prefetcht0 %0; sfence; lfence; mfence"
                                :
                                : "m"(area))),
             kNoTrap, 0, "PREFETCH and fences ignore TS");
  check_trap(CATCH(asm volatile("movnti %k0, %1"
                                :
                                : "r"(1), "m"(*(u32*)area))),
             kNoTrap, 0, "MOVNTI ignores TS");
  write_cr0(read_cr0() & ~(uptr)kCr0Mp);
  check_trap(CATCH(asm volatile("fwait")), kNoTrap, 0, "FWAIT with TS, without MP: no #NM");
  write_cr0((read_cr0() | kCr0Mp) & ~(uptr)kCr0Ts);
  check_trap(CATCH(asm volatile("fninit; fwait")), kNoTrap, 0, "no #NM without TS");
}

static void test_emulation(void) {
  write_cr0(read_cr0() | kCr0Em);
  check_trap(CATCH(asm volatile("fld1")), kNM, 0, "x87 with EM: #NM");
  check_trap(CATCH(asm volatile("movaps %xmm0, %xmm1")), kUD, 0, "SSE with EM: #UD");
  check_trap(CATCH(asm volatile("pxor %mm0, %mm0")), kUD, 0, "MMX with EM: #UD");
  check_trap(CATCH(asm volatile("fxsave %0" : "=m"(area))), kNM, 0, "FXSAVE with EM: #NM");
  check_trap(CATCH(asm volatile("fwait")), kNoTrap, 0, "FWAIT with EM, without TS: runs");
  write_cr0(read_cr0() & ~(uptr)kCr0Em);
  write_cr4(read_cr4() & ~(uptr)kCr4Osfxsr);
  check_trap(CATCH(asm volatile("movaps %xmm0, %xmm1")), kUD, 0, "SSE with CR4.OSFXSR=0: #UD");
  check_trap(CATCH(asm volatile("pxor %xmm0, %xmm0")), kUD, 0, "SSE2 with CR4.OSFXSR=0: #UD");
  check_trap(CATCH(asm volatile("pxor %mm0, %mm0; emms")), kNoTrap, 0, "MMX with CR4.OSFXSR=0 runs");
  check_trap(CATCH(asm volatile("fxsave %0" : "=m"(area))), kNoTrap, 0, "FXSAVE with CR4.OSFXSR=0 runs");
  write_cr4(read_cr4() | kCr4Osfxsr);
}

static void test_x87_exceptions(void) {
  asm volatile("fninit");
  check_eq(get_fcw(), 0x37f, "FNINIT: control word");
  check_eq(get_fsw(), 0, "FNINIT: status word");
  asm volatile("fninit; fld1; fldz; fdivr %st(1), %st");
  check_eq(get_fsw() & 0xbf, 4, "1/0 masked sets ZE");
  asm volatile("fninit");
  set_fcw(0x37b);  // ZE unmasked
  check_trap(CATCH(asm volatile("fld1; fldz; fdivr %st(1), %st")), kNoTrap, 0,
             "an unmasked exception waits for the next x87 instruction");
  check_eq(get_fsw() & 0x80bf, 0x8084, "...with ES and B set");
  check_trap(CATCH(asm volatile("fwait")), kMF, 0, "FWAIT takes it: #MF");
  check_trap(CATCH(asm volatile("fld1")), kMF, 0, "so does FLD1");
  check_trap(CATCH(asm volatile("pxor %mm0, %mm0")), kMF, 0, "so does MMX");
  check_trap(CATCH(asm volatile("movaps %xmm0, %xmm1")), kNoTrap, 0, "SSE does not");
  check_trap(CATCH(asm volatile("fnstsw %%ax; fnstcw %0"
                                : "=m"(*(u16*)area)
                                :
                                : "rax")),
             kNoTrap, 0, "nor do the no-wait forms");
  check_trap(CATCH(asm volatile("fxsave %0" : "=m"(area))), kNoTrap, 0, "nor does FXSAVE");
  asm volatile("fnclex");
  check_trap(CATCH(asm volatile("fwait")), kNoTrap, 0, "FNCLEX clears it");
  // The destination of an unmasked zero-divide is left alone (SDM 1 8.5.3).
  asm volatile("fninit");
  set_fcw(0x37b);
  asm volatile("fld1; fldz; fdivr %st(1), %st; fnclex");
  u64 top;
  asm volatile("fstpl %0" : "=m"(top));
  check_eq(top, 0, "an unmasked zero-divide leaves ST(0)");
  // Unmasking an exception that is already flagged raises it at the next waiting instruction.
  asm volatile("fninit; fld1; fldz; fdivr %st(1), %st");
  set_fcw(0x37b);
  check_trap(CATCH(asm volatile("fwait")), kMF, 0, "unmasking a flagged exception raises it");
  asm volatile("fnclex; fninit");
  // Stack faults.
  asm volatile("fninit; fstp %st(0)");
  check_eq(get_fsw() & 0x7f, 0x41, "stack underflow: IE and SF");
  check_eq(get_fsw() & 0x200, 0, "stack underflow: C1=0");
  asm volatile("fninit; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1");
  check_eq(get_fsw() & 0x27f, 0x241, "stack overflow: IE, SF and C1");
  asm volatile("fninit");
}

static void test_environment(void) {
  asm volatile("fninit; fld1; fldpi");
  memset(area, 0, 512);
  asm volatile("fnstenv %0" : "=m"(area));
  check_eq(read32(area) & 0xffff, 0x37f, "FNSTENV: control word");
  check_eq(read32(area + 4) >> 11 & 7, 6, "FNSTENV: TOP");
  check_eq(read32(area + 8) & 0xffff, 0x0fff, "FNSTENV: tags");
  check_eq(get_fcw(), 0x37f, "FNSTENV masks every exception");
  asm volatile("fninit; fld1; fldpi; fnsave %0" : "=m"(area));
  check_eq(get_fsw(), 0, "FNSAVE initialises");
  check_eq(read16(area + 28 + 8), 0x4000, "FNSAVE: ST(0)'s exponent");
  check_eq(read64(area + 28), 0xc90fdaa22168c235ull, "FNSAVE: ST(0)'s significand");
  check_eq(read16(area + 38 + 8), 0x3fff, "FNSAVE: ST(1)");
  asm volatile("frstor %0" : : "m"(area));
  u64 value;
  asm volatile("fstpl %0" : "=m"(value));
  check_eq(value, 0x400921fb54442d18ull, "FRSTOR brings pi back");
  asm volatile("fninit");
  // MMX sets every tag valid and TOP to zero; EMMS empties.
  asm volatile("fld1; movd %0, %%mm3" : : "r"(0x12345678));
  asm volatile("fnstenv %0" : "=m"(area));
  check_eq(read32(area + 4) >> 11 & 7, 0, "MMX: TOP is 0");
  check_eq(read32(area + 8) & 0x00c0, 0x0080, "MMX: R3 is special, because its exponent is all ones");
  asm volatile("emms; fnstenv %0" : "=m"(area));
  check_eq(read32(area + 8) & 0xffff, 0xffff, "EMMS: every tag is empty");
  asm volatile("fninit");
}

static void test_fxsave(void) {
  asm volatile("fninit; fld1; fldpi");
  asm volatile("movaps %0, %%xmm0; movaps %%xmm0, %%xmm15" : : "m"(vector_a));
  set_mxcsr(0x1f80);
  memset(area, 0xee, 512);
  asm volatile("fxsave64 %0" : "=m"(area));
  check_eq(read16(area), 0x37f, "FXSAVE: control word");
  check_eq(read16(area + 2) >> 11 & 7, 6, "FXSAVE: TOP");
  check_eq(area[4], 0xc0, "FXSAVE: abridged tags");
  check_eq(area[5], 0, "FXSAVE: reserved byte");
  check_eq(read32(area + 24), 0x1f80, "FXSAVE: MXCSR");
  u32 mask = read32(area + 28);
  check(mask == 0xffff || mask == 0xffbf, "FXSAVE: MXCSR mask");
  check_eq(read64(area + 32), 0xc90fdaa22168c235ull, "FXSAVE: ST(0) first");
  check_eq(read16(area + 40), 0x4000, "FXSAVE: its exponent");
  check_eq(read16(area + 56), 0x3fff, "FXSAVE: ST(1) next");
  check(memcmp(area + 160, vector_a, 16) == 0, "FXSAVE: XMM0");
  check(memcmp(area + 160 + 15 * 16, vector_a, 16) == 0, "FXSAVE: XMM15");
  check_eq(area[464], 0xee, "FXSAVE leaves the last 48 bytes alone");
  asm volatile("fninit; pxor %xmm0, %xmm0");
  asm volatile("fxrstor64 %0" : : "m"(area));
  asm volatile("movaps %%xmm0, %0" : "=m"(vector_b));
  check(memcmp(vector_a, vector_b, 16) == 0, "FXRSTOR: XMM0");
  u64 value;
  asm volatile("fstpl %0" : "=m"(value));
  check_eq(value, 0x400921fb54442d18ull, "FXRSTOR: ST(0)");
  check_trap(CATCH(asm volatile("fxsave %0" : "=m"(area[8]))), kGP, 0, "FXSAVE misaligned: #GP(0)");
  check_trap(CATCH(asm volatile("fxrstor %0" : : "m"(area[8]))), kGP, 0, "FXRSTOR misaligned: #GP(0)");
  memcpy(other, area, 512);
  other[26] = 1;  // MXCSR bit 16
  check_trap(CATCH(asm volatile("fxrstor64 %0"
                                :
                                : "m"(other))),
             kGP, 0, "FXRSTOR of a reserved MXCSR bit: #GP(0)");
  check_trap(CATCH(set_mxcsr(0x10000)), kGP, 0, "LDMXCSR of a reserved bit: #GP(0)");
  check_eq(get_mxcsr(), 0x1f80, "MXCSR is unchanged");
  asm volatile("fninit");
}

static void test_sse_exceptions(void) {
  static u32 zeros[4] __attribute__((aligned(16)));
  set_mxcsr(0x1f80);
  asm volatile("movaps %0, %%xmm0; divps %1, %%xmm0" : : "m"(vector_a), "m"(zeros));
  check_eq(get_mxcsr(), 0x1f84, "DIVPS by zero, masked: ZE");
  set_mxcsr(0x1d80);
  check_trap(CATCH(asm volatile("movaps %0, %%xmm0; divps %1, %%xmm0"
                                :
                                : "m"(vector_a), "m"(zeros))),
             kXM, 0, "DIVPS by zero, unmasked: #XM");
  asm volatile("movaps %%xmm0, %0" : "=m"(vector_b));
  check(memcmp(vector_a, vector_b, 16) == 0, "#XM leaves the destination");
  check_eq(get_mxcsr(), 0x1d84, "#XM: the flag is set");
  set_mxcsr(0x1d80);
  write_cr4(read_cr4() & ~(uptr)kCr4Osxmmexcpt);
  check_trap(CATCH(asm volatile("movaps %0, %%xmm0; divps %1, %%xmm0"
                                :
                                : "m"(vector_a), "m"(zeros))),
             kUD, 0, "with CR4.OSXMMEXCPT=0: #UD");
  write_cr4(read_cr4() | kCr4Osxmmexcpt);
  set_mxcsr(0x1f80);
  // Denormals and rounding, as MXCSR says.
  static u32 denormal[4] __attribute__((aligned(16))) = {1, 1, 1, 1};
  asm volatile("movaps %0, %%xmm0; addps %0, %%xmm0; movaps %%xmm0, %1" : : "m"(denormal), "m"(vector_b));
  check(vector_b[0] == 2 && (get_mxcsr() & 2), "denormal operands: DE");
  set_mxcsr(0x1fc0);
  asm volatile("movaps %0, %%xmm0; addps %0, %%xmm0; movaps %%xmm0, %1" : : "m"(denormal), "m"(vector_b));
  check(vector_b[0] == 0, "denormals are zeros: DAZ");
  int rounded[4];
  static const u32 two_and_a_half[4]
      __attribute__((aligned(16))) = {0x40200000, 0xc0200000, 0x40600000, 0x3f000000};
  for (int mode = 0; mode < 4; ++mode) {
    set_mxcsr(0x1f80 | (u32)mode << 13);
    asm volatile("cvtps2dq %1, %%xmm0; movups %%xmm0, %0" : "=m"(rounded) : "m"(two_and_a_half));
    static const int want[4][4] = {{2, -2, 4, 0}, {2, -3, 3, 0}, {3, -2, 4, 1}, {2, -2, 3, 0}};
    check(memcmp(rounded, want[mode], 16) == 0, "CVTPS2DQ in rounding mode %d", mode);
  }
  set_mxcsr(0x1f80);
  u8* odd = (u8*)vector_a + 4;
  check_trap(CATCH(asm volatile("movaps %0, %%xmm0" : : "m"(*odd))), kGP, 0, "MOVAPS misaligned: #GP(0)");
  check_trap(CATCH(asm volatile("addps %0, %%xmm0" : : "m"(*odd))), kGP, 0, "ADDPS misaligned: #GP(0)");
  check_trap(CATCH(asm volatile("movups %0, %%xmm0" : : "m"(*odd))), kNoTrap, 0, "MOVUPS misaligned");
}

static u64 xgetbv(u32 index) {
  u32 low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
  return (u64)high << 32 | low;
}
static void xsetbv(u32 index, u64 value) {
  asm volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)));
}

static void test_xsave(void) {
  if (!(cpuid(1, 0).c >> 26 & 1)) return skip("XSAVE");
  check(!(cpuid(1, 0).c >> 27 & 1), "CPUID.OSXSAVE is clear with CR4.OSXSAVE=0");
  check_trap(CATCH(xgetbv(0)), kUD, 0, "XGETBV with CR4.OSXSAVE=0: #UD");
  check_trap(CATCH(asm volatile("xsave64 %0"
                                : "=m"(area)
                                : "a"(-1), "d"(-1))),
             kUD, 0, "XSAVE with CR4.OSXSAVE=0: #UD");
  write_cr4(read_cr4() | kCr4Osxsave);
  check(cpuid(1, 0).c >> 27 & 1, "CPUID.OSXSAVE follows CR4");
  check_eq(xgetbv(0), 1, "XCR0 is x87 only at first");
  struct cpuid leaf = cpuid(0xd, 0);
  check((leaf.a & 3) == 3, "CPUID.0D: x87 and SSE state");
  check(leaf.b >= 576 && leaf.c >= leaf.b, "CPUID.0D: sizes");
  check_trap(CATCH(xsetbv(0, 0)), kGP, 0, "XCR0 without x87: #GP(0)");
  check_trap(CATCH(xsetbv(0, 5)), kGP, 0, "XCR0 with AVX but without SSE: #GP(0)");
  check_trap(CATCH(xsetbv(0, 3ull | 1ull << 62)), kGP, 0, "XCR0 reserved bit: #GP(0)");
  check_trap(CATCH(xsetbv(1, 3)), kGP, 0, "XSETBV of XCR1: #GP(0)");
  xsetbv(0, 3);
  check_eq(xgetbv(0), 3, "XCR0 reads back");
  check_eq(cpuid(0xd, 0).b, 576, "CPUID.0D: 576 bytes for x87 and SSE");
  asm volatile("fninit; fldpi; movaps %0, %%xmm0" : : "m"(vector_a));
  set_mxcsr(0x1f80);
  memset(area, 0, sizeof area);
  asm volatile("xsave64 %0" : "+m"(area) : "a"(3), "d"(0));
  check_eq(read64(area + 512), 3, "XSAVE: XSTATE_BV");
  check(memcmp(area + 160, vector_a, 16) == 0, "XSAVE: XMM0");
  check_eq(read64(area + 32), 0xc90fdaa22168c235ull, "XSAVE: ST(0)");
  memset(other, 0xdd, sizeof other);
  memset(other + 512, 0, 64);
  asm volatile("xsave64 %0" : "+m"(other) : "a"(2), "d"(0));
  check_eq(other[32], 0xdd, "XSAVE of SSE only leaves the x87 part");
  check_eq(read64(other + 512), 2, "XSAVE of SSE only: XSTATE_BV");
  // A clear bit in XSTATE_BV initialises that component.
  memset(area + 512, 0, 8);
  asm volatile("xrstor64 %0" : : "m"(area), "a"(3), "d"(0));
  asm volatile("movaps %%xmm0, %0" : "=m"(vector_b));
  check(vector_b[0] == 0 && vector_b[3] == 0, "XRSTOR with XSTATE_BV=0 clears XMM");
  check_eq(get_fcw(), 0x37f, "XRSTOR with XSTATE_BV=0 initialises the x87");
  area[512] = 3;
  asm volatile("xrstor64 %0" : : "m"(area), "a"(3), "d"(0));
  asm volatile("movaps %%xmm0, %0" : "=m"(vector_b));
  check(memcmp(vector_a, vector_b, 16) == 0, "XRSTOR brings XMM0 back");
  area[520] = 1;
  check_trap(CATCH(asm volatile("xrstor64 %0"
                                :
                                : "m"(area), "a"(3), "d"(0))),
             kGP, 0, "XRSTOR with a reserved header byte: #GP(0)");
  area[520] = 0;
  area[519] = 0x40;
  check_trap(CATCH(asm volatile("xrstor64 %0"
                                :
                                : "m"(area), "a"(3), "d"(0))),
             kGP, 0, "XRSTOR of state that XCR0 does not have: #GP(0)");
  area[519] = 0;
  check_trap(CATCH(asm volatile("xsave64 %0"
                                : "=m"(area[16])
                                : "a"(3), "d"(0))),
             kGP, 0, "XSAVE misaligned: #GP(0)");
  write_cr0(read_cr0() | kCr0Ts);
  check_trap(CATCH(asm volatile("xsave64 %0" : "=m"(area) : "a"(3), "d"(0))), kNM, 0, "XSAVE with TS: #NM");
  check_trap(CATCH(xgetbv(0)), kNoTrap, 0, "XGETBV ignores TS");
  write_cr0(read_cr0() & ~(uptr)kCr0Ts);
  asm volatile("fninit");
}

void test_main(void) {
  test_task_switched();
  test_emulation();
  test_x87_exceptions();
  test_environment();
  test_fxsave();
  test_sse_exceptions();
  test_xsave();
}
