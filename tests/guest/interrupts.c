// The interrupt controllers as seen from the CPU: 8259 pair, local APIC with self-IPIs and priorities, IOAPIC, x2APIC.
// SDM 3A chapter 10; Intel 8259A and 82093AA datasheets.
#include "runtime/apic.h"

static volatile unsigned taken[256];
static volatile int order[16];
static volatile unsigned taken_count;
static void note_interrupt(struct trap_frame* frame) {
  ++taken[frame->vector];
  if (taken_count < 16) order[taken_count] = (int)frame->vector;
  ++taken_count;
}
static void note_and_eoi(struct trap_frame* frame) {
  note_interrupt(frame);
  lapic_eoi();
}
static void forget(void) {
  memset((void*)taken, 0, sizeof taken);
  taken_count = 0;
}

/// Makes IRQ 0 rise once: PIT channel 0, mode 0, count 1.
static void pulse_irq0(void) {
  outb(0x43, 0x30);
  outb(0x40, 1);
  outb(0x40, 0);
  for (int i = 0; i < 1000000; ++i) {
    outb(0x43, 0xe2);  // read back the status of channel 0
    if (inb(0x40) & 0x80) return;
  }
  note("FAIL: the PIT's output never rose");
}

static u8 pic_irr(u16 port) {
  outb(port, 0x0a);
  return inb(port);
}
static u8 pic_isr(u16 port) {
  outb(port, 0x0b);
  return inb(port);
}

static void test_pic(void) {
  on_trap(0x20, note_interrupt);
  on_trap(0x28, note_interrupt);
  on_trap(0x21, note_interrupt);
  pic_setup(1 << 0);
  forget();
  pulse_irq0();
  check(pic_irr(0x20) & 1, "8259: a raised line is in the IRR");
  check_eq(taken_count, 0, "8259: nothing is delivered with IF=0");
  interrupt_window();
  check_eq(taken[0x20], 1, "8259: delivered at the programmed vector");
  check_eq(pic_isr(0x20), 1, "8259: in service until EOI");
  check(!(pic_irr(0x20) & 1), "8259: the request is gone once acknowledged");
  pulse_irq0();
  interrupt_window();
  check_eq(taken[0x20], 1, "8259: no second one before EOI");
  outb(0x20, 0x20);
  check_eq(pic_isr(0x20), 0, "8259: EOI clears the ISR");
  interrupt_window();
  check_eq(taken[0x20], 2, "8259: the waiting one comes after EOI");
  outb(0x20, 0x60);
  check_eq(pic_isr(0x20), 0, "8259: specific EOI");
  pic_setup(0);
  forget();
  pulse_irq0();
  interrupt_window();
  check_eq(taken_count, 0, "8259: a masked line is not delivered");
  outb(0x21, 0xfe);
  interrupt_window();
  check_eq(taken[0x20], 1, "8259: unmasking delivers it");
  outb(0x20, 0x20);
  // Automatic EOI.
  pic_setup(1);
  outb(0x20, 0x11);
  outb(0x21, 0x20);
  outb(0x21, 4);
  outb(0x21, 3);
  outb(0x21, 0xfe);
  pulse_irq0();
  interrupt_window();
  check_eq(pic_isr(0x20), 0, "8259: automatic EOI");
  outb(0x21, 0x5a);
  check_eq(inb(0x21), 0x5a, "8259: the mask register reads back");
  pic_setup(0);
  interrupt_window();
  // The RTC's periodic interrupt comes through the second 8259.
  pic_setup(1 << 2 | 1 << 8);
  forget();
  outb(0x70, 0x0a);
  outb(0x71, 0x26);
  outb(0x70, 0x0b);
  u8 control = inb(0x71);
  outb(0x70, 0x0c);
  inb(0x71);
  outb(0x70, 0x0b);
  outb(0x71, control | 0x40);
  for (unsigned i = 0; i < 10000000 && !taken[0x28]; ++i) interrupt_window();
  check(taken[0x28] != 0, "8259: IRQ 8 through the cascade");
  check_eq(pic_isr(0x20), 4, "8259: the cascade line is in service too");
  check_eq(pic_isr(0xa0), 1, "8259: IRQ 8 in service in the second controller");
  outb(0x70, 0x0b);
  outb(0x71, control);
  outb(0x70, 0x0c);
  inb(0x71);
  outb(0xa0, 0x20);
  outb(0x20, 0x20);
  // A request that is withdrawn before it is taken: read register C while the flag of a period is up, with IF=0.
  on_trap(0x2f, note_interrupt);
  forget();
  for (unsigned i = 0; i < 1000000; ++i) {
    outb(0x70, 0x0b);
    outb(0x71, control | 0x40);
    if (pic_irr(0xa0) & 1) break;
  }
  outb(0x70, 0x0b);
  outb(0x71, control);
  interrupt_window();
  check_eq(taken[0x28], 0, "8259: a withdrawn request is not delivered");
  check_eq(taken[0x2f], 1, "8259: but a spurious IRQ 15");
  check_eq(pic_isr(0xa0), 0, "8259: which is not in service");
  check_eq(pic_isr(0x20), 4, "8259: although the cascade line is");
  outb(0x20, 0x20);
  outb(0x70, 0x0c);
  inb(0x71);
  pic_setup(0);
}

static void self_ipi(int vector) {
  lapic_write(kLapicIcrHigh, 0);
  lapic_write(kLapicIcrLow, 0x40000 | 0x4000 | (u32)vector);
}

static void test_lapic(void) {
  check(rdmsr(kMsrApicBase) & 1 << 8, "LAPIC: this is the bootstrap processor");
  check_eq(rdmsr(kMsrApicBase) & 0xfffff000 & ~0xfffull, kLapicBase, "LAPIC: base address");
  lapic_enable();
  check_eq(lapic_read(kLapicId) >> 24, cpuid(1, 0).b >> 24, "LAPIC: ID is CPUID's");
  check((lapic_read(kLapicVersion) & 0xff) >= 0x10, "LAPIC: integrated");
  for (int vector = 0x30; vector < 0x100; ++vector) {
    if (vector != kUserReturn) on_trap(vector, note_and_eoi);
  }
  forget();
  self_ipi(0x50);
  check(lapic_bit(kLapicIrr, 0x50), "LAPIC: self-IPI is in the IRR");
  interrupt_window();
  check_eq(taken[0x50], 1, "LAPIC: self-IPI is delivered");
  check(!lapic_bit(kLapicIrr, 0x50) && !lapic_bit(kLapicIsr, 0x50), "LAPIC: EOI clears IRR and ISR");
  // Higher vectors first.
  forget();
  self_ipi(0x41);
  self_ipi(0x93);
  self_ipi(0x62);
  asm volatile("sti; nop; nop; nop; nop; nop; nop; cli");
  check(order[0] == 0x93 && order[1] == 0x62 && order[2] == 0x41 && taken_count == 3,
        "LAPIC: the highest vector comes first");
  // Two of the same vector are one.
  forget();
  self_ipi(0x50);
  self_ipi(0x50);
  asm volatile("sti; nop; nop; nop; nop; cli");
  check_eq(taken[0x50], 1, "LAPIC: two requests of one vector are one interrupt");
  // In service: only a higher class gets through.
  on_trap(0x60, note_interrupt);
  on_trap(0x68, note_and_eoi);
  forget();
  self_ipi(0x60);
  interrupt_window();
  check(lapic_bit(kLapicIsr, 0x60), "LAPIC: in service");
  check_eq(lapic_read(kLapicPpr), 0x60, "LAPIC: PPR is the class in service");
  self_ipi(0x68);
  interrupt_window();
  check_eq(taken[0x68], 0, "LAPIC: the same class waits");
  self_ipi(0x70);
  interrupt_window();
  check_eq(taken[0x70], 1, "LAPIC: a higher class gets through");
  lapic_eoi();
  interrupt_window();
  check_eq(taken[0x68], 1, "LAPIC: the one that waited comes after EOI");
  on_trap(0x60, note_and_eoi);
  // TPR and CR8.
  forget();
  lapic_write(kLapicTpr, 0x70);
  self_ipi(0x75);
  interrupt_window();
  check_eq(taken[0x75], 0, "LAPIC: TPR holds its own class back");
  check_eq(lapic_read(kLapicPpr), 0x70, "LAPIC: PPR is TPR with nothing in service");
  u64 cr8;
  asm volatile("mov %%cr8, %0" : "=r"(cr8));
  check_eq(cr8, 7, "LAPIC: CR8 is TPR[7:4]");
  asm volatile("mov %0, %%cr8" : : "r"(6ull));
  check_eq(lapic_read(kLapicTpr), 0x60, "LAPIC: MOV to CR8 sets TPR");
  interrupt_window();
  check_eq(taken[0x75], 1, "LAPIC: lowering CR8 lets it through");
  asm volatile("mov %0, %%cr8" : : "r"(0ull));
  // Shorthands and destinations that are this processor.
  forget();
  lapic_write(kLapicIcrLow, 0x80000 | 0x4000 | 0x51);  // all including self
  lapic_write(kLapicIcrHigh, lapic_read(kLapicId));
  lapic_write(kLapicIcrLow, 0x4000 | 0x52);  // physical, this ID
  lapic_write(kLapicDfr, 0xffffffff);
  lapic_write(kLapicLdr, 1u << 24);
  lapic_write(kLapicIcrHigh, 1u << 24);
  lapic_write(kLapicIcrLow, 0x4000 | 0x800 | 0x53);  // logical
  lapic_write(kLapicIcrHigh, 2u << 24);
  lapic_write(kLapicIcrLow, 0x4000 | 0x800 | 0x54);    // logical, not us
  lapic_write(kLapicIcrLow, 0xc0000 | 0x4000 | 0x55);  // all but self
  asm volatile("sti; nop; nop; nop; nop; nop; nop; nop; nop; cli");
  check(taken[0x51] == 1, "LAPIC: shorthand 'all including self'");
  check(taken[0x52] == 1, "LAPIC: physical destination");
  check(taken[0x53] == 1, "LAPIC: logical destination");
  check(taken[0x54] == 0 && taken[0x55] == 0, "LAPIC: other destinations do not reach us");
  // Software disable masks every LVT entry, and they stay masked.
  lapic_write(kLapicLvtTimer, 0x55);
  lapic_write(kLapicSvr, 0xff);
  check(lapic_read(kLapicLvtTimer) & kLvtMasked, "LAPIC: software disable masks the LVT");
  lapic_write(kLapicLvtTimer, 0x55);
  check(lapic_read(kLapicLvtTimer) & kLvtMasked, "LAPIC: and keeps it masked");
  lapic_enable();
}

/// An IPI takes a while.
static void wait_for(volatile unsigned* counter, unsigned value) {
  for (int i = 0; i < 10000 && *counter < value; ++i) asm volatile("pause");
}

static void test_nmi(void) {
  forget();
  on_trap(kNMI, note_interrupt);
  lapic_write(kLapicIcrHigh, lapic_read(kLapicId));
  lapic_write(kLapicIcrLow, 0x4000 | 0x400);  // NMI to ourselves, IF=0
  wait_for(&taken[kNMI], 1);
  check_eq(taken[kNMI], 1, "NMI is delivered with IF=0");
}

static volatile unsigned nested_before_iret;
static void nmi_again(struct trap_frame* frame) {
  note_interrupt(frame);
  if (taken[kNMI] == 1) {
    lapic_write(kLapicIcrLow, 0x4000 | 0x400);
    wait_for(&taken[kNMI], 2);
    nested_before_iret = taken[kNMI];
  }
}

static void test_nmi_blocking(void) {
  forget();
  on_trap(kNMI, nmi_again);
  lapic_write(kLapicIcrHigh, lapic_read(kLapicId));
  lapic_write(kLapicIcrLow, 0x4000 | 0x400);
  wait_for(&taken[kNMI], 2);
  check_eq(nested_before_iret, 1, "a second NMI waits until IRET");
  check_eq(taken[kNMI], 2, "...and comes then");
}

static volatile bool level_tmr;
static void on_level(struct trap_frame* frame) {
  note_interrupt(frame);
  level_tmr = lapic_bit(kLapicTmr, 0x62);
  if (taken[0x62] == 3) outb(0x3f9, 0);
  lapic_eoi();
}

static void test_ioapic(void) {
  pic_setup(0);
  lapic_write(kLapicLvtLint0, kLvtMasked);
  u32 version = ioapic_read(1);
  check_eq(version >> 16 & 0xff, 23, "IOAPIC: 24 pins");
  ioapic_route(2, kLvtMasked | 0x61);
  check_eq(ioapic_read(0x14) & 0x1ffff, kLvtMasked | 0x61, "IOAPIC: an entry reads back");
  // The PIT is on pin 2 (ACPI's interrupt source override of IRQ 0).
  forget();
  ioapic_route(2, 0x61 | (u64)lapic_read(kLapicId) << 32);
  pulse_irq0();
  interrupt_window();
  check_eq(taken[0x61], 1, "IOAPIC: edge interrupt of the PIT on pin 2");
  check(!lapic_bit(kLapicTmr, 0x61), "IOAPIC: edge clears the TMR bit");
  pulse_irq0();
  interrupt_window();
  check_eq(taken[0x61], 2, "IOAPIC: a second edge");
  ioapic_route(2, kLvtMasked | 0x61);
  pulse_irq0();
  interrupt_window();
  check_eq(taken[0x61], 2, "IOAPIC: a masked pin is silent");
  // Level: COM1's transmit-empty interrupt comes again after every EOI, until the handler takes its cause away.
  on_trap(0x62, on_level);
  ioapic_route(4, 0x62 | 1 << 15);
  outb(0x3fc, 0x0b);
  forget();
  outb(0x3f9, 2);
  interrupt_window();
  check_eq(taken[0x62], 3, "IOAPIC: a level interrupt comes again after EOI while the level is up");
  check(level_tmr, "IOAPIC: level sets the TMR bit");
  interrupt_window();
  check_eq(taken[0x62], 3, "IOAPIC: silent once the level is down");
  ioapic_route(4, kLvtMasked);
}

static void test_x2apic(void) {
  if (!(cpuid(1, 0).c >> 21 & 1)) return skip("x2APIC");
  u64 base = rdmsr(kMsrApicBase);
  u32 id = lapic_read(kLapicId) >> 24;
  check_trap(CATCH(rdmsr(0x802)), kGP, 0, "x2APIC registers before it is enabled: #GP(0)");
  wrmsr(kMsrApicBase, base | 1 << 10);
  check_eq(rdmsr(0x802), id, "x2APIC: ID");
  check_eq(rdmsr(0x80d), (u64)(id >> 4) << 16 | 1u << (id & 15), "x2APIC: LDR is derived from the ID");
  forget();
  on_trap(0x58, note_interrupt);
  wrmsr(0x83f, 0x58);
  interrupt_window();
  check_eq(taken[0x58], 1, "x2APIC: SELF IPI register");
  wrmsr(0x80b, 0);
  on_trap(0x59, note_interrupt);
  wrmsr(0x830, (u64)id << 32 | 0x4059);
  interrupt_window();
  check_eq(taken[0x59], 1, "x2APIC: ICR in one write");
  check_trap(CATCH(wrmsr(0x80b, 1)), kGP, 0, "x2APIC: EOI of anything but zero: #GP(0)");
  wrmsr(0x80b, 0);
  check_trap(CATCH(wrmsr(0x802, 1)), kGP, 0, "x2APIC: ID is read-only: #GP(0)");
  check_trap(CATCH(rdmsr(0x80e)), kGP, 0, "x2APIC: DFR does not exist: #GP(0)");
  check_trap(CATCH(rdmsr(0x831)), kGP, 0, "x2APIC: ICR high does not exist: #GP(0)");
  check_trap(CATCH(wrmsr(kMsrApicBase, base)), kGP, 0, "x2APIC to xAPIC directly: #GP(0)");
  wrmsr(kMsrApicBase, base & ~(u64)(1 << 11));
  check_trap(CATCH(wrmsr(kMsrApicBase, (base & ~(u64)(1 << 11)) | 1 << 10)), kGP, 0,
             "disabled with x2APIC set: #GP(0)");
  wrmsr(kMsrApicBase, base);
  lapic_enable();
  check_eq(lapic_read(kLapicId) >> 24, id, "xAPIC again by way of disabled");
}

static void test_illegal_vector(void) {
  // Vectors below 16 are errors (SDM 3A 10.5.3).
  lapic_write(kLapicLvtError, kLvtMasked);
  lapic_write(kLapicEsr, 0);
  lapic_write(kLapicEsr, 0);
  self_ipi(5);
  lapic_write(kLapicEsr, 0);
  check(lapic_read(kLapicEsr) & (1 << 5 | 1 << 6), "LAPIC: sending an illegal vector sets the ESR");
  lapic_write(kLapicEsr, 0);
}

void test_main(void) {
  ioapic_route(2, kLvtMasked);
  test_pic();
  test_lapic();
  test_nmi();
  test_nmi_blocking();
  test_ioapic();
  test_x2apic();
  test_illegal_vector();
}
