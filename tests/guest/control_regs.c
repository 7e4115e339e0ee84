// What MOV to CR0, CR3, CR4 and WRMSR EFER refuse in 64-bit mode. SDM 3A 2.5, 4.1.1; SDM 2B MOV to control registers.
#include "runtime/guest.h"

void test_main(void) {
  unsigned phys_bits = cpuid(0x80000008, 0).a & 0xff;
  u64* pml4 = (u64*)read_cr3();
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) & ~(u64)kEferLma);
  check(rdmsr(kMsrEfer) & kEferLma, "EFER.LMA is read-only");
  check_trap(CATCH(asm volatile(".byte 0x0f, 0x20, 0xc8" : : : "rax")), kUD, 0, "MOV from CR1: #UD");
  check_trap(CATCH(asm volatile(".byte 0x0f, 0x22, 0xe8" : : : "rax")), kUD, 0, "MOV to CR5: #UD");
  check_trap(CATCH(asm volatile("mov %0, %%cr8" : : "r"(16ul))), kGP, 0, "CR8 bit 4: #GP");
  asm volatile("mov %0, %%cr8" : : "r"(9ul));
  u64 cr8;
  asm volatile("mov %%cr8, %0" : "=r"(cr8));
  check_eq(cr8, 9, "CR8 reads back");
  asm volatile("mov %0, %%cr8" : : "r"(0ul));
  // CLTS and LMSW: LMSW sets PE but cannot clear it (SDM 2A LMSW).
  write_cr0(read_cr0() | kCr0Ts);
  asm volatile("clts");
  check(!(read_cr0() & kCr0Ts), "CLTS clears CR0.TS");
  u64 before = read_cr0();
  asm volatile("lmsw %w0" : : "r"(kCr0Ts));
  check_eq(read_cr0(), (before & ~(u64)(kCr0Mp | kCr0Em)) | kCr0Ts,
           "LMSW loads MP, EM, TS and cannot clear PE");
  write_cr0(before);
  u64 smsw;
  asm volatile("smsw %0" : "=r"(smsw));
  check_eq((u32)smsw, (u32)before, "SMSW reads CR0");
  // Last, because they leave nothing to go on with where they are not refused.
  if (phys_bits < 52)
    check_trap(CATCH(write_cr3((u64)pml4 | 1ull << 51)), kGP, 0, "CR3 bit above MAXPHYADDR: #GP");
  check_trap(CATCH(write_cr4(read_cr4() & ~(uptr)kCr4Pae)), kGP, 0, "clearing CR4.PAE in long mode: #GP");
  check_trap(CATCH(write_cr0(read_cr0() & ~(uptr)kCr0Pe)), kGP, 0, "clearing CR0.PE with PG=1: #GP");
  check_trap(CATCH(wrmsr(kMsrEfer, rdmsr(kMsrEfer) & ~(u64)kEferLme)), kGP, 0,
             "clearing EFER.LME with paging on: #GP");
  check_trap(CATCH(write_cr4(read_cr4() | 1ull << 40)), kGP, 0, "CR4 bit 40: #GP");
  check_trap(CATCH(write_cr4(read_cr4() | 1ull << 31)), kGP, 0, "CR4 bit 31: #GP");
  check_trap(CATCH(write_cr0(read_cr0() | kCr0Nw)), kGP, 0, "CR0.NW without CD: #GP");
  check_trap(CATCH(write_cr0(read_cr0() | 1ull << 32)), kGP, 0, "CR0 bit 32: #GP");
  check_trap(CATCH(wrmsr(kMsrEfer, rdmsr(kMsrEfer) | 1 << 1)), kGP, 0, "EFER reserved bit: #GP");
}
