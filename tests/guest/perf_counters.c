// Performance counters: exact counts by ring, RDPMC, overflow at the very instruction. SDM 3B 20.2.
#include "runtime/apic.h"

enum {
  kPmc0 = 0xc1,
  kPerfEvtSel0 = 0x186,
  kMsrDebugctl = 0x1d9,
  kFixedCtr0 = 0x309,
  kPerfCapabilities = 0x345,
  kFixedCtrCtrl = 0x38d,
  kGlobalStatus = 0x38e,
  kGlobalCtrl = 0x38f,
  kGlobalOvfCtrl = 0x390,
  kAPmc0 = 0x4c1,
  kLapicLvtPerformance = 0x340,
  kCr4Pce = 1 << 8,
  kInsns = 0xc0,
  kCycles = 0x3c,
  kUser = 1 << 16,
  kOs = 1 << 17,
  kInterrupt = 1 << 20,
  kEnable = 1 << 22,
  kVector = 0x45,
  kStall = 200,  // of a delivery, docs/time.md
};
#define kEnd (1ull << 48)

extern u8 skip_ud2[], just_return[], eoi_and_return[], end_rep[], sled[], rep_begin[], rep_end[], loop_turn[],
    user_work[], user_sled[], syscall_entry[], user_rdpmc[];
void run_sled(void);
void run_rep(void);
void run_loop(void);

static u8 user_stack[4096] __attribute__((aligned(16)));
static u8 buffer[8192] __attribute__((aligned(4096)));

static void all_off(void) {
  wrmsr(kGlobalCtrl, 0);
  wrmsr(kFixedCtrCtrl, 0);
  for (u32 i = 0; i < 4; ++i) {
    wrmsr(kPerfEvtSel0 + i, 0);
    wrmsr(kAPmc0 + i, 0);
  }
  for (u32 i = 0; i < 3; ++i) wrmsr(kFixedCtr0 + i, 0);
  wrmsr(kGlobalOvfCtrl, rdmsr(kGlobalStatus));
}

// ---- Registers
static void check_refuses(u32 index, u64 value, const char* name) {
  check_trap(CATCH(wrmsr(index, value)), kGP, 0, "%s: #GP(0)", name);
}

static void test_registers(void) {
  struct cpuid leaf = cpuid(0xa, 0);
  check_eq(leaf.a, 2 | 4 << 8 | 48 << 16 | 7 << 24, "CPUID.0AH: version 2, 4 counters of 48 bits");
  check_eq(leaf.b, 0x78, "CPUID.0AH: cycles, instructions and reference cycles");
  check_eq(leaf.d, 3 | 48 << 5, "CPUID.0AH: 3 fixed counters of 48 bits");
  check_eq(rdmsr(kPerfCapabilities), 1 << 13, "PERF_CAPABILITIES: full-width writes");
  check_eq(rdmsr(kGlobalCtrl), 0xf, "PERF_GLOBAL_CTRL after reset");
  check_eq(rdmsr(kMsrMiscEnable) >> 7 & 1, 1, "MISC_ENABLE tells of the counters");
  all_off();
  wrmsr(kPmc0, 0xabcdef0180000001ull);
  check_eq(rdmsr(kPmc0), 0xffff80000001ull, "PMC0 takes 32 bits and their sign");
  wrmsr(kAPmc0, 0x123456789abcull);
  check_eq(rdmsr(kPmc0), 0x123456789abcull, "A_PMC0 takes 48");
  check_refuses(kAPmc0, kEnd, "A_PMC0 beyond 48 bits");
  check_refuses(kFixedCtr0, kEnd, "FIXED_CTR0 beyond 48 bits");
  check_refuses(kPerfEvtSel0, 1 << 21, "PERFEVTSEL0.AnyThread");
  check_refuses(kPerfEvtSel0, 1ull << 32, "PERFEVTSEL0 beyond 32 bits");
  check_refuses(kFixedCtrCtrl, 4, "FIXED_CTR_CTRL.AnyThread");
  check_refuses(kFixedCtrCtrl, 1 << 12, "FIXED_CTR_CTRL of a fourth counter");
  check_refuses(kGlobalCtrl, 0x10, "PERF_GLOBAL_CTRL of a fifth counter");
  check_refuses(kGlobalStatus, 0, "PERF_GLOBAL_STATUS");
  check_refuses(kGlobalOvfCtrl, 0x10, "PERF_GLOBAL_OVF_CTRL of a fifth counter");
  check_refuses(kPerfCapabilities, 0, "PERF_CAPABILITIES");
  check_refuses(0xc5, 0, "PMC4");
  check_refuses(0x18a, 0, "PERFEVTSEL4");
}

// ---- Counts between two RDPMC of ring 0
static bool counts(u32 insns, u32 cycles, u32 want_insns, u32 want_cycles, const char* name) {
  // What measuring adds: RDPMC, MOV, MOV around the code; 9 of those for the cycles.
  if (insns == want_insns + 3 && cycles == want_cycles + 9) return true;
  note("%s: %u instructions and %u cycles instead of %u and %u", name, insns - 3, cycles - 9, want_insns,
       want_cycles);
  return false;
}
/// `text` may change rax, rcx, rdx, rsi, rdi, r11 and memory. Often enough for an engine that translates.
#define CHECK_COUNTS(name, want_insns, want_cycles, text)                                               \
  do {                                                                                                  \
    bool good_ = true;                                                                                  \
    for (int i_ = 0; i_ < 60 && good_; ++i_) {                                                          \
      u64 insns_, cycles_;                                                                              \
      asm volatile(                                                                                     \
          "mov $0x40000001, %%ecx; rdpmc; mov %%eax, %%r8d; mov $0x40000000, %%ecx; rdpmc; mov %%eax, " \
          "%%r9d\n" text                                                                                \
          "\nmov $0x40000000, %%ecx; rdpmc; mov %%eax, %%r10d; mov $0x40000001, %%ecx; rdpmc\n"         \
          "sub %%r8d, %%eax; sub %%r9d, %%r10d; mov %%r10, %0; mov %%rax, %1"                           \
          : "=m"(insns_), "=m"(cycles_)                                                                 \
          :                                                                                             \
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");               \
      good_ = counts((u32)insns_, (u32)cycles_, want_insns, want_cycles, name);                         \
    }                                                                                                   \
    check(good_, "%s", name);                                                                           \
  } while (0)

static void test_counts(void) {
  all_off();
  wrmsr(kFixedCtrCtrl, 0x333);
  wrmsr(kGlobalCtrl, 7ull << 32);
  CHECK_COUNTS("nothing", 0, 0, "");
  CHECK_COUNTS("instructions one by one", 5, 5,
               "nop; mov %%eax, %%edx; lea (%%rdx), %%rsi; push %%rsi; pop %%rsi");
  CHECK_COUNTS("a loop", 2001, 2001, "mov $1000, %%edi; 1: dec %%edi; jnz 1b");
  CHECK_COUNTS("REP STOSB is one instruction", 3, 5002, "mov $5000, %%ecx; lea buffer, %%rdi; rep stosb");
  CHECK_COUNTS("REP MOVSQ", 4, 103, "mov $100, %%ecx; lea buffer, %%rdi; lea buffer+8, %%rsi; rep movsq");
  CHECK_COUNTS("REP MOVSB upon itself", 4, 1003,
               "mov $1000, %%ecx; lea buffer+1, %%rdi; lea buffer, %%rsi; rep movsb");
  CHECK_COUNTS("REP STOSD downwards", 5, 54, "std; mov $50, %%ecx; lea buffer+4000, %%rdi; rep stosl; cld");
  CHECK_COUNTS("REPE CMPSB", 4, 1003, "mov $1000, %%ecx; lea buffer, %%rdi; lea buffer, %%rsi; repe cmpsb");
  CHECK_COUNTS(
      "REPNE SCASB that finds", 6, 15,
      "movb $7, buffer+9; mov $7, %%al; mov $1000, %%ecx; lea buffer, %%rdi; movl $0, buffer; repne scasb");
  CHECK_COUNTS("REP LODSB", 3, 302, "mov $300, %%ecx; lea buffer, %%rsi; rep lodsb");
  CHECK_COUNTS("REP with a count of 0", 3, 3, "xor %%ecx, %%ecx; lea buffer, %%rdi; rep stosb");
  CHECK_COUNTS("REP OUTSB", 4, 3 + 4 + 4 * 1000,
               "mov $4, %%ecx; mov $0x80, %%edx; lea buffer, %%rsi; rep outsb");
  set_gate(kUD, skip_ud2, kKernelCode, 14, 0);
  CHECK_COUNTS("an exception is no instruction", 3, 4 + kStall, "ud2; nop");
  set_gate(0x90, just_return, kKernelCode, 14, 0);
  CHECK_COUNTS("INT n is one", 3, 3 + kStall, "int $0x90; nop");
  set_gate(kPF, end_rep, kKernelCode, 14, 0);
  CHECK_COUNTS("a fault in the middle of REP LODSB", 6, 2 + 16 + 1 + kStall + 3 + 1,
               "mov $32, %%ecx; mov $0xfffffff0, %%esi; rep lodsb");
  lapic_enable();
  set_gate(0x46, eoi_and_return, kKernelCode, 14, 0);
  CHECK_COUNTS("an interrupt is no instruction", 8, 9 + 2 * kStall,
               "mov $0xfee00300, %%esi; sti; nop; movl $0x40046, (%%rsi); nop; cli");
  all_off();
}

/// Value of what `select` counts while `text` runs.
#define COUNT_OF(select, text)                                                                   \
  ({                                                                                             \
    all_off();                                                                                   \
    wrmsr(kPerfEvtSel0, (select) | kOs | kUser | kEnable);                                       \
    u32 index_ = kGlobalCtrl, low_ = 1, high_ = 0;                                               \
    asm volatile("wrmsr\n" text "\nmov $0x38f, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr" \
                 : "+c"(index_), "+a"(low_), "+d"(high_)                                         \
                 :                                                                               \
                 : "rdi", "memory", "cc");                                                       \
    rdmsr(kPmc0);                                                                                \
  })
#define WORK "mov $100, %%edi; 1: dec %%edi; jnz 1b; int $0x90"

static void test_events(void) {
  const u64 insns = 1 + 201 + 2 + 3, cycles = insns + kStall;
  check_eq(COUNT_OF(kInsns, WORK), insns, "event C0H: instructions");
  check_eq(COUNT_OF(kCycles, WORK), cycles, "event 3CH: cycles");
  check_eq(COUNT_OF(kCycles | 1 << 8, WORK), cycles, "event 3CH, mask 1: reference cycles");
  check_eq(COUNT_OF(kInsns | 1 << 24, WORK), insns, "cycles with an instruction");
  check_eq(COUNT_OF(kInsns | 1 << 24 | 1 << 23, WORK), kStall, "cycles without one");
  check_eq(COUNT_OF(kInsns | 2 << 24, WORK), 0, "cycles with two");
  check_eq(COUNT_OF(kInsns | 16 << 24 | 1 << 23, WORK), cycles, "cycles with fewer than 16");
  check_eq(COUNT_OF(0xc4, WORK), 0, "an event that CPUID calls missing");
  all_off();
}

// ---- Rings
static int run_user_with(uptr flags, void* entry, uptr argument) {
  return CATCH(asm volatile("push %0; push %1; push %2; push %3; push %4; iretq"
                            :
                            : "r"((uptr)kUserData), "r"((uptr)user_stack + sizeof user_stack), "r"(flags),
                              "r"((uptr)kUserCode64), "r"(entry), "D"(argument)));
}
static int run_user(void* entry, uptr argument) { return run_user_with(2, entry, argument); }

static void setup_syscall(void) {
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) | kEferSce);
  wrmsr(kMsrStar, (u64)(kUserCode32 & ~3) << 48 | (u64)kKernelCode << 32);
  wrmsr(kMsrLstar, (u64)syscall_entry);
  wrmsr(kMsrFmask, kEflagsIf);
}

static volatile unsigned ticks;
static void on_tick(struct trap_frame* frame) {
  (void)frame;
  ++ticks;
  lapic_eoi();
}

static void check_rings(uptr flags, uptr turns, const char* name) {
  bool good = true;
  for (int i = 0; i < 20; ++i) {
    all_off();
    wrmsr(kPerfEvtSel0, kInsns | kUser | kEnable);
    wrmsr(kPerfEvtSel0 + 1, kInsns | kOs | kEnable);
    wrmsr(kPerfEvtSel0 + 2, kInsns | kOs | kUser | kEnable);
    wrmsr(kPerfEvtSel0 + 3, kCycles | kUser | kEnable);
    wrmsr(kFixedCtrCtrl, 0x012);
    wrmsr(kGlobalCtrl, 0x30000000full);
    run_user_with(flags, user_work, turns);
    wrmsr(kGlobalCtrl, 0);
    const u64 user = rdmsr(kPmc0), os = rdmsr(kPmc0 + 1), all = rdmsr(kPmc0 + 2);
    const u64 want = 1 + 2 * turns + 10 + 1;
    if (user == want && user + os == all && rdmsr(kPmc0 + 3) == want && rdmsr(kFixedCtr0) == want) continue;
    good = false;
    note("%u instructions of ring 3 instead of %u, %u of ring 0, %u of both", (unsigned)user, (unsigned)want,
         (unsigned)os, (unsigned)all);
    break;
  }
  check(good, "%s", name);
}

static void test_rings(void) {
  setup_syscall();
  check_rings(2, 1, "ring 3 by itself, a few instructions");
  check_rings(2, 20000, "ring 3 by itself, many");
  // Interrupted again and again.
  lapic_enable();
  on_trap(0x47, on_tick);
  lapic_write(kLapicDivide, 0xb);
  lapic_write(kLapicLvtTimer, 0x47 | kLvtPeriodic);
  lapic_write(kLapicInitialCount, 3777);
  ticks = 0;
  check_rings(2 | kEflagsIf, 20000, "ring 3 by itself, with interrupts");
  check(ticks > 20, "which came");
  lapic_write(kLapicInitialCount, 0);
  lapic_write(kLapicLvtTimer, kLvtMasked);
  all_off();
}

static void test_rdpmc(void) {
  all_off();
  wrmsr(kAPmc0 + 2, 0x876543210fedull);
  write_cr4(read_cr4() & ~(uptr)kCr4Pce);
  check_trap(run_user(user_rdpmc, 2), kGP, 0, "RDPMC at ring 3 with CR4.PCE=0: #GP(0)");
  write_cr4(read_cr4() | kCr4Pce);
  check_trap(run_user(user_rdpmc, 2), kUserReturn, 0, "RDPMC at ring 3 with CR4.PCE=1");
  check_eq((u32)last_trap.frame.ax | (u64)last_trap.frame.dx << 32, 0x876543210fedull, "RDPMC gives 48 bits");
  check_trap(run_user(user_rdpmc, 0x40000002), kUserReturn, 0, "RDPMC of the last fixed counter");
  static const u32 wrong[] = {4, 0x40000003, 0x80000000, 0x20000000, 0xffffffff};
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; ++i)
    check_trap(CATCH(asm volatile("rdpmc"
                                  :
                                  : "c"(wrong[i])
                                  : "rax", "rdx")),
               kGP, 0, "RDPMC of %x: #GP(0)", wrong[i]);
}

// ---- Overflow
static volatile struct {
  unsigned count;
  uptr ip, cs, di;
  u32 lvt;
} hit;
static u32 lvt_wanted;
static void on_overflow(struct trap_frame* frame) {
  ++hit.count;
  hit.ip = frame->ip;
  hit.cs = frame->cs;
  hit.di = frame->di;
  hit.lvt = lapic_read(kLapicLvtPerformance);
  if (frame->vector == kVector) lapic_eoi();
}
/// Counter 0 overflows after `insns` instructions that `ring` lets it count.
static void arm(u64 insns, u32 ring) {
  all_off();
  hit.count = 0;
  lapic_write(kLapicLvtPerformance, lvt_wanted);
  wrmsr(kAPmc0, kEnd - insns);
  wrmsr(kPerfEvtSel0, kInsns | ring | kInterrupt | kEnable);
}
static void start(void (*code)(void), u64 argument, u32 counters) {
  u32 index = kGlobalCtrl, high = 0;
  asm volatile("call *%4"
               : "+D"(argument), "+c"(index), "+a"(counters), "+d"(high)
               : "r"(code)
               : "rbx", "rsi", "memory", "cc");
}

static void check_sled(const char* name) {
  unsigned wrong = 0;
  // Twice, so that translated code is among it.
  for (unsigned n = 0; n < 300; ++n) {
    const u64 insns = 1 + n % 150;
    arm(insns, kOs);
    start(run_sled, 0, 1);
    // The WRMSR is the first of them.
    wrong += hit.count != 1 || hit.ip != (uptr)sled + insns - 1;
  }
  check_eq(wrong, 0, "overflow at every instruction, %s", name);
}

static void test_overflow(void) {
  lapic_enable();
  on_trap(kVector, on_overflow);
  on_trap(kNMI, on_overflow);
  lvt_wanted = kVector;
  sti();
  check_sled("interrupt");
  check_eq(hit.lvt, kVector | kLvtMasked, "the interrupt masks its LVT entry");
  check_eq(rdmsr(kGlobalStatus), 1, "PERF_GLOBAL_STATUS tells");
  wrmsr(kGlobalOvfCtrl, 1);
  check_eq(rdmsr(kGlobalStatus), 0, "PERF_GLOBAL_OVF_CTRL clears it");
  cli();
  arm(20, kOs);
  start(run_sled, 0, 1);
  check_eq(hit.count, 0, "IF=0 holds the interrupt back");
  interrupt_window();
  check_eq(hit.count, 1, "and IF=1 lets it in");
  lapic_write(kLapicLvtPerformance, kLvtMasked | kVector);
  wrmsr(kAPmc0, kEnd - 20);
  wrmsr(kGlobalOvfCtrl, 1);
  start(run_sled, 0, 1);
  interrupt_window();
  check_eq(hit.count, 1, "a masked entry delivers nothing");
  check_eq(rdmsr(kGlobalStatus), 1, "but the overflow is told");

  lvt_wanted = 4 << 8;
  check_sled("NMI");
  bool good = true;
  for (unsigned n = 1; n < 100 && good; ++n) {
    // WRMSR, MOV, MOV, REP STOSB
    arm(4, kOs);
    start(run_rep, (u64)buffer + n, 1);
    good = hit.count == 1 && hit.ip == (uptr)rep_end;
    arm(3, kOs);
    start(run_rep, (u64)buffer + n, 1);
    good = good && hit.count == 1 && hit.ip == (uptr)rep_begin;
  }
  check(good, "overflow before and behind REP STOSB");
  arm(1000000, kOs);
  start(run_loop, 700000, 1);
  // Two instructions before the loop; the last of a million is the JNZ of turn 499,999.
  check_eq(hit.ip, (uptr)loop_turn, "overflow after a million instructions: rip");
  check_eq(hit.di, 700000 - 499999, "overflow after a million instructions: how often the loop turned");
  arm(1000001, kOs);
  start(run_loop, 700000, 1);
  check_eq(hit.di, 700000 - 500000, "one more: the loop's DEC");
  check(hit.ip != (uptr)loop_turn, "one more: rip");

  setup_syscall();
  unsigned wrong = 0;
  for (unsigned n = 0; n < 200; ++n) {
    const u64 insns = 1 + n % 110;
    arm(insns, kUser);
    wrmsr(kGlobalCtrl, 1);
    run_user(user_sled, 0);
    const uptr want = insns % 2 ? (uptr)user_sled + insns / 2 * 3 + 1 : (uptr)syscall_entry;
    wrong += hit.count != 1 || hit.ip != want || hit.cs != (insns % 2 ? kUserCode64 : kKernelCode);
  }
  check_eq(wrong, 0, "overflow at every instruction of ring 3, with SYSCALL between");

  // Cycles, whose last may be one of a stall.
  all_off();
  hit.count = 0;
  lapic_write(kLapicLvtPerformance, lvt_wanted);
  wrmsr(kFixedCtr0 + 1, kEnd - 1000);
  wrmsr(kFixedCtrCtrl, 0xb0);
  wrmsr(kGlobalCtrl, 1ull << 33);
  asm volatile("1: mov $0x80, %%edx; out %%al, %%dx; jmp 2f; 2: nop" : : : "rdx");
  check_eq(hit.count, 1, "cycles overflow by a stall");
  check_eq(rdmsr(kGlobalStatus), 1ull << 33, "PERF_GLOBAL_STATUS of a fixed counter");

  // Freezing.
  wrmsr(kMsrDebugctl, 1 << 12);
  arm(50, kOs);
  wrmsr(kPerfEvtSel0 + 1, kInsns | kOs | kEnable);
  start(run_sled, 0, 3);
  check_eq(hit.count, 1, "FREEZE_PERFMON_ON_PMI: one interrupt");
  check_eq(rdmsr(kGlobalCtrl), 0, "FREEZE_PERFMON_ON_PMI: PERF_GLOBAL_CTRL is clear");
  check_eq(rdmsr(kPmc0), 0, "FREEZE_PERFMON_ON_PMI: the counter stands at its overflow");
  check_eq(rdmsr(kPmc0 + 1), 50, "FREEZE_PERFMON_ON_PMI: so do the others");
  wrmsr(kMsrDebugctl, 0);
  all_off();
}

static void test_halt(void) {
  on_trap(0x47, on_tick);
  lapic_write(kLapicDivide, 0xb);
  lapic_write(kLapicLvtTimer, 0x47);
  all_off();
  wrmsr(kFixedCtrCtrl, 0x333);
  ticks = 0;
  lapic_write(kLapicInitialCount, 5000000);
  const u64 tsc = rdtsc();
  wrmsr(kGlobalCtrl, 7ull << 32);
  sti();
  while (!ticks) asm volatile("hlt");
  cli();
  wrmsr(kGlobalCtrl, 0);
  const u64 cycles = rdmsr(kFixedCtr0 + 1), reference = rdmsr(kFixedCtr0 + 2);
  check(rdtsc() - tsc > 4000000, "halted for a while");
  check(cycles < 2000 && cycles > rdmsr(kFixedCtr0), "cycles stand while halted");
  check_eq(reference, cycles, "so do reference cycles");
  lapic_write(kLapicLvtTimer, kLvtMasked);
}

void test_main(void) {
  if ((cpuid(0xa, 0).a & 0xff) < 2) return skip("no architectural performance counters");
  pic_setup(0);
  test_registers();
  test_counts();
  test_events();
  test_rings();
  test_rdpmc();
  test_overflow();
  test_halt();
}
