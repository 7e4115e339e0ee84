// Timers against each other: PIT, TSC, LAPIC timer (one-shot, periodic, TSC-deadline), HPET, ACPI PM timer, RTC.
// Intel 8254; SDM 3A 10.5.4; HPET 1.0a; ACPI 4.8.3.3; MC146818.
#include "runtime/apic.h"

enum { kHpet = 0xfed00000, kPitHz = 1193182, kPmHz = 3579545 };

static volatile unsigned ticks;
static volatile u64 tick_tsc;
static void on_tick(struct trap_frame* frame) {
  (void)frame;
  ++ticks;
  tick_tsc = rdtsc();
  lapic_eoi();
}
static void on_pic_tick(struct trap_frame* frame) {
  (void)frame;
  ++ticks;
  tick_tsc = rdtsc();
  outb(0x20, 0x20);
}

static u64 tsc_hz;

static bool within(u64 value, u64 want, unsigned percent) {
  u64 slack = want * percent / 100 + 1;
  return value + slack >= want && value <= want + slack;
}

static void pit_start(u8 mode, u16 count) {
  outb(0x43, (u8)(0x30 | mode << 1));
  outb(0x40, (u8)count);
  outb(0x40, (u8)(count >> 8));
}
static u16 pit_count(void) {
  outb(0x43, 0);
  u16 low = inb(0x40);
  return (u16)(low | inb(0x40) << 8);
}

// ---- PIT and TSC
static void test_pit(void) {
  // Channel 2 through port 61h gives the TSC's frequency, as Linux measures it.
  outb(0x61, (inb(0x61) & ~2) | 1);
  outb(0x43, 0xb0);
  outb(0x42, 0xff);
  u64 start = rdtsc();
  outb(0x42, 0x2f);
  while (!(inb(0x61) & 0x20)) {
  }
  u64 spent = rdtsc() - start;
  tsc_hz = spent * kPitHz / 0x2fff;
  note("TSC runs at %u MHz by the PIT", (unsigned)(tsc_hz / 1000000));
  check(tsc_hz > 10000000ull && tsc_hz < 100000000000ull, "PIT channel 2: a plausible TSC frequency");
  pit_start(2, 10000);
  u16 first = pit_count(), second;
  do second = pit_count();
  while (second == first);
  check(second < first, "PIT channel 0 counts down");
  pic_setup(1);
  on_trap(0x20, on_pic_tick);
  ticks = 0;
  pit_start(2, 11932);  // 100 Hz
  start = rdtsc();
  sti();
  while (ticks < 10) asm volatile("hlt");
  cli();
  check(within(rdtsc() - start, tsc_hz / 10, 5), "PIT mode 2: ten ticks of 10 ms take 100 ms");
  ticks = 0;
  pit_start(0, 1193);
  sti();
  for (int i = 0; i < 20; ++i) {
    u64 until = rdtsc() + tsc_hz / 1000;
    while (rdtsc() < until) asm volatile("pause");
  }
  cli();
  check_eq(ticks, 1, "PIT mode 0: one tick only");
  // BCD and the read-back command.
  outb(0x43, 0x35);
  outb(0x40, 0x00);
  outb(0x40, 0x10);
  outb(0x43, 0xe2);
  check_eq(inb(0x40) & 0x3f, 0x35 & 0x3f, "PIT: read-back of the status");
  u16 bcd = pit_count();
  check((bcd & 0xf) < 10 && (bcd >> 4 & 0xf) < 10 && (bcd >> 8 & 0xf) < 10 && bcd <= 0x1000,
        "PIT: BCD counting");
  pit_start(0, 0xffff);
  outb(0x43, 0xd2);  // latch the count by read-back
  u16 latched = inb(0x40);
  latched |= (u16)(inb(0x40) << 8);
  for (int i = 0; i < 1000; ++i) asm volatile("pause");
  check(pit_count() <= latched, "PIT: the latched count is not newer than the next");
  pic_setup(0);
}

// ---- LAPIC timer
static void test_lapic_timer(void) {
  lapic_enable();
  on_trap(0x40, on_tick);
  lapic_write(kLapicDivide, 0xb);  // by 1
  lapic_write(kLapicLvtTimer, kLvtMasked | 0x40);
  lapic_write(kLapicInitialCount, 0xffffffff);
  u64 start = rdtsc();
  u32 count = lapic_read(kLapicCurrentCount);
  while (rdtsc() - start < tsc_hz / 100) {
  }
  u64 lapic_hz = (u64)(count - lapic_read(kLapicCurrentCount)) * 100;
  note("LAPIC timer runs at %u MHz", (unsigned)(lapic_hz / 1000000));
  check(lapic_hz > 1000000, "LAPIC timer counts down");
  lapic_write(kLapicDivide, 0x3);  // by 16
  lapic_write(kLapicInitialCount, 0xffffffff);
  start = rdtsc();
  count = lapic_read(kLapicCurrentCount);
  while (rdtsc() - start < tsc_hz / 100) {
  }
  check(within((u64)(count - lapic_read(kLapicCurrentCount)) * 1600, lapic_hz, 5),
        "LAPIC timer: divide by 16");
  u32 count_10ms = (u32)(lapic_hz / 16 / 100);
  ticks = 0;
  lapic_write(kLapicLvtTimer, 0x40);
  lapic_write(kLapicInitialCount, count_10ms);
  start = rdtsc();
  sti();
  while (!ticks) asm volatile("hlt");
  check(within(tick_tsc - start, tsc_hz / 100, 5), "LAPIC timer one-shot: after 10 ms");
  while (rdtsc() - start < tsc_hz / 20) {
  }
  cli();
  check_eq(ticks, 1, "LAPIC timer one-shot: once");
  check_eq(lapic_read(kLapicCurrentCount), 0, "LAPIC timer one-shot: stays at zero");
  ticks = 0;
  lapic_write(kLapicLvtTimer, 0x40 | kLvtPeriodic);
  lapic_write(kLapicInitialCount, count_10ms);
  start = rdtsc();
  sti();
  while (ticks < 5) asm volatile("hlt");
  cli();
  check(within(tick_tsc - start, tsc_hz / 20, 5), "LAPIC timer periodic: five ticks in 50 ms");
  lapic_write(kLapicInitialCount, 0);
  ticks = 0;
  sti();
  start = rdtsc();
  while (rdtsc() - start < tsc_hz / 40) {
  }
  cli();
  check_eq(ticks, 0, "LAPIC timer: an initial count of zero stops it");

  lapic_write(kLapicLvtTimer, kLvtMasked);
  if (!(cpuid(1, 0).c >> 24 & 1)) return skip("TSC-deadline");
  lapic_write(kLapicLvtTimer, 0x40 | kLvtTscDeadline);
  ticks = 0;
  u64 deadline = rdtsc() + tsc_hz / 200;
  wrmsr(kMsrTscDeadline, deadline);
  check_eq(rdmsr(kMsrTscDeadline), deadline, "TSC-deadline reads back while armed");
  sti();
  while (!ticks) asm volatile("hlt");
  cli();
  check(tick_tsc >= deadline && tick_tsc - deadline < tsc_hz / 1000, "TSC-deadline: on time, never early");
  check_eq(rdmsr(kMsrTscDeadline), 0, "TSC-deadline reads zero once it has fired");
  ticks = 0;
  wrmsr(kMsrTscDeadline, rdtsc() - 1);
  interrupt_window();
  check_eq(ticks, 1, "TSC-deadline in the past fires at once");
  ticks = 0;
  wrmsr(kMsrTscDeadline, rdtsc() + tsc_hz / 200);
  wrmsr(kMsrTscDeadline, 0);
  start = rdtsc();
  sti();
  while (rdtsc() - start < tsc_hz / 100) {
  }
  cli();
  check_eq(ticks, 0, "TSC-deadline: zero disarms");
  lapic_write(kLapicLvtTimer, kLvtMasked);
  wrmsr(kMsrTscDeadline, 12345);
  check_eq(rdmsr(kMsrTscDeadline), 0, "TSC-deadline: ignored in the other modes");
}

// ---- HPET
static u64 hpet_read(u32 offset) { return *(volatile u64*)(uptr)(kHpet + offset); }
static void hpet_write(u32 offset, u64 value) { *(volatile u64*)(uptr)(kHpet + offset) = value; }

static void test_hpet(void) {
  u64 capabilities = hpet_read(0);
  u64 period_fs = capabilities >> 32;
  if (period_fs == 0 || period_fs > 100000000) return check(false, "HPET: period %u fs", (unsigned)period_fs);
  check((capabilities & 1 << 13) != 0, "HPET: 64-bit counter");
  check((capabilities >> 8 & 31) >= 2, "HPET: at least three timers");
  u64 hz = 1000000000000000ull / period_fs;
  hpet_write(0x10, 0);
  u64 stopped = hpet_read(0xf0);
  for (int i = 0; i < 1000; ++i) asm volatile("pause");
  check_eq(hpet_read(0xf0), stopped, "HPET: the counter stands while disabled");
  hpet_write(0xf0, 0);
  check_eq(hpet_read(0xf0), 0, "HPET: the counter can be set while disabled");
  hpet_write(0x10, 1);
  u64 start = rdtsc(), count = hpet_read(0xf0);
  while (rdtsc() - start < tsc_hz / 100) {
  }
  check(within((hpet_read(0xf0) - count) * 100, hz, 5), "HPET: runs at its period");
  check_eq(*(volatile u32*)(uptr)(kHpet + 4), (u32)(capabilities >> 32), "HPET: 32-bit reads");
  // Timer 0, one-shot through the IOAPIC.
  on_trap(0x41, on_tick);
  u64 config = hpet_read(0x100);
  u32 routes = (u32)(config >> 32);
  int pin = 0;
  while (pin < 24 && !(routes >> pin & 1)) ++pin;
  while (pin < 24 && (pin == 0 || pin == 2) && (routes >> (pin + 1))) {
    do ++pin;
    while (pin < 24 && !(routes >> pin & 1));
  }
  ioapic_route(pin, 0x41 | (u64)lapic_read(kLapicId) << 32);
  ticks = 0;
  hpet_write(0x100, (u64)pin << 9 | 1 << 2);
  hpet_write(0x108, hpet_read(0xf0) + hz / 100);
  start = rdtsc();
  sti();
  while (!ticks) asm volatile("hlt");
  cli();
  check(within(tick_tsc - start, tsc_hz / 100, 5), "HPET timer 0: one-shot after 10 ms");
  if (config & 1 << 4) {
    ticks = 0;
    hpet_write(0x100, (u64)pin << 9 | 1 << 2 | 1 << 3 | 1 << 6);
    hpet_write(0x108, hpet_read(0xf0) + hz / 100);
    hpet_write(0x108, hz / 100);
    start = rdtsc();
    sti();
    while (ticks < 5) asm volatile("hlt");
    cli();
    check(within(tick_tsc - start, tsc_hz / 20, 5), "HPET timer 0: periodic");
  } else {
    skip("HPET: timer 0 is not periodic");
  }
  hpet_write(0x100, 0);
  hpet_write(0x10, 0);
  ioapic_route(pin, kLvtMasked);
}

// ---- ACPI PM timer: the port is in the FADT
static const u8* find_rsdp(void) {
  for (uptr at = 0xe0000; at < 0x100000; at += 16) {
    if (memcmp((void*)at, "RSD PTR ", 8) == 0) return (const u8*)at;
  }
  uptr ebda = (uptr) * (volatile u16*)(uptr)0x40e << 4;
  for (uptr at = ebda; ebda && at < ebda + 1024; at += 16) {
    if (memcmp((void*)at, "RSD PTR ", 8) == 0) return (const u8*)at;
  }
  return 0;
}

static u8 sum(const u8* at, u32 count) {
  u8 total = 0;
  while (count--) total = (u8)(total + *at++);
  return total;
}

static void test_pm_timer(void) {
  const u8* rsdp = find_rsdp();
  check(rsdp != 0, "ACPI: the RSDP is found");
  if (!rsdp) return;
  check_eq(sum(rsdp, 20), 0, "ACPI: the RSDP's checksum");
  const u8* rsdt = (const u8*)(uptr) * (const u32*)(rsdp + 16);
  const u8* fadt = 0;
  if (rsdt) {
    check_eq(sum(rsdt, *(const u32*)(rsdt + 4)), 0, "ACPI: the RSDT's checksum");
    for (u32 i = 36; i < *(const u32*)(rsdt + 4); i += 4) {
      const u8* table = (const u8*)(uptr) * (const u32*)(rsdt + i);
      if (memcmp(table, "FACP", 4) == 0) fadt = table;
    }
  } else {
    const u8* xsdt = (const u8*)(uptr) * (const u64*)(rsdp + 24);
    check_eq(sum(xsdt, *(const u32*)(xsdt + 4)), 0, "ACPI: the XSDT's checksum");
    for (u32 i = 36; i < *(const u32*)(xsdt + 4); i += 8) {
      u64 address;
      memcpy(&address, xsdt + i, 8);
      if (memcmp((const u8*)(uptr)address, "FACP", 4) == 0) fadt = (const u8*)(uptr)address;
    }
  }
  check(fadt != 0 && sum(fadt, *(const u32*)(fadt + 4)) == 0, "ACPI: the FADT is found and sums up");
  if (!fadt) return;
  u16 port = (u16) * (const u32*)(fadt + 76);
  u64 start = rdtsc();
  u32 count = inl(port);
  while (rdtsc() - start < tsc_hz / 100) {
  }
  u32 passed = (inl(port) - count) & 0xffffff;
  check(within((u64)passed * 100, kPmHz, 5), "PM timer: 3.58 MHz");
  bool forward = true;
  u32 last = inl(port);
  for (int i = 0; i < 1000; ++i) {
    u32 now = inl(port);
    forward = forward && ((now - last) & 0xffffff) < 0x800000;
    last = now;
  }
  check(forward, "PM timer: never goes back");
}

// ---- RTC
static u8 cmos(u8 index) {
  outb(0x70, index);
  return inb(0x71);
}
static void set_cmos(u8 index, u8 value) {
  outb(0x70, index);
  outb(0x71, value);
}

static void on_rtc_tick(struct trap_frame* frame) {
  (void)frame;
  ++ticks;
  tick_tsc = rdtsc();
  cmos(0x0c);
  outb(0xa0, 0x20);
  outb(0x20, 0x20);
}

static void test_rtc(void) {
  check(cmos(0x0d) & 0x80, "RTC: the time is valid");
  set_cmos(0x0b, 2);  // 24 hours, BCD, no interrupts
  check((cmos(0) & 0xf) < 10 && cmos(0) < 0x60, "RTC: seconds are BCD");
  // Update-ended interrupts, halted in between.
  on_trap(0x28, on_rtc_tick);
  pic_setup(1 << 2 | 1 << 8);
  lapic_write(kLapicLvtLint0, 7 << 8);
  cmos(0x0c);
  set_cmos(0x0b, 0x12);
  sti();
  for (ticks = 0; ticks < 1;) asm volatile("hlt");
  u64 start = tick_tsc;
  u8 second = cmos(0);
  for (ticks = 0; ticks < 1;) asm volatile("hlt");
  cli();
  check(within(tick_tsc - start, tsc_hz, 5), "RTC: update-ended interrupts are a second apart");
  check(cmos(0) == (second == 0x59        ? 0
                    : (second & 0xf) == 9 ? second + 7
                                          : second + 1),
        "RTC: the seconds went up by one");
  pic_setup(0);
  lapic_write(kLapicLvtLint0, kLvtMasked);
  set_cmos(0x0a, 0x26);
  set_cmos(0x0b, 0x42);
  cmos(0x0c);
  start = rdtsc();
  for (int i = 0; i < 10; ++i) {
    while (!(cmos(0x0c) & 0x40)) {
    }
  }
  u64 spent = rdtsc() - start;
  check(spent > tsc_hz * 8 / 1024 && spent < tsc_hz * 12 / 1024, "RTC: 1024 Hz periodic flag");
  check_eq(cmos(0x0c) & 0x40, 0, "RTC: reading register C clears it");
  set_cmos(0x0b, 2);
  set_cmos(0x40, 0xa5);
  check_eq(cmos(0x40), 0xa5, "CMOS RAM keeps a byte");
}

static void test_tsc(void) {
  bool forward = true;
  u64 last = rdtsc();
  for (int i = 0; i < 10000; ++i) {
    u64 now = rdtsc();
    forward = forward && now >= last;
    last = now;
  }
  check(forward, "TSC never goes back");
  u64 start = rdtsc();
  for (int i = 0; i < 1000; ++i) asm volatile("nop");
  check(rdtsc() > start, "TSC goes on");
  wrmsr(kMsrTsc, 1ull << 40);
  u64 now = rdtsc();
  check(now >= 1ull << 40 && now < (1ull << 40) + tsc_hz, "WRMSR sets the TSC");
}

void test_main(void) {
  pic_setup(0);
  lapic_enable();
  lapic_write(kLapicLvtLint0, 7 << 8);  // ExtINT: the 8259 pair
  test_pit();
  lapic_write(kLapicLvtLint0, kLvtMasked);
  test_lapic_timer();
  test_hpet();
  test_pm_timer();
  test_rtc();
  test_tsc();
}
