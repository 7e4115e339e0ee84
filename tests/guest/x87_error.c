// x87 errors as a PC reports them with CR0.NE = 0: FERR# raises IRQ 13, port F0h takes it back and asserts
// IGNNE#. SDM 1 8.7 and appendix D.2; with CR0.NE = 1 they are #MF. 32-bit protected mode, both 8259s.
#include "runtime/apic.h"

enum {
  kIrq0Vector = 0x20,
  kIrq13Vector = 0x2d,
  kFswZe = 4,
  kFswEs = 0x80,
  kIrq13 = 1 << 13,
  kCascade = 1 << 2
};

static volatile int interrupts, timer_ticks;
static volatile uptr interrupted_ip;
static bool handler_clears = true, handler_ignores = true;

static void end_of_interrupt(int irq) {
  if (irq >= 8) outb(0xa0, 0x20);
  outb(0x20, 0x20);
}
static void on_irq13(struct trap_frame* frame) {
  ++interrupts;
  interrupted_ip = frame->ip;
  if (handler_ignores) outb(0xf0, 0);
  if (handler_clears) asm volatile("fnclex");
  end_of_interrupt(13);
}
static void on_timer(struct trap_frame* frame) {
  ++timer_ticks;
  interrupted_ip = frame->ip;
  if (timer_ticks == 3) outb(0xf0, 0);
  end_of_interrupt(0);
}
static u16 status(void) {
  u16 value;
  asm volatile("fnstsw %0" : "=a"(value));
  return value;
}
static void divide_by_zero(void) {
  u16 control = 0x37f & ~4;  // ZM clear
  asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
}
static u8 isr(u16 port) {
  outb(port, 0x0b);
  return inb(port);
}
static u8 irr(u16 port) {
  outb(port, 0x0a);
  return inb(port);
}

static void test_native(void) {
  write_cr0(read_cr0() | kCr0Ne);
  pic_setup(kIrq13 | kCascade);
  sti();
  check_trap(CATCH(divide_by_zero(); asm volatile("fwait")), kMF, kAnyError, "CR0.NE = 1: #MF");
  asm volatile("fnclex");
  sti();
  asm volatile("nop");
  check_eq((u64)interrupts, 0, "CR0.NE = 1: no IRQ 13");
  cli();
}

static void test_irq13(void) {
  write_cr0(read_cr0() & ~(uptr)kCr0Ne);
  asm volatile("fninit");
  on_trap(kIrq13Vector, on_irq13);
  interrupts = 0;
  cli();
  divide_by_zero();
  check(irr(0xa0) & 0x20, "the error requests IRQ 13");
  check(status() & kFswEs, "ES is set");
  u16 control;
  asm volatile("fnstcw %0" : "=m"(control));
  check_eq(control, 0x37b, "instructions that do not wait go on");
  sti();
  asm volatile("nop; fwait" : : : "memory");
  cli();
  check_eq((u64)interrupts, 1, "IRQ 13 is taken once");
  check(!(status() & (kFswEs | kFswZe)), "its handler has cleared the exception");
  check_trap(CATCH(asm volatile("fld1; fstp %st(0); fwait")), kNoTrap, 0, "x87 goes on");
  check(!(isr(0xa0) & 0x20) && !(irr(0xa0) & 0x20), "no IRQ 13 is left");

  // The handler writes port F0h, which asserts IGNNE#, and leaves the exception: execution goes on.
  handler_clears = false;
  interrupts = 0;
  sti();
  divide_by_zero();
  asm volatile("fld1; fstp %%st(0); fwait" : : : "memory");
  check_eq((u64)interrupts, 1, "IGNNE#: one IRQ 13");
  check(status() & kFswEs, "IGNNE#: ES stays");
  asm volatile("fld1; fldz; fdivrp; fwait" : : : "memory");
  check_eq((u64)interrupts, 1, "IGNNE#: a further error is ignored, too");
  asm volatile("fnclex");
  divide_by_zero();
  asm volatile("fwait" : : : "memory");
  check_eq((u64)interrupts, 2, "IGNNE# ends with FERR#: the next error requests IRQ 13");
  asm volatile("fnclex");
  cli();
  handler_clears = true;

  // FLDCW that unmasks a flag raises FERR#, too.
  u16 all = 0x37f, no_zero_divide = 0x37f & ~4;
  interrupts = 0;
  asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fldcw %1" : : "m"(all), "m"(no_zero_divide));
  sti();
  asm volatile("nop; fwait" : : : "memory");
  cli();
  check_eq((u64)interrupts, 1, "FLDCW that unmasks a flagged exception: IRQ 13");
  // MMX instructions wait as well.
  interrupts = 0;
  divide_by_zero();
  sti();
  asm volatile("movd %%eax, %%mm0; emms" : : : "memory");
  cli();
  check_eq((u64)interrupts, 1, "IRQ 13 before an MMX instruction");
}

// With IRQ 13 masked the processor stands still before the next waiting instruction until another interrupt
// comes.
static void test_freeze(void) {
  extern u8 waiting[];
  pic_setup(1 << 0);
  on_trap(kIrq0Vector, on_timer);
  outb(0x43, 0x34);  // channel 0, mode 2
  outb(0x40, 0);
  outb(0x40, 16);  // 3.4 ms
  interrupts = timer_ticks = 0;
  divide_by_zero();
  sti();
  asm volatile("nop; .global waiting\nwaiting: fwait" : : : "memory");
  cli();
  check_eq((u64)timer_ticks, 3, "FWAIT waits until port F0h is written");
  check_eq(interrupted_ip, (uptr)waiting, "the interrupts find it at FWAIT");
  check_eq((u64)interrupts, 0, "IRQ 13 is masked");
  asm volatile("fnclex");
  pic_setup(0);
}

void test_main(void) {
  test_native();
  test_irq13();
  test_freeze();
  write_cr0(read_cr0() | kCr0Ne);
}
