// Linear addresses outside long mode have 32 bits: what straddles 4 GiB goes on at 0. SDM 3A 3.3, 3.4.5; SDM
// 3B 22.35. Paging puts RAM at both ends. Offsets that wrap inside a 4 GiB segment are undefined there (a
// fault or not): these accesses get no fault here, see docs/undefined.md.
#include "runtime/guest.h"

static u8 top[4096] __attribute__((aligned(4096))), bottom[4096] __attribute__((aligned(4096)));
static u32 directory[1024] __attribute__((aligned(4096)));
static u32 low_table[1024] __attribute__((aligned(4096))), high_table[1024] __attribute__((aligned(4096)));
#define TOP32 (*(volatile u32*)(top + 0xffc))
#define BOTTOM32 (*(volatile u32*)bottom)

enum { kHigh = kSpare, kHighCode = kSpare + 8 };

static void set_segment(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
  *gdt_slot(selector) = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
                        (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}
static void map_ends(u32 bottom_flags, u32 top_flags) {
  low_table[0] = (uptr)bottom | bottom_flags;
  high_table[1023] = (uptr)top | top_flags;
  write_cr3((uptr)directory);
}
static void start_paging(void) {
  for (u32 i = 0; i < 1024; ++i) {
    directory[i] = i << 22 | kPteP | kPteW | kPtePs;
    low_table[i] = i << 12 | kPteP | kPteW;
    high_table[i] = (0x3ffu << 22 | i << 12) | kPteP | kPteW;
  }
  directory[0] = (uptr)low_table | kPteP | kPteW;
  directory[1023] = (uptr)high_table | kPteP | kPteW;
  write_cr4(read_cr4() | kCr4Pse);
  map_ends(kPteP | kPteW, kPteP | kPteW);
  write_cr0(read_cr0() | kCr0Pg | kCr0Wp);
}
static void fill(void) {
  TOP32 = 0x44332211;
  BOTTOM32 = 0x88776655;
}

static void test_flat(void) {
  u32 value = 0;
  fill();
  check_trap(CATCH(asm volatile("movl 0xfffffffe, %0" : "=a"(value))), kNoTrap, 0, "dword at FFFFFFFEh");
  check_eq(value, 0x66554433, "dword at FFFFFFFEh: value");
  check_trap(CATCH(asm volatile("movl %0, 0xfffffffd"
                                :
                                : "a"(0xa4a3a2a1)
                                : "memory")),
             kNoTrap, 0, "store of a dword at FFFFFFFDh");
  check(TOP32 == 0xa3a2a111 && BOTTOM32 == 0x887766a4, "store of a dword at FFFFFFFDh: memory");
  fill();
  check_trap(CATCH(asm volatile("addl %0, 0xfffffffe"
                                :
                                : "a"(0x01010101)
                                : "memory", "cc")),
             kNoTrap, 0, "read-modify-write at FFFFFFFEh");
  check(TOP32 == 0x45342211 && BOTTOM32 == 0x88776756, "read-modify-write at FFFFFFFEh: memory");
  fill();
  check_trap(CATCH(asm volatile("lock; xaddl %0, 0xffffffff"
                                : "+a"(value)
                                :
                                : "memory", "cc")),
             kNoTrap, 0, "LOCK XADD at FFFFFFFFh");
  check_eq(value, 0x77665544, "LOCK XADD at FFFFFFFFh: value");
  fill();
  u32 values[4] = {0};
  check_trap(CATCH(asm volatile("movups 0xfffffff8, %%xmm0; movups %%xmm0, %0"
                                : "=m"(values))),
             kNoTrap, 0, "16 bytes at FFFFFFF8h");
  check(values[1] == 0x44332211 && values[2] == 0x88776655, "16 bytes at FFFFFFF8h: value");
  fill();
  check_trap(CATCH(asm volatile("movl $0xfffffffc, %%esi; movl %0, %%edi; movl $8, %%ecx; rep movsb"
                                :
                                : "r"(values)
                                : "esi", "edi", "ecx", "memory")),
             kNoTrap, 0, "REP MOVSB across 4 GiB");
  check(values[0] == 0x44332211 && values[1] == 0x88776655, "REP MOVSB across 4 GiB: memory");
  values[0] = 0;
  check_trap(CATCH(asm volatile("movl $0xfffffffe, %%esi; movl %0, %%edi; movl $2, %%ecx; rep movsl"
                                :
                                : "r"(values)
                                : "esi", "edi", "ecx", "memory")),
             kNoTrap, 0, "REP MOVSD across 4 GiB");
  check_eq(values[0], 0x66554433, "REP MOVSD across 4 GiB: memory");
  fill();
  u32 popped = 0;
  cli();
  check_trap(
      CATCH(asm volatile(
          "movl %%esp, %%edx; movl $2, %%esp; pushl %1; movl $0xfffffffe, %%esp; popl %0; movl %%edx, %%esp"
          : "=&a"(popped)
          : "c"(0xd4d3d2d1)
          : "edx", "memory")),
      kNoTrap, 0, "PUSH and POP across 4 GiB");
  check(popped == 0xd4d3d2d1 && TOP32 == 0xd2d12211 && BOTTOM32 == 0x8877d4d3,
        "PUSH and POP across 4 GiB: memory");
}

// A base near the top: the offsets do not wrap, the sums do.
static void test_based(void) {
  u32 value = 0;
  fill();
  set_segment(kHigh, 0xfffffff0, 0xffff, 0x93, 4);
  asm volatile("mov %0, %%fs" : : "r"((u16)kHigh));
  check_trap(CATCH(asm volatile("movl %%fs:0xe, %0"
                                : "=a"(value))),
             kNoTrap, 0, "segment of base FFFFFFF0h: dword at Eh");
  check_eq(value, 0x66554433, "segment of base FFFFFFF0h: dword at Eh: value");
  check_trap(CATCH(asm volatile("movl %%fs:0x10, %0"
                                : "=a"(value))),
             kNoTrap, 0, "segment of base FFFFFFF0h: dword at 10h");
  check_eq(value, 0x88776655, "segment of base FFFFFFF0h: dword at 10h: value");
  asm volatile("movw $0x1234, %%fs:0xf" : : : "memory");
  check(TOP32 == 0x34332211 && BOTTOM32 == 0x88776612, "segment of base FFFFFFF0h: store at Fh");
  // Code: an instruction of which one byte lies below 4 GiB and the rest above 0.
  static const u8 code[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xcd, 0x80};  // mov eax, 12345678h; int 80h
  set_segment(kHighCode, 0xffffff00, 0xffff, 0x9b, 4);
  top[0xfff] = code[0];
  memcpy(bottom, code + 1, sizeof code - 1);
  struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) pointer = {0xff, kHighCode};
  check_trap(CATCH(asm volatile("ljmp *%0"
                                :
                                : "m"(pointer)
                                : "memory")),
             kUserReturn, 0, "an instruction across 4 GiB");
  check(last_trap.frame.ax == 0x12345678 && last_trap.frame.ip == 0x106,
        "an instruction across 4 GiB: EAX and EIP");
  bottom[1] = 0x99;
  check_trap(CATCH(asm volatile("ljmp *%0"
                                :
                                : "m"(pointer)
                                : "memory")),
             kUserReturn, 0, "and once more, changed");
  check_eq(last_trap.frame.ax, 0x12349978, "and once more, changed: EAX");
  // The GDT: entry 0 below 4 GiB, entry 1 and the rest from 0 on.
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) table = {0xd7, 0xfffffff8}, old;
  memcpy(bottom, gdt + 1, 0xd0);
  asm volatile("sgdt %0" : "=m"(old));
  asm volatile("lgdt %0" : : "m"(table));
  check_trap(CATCH(asm volatile("mov %0, %%gs; mov %0, %%es"
                                :
                                : "r"((u16)kKernelData))),
             kNoTrap, 0, "a descriptor behind 4 GiB");
  asm volatile("lgdt %0" : : "m"(old));
  // One that straddles: entry 1 at FFFFFFFCh.
  table.base = 0xfffffff4;
  fill();
  TOP32 = (u32)gdt[1], BOTTOM32 = (u32)(gdt[1] >> 32);
  bool ok = false;
  asm volatile("lgdt %1; lar %2, %%eax; lgdt %3" : "=@ccz"(ok) : "m"(table), "r"(8), "m"(old) : "eax");
  check(ok, "a descriptor across 4 GiB");
}

static void test_faults(void) {
  u32 value;
  map_ends(0, kPteP | kPteW);
  check_trap(CATCH(asm volatile("movl 0xfffffffe, %0" : "=a"(value))), kPF, 0, "page 0 not present: #PF");
  check_eq(last_trap.cr2, 0, "page 0 not present: CR2");
  map_ends(kPteP | kPteW, 0);
  check_trap(CATCH(asm volatile("movl 0xfffffffe, %0" : "=a"(value))), kPF, 0, "last page not present: #PF");
  check_eq(last_trap.cr2, 0xfffffffe, "last page not present: CR2");
  map_ends(kPteP, kPteP | kPteW);
  fill();
  check_trap(CATCH(asm volatile("movl %0, 0xfffffffe"
                                :
                                : "a"(0)
                                : "memory")),
             kPF, kPfP | kPfW, "page 0 read-only: #PF");
  check_eq(last_trap.cr2, 0, "page 0 read-only: CR2");
  check_eq(TOP32, 0x44332211, "page 0 read-only: nothing is written");
  map_ends(kPteP | kPteW, kPteP | kPteW);
}

void test_main(void) {
  start_paging();
  test_flat();
  test_based();
  test_faults();
}
