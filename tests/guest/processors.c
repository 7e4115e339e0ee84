// Several processors: starting them, interprocessor interrupts in every mode, what is shared and what each has of its own.
// Runs with six in two sockets of three cores: APIC ids 0, 1, 2, 4, 5, 6. SDM 3A chapters 8 and 10.
#include "runtime/apic.h"

enum {
  kProcessors = 6,
  kOthers = kProcessors - 1,
  kIds = 8,
  kStartPage = 0x8,  // SIPI's vector
  kPing = 0x40,      // vectors
  kOther = 0x51,
  kSpurious = 0xff,
  kSelf = 1 << 18,  // ICR
  kAll = 2 << 18,
  kAllButSelf = 3 << 18,
  kAssert = 1 << 14,
  kLevel = 1 << 15,
  kLogical = 1 << 11,
  kLowest = 1 << 8,
  kSmi = 2 << 8,
  kNmi = 4 << 8,
  kInit = 5 << 8,
  kSipi = 6 << 8,
};
static const u32 kIdOf[kProcessors] = {0, 1, 2, 4, 5, 6};

extern u8 ap_begin[], ap_begin_end[], ap_idt[], smm_spread[], smm_spread_end[], smm_count[], smm_count_end[];
extern volatile u32 ap_arrivals;

/// By APIC id.
static volatile struct {
  u32 starts;
  u32 pings, others, nmis;
  void (*volatile job)(u32 id);
  u64 result;
} cpu[kIds];

static inline void pause(void) { asm volatile("pause" : : : "memory"); }
static inline u32 atomic_add(volatile u32* at, u32 value) {
  return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);
}

static u32 x2apic_on;  // a bit per id: the registers are MSRs there
static u32 own_id(void) { return cpuid(0xb, 0).d; }
static void own_eoi(void) {
  if (x2apic_on >> own_id() & 1)
    wrmsr(0x80b, 0);
  else
    lapic_eoi();
}

static void ping(struct trap_frame* frame) {
  (void)frame;
  ++cpu[own_id()].pings;
  own_eoi();
}
static void other(struct trap_frame* frame) {
  (void)frame;
  ++cpu[own_id()].others;
  own_eoi();
}
static void nmi(struct trap_frame* frame) {
  (void)frame;
  ++cpu[own_id()].nmis;
}

static void send(u32 destination, u32 command) {
  lapic_write(kLapicIcrHigh, destination << 24);
  lapic_write(kLapicIcrLow, command);
  while (lapic_read(kLapicIcrLow) & 1 << 12) pause();
}

/// An application processor: does what it is given.
void ap_main(u32 arrival);
void ap_main(u32 arrival) {
  (void)arrival;
  const u32 id = own_id();
  lapic_enable();
  lapic_write(kLapicDfr, ~0u);
  ++cpu[id].starts;
  sti();
  for (;;) {
    while (!cpu[id].job) pause();
    cpu[id].job(id);
    cpu[id].job = NULL;
  }
}

/// Waits for `*at` to become `want`, but not for ever.
static bool becomes(volatile u32* at, u32 want) {
  for (u32 i = 0; i < 1000000; ++i) {
    if (*at == want) return true;
    pause();
  }
  return false;
}
static void give(u32 id, void (*job)(u32 id)) { cpu[id].job = job; }
static bool finished(u32 id) {
  for (u32 i = 0; i < 4000000; ++i) {
    if (!cpu[id].job) return true;
    pause();
  }
  return false;
}
static bool run_on(u32 id, void (*job)(u32 id)) {
  give(id, job);
  return finished(id);
}
static bool run_on_others(void (*job)(u32 id)) {
  bool all = true;
  for (u32 i = 1; i < kProcessors; ++i) give(kIdOf[i], job);
  for (u32 i = 1; i < kProcessors; ++i) all = finished(kIdOf[i]) && all;
  return all;
}
/// A bit for each APIC id that got `kPing` since the last call.
static u32 pinged(void) {
  for (u32 i = 0; i < 3000; ++i) pause();
  u32 mask = 0;
  for (u32 id = 0; id < kIds; ++id) {
    if (cpu[id].pings) mask |= 1u << id;
    if (cpu[id].pings > 1) mask |= 0x80000000;  // more than once
    cpu[id].pings = 0;
  }
  return mask;
}

static void test_start(void) {
  memcpy((void*)(uptr)(kStartPage << 12), ap_begin, (size_t)(ap_begin_end - ap_begin));
  asm volatile("sgdt (%0)" : : "r"((uptr)(kStartPage << 12) + 0xff0) : "memory");
  asm volatile("sidt (%0)" : : "r"(ap_idt) : "memory");
  check_eq(lapic_read(kLapicId) >> 24, 0, "the boot processor has APIC id 0");
  check(rdmsr(kMsrApicBase) >> 8 & 1, "it is the bootstrap processor");
  send(0, kAllButSelf | kAssert | kSipi | kStartPage);
  send(0, kAllButSelf | kAssert | kInit);
  for (u32 i = 0; i < 10000; ++i) pause();
  send(0, kAllButSelf | kAssert | kSipi | kStartPage);
  send(0, kAllButSelf | kAssert | kSipi | kStartPage);
  check(becomes(&ap_arrivals, kOthers), "all others start");
  for (u32 i = 0; i < 10000; ++i) pause();
  check_eq(ap_arrivals, kOthers, "each once, whatever SIPIs come");
  for (u32 i = 1; i < kProcessors; ++i)
    check_eq(cpu[kIdOf[i]].starts, 1, "APIC id %d is there", (int)kIdOf[i]);
}

static void tell_identity(u32 id) {
  u64 r = 0;
  r |= (lapic_read(kLapicId) >> 24) == id ? 1 : 0;
  r |= (cpuid(1, 0).b >> 24) == id ? 2 : 0;
  r |= (rdmsr(kMsrApicBase) >> 8 & 1) == 0 ? 4 : 0;
  r |= cpuid(0xb, 1).d == id ? 8 : 0;
  cpu[id].result = r;
}
static void test_identity(void) {
  run_on_others(tell_identity);
  for (u32 i = 1; i < kProcessors; ++i) check_eq(cpu[kIdOf[i]].result, 15, "identity of %d", (int)kIdOf[i]);
  check_eq(cpuid(1, 0).b >> 16 & 0xff, 4, "CPUID.1: ids that a package takes");
  check_eq(cpuid(0xb, 0).a, 0, "CPUID.Bh: no bits for threads");
  check_eq(cpuid(0xb, 1).a, 2, "two bits for cores");
  check_eq(cpuid(0xb, 1).b & 0xffff, 3, "three processors in a package");
}

static void wait_halted(u32 id) {
  asm volatile("sti; hlt" : : : "memory");
  cpu[id].result = cpu[id].pings;
}
static void wait_halted_closed(u32 id) {
  asm volatile("cli; hlt" : : : "memory");
  cpu[id].result = cpu[id].nmis | cpu[id].pings << 8;
  sti();
}
static void test_fixed(void) {
  (void)pinged();
  for (u32 i = 0; i < kProcessors; ++i) {
    send(kIdOf[i], kAssert | kPing);
    check_eq(pinged(), 1u << kIdOf[i], "fixed, to APIC id %d alone", (int)kIdOf[i]);
  }
  send(3, kAssert | kPing);
  check_eq(pinged(), 0, "nobody has APIC id 3");
  send(0xff, kAssert | kPing);
  check_eq(pinged(), 0x77, "physical broadcast");
  send(0, kSelf | kAssert | kPing);
  check_eq(pinged(), 1, "shorthand: self");
  send(0, kAll | kAssert | kPing);
  check_eq(pinged(), 0x77, "shorthand: all");
  send(0, kAllButSelf | kAssert | kPing);
  check_eq(pinged(), 0x76, "shorthand: all but self");
  give(4, wait_halted);
  for (u32 i = 0; i < 3000; ++i) pause();
  check(cpu[4].job != NULL, "a halted processor stays so");
  send(4, kAssert | kPing);
  check(finished(4), "an interrupt wakes it");
  check_eq(cpu[4].result, 1, "it was taken before the next instruction");
  (void)pinged();
}

static void set_flat(u32 id) {
  lapic_write(kLapicDfr, ~0u);
  lapic_write(kLapicLdr, 1u << id << 24);
}
static void set_cluster(u32 id) {
  lapic_write(kLapicDfr, 0x0fffffff);
  lapic_write(kLapicLdr, (id >> 2 << 4 | 1u << (id & 3)) << 24);
}
static void raise_priority(u32 id) {
  (void)id;
  lapic_write(kLapicTpr, 0x80);
}
static void lower_priority(u32 id) {
  (void)id;
  lapic_write(kLapicTpr, 0);
}
static void test_logical(void) {
  set_flat(0);
  run_on_others(set_flat);
  send(0x22, kLogical | kAssert | kPing);
  check_eq(pinged(), 0x22, "logical, flat: two of them");
  send(0xff, kLogical | kAssert | kPing);
  check_eq(pinged(), 0x77, "logical, flat: all");
  send(0x08, kLogical | kAssert | kPing);
  check_eq(pinged(), 0, "logical, flat: nobody");
  send(0x77, kLogical | kLowest | kAssert | kPing);
  const u32 one = pinged();
  check(one != 0 && (one & (one - 1)) == 0, "lowest priority: one of all (%x)", one);
  raise_priority(0);
  for (u32 i = 1; i < kProcessors; ++i) {
    if (kIdOf[i] != 5) run_on(kIdOf[i], raise_priority);
  }
  send(0x77, kLogical | kLowest | kAssert | kPing);
  check_eq(pinged(), 1 << 5, "lowest priority: the one with the lowest");
  lower_priority(0);
  run_on_others(lower_priority);
  set_cluster(0);
  run_on_others(set_cluster);
  send(0x15, kLogical | kAssert | kPing);
  check_eq(pinged(), 0x50, "logical, cluster: two of the second cluster");
  send(0x02, kLogical | kAssert | kPing);
  check_eq(pinged(), 0x02, "logical, cluster: one of the first");
  send(0x37, kLogical | kAssert | kPing);
  check_eq(pinged(), 0, "logical, cluster: a cluster that is not there");
  send(0xff, kLogical | kAssert | kPing);
  check_eq(pinged(), 0x77, "logical, cluster: broadcast");
  set_flat(0);
  run_on_others(set_flat);
}

static void test_nmi(void) {
  give(2, wait_halted_closed);
  for (u32 i = 0; i < 3000; ++i) pause();
  send(2, kAssert | kPing);
  for (u32 i = 0; i < 3000; ++i) pause();
  check(cpu[2].job != NULL && cpu[2].pings == 0, "an interrupt does not wake with IF off");
  send(2, kAssert | kNmi);
  check(finished(2), "an NMI does");
  check_eq(cpu[2].result, 1, "it was taken, the interrupt was not yet");
  check(becomes(&cpu[2].pings, 1), "the interrupt comes with STI");
  send(0, kAllButSelf | kAssert | kNmi);
  bool all = true;
  for (u32 i = 1; i < kProcessors; ++i) all = becomes(&cpu[kIdOf[i]].nmis, kIdOf[i] == 2 ? 2 : 1) && all;
  check(all, "an NMI to all others");
  check_eq(cpu[0].nmis, 0, "not to the sender");
  (void)pinged();
}

static void run_for_ever(u32 id) {
  (void)id;
  for (;;) pause();
}
static void init_itself(u32 id) {
  send(id, kAssert | kInit);
  for (;;) pause();
}
static bool start(u32 id) {
  const u32 before = cpu[id].starts;
  cpu[id].job = NULL;
  send(id, kAssert | kSipi | kStartPage);
  return becomes(&cpu[id].starts, before + 1);
}
static void test_init(void) {
  give(1, run_for_ever);
  for (u32 i = 0; i < 3000; ++i) pause();
  send(1, kLevel | kInit);  // level de-assert: nothing on this processor
  send(1, kAssert | kPing);
  check_eq(pinged(), 2, "INIT level de-assert is nothing");
  send(1, kAssert | kLevel | kInit);
  for (u32 i = 0; i < 3000; ++i) pause();
  send(1, kAssert | kPing);
  check_eq(pinged(), 0, "after INIT it waits, and takes no interrupt");
  check(start(1), "SIPI starts it again");
  check_eq(pinged(), 0, "with no interrupt left from before");
  give(5, init_itself);
  for (u32 i = 0; i < 6000; ++i) pause();
  send(5, kAssert | kPing);
  check_eq(pinged(), 0, "INIT to oneself: it waits");
  check(start(5), "and is started by SIPI");
  check_eq(cpu[5].starts, 2, "once");
  for (u32 id = 1; id < kIds; id += 4) run_on(id, set_flat);
}

static volatile u32 lock_word, shared_sum;
static volatile u64 last_tsc;
static volatile u32 steps_back;
static void take(volatile u32* lock) {
  while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) pause();
}
static void release(volatile u32* lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }
static void read_clock(u32 id) {
  (void)id;
  for (int i = 0; i < 500; ++i) {
    take(&lock_word);
    const u64 now = rdtsc();
    if (now <= last_tsc) ++steps_back;
    last_tsc = now;
    release(&lock_word);
    atomic_add(&shared_sum, 1);
  }
}
static void test_shared(void) {
  for (u32 i = 1; i < kProcessors; ++i) give(kIdOf[i], read_clock);
  read_clock(0);
  bool all = true;
  for (u32 i = 1; i < kProcessors; ++i) all = finished(kIdOf[i]) && all;
  check(all, "all take a lock in turn");
  check_eq(steps_back, 0, "no time stamp is below one that another processor read before");
  check_eq(shared_sum, 500 * kProcessors, "LOCK XADD loses nothing");
}

static u8 code[4096] __attribute__((aligned(4096)));
static volatile u32 round, seen;
static u32 call_code(void) {
  u32 value;
  asm volatile("call *%1" : "=a"(value) : "r"(code) : "rcx", "rdx", "rsi", "rdi", "memory", "cc");
  return value;
}
static void put_return(u32 value) {
  memcpy(code + 1, &value, 4);
  code[5] = 0xc3;
  code[0] = 0xb8;
}
static void follow_code(u32 id) {
  u64 right = 0;
  for (u32 i = 1; i <= 200; ++i) {
    while (round != i) pause();
    (void)cpuid(0, 0);
    right += call_code() == i;
    seen = i;
  }
  cpu[id].result = right;
}
static void test_code(void) {
  put_return(0);
  (void)call_code();
  give(6, follow_code);
  for (u32 i = 1; i <= 200; ++i) {
    put_return(i);
    round = i;
    if (!becomes(&seen, i)) break;
  }
  check(finished(6), "a processor runs code that another writes");
  check_eq(cpu[6].result, 200, "the new code each time");
}

static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 pt[512] __attribute__((aligned(4096)));
static volatile u32 page[2][1024] __attribute__((aligned(4096)));
static volatile u32* const kWindow = (volatile u32*)(2ull << 39);
static volatile u32 phase;
static void look_through(u32 id) {
  const u32 first = *kWindow;
  phase = 1;
  while (phase != 2) pause();
  invlpg((uptr)kWindow);
  cpu[id].result = (u64)first << 32 | *kWindow;
}
static void test_tlb(void) {
  boot_pml4[2] = (u64)pdpt | kPteP | kPteW;
  pdpt[0] = (u64)pd | kPteP | kPteW;
  pd[0] = (u64)pt | kPteP | kPteW;
  pt[0] = (u64)page[0] | kPteP | kPteW;
  page[0][0] = 11;
  page[1][0] = 22;
  check_eq(*kWindow, 11, "a page that both see");
  give(4, look_through);
  check(becomes(&phase, 1), "the other one has read it");
  pt[0] = (u64)page[1] | kPteP | kPteW;
  invlpg((uptr)kWindow);
  check_eq(*kWindow, 22, "INVLPG here");
  phase = 2;
  check(finished(4), "and there");
  check_eq(cpu[4].result, 11ull << 32 | 22, "each has its own translations");
  check(pt[0] & kPteA, "the accessed bit is set again");
}

static void test_device_interrupt(void) {
  pic_setup(0);
  for (u32 i = 0; i < kProcessors; i += 4) {
    const u32 id = kIdOf[i];
    ioapic_route(2, (u64)id << 56 | kPing);  // edge, fixed, physical: IRQ 0 comes at pin 2
    outb(0x43, 0x30);                        // PIT 0, mode 0
    outb(0x40, 200);
    outb(0x40, 0);
    sti();
    for (u32 n = 0; n < 100000 && !cpu[id].pings; ++n) pause();
    cli();
    ioapic_route(2, 1 << 16);
    check_eq(pinged(), 1u << id, "the timer's interrupt goes to APIC id %d", (int)id);
  }
  ioapic_route(2, (u64)0x60 << 56 | kLogical | kLowest | kPing);
  outb(0x43, 0x30);
  outb(0x40, 200);
  outb(0x40, 0);
  for (u32 n = 0; n < 100000 && !(cpu[5].pings | cpu[6].pings); ++n) pause();
  ioapic_route(2, 1 << 16);
  const u32 mask = pinged();
  check(mask == 1 << 5 || mask == 1 << 6, "lowest priority of two gets it (%x)", mask);
}

static void test_smi(void) {
  memcpy((void*)0x38000, smm_spread, (size_t)(smm_spread_end - smm_spread));
  for (u32 i = 0; i < kProcessors; ++i) {
    u8* base = (u8*)(0x60000 + 0x1000ull * kIdOf[i]);
    memcpy(base + 0x8000, smm_count, (size_t)(smm_count_end - smm_count));
    *(volatile u32*)(base + 0x8100) = 0;
  }
  for (u32 i = 0; i < kProcessors; ++i) {
    send(kIdOf[i], kAssert | kSmi);
    for (u32 n = 0; n < 3000; ++n) pause();
  }
  send(0, kAssert | kSmi);
  send(0, kAllButSelf | kAssert | kSmi);
  bool all = true;
  for (u32 i = 0; i < kProcessors; ++i)
    all = becomes((volatile u32*)(0x68100 + 0x1000ull * kIdOf[i]), 1) && all;
  check(all, "an SMI runs at each one's own SMBASE");
}

static void turn_to_x2apic(u32 id) {
  __atomic_fetch_or(&x2apic_on, 1u << id, __ATOMIC_SEQ_CST);
  wrmsr(kMsrApicBase, rdmsr(kMsrApicBase) | 3 << 10);
  cpu[id].result = rdmsr(0x802) | rdmsr(0x80d) << 32;
}
static void ping_by_msr(u32 id) {
  (void)id;
  wrmsr(0x830, kAssert | kPing);                // physical, to 0
  wrmsr(0x830, 2ull << 32 | kAssert | kOther);  // to 2
  wrmsr(0x83f, kOther);                         // SELF IPI
}
static void test_x2apic(void) {
  run_on(6, turn_to_x2apic);
  check_eq((u32)cpu[6].result, 6, "x2APIC: its id");
  check_eq(cpu[6].result >> 32, 0x00000040, "x2APIC: its logical id");
  send(6, kAssert | kPing);
  check_eq(pinged(), 1 << 6, "from xAPIC to x2APIC");
  run_on(6, ping_by_msr);
  check_eq(pinged(), 1, "from x2APIC to the boot processor");
  check(becomes(&cpu[2].others, 1) && cpu[6].others == 1, "to another, and SELF IPI");
}

void test_main(void) {
  on_trap(kPing, ping);
  on_trap(kOther, other);
  on_trap(kNMI, nmi);
  on_trap(kSpurious, ping);
  pic_setup(0);
  lapic_enable();
  lapic_write(kLapicDfr, ~0u);
  test_start();
  sti();
  test_identity();
  test_fixed();
  test_logical();
  test_nmi();
  test_init();
  test_shared();
  test_code();
  test_tlb();
  test_device_interrupt();
  sti();
  test_smi();
  test_x2apic();
  cli();
}
