// Local APIC, IOAPIC and 8259 access for the images that test interrupts and timers.
#pragma once

#include "guest.h"

enum {
  kLapicBase = 0xfee00000,
  kIoapicBase = 0xfec00000,
  kLapicId = 0x20,
  kLapicVersion = 0x30,
  kLapicTpr = 0x80,
  kLapicPpr = 0xa0,
  kLapicEoi = 0xb0,
  kLapicLdr = 0xd0,
  kLapicDfr = 0xe0,
  kLapicSvr = 0xf0,
  kLapicIsr = 0x100,
  kLapicTmr = 0x180,
  kLapicIrr = 0x200,
  kLapicEsr = 0x280,
  kLapicIcrLow = 0x300,
  kLapicIcrHigh = 0x310,
  kLapicLvtTimer = 0x320,
  kLapicLvtLint0 = 0x350,
  kLapicLvtLint1 = 0x360,
  kLapicLvtError = 0x370,
  kLapicInitialCount = 0x380,
  kLapicCurrentCount = 0x390,
  kLapicDivide = 0x3e0,
  kLvtMasked = 1 << 16,
  kLvtPeriodic = 1 << 17,
  kLvtTscDeadline = 2 << 17,
};

static inline u32 lapic_read(u32 offset) { return *(volatile u32*)(uptr)(kLapicBase + offset); }
static inline void lapic_write(u32 offset, u32 value) { *(volatile u32*)(uptr)(kLapicBase + offset) = value; }
static inline void lapic_eoi(void) { lapic_write(kLapicEoi, 0); }
/// Bit `vector` of one of the 256-bit registers IRR, ISR, TMR.
static inline bool lapic_bit(u32 first_register, int vector) {
  return lapic_read(first_register + (u32)vector / 32 * 16) >> (vector % 32) & 1;
}

static inline u32 ioapic_read(u8 index) {
  *(volatile u32*)(uptr)kIoapicBase = index;
  return *(volatile u32*)(uptr)(kIoapicBase + 0x10);
}
static inline void ioapic_write(u8 index, u32 value) {
  *(volatile u32*)(uptr)kIoapicBase = index;
  *(volatile u32*)(uptr)(kIoapicBase + 0x10) = value;
}
static inline void ioapic_route(int pin, u64 entry) {
  ioapic_write((u8)(0x10 + pin * 2), 1 << 16);
  ioapic_write((u8)(0x11 + pin * 2), (u32)(entry >> 32));
  ioapic_write((u8)(0x10 + pin * 2), (u32)entry);
}

/// Both 8259s at vectors 20h and 28h, everything masked but `unmasked` (bit per IRQ).
static inline void pic_setup(u16 unmasked) {
  outb(0x20, 0x11);
  outb(0xa0, 0x11);
  outb(0x21, 0x20);
  outb(0xa1, 0x28);
  outb(0x21, 4);
  outb(0xa1, 2);
  outb(0x21, 1);
  outb(0xa1, 1);
  outb(0x21, (u8)~unmasked);
  outb(0xa1, (u8)(~unmasked >> 8));
}

static inline void lapic_enable(void) {
  wrmsr(kMsrApicBase, rdmsr(kMsrApicBase) | 1 << 11);
  lapic_write(kLapicSvr, 0x1ff);
  lapic_write(kLapicTpr, 0);
  lapic_write(kLapicLvtTimer, kLvtMasked);
}

/// Lets pending interrupts in, then closes again.
static inline void interrupt_window(void) { asm volatile("sti; nop; nop; cli" : : : "memory"); }
