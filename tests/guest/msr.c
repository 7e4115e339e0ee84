// Model-specific registers: what is unknown or wrong is #GP(0), what is known keeps its value. SDM 4 chapter 2; SDM 2B WRMSR.
#include "runtime/guest.h"

static void check_keeps(u32 index, u64 value, const char* name) {
  u64 before = rdmsr(index);
  check_trap(CATCH(wrmsr(index, value)), kNoTrap, 0, "WRMSR %s", name);
  check_eq(rdmsr(index), value, "%s reads back", name);
  wrmsr(index, before);
}

static void check_refuses(u32 index, u64 value, const char* name) {
  u64 before = rdmsr(index);
  check_trap(CATCH(wrmsr(index, value)), kGP, 0, "WRMSR %s: #GP(0)", name);
  check_eq(rdmsr(index), before, "%s is unchanged", name);
  wrmsr(index, before);
}

void test_main(void) {
  static const u32 unknown[] = {0x12345678, 0x3fff, 0x4b564fff, 0xc0002fff, 0xffffffff, 0x2};
  for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; ++i) {
    check_trap(CATCH(rdmsr(unknown[i])), kGP, 0, "RDMSR of unknown %x: #GP(0)", unknown[i]);
    check_trap(CATCH(wrmsr(unknown[i], 0)), kGP, 0, "WRMSR of unknown %x: #GP(0)", unknown[i]);
  }
  check_keeps(kMsrStar, 0x1122334455667788ull, "STAR");
  check_keeps(kMsrLstar, 0xffffffff80001234ull, "LSTAR");
  check_keeps(kMsrCstar, 0x00007fff80001234ull, "CSTAR");
  check_keeps(kMsrFmask, 0x00047700, "FMASK");
  check_keeps(kMsrFsBase, 0xffff888012345678ull, "FS_BASE");
  check_keeps(kMsrGsBase, 0x00007fffffffffffull, "GS_BASE");
  check_keeps(kMsrKernelGsBase, 0xffff800000000000ull, "KERNEL_GS_BASE");
  check_keeps(kMsrSysenterCs, 0x10, "SYSENTER_CS");
  check_keeps(kMsrSysenterEsp, 0xffffffff81234567ull, "SYSENTER_ESP");
  check_keeps(kMsrSysenterEip, 0xffffffff81234567ull, "SYSENTER_EIP");
  check_refuses(kMsrLstar, 0x0000800000000000ull, "LSTAR non-canonical");
  check_refuses(kMsrCstar, 0xffff7fffffffffffull, "CSTAR non-canonical");
  check_refuses(kMsrGsBase, 0x8000000000000000ull, "GS_BASE non-canonical");
  check_refuses(kMsrKernelGsBase, 0x0001000000000000ull, "KERNEL_GS_BASE non-canonical");
  check_refuses(kMsrSysenterEip, 0x0000800000000000ull, "SYSENTER_EIP non-canonical");
  check_refuses(kMsrEfer, rdmsr(kMsrEfer) | 1ull << 40, "EFER reserved bit");
  check_refuses(kMsrApicBase, rdmsr(kMsrApicBase) | 1, "APIC_BASE reserved bit");
  check_refuses(kMsrApicBase, rdmsr(kMsrApicBase) | 1ull << 51, "APIC_BASE beyond MAXPHYADDR");
  struct cpuid one = cpuid(1, 0), extended = cpuid(0x80000001, 0);
  if (one.d >> 16 & 1) {
    check_eq(rdmsr(0x277), 0x0007040600070406ull, "PAT after reset");
    check_keeps(0x277, 0x0007010600070106ull, "PAT");
    check_refuses(0x277, 0x0007040600070402ull, "PAT with memory type 2");
    check_refuses(0x277, 0x0007040600070486ull, "PAT with a reserved bit");
  } else {
    skip("PAT");
  }
  if (one.d >> 12 & 1) {
    u64 capabilities = rdmsr(0xfe);
    check_trap(CATCH(wrmsr(0xfe, capabilities)), kGP, 0, "WRMSR MTRRCAP: #GP(0)");
    check_keeps(0x2ff, 0xc06, "MTRR_DEF_TYPE");
    check_refuses(0x2ff, 2, "MTRR_DEF_TYPE with memory type 2");
    if (capabilities & 0xff) {
      check_keeps(0x200, 0xc0000000, "MTRR_PHYSBASE0");
      check_keeps(0x201, 0xfc0000800ull, "MTRR_PHYSMASK0");
    }
    if (capabilities & 1 << 8) check_keeps(0x250, 0x0606060606060606ull, "MTRR_FIX64K");
  } else {
    skip("MTRR");
  }
  if (extended.d >> 27 & 1) {
    u32 low, high, aux;
    wrmsr(kMsrTscAux, 0x1234);
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    check_eq(aux, 0x1234, "RDTSCP gives TSC_AUX");
    check_refuses(kMsrTscAux, 1ull << 32, "TSC_AUX beyond 32 bits");
  } else {
    skip("RDTSCP");
  }
  // What is off is not announced: the local APIC, CPUID's leaves for systems that know few, XD.
  const u64 apic_base = rdmsr(kMsrApicBase);
  wrmsr(kMsrApicBase, apic_base & ~0x800ull);
  check_eq(cpuid(1, 0).d >> 9 & 1, 0, "CPUID without a local APIC");
  wrmsr(kMsrApicBase, apic_base);
  check_eq(cpuid(1, 0).d >> 9 & 1, 1, "CPUID with the local APIC on again");
  if (cpuid(0, 0).c == 0x6c65746e) {
    const u64 misc = rdmsr(kMsrMiscEnable);
    check_keeps(kMsrMiscEnable, misc ^ (1 << 0 | 1 << 3 | 1 << 16 | 1 << 18 | 1 << 23), "MISC_ENABLE");
    check_refuses(kMsrMiscEnable, misc | 1 << 1, "MISC_ENABLE reserved bit");
    wrmsr(kMsrMiscEnable, misc | 1 << 22);
    check_eq(cpuid(0, 0).a, 2, "CPUID limited by MISC_ENABLE");
    const u64 efer = rdmsr(kMsrEfer);
    wrmsr(kMsrMiscEnable, misc | 1ull << 34);
    check_eq(cpuid(0x80000001, 0).d >> 20 & 1, 0, "CPUID with XD disabled");
    check_trap(CATCH(wrmsr(kMsrEfer, efer | 1 << 11)), kGP, 0, "EFER.NXE with XD disabled: #GP(0)");
    wrmsr(kMsrMiscEnable, misc);
    wrmsr(kMsrEfer, efer);
  } else {
    skip("MISC_ENABLE");
  }
  u64 before = rdtsc();
  check(rdmsr(kMsrTsc) >= before, "RDMSR of the TSC");
  // ecx counts whole; the upper halves of the operands do not matter.
  u64 wide = 0xabcdef00ull << 32 | kMsrStar;
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(wide));
  check_eq((u64)high << 32 | low, rdmsr(kMsrStar), "RDMSR ignores the upper half of rcx");
  u64 rax = ~0ull, rdx = ~0ull;
  asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(kMsrStar));
  check(rax >> 32 == 0 && rdx >> 32 == 0, "RDMSR clears the upper halves of rax and rdx");
}
