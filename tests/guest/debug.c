// Interrupt shadows, single-step, and the debug registers. SDM 3A 6.8.3; SDM 3B chapter 17.
#include "runtime/guest.h"

enum { kDr6Bs = 1 << 14, kDr6Bd = 1 << 13, kDr7Gd = 1 << 13, kDr6Fixed = 0xffff0ff0 };

static uptr read_dr6(void) {
  uptr v;
  asm volatile("mov %%dr6, %0" : "=r"(v));
  return v;
}
static void write_dr6(uptr v) { asm volatile("mov %0, %%dr6" : : "r"(v)); }
static uptr read_dr7(void) {
  uptr v;
  asm volatile("mov %%dr7, %0" : "=r"(v));
  return v;
}
static void write_dr7(uptr v) { asm volatile("mov %0, %%dr7" : : "r"(v)); }
static void write_dr(int index, uptr v) {
  if (index == 0) asm volatile("mov %0, %%dr0" : : "r"(v));
  if (index == 1) asm volatile("mov %0, %%dr1" : : "r"(v));
  if (index == 2) asm volatile("mov %0, %%dr2" : : "r"(v));
  if (index == 3) asm volatile("mov %0, %%dr3" : : "r"(v));
}

// What the #DB handler saw: up to 16 stops.
static volatile struct {
  unsigned count;
  uptr ip[16], dr6[16], flags[16];
} stops;
static volatile uptr frame_flags_set, frame_flags_clear;

static void on_debug(struct trap_frame* frame) {
  if (stops.count < 16) {
    stops.ip[stops.count] = frame->ip;
    stops.dr6[stops.count] = read_dr6();
    stops.flags[stops.count] = frame->flags;
  }
  ++stops.count;
  write_dr6(kDr6Fixed);
  frame->flags = (frame->flags | frame_flags_set) & ~frame_flags_clear;
}

static void arm(void) {
  stops.count = 0;
  frame_flags_set = frame_flags_clear = 0;
  write_dr6(kDr6Fixed);
}

extern u8 step_1[], step_2[], step_3[], step_4[], step_end[];
static void test_single_step(void) {
  on_trap(kDB, on_debug);
  arm();
  // The instruction after the POPF that sets TF runs, then the trap comes (SDM 3B 17.3.1.4).
  asm volatile(
      "pushf; orl $0x100, (%%rsp); popf; step_1: nop; step_2: mov $3, %%ecx; step_3: inc %%ecx; step_4:"
      "pushf; andl $~0x100, (%%rsp); popf; step_end: nop"
      :
      :
      : "rcx", "memory", "cc");
  check_eq(stops.ip[0], (uptr)step_2, "TF: first stop is after the instruction behind POPF");
  check_eq(stops.ip[1], (uptr)step_3, "TF: second stop");
  check_eq(stops.ip[2], (uptr)step_4, "TF: third stop");
  check_eq(stops.dr6[0], kDr6Fixed | kDr6Bs, "TF: DR6.BS");
  check(stops.flags[0] & kEflagsTf, "TF is set in the frame");
  check_eq(stops.count, 6, "TF: a stop after each instruction, and one after the POPF that clears TF");
  check_eq(stops.ip[5], (uptr)step_end, "TF: the last stop is after the POPF that clears it");

  // Every iteration of a REP is a stop (SDM 3B 17.3.1.4).
  static u8 from[8], to[8];
  arm();
  asm volatile("pushf; orl $0x100, (%%rsp); popf; rep movsb; pushf; andl $~0x100, (%%rsp); popf"
               :
               : "c"(4ul), "S"(from), "D"(to)
               : "memory", "cc");
  check_eq(stops.count, 4 + 3, "TF: one stop for each REP iteration");
  check_eq(stops.ip[0], stops.ip[1], "TF: the REP instruction stays current while it repeats");
  check(stops.ip[3] != stops.ip[2], "TF: after the last iteration the next instruction is current");

  // A software interrupt clears TF on entry and stops after IRET; the handler itself is not stepped.
  extern uptr trap_stubs[];
  extern u8 plain_return[], int_after[];
  asm volatile(".pushsection .text.stubs, \"ax\"; plain_return: nop; nop; iretq; .popsection");
  set_gate(0x79, plain_return, kKernelCode, 0xe, 0);
  arm();
  asm volatile(
      "pushf; orl $0x100, (%%rsp); popf; int $0x79; nop; int_after: pushf; andl $~0x100, (%%rsp); popf"
      :
      :
      : "memory", "cc");
  check_eq(stops.ip[0], (uptr)int_after,
           "TF: INT n is not stepped into, and IRETQ that sets TF stops one instruction later");
  set_gate(0x79, (void*)trap_stubs[0x79], kKernelCode, 0xe, 0);

  // MOV SS holds the trap back by one instruction (SDM 3A 6.8.3).
  extern u8 after_shadow[];
  arm();
  asm volatile(
      "mov %%ss, %%eax; pushf; orl $0x100, (%%rsp); popf; mov %%eax, %%ss; nop; after_shadow: pushf; andl "
      "$~0x100, (%%rsp); popf"
      :
      :
      : "rax", "memory", "cc");
  check_eq(stops.ip[0], (uptr)after_shadow, "TF: no stop between MOV SS and the next instruction");
}

static u8 data[16] __attribute__((aligned(16)));

static void data_breakpoint(int index, uptr linear, unsigned type, unsigned length) {
  write_dr(index, linear);
  write_dr7(0x400 | 2u << (2 * index) | (type | (length - 1 == 7 ? 2 : length - 1) << 2) << (16 + 4 * index));
}

enum { kOnExecute = 0, kOnWrite = 1, kOnAccess = 3 };

static void test_data_breakpoints(void) {
  arm();
  data_breakpoint(0, (uptr)data + 4, kOnWrite, 4);
  extern u8 after_write[];
  asm volatile("movl $1, 4(%0); after_write:" : : "r"(data) : "memory");
  check_eq(stops.count, 1, "write breakpoint");
  check_eq(stops.ip[0], (uptr)after_write, "data breakpoints are traps: the next instruction is saved");
  check_eq(stops.dr6[0], kDr6Fixed | 1, "DR6.B0");
  check_eq(*(u32*)(data + 4), 1, "the write has happened");
  arm();
  *(volatile u8*)(data + 7) = 1;
  check_eq(stops.count, 1, "write of the last byte of four");
  arm();
  *(volatile u32*)(data + 1) = 1;
  check_eq(stops.count, 1, "write that overlaps the first byte");
  arm();
  *(volatile u32*)data = 1;
  *(volatile u8*)(data + 8) = 1;
  check_eq(stops.count, 0, "writes on both sides do not stop");
  (void)*(volatile u32*)(data + 4);
  check_eq(stops.count, 0, "a write breakpoint does not stop on reads");
  data_breakpoint(2, (uptr)data + 8, kOnAccess, 8);
  arm();
  (void)*(volatile u8*)(data + 15);
  check_eq(stops.count, 1, "access breakpoint of eight bytes stops on a read");
  check_eq(stops.dr6[0], kDr6Fixed | 4, "DR6.B2");
  arm();
  asm volatile("lock incl 8(%0)" : : "r"(data) : "memory", "cc");
  check_eq(stops.count, 1, "read-modify-write stops once");
  arm();
  (void)*(volatile u64*)data;
  check_eq(stops.count, 0, "a read beside it does not stop");
  data_breakpoint(3, (uptr)data + 3, kOnWrite, 1);
  arm();
  *(volatile u8*)(data + 3) = 1;
  *(volatile u8*)(data + 2) = 1;
  check_eq(stops.count, 1, "breakpoint of one byte");
  data_breakpoint(1, (uptr)data + 2, kOnWrite, 2);
  arm();
  *(volatile u8*)(data + 3) = 1;
  check_eq(stops.count, 1, "breakpoint of two bytes");
  // REP stops after the iteration that matched.
  arm();
  u64 count = 8;
  u8* to = data;
  extern u8 rep_here[];
  asm volatile("rep_here: rep stosb" : "+c"(count), "+D"(to) : "a"(0) : "memory");
  check_eq(stops.count, 2, "REP STOSB: a stop for each iteration that matched");
  check_eq(stops.ip[0], (uptr)rep_here, "REP STOSB: the instruction is still current");
  write_dr7(0x400);
  arm();
  *(volatile u8*)(data + 3) = 1;
  check_eq(stops.count, 0, "DR7 clear: no stop");
  // Pushes are writes too.
  u64 stack;
  asm volatile("mov %%rsp, %0" : "=r"(stack));
  arm();
  data_breakpoint(0, stack - 256, kOnWrite, 8);
  asm volatile("sub $248, %%rsp; push %%rax; add $256, %%rsp" : : : "memory", "cc");
  check_eq(stops.count, 1, "PUSH hits a write breakpoint");
  write_dr7(0x400);
}

static void test_execute_breakpoints(void) {
  extern u8 breakpoint_here[];
  arm();
  frame_flags_set = kEflagsRf;
  write_dr(0, (uptr)breakpoint_here);
  write_dr7(0x402);
  u32 value;
  asm volatile("mov $1, %%eax; breakpoint_here: mov $2, %%eax" : "=a"(value) : : "memory");
  check_eq(stops.count, 1, "instruction breakpoint");
  check_eq(stops.ip[0], (uptr)breakpoint_here, "instruction breakpoints are faults: rip is the instruction");
  check_eq(stops.dr6[0], kDr6Fixed | 1, "instruction breakpoint: DR6.B0");
  check_eq(value, 2, "RF in the returned flags lets the instruction run");
  // RF lasts for one instruction only: the second time round it stops again.
  arm();
  frame_flags_set = kEflagsRf;
  extern u8 loop_here[];
  write_dr(0, (uptr)loop_here);
  asm volatile("mov $3, %%ecx; 1: nop; loop_here: dec %%ecx; jnz 1b" : : : "rcx", "cc", "memory");
  check_eq(stops.count, 3, "instruction breakpoint in a loop stops every time round");
  // The breakpoint has priority over the instruction's own fault.
  arm();
  frame_flags_set = kEflagsRf;
  extern u8 faulting_here[];
  write_dr(0, (uptr)faulting_here);
  check_trap(CATCH(asm volatile("faulting_here: ud2")), kUD, 0,
             "with RF the instruction's own fault follows");
  check_eq(stops.count, 1, "instruction breakpoint comes before #UD");
  // MOV SS suppresses instruction breakpoints on the next instruction.
  arm();
  frame_flags_set = kEflagsRf;
  extern u8 shadowed_here[];
  write_dr(0, (uptr)shadowed_here);
  asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; shadowed_here: nop" : : : "rax", "memory");
  check_eq(stops.count, 0, "no instruction breakpoint behind MOV SS");
  write_dr7(0x400);
}

static void test_registers(void) {
  // General detect: any access to a debug register with DR7.GD is #DB before it happens, and GD is cleared.
  on_trap(kDB, 0);
  write_dr6(kDr6Fixed);
  write_dr7(0x400 | kDr7Gd);
  check_trap(CATCH(write_dr(0, 5)), kDB, 0, "DR7.GD: access to a debug register is #DB");
  check_eq(read_dr7() & kDr7Gd, 0, "#DB clears DR7.GD");
  check_eq(read_dr6(), kDr6Fixed | kDr6Bd, "DR6.BD");
  write_dr6(kDr6Fixed);
  on_trap(kDB, on_debug);
  // DR4 and DR5 are DR6 and DR7 while CR4.DE is clear.
  uptr value;
  asm volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(value));  // mov rax, dr4
  check_eq(value, read_dr6(), "DR4 is DR6 with CR4.DE=0");
  write_cr4(read_cr4() | kCr4De);
  check_trap(CATCH(asm volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(value))), kUD, 0, "DR4 with CR4.DE=1: #UD");
  check_trap(CATCH(asm volatile(".byte 0x0f, 0x23, 0xe8" : : "a"(0ul))), kUD, 0, "DR5 with CR4.DE=1: #UD");
  write_cr4(read_cr4() & ~(uptr)kCr4De);
  write_dr7(0);
  check_eq(read_dr7(), 0x400, "DR7 bit 10 reads as one");
  check_trap(CATCH(write_dr7(1ull << 32)), kGP, 0, "MOV to DR7, bit 32: #GP(0)");
  check_trap(CATCH(write_dr6(1ull << 32)), kGP, 0, "MOV to DR6, bit 32: #GP(0)");
  write_dr7(0x400);
}

// ---- Shadows: with an interrupt pending, which instruction does it come after?
static volatile uptr interrupted_at;
static volatile unsigned interrupts;
static void on_timer(struct trap_frame* frame) {
  interrupted_at = frame->ip;
  ++interrupts;
  outb(0x20, 0x20);
  frame->flags &= ~(uptr)kEflagsIf;
}

/// Leaves IRQ 0 of the PIT pending at vector 20h, interrupts off.
static void make_pending(void) {
  cli();
  outb(0x20, 0x11);
  outb(0x21, 0x20);
  outb(0x21, 4);
  outb(0x21, 1);
  outb(0x21, 0xfe);
  outb(0xa1, 0xff);
  outb(0x43, 0x30);  // channel 0, mode 0
  outb(0x40, 1);
  outb(0x40, 0);
  for (;;) {
    outb(0x20, 0x0a);
    if (inb(0x20) & 1) break;
  }
  interrupts = 0;
}

static void test_shadows(void) {
  extern u8 sti_after[], ss_next[], popf_after[], sti_two[];
  on_trap(0x20, on_timer);
  make_pending();
  asm volatile("sti; nop; sti_after: nop; nop; cli" : : : "memory");
  check_eq(interrupts, 1, "STI lets the pending interrupt in");
  check_eq(interrupted_at, (uptr)sti_after, "STI: not before the instruction behind it");
  make_pending();
  asm volatile("sti; cli; nop" : : : "memory");
  check_eq(interrupts, 0, "STI; CLI lets nothing in");
  make_pending();
  asm volatile("sti; nop; cli" : : : "memory");
  check_eq(interrupts, 1, "STI; NOP; CLI lets it in");
  make_pending();
  asm volatile("sti; sti; sti_two: nop; cli" : : : "memory");
  check_eq(interrupted_at, (uptr)sti_two, "the second STI of two has no shadow");
  make_pending();
  asm volatile("pushf; orl $0x200, (%%rsp); popf; popf_after: nop; nop; cli" : : : "memory", "cc");
  check_eq(interrupted_at, (uptr)popf_after, "POPF has no shadow");
  make_pending();
  asm volatile("mov %%ss, %%eax; pushf; orl $0x200, (%%rsp); mov %%eax, %%ss; popf; ss_next: nop; nop; cli"
               :
               :
               : "rax", "memory", "cc");
  check_eq(interrupted_at, (uptr)ss_next, "MOV SS shadows one instruction only");
  make_pending();
  extern u8 hlt_next[];
  asm volatile("sti; hlt; hlt_next: cli" : : : "memory");
  check_eq(interrupts, 1, "STI; HLT wakes");
  check_eq(interrupted_at, (uptr)hlt_next, "STI; HLT: the interrupt comes behind HLT");
  outb(0x21, 0xff);
}

static void test_int1(void) {
  // INT1 (F1h) is #DB without BS and DPL does not matter to it.
  arm();
  extern u8 after_int1[];
  asm volatile(".byte 0xf1; after_int1:" : : : "memory");
  check_eq(stops.count, 1, "INT1 raises #DB");
  check_eq(stops.ip[0], (uptr)after_int1, "INT1 saves the next address");
  check_eq(stops.dr6[0], kDr6Fixed, "INT1 leaves DR6");
}

void test_main(void) {
  test_single_step();
  test_data_breakpoints();
  test_execute_breakpoints();
  test_registers();
  test_shadows();
  test_int1();
}
