// The ports and memory of QEMU's pc-testdev, which kernels in the manner of kvm-unit-tests use: run with
// --debug-testdev, or on QEMU with -device pc-testdev. devices/misc/test_device.h has the list.
#include "runtime/apic.h"

enum {
  kData = 0xe0,
  kFlush = 0xe4,
  kBytes = 0xe8,
  kLines = 0x2000,
  kMemory = 0xff000000,
  kPicVector = 0x25,
  kVector = 0x61,
  kPin = 10
};

static volatile int pic_interrupts, apic_interrupts;
static void on_pic(struct trap_frame* frame) {
  (void)frame;
  ++pic_interrupts;
  outb(0x20, 0x20);
}
static void on_level(struct trap_frame* frame) {
  (void)frame;
  if (++apic_interrupts == 3) outb(kLines + kPin, 0);
  lapic_eoi();
}
static void on_edge(struct trap_frame* frame) {
  (void)frame;
  ++apic_interrupts;
  lapic_eoi();
}
static void take_interrupts(void) {
  sti();
  for (int i = 0; i < 100; ++i) asm volatile("pause" : : : "memory");
  cli();
}

static void test_data(void) {
  outl(kData, 0x11223344);
  check_eq(inl(kData), 0x11223344, "register: dword");
  check(inb(kData) == 0x44 && inb(kData + 1) == 0x33 && inb(kData + 3) == 0x11, "register: bytes");
  check(inw(kData) == 0x3344 && inw(kData + 2) == 0x1122, "register: words");
  outb(kData + 2, 0xaa);
  outw(kData, 0xbbcc);
  check_eq(inl(kData), 0x11aabbcc, "register: parts are written");
  check_eq(inl(kBytes), 0x11aabbcc, "register, byte by byte: dword");
  outl(kBytes, 0x55667788);
  check_eq(inl(kData), 0x55667788, "register, byte by byte: written as a dword");
  check(inb(kBytes + 1) == 0x77 && inw(kBytes + 2) == 0x5566, "register, byte by byte: parts");
  u8 bytes[4] = {0};
  asm volatile("cld; rep insb" : : "D"(bytes), "c"(3), "d"(kData) : "memory");
  check(bytes[0] == 0x88 && bytes[2] == 0x88, "register: REP INSB");
  static u8 page[4096] __attribute__((aligned(4096)));
  page[5] = 0x5a;
  outl(kFlush, (uptr)page);
  check_eq(page[5], 0x5a, "a page keeps its content when it is flushed");
}

static void test_memory(void) {
  volatile u8* memory = (volatile u8*)kMemory;
  *(volatile u32*)(memory + 8) = 0x11223344;
  check_eq(*(volatile u32*)(memory + 8), 0x11223344, "memory: dword");
  check(memory[8] == 0x44 && *(volatile u16*)(memory + 10) == 0x1122, "memory: parts");
  memory[9] = 0xaa;
  *(volatile u16*)(memory + 10) = 0xbbcc;
  check_eq(*(volatile u32*)(memory + 8), 0xbbccaa44, "memory: parts are written");
  memory[0xffff] = 0x77;
  check_eq(memory[0xffff], 0x77, "memory: the last of 64 KiB");
  asm volatile("lock; addl $1, %0" : "+m"(*(volatile u32*)(memory + 8)) : : "cc");
  check_eq(*(volatile u32*)(memory + 8), 0xbbccaa45, "memory: read-modify-write");
}

static void test_lines(void) {
  on_trap(kPicVector, on_pic);
  pic_setup(1 << 5);
  outb(kLines + 5, 1);
  take_interrupts();
  check_eq((u64)pic_interrupts, 1, "line 5 at the 8259: one edge, one interrupt");
  outb(kLines + 5, 0);
  take_interrupts();
  check_eq((u64)pic_interrupts, 1, "line 5 lowered");
  outb(kLines + 5, 0x80);
  take_interrupts();
  check_eq((u64)pic_interrupts, 2, "line 5 raised again, by another value than 1");
  outb(kLines + 5, 0);
  pic_setup(0);

  lapic_write(kLapicSvr, 0x1ff);
  on_trap(kVector, on_edge);
  ioapic_route(kPin, kVector);
  outb(kLines + kPin, 1);
  take_interrupts();
  check_eq((u64)apic_interrupts, 1, "line 10 at the IOAPIC: one edge, one interrupt");
  outb(kLines + kPin, 0);
  apic_interrupts = 0;
  on_trap(kVector, on_level);
  ioapic_route(kPin, kVector | 1 << 15);
  outb(kLines + kPin, 1);
  take_interrupts();
  check_eq((u64)apic_interrupts, 3, "line 10, level-triggered: again until it is lowered");
  ioapic_route(kPin, 1 << 16);
}

void test_main(void) {
  test_data();
  test_memory();
  test_lines();
}
