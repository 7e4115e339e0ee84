// INIT and SIPI that the processor sends to itself through its local APIC. There is no firmware at the reset vector:
// what is fetched there is ones, FF FF, an #UD whose real-mode handler comes back here. SDM 3A 8.4.3, 9.1.4, 10.4.7.3.
#include "runtime/apic.h"
#include "runtime/modes.h"

enum { kMsrX2ApicIcr = 0x830, kMsrX2ApicSvr = 0x80f, kInitSelf = 0x4500, kStartUpSelf = 0x4608 };
/// Where the handler's first instructions are, and what LGDT loads there.
enum { kHandler = 0x9200, kGdtPointer = 0x9100 };

static volatile u32 after;

static void prepare(void) {
  set_mode(kModeReal);
  set_mode(kModeProtected);
  const u16 stub = LOW16(kUD * 4);
  // lgdt [cs:kGdtPointer], 32 bits of it; jmp 0:stub
  static const u8 kLgdt[] = {0x66, 0x2e, 0x0f, 0x01, 0x16, 0x00, 0x91, 0xea};
  memcpy((void*)kHandler, kLgdt, sizeof kLgdt);
  LOW16(kHandler + sizeof kLgdt) = stub;
  LOW16(kHandler + sizeof kLgdt + 2) = 0;
  LOW32(kUD * 4) = kHandler;
  asm volatile("sgdt (%0)" : : "r"(kGdtPointer) : "memory");
  in.cs = kKernelCode;
  in.ip = kCodeLinear;
  in.ds = in.es = in.fs = in.gs = in.ss = kKernelData;
  in.sp = kStackLinear + 0x8000;
  in.bx = (u32)&after;
  in.si = in.di = in.bp = in.dx = 0x12345678;
  after = 0;
}

static int run(struct snippet code) {
  place(kCodeLinear, code);
  return run_in_mode();
}

static void check_started(int vector, const char* how) {
  check_eq(vector, kUD, "%s: it starts at the reset vector", how);
  check_eq(after, 0, "%s: the next instruction does not run", how);
  check_eq(frame_slot(0, 2), 0xfff0, "%s: IP", how);
  check_eq(frame_slot(1, 2), 0xf000, "%s: CS", how);
  check_eq(frame_slot(2, 2), 2, "%s: FLAGS", how);
  check_eq(event.handler_sp, 0xfffa, "%s: SP was 0", how);
  check_eq(out.dx, cpuid(1, 0).a, "%s: DX is the processor's signature", how);
  check_eq(out.ax | out.bx | out.cx | out.si | out.di | out.bp, 0, "%s: the other registers are 0", how);
  check_eq(read_cr0(), 0x11, "%s: CR0", how);  // the way back has set PE
  check_eq(read_cr4(), 0, "%s: CR4", how);
}

static void test_store(void) {
  lapic_enable();
  lapic_write(kLapicTpr, 0x50);
  lapic_write(kLapicIcrHigh, 0);
  lapic_write(kLapicIcrLow, 0x40000 | 0x61);  // waits: flags have IF = 0
  check(lapic_bit(kLapicIrr, 0x61), "an interrupt waits");
  const u64 base = rdmsr(kMsrApicBase);
  prepare();
  in.cx = kLapicBase + kLapicIcrLow;
  in.ax = kInitSelf;
  check_started(run(CODE32("mov dword ptr [ecx], eax\ninc dword ptr [ebx]\nint3")), "INIT by a store");
  check_eq(rdmsr(kMsrApicBase), base, "INIT: IA32_APIC_BASE stays");
  check_eq(lapic_read(kLapicSvr), 0xff, "INIT: the local APIC is disabled by software");
  check_eq(lapic_read(kLapicTpr), 0, "INIT: its TPR");
  check(!lapic_bit(kLapicIrr, 0x61), "INIT: no interrupt waits any more");
}

static void test_memory_operands(void) {
  prepare();
  in.cx = kLapicBase + kLapicIcrLow;
  LOW32(kDataLinear) = kInitSelf;
  LOW32(kDataLinear + 4) = kInitSelf;
  in.si = kDataLinear;
  in.di = kLapicBase + kLapicIcrLow;
  check_started(run(CODE32("movsd\ninc dword ptr [ebx]\nint3")), "INIT by MOVS");
  prepare();
  in.cx = kLapicBase + kLapicIcrLow;
  in.ax = kInitSelf;
  in.sp = kLapicBase + kLapicIcrLow + 4;
  check_started(run(CODE32("push eax\ninc dword ptr [ebx]\nint3")), "INIT by PUSH");
}

static void test_ignored(void) {
  lapic_enable();
  prepare();
  in.cx = kLapicBase + kLapicIcrLow;
  in.ax = kStartUpSelf;
  check_eq(run(CODE32("mov dword ptr [ecx], eax\ninc dword ptr [ebx]\nint3")), kBP, "SIPI to one that runs");
  check_eq(after, 1, "is ignored");
  prepare();
  in.cx = kLapicBase + kLapicIcrLow;
  in.ax = 0x8500;
  check_eq(run(CODE32("mov dword ptr [ecx], eax\ninc dword ptr [ebx]\nint3")), kBP, "INIT level de-assert");
  check_eq(after, 1, "is ignored, too");
}

static void test_x2apic(void) {
  const u64 base = rdmsr(kMsrApicBase);
  wrmsr(kMsrApicBase, base | 1 << 10);
  wrmsr(kMsrX2ApicSvr, 0x1ff);
  prepare();
  in.cx = kMsrX2ApicIcr;
  in.ax = kInitSelf;
  in.dx = 0;
  check_started(run(CODE32("wrmsr\ninc dword ptr [ebx]\nint3")), "INIT by WRMSR");
  check_eq(rdmsr(kMsrApicBase), base | 1 << 10, "INIT: the mode stays x2APIC");
  check_eq(rdmsr(kMsrX2ApicSvr), 0xff, "INIT: its registers are reset");
  wrmsr(kMsrApicBase, base & ~(u64)(3 << 10));
  wrmsr(kMsrApicBase, base);
}

void test_main(void) {
  test_store();
  test_memory_operands();
  test_ignored();
  test_x2apic();
}
