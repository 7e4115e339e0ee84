// Self-modifying code: every store is seen by the next fetch of those bytes, wherever it comes from. SDM 3A 11.6 asks for
// a jump or a serialising instruction between store and fetch; processors, and this emulator, see it at once.
#include "runtime/guest.h"

enum { kAll = kPteP | kPteW | kPteU };
static const u64 kAlias = 2ull << 39;
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 pt[512] __attribute__((aligned(4096)));
static u8 code[4][4096] __attribute__((aligned(4096)));

/// The code pages once more, at another linear address.
static void map_alias(void) {
  boot_pml4[2] = (u64)pdpt | kAll;
  pdpt[0] = (u64)pd | kAll;
  pd[0] = (u64)pt | kAll;
  for (int i = 0; i < 4; ++i) pt[i] = (u64)code[i] | kAll;
  write_cr3(read_cr3());
}
static u8* alias(int index) { return (u8*)(kAlias + 4096ull * index); }

static u32 call(const void* at) {
  u32 value;
  asm volatile("call *%1" : "=a"(value) : "r"(at) : "rcx", "rdx", "rsi", "rdi", "memory", "cc");
  return value;
}

/// mov eax, value; ret
static void put_return(u8* at, u32 value) {
  at[0] = 0xb8;
  memcpy(at + 1, &value, 4);
  at[5] = 0xc3;
}

static void test_same_page(void) {
  put_return(code[0], 1);
  check_eq(call(code[0]), 1, "code that was just written runs");
  put_return(code[0], 2);
  check_eq(call(code[0]), 2, "rewritten code runs");
  bool right = true;
  for (u32 i = 0; i < 1000; ++i) {
    put_return(code[0], i);
    right = right && call(code[0]) == i;
  }
  check(right, "rewritten a thousand times");
  put_return(code[0] + 64, 7);
  check_eq(call(code[0] + 64), 7, "two functions on a page: the second");
  put_return(code[0], 3);
  check_eq(call(code[0] + 64), 7, "two functions on a page: rewriting one leaves the other");
  check_eq(call(code[0]), 3, "two functions on a page: the first is new");
  *(volatile u8*)(code[0] + 65) = 9;  // one byte in the middle of an instruction
  check_eq(call(code[0] + 64), 9, "one byte of an immediate");
  memset(code[0], 0xcc, 16);
  u64 count = 6;
  u8* to = code[0];
  static const u8 source[6] = {0xb8, 0x44, 0x33, 0x22, 0x11, 0xc3};
  const u8* from = source;
  asm volatile("rep movsb" : "+c"(count), "+S"(from), "+D"(to) : : "memory");
  check_eq(call(code[0]), 0x11223344, "written by REP MOVSB");
}

static void test_string_stores(void) {
  put_return(code[0], 1);
  call(code[0]);
  u64 count = 4;
  u8* to = code[0] + 1;
  asm volatile("rep stosb" : "+c"(count), "+D"(to) : "a"(0x5a) : "memory");
  check_eq(call(code[0]), 0x5a5a5a5a, "written by REP STOSB");
  u32 old = 0x5a5a5a5a;
  asm volatile("lock cmpxchgl %1, %2"
               : "+a"(old)
               : "r"(0x12121212), "m"(*(u32*)(code[0] + 1))
               : "memory", "cc");
  check_eq(call(code[0]), 0x12121212, "written by LOCK CMPXCHG");
  asm volatile("lock xaddl %0, %1" : : "r"(1), "m"(*(u32*)(code[0] + 1)) : "memory", "cc");
  check_eq(call(code[0]), 0x12121213, "written by LOCK XADD");
  u64 stack;  // mov eax, 0ah; ret
  asm volatile("mov %%rsp, %0; lea 8(%1), %%rsp; push %2; mov %0, %%rsp"
               : "=&r"(stack)
               : "r"(code[0]), "r"(0xc30000000ab8ull)
               : "memory");
  check_eq(call(code[0]), 0xa, "written by PUSH");
}

static void test_alias(void) {
  put_return(code[1], 1);
  check_eq(call(code[1]), 1, "alias: first run through the identity map");
  check_eq(call(alias(1)), 1, "alias: first run through the alias");
  put_return(alias(1), 2);
  check_eq(call(code[1]), 2, "alias: written through the alias, run through the identity map");
  put_return(code[1], 3);
  check_eq(call(alias(1)), 3, "alias: written through the identity map, run through the alias");
  bool right = true;
  for (u32 i = 0; i < 200; ++i) {
    put_return(i & 1 ? code[1] : alias(1), i);
    right = right && call(i & 2 ? code[1] : alias(1)) == i;
  }
  check(right, "alias: two hundred rewrites, both ways");
  // A page that becomes another page at the same address.
  put_return(code[2], 22);
  put_return(code[3], 33);
  check_eq(call(alias(2)), 22, "remap: the first page");
  pt[2] = (u64)code[3] | kAll;
  invlpg((uptr)alias(2));
  check_eq(call(alias(2)), 33, "remap: the second page");
  pt[2] = (u64)code[2] | kAll;
  invlpg((uptr)alias(2));
  check_eq(call(alias(2)), 22, "remap: back");
  put_return(code[2], 23);
  check_eq(call(alias(2)), 23, "remap: rewritten");
}

static void test_running_block(void) {
  // The store changes the very next instruction: mov byte [next+1], 2; next: mov eax, 1; ret
  u8* at = code[0];
  bool right = true;
  for (int i = 0; i < 10; ++i) {
    static const u8 text[] = {0xc6, 0x05, 1, 0, 0, 0, 0x02, 0xb8, 1, 0, 0, 0, 0xc3};
    memcpy(at, text, sizeof text);
    right = right && call(at) == 2;
  }
  check(right, "a store into the next instruction is seen by it");
  // ...ten instructions further on.
  at = code[0] + 512;
  for (int i = 0; i < 10; ++i) {
    u8 text[32] = {0xc6, 0x05, 11, 0, 0, 0, 0x03};
    memset(text + 7, 0x90, 10);
    put_return(text + 17, 1);
    memcpy(at, text, 23);
    right = right && call(at) == 3;
  }
  check(right, "a store into the running block, ten instructions ahead, is seen");
  // A loop that counts in its own immediate: L: add dword [imm], 1; mov eax, imm32; cmp eax, 50; jne L; ret
  at = code[0] + 1024;
  static const u8 loop[] = {0x83, 0x05, 1, 0, 0, 0, 0x01, 0xb8, 0, 0, 0, 0, 0x83, 0xf8, 50, 0x75, 0xef, 0xc3};
  memcpy(at, loop, sizeof loop);
  check_eq(call(at), 50, "a loop that counts in its own immediate");
  check_eq(*(u32*)(at + 8), 50, "...and the count is in memory");
  // The store that follows itself with a fault: the modified instruction is what faults.
  at = code[0] + 2048;
  static const u8 to_ud[] = {0x66, 0xc7, 0x05, 0, 0, 0, 0, 0x0f, 0x0b, 0x90, 0x90, 0xc3};
  memcpy(at, to_ud, sizeof to_ud);
  check_trap(CATCH(call(at)), kUD, 0, "a store that turns the next instruction into UD2");
  check_eq(last_trap.frame.ip, (uptr)at + 9, "...faults there");
  // A call that pushes its return address over code that was run.
  put_return(code[3] + 256, 5);
  call(code[3] + 256);
  u64 stack;
  asm volatile("mov %%rsp, %0; lea 264(%1), %%rsp; call 1f; 1: mov %0, %%rsp"
               : "=&r"(stack)
               : "r"(code[3])
               : "memory");
  put_return(code[3] + 256, 6);
  check_eq(call(code[3] + 256), 6, "CALL that pushes over code");
}

static void test_across_pages(void) {
  // mov eax, imm32 whose immediate lies on the next page.
  u8* at = code[0] + 4093;
  put_return(at, 0x11111111);
  check_eq(call(at), 0x11111111, "an instruction that crosses pages");
  *(volatile u8*)(code[1] + 1) = 0x22;
  check_eq(call(at), 0x22111111, "its second half rewritten");
  *(volatile u8*)(code[0] + 4094) = 0x33;
  check_eq(call(at), 0x22111133, "its first half rewritten");
  // A store that itself crosses the boundary.
  *(volatile u32*)(code[0] + 4094) = 0x44444444;
  check_eq(call(at), 0x44444444, "rewritten by a store that crosses the same boundary");
  // A block that runs on over the boundary.
  memset(code[0] + 4080, 0x90, 16);
  put_return(code[1], 1);
  check_eq(call(code[0] + 4080), 1, "a block that runs into the next page");
  put_return(code[1], 2);
  check_eq(call(code[0] + 4080), 2, "...whose second page is rewritten");
  // Through the alias, where the second page becomes another.
  put_return(alias(0) + 4093, 0x01010101);
  check_eq(call(alias(0) + 4093), 0x01010101, "crossing through the alias");
  memcpy(code[2], code[1], 16);
  code[2][0] = 0x77;
  pt[1] = (u64)code[2] | kAll;
  invlpg((uptr)alias(1));
  check_eq(call(alias(0) + 4093), 0x01770101, "crossing: only the second page is remapped");
  pt[1] = (u64)code[1] | kAll;
  invlpg((uptr)alias(1));
  check_eq(call(alias(0) + 4093), 0x01010101, "crossing: mapped back");
}

static void test_not_executable(void) {
  put_return(code[2], 4);
  check_eq(call(alias(2)), 4, "before XD");
  pt[2] |= kPteNx;
  invlpg((uptr)alias(2));
  check_trap(CATCH(call(alias(2))), kPF, kPfP | kPfI, "XD set: code that has run before faults");
  check_eq(call(code[2]), 4, "XD on the alias only");
  pt[2] &= ~kPteNx;
  invlpg((uptr)alias(2));
  check_eq(call(alias(2)), 4, "XD cleared");
}

void test_main(void) {
  map_alias();
  test_same_page();
  test_string_stores();
  test_alias();
  test_running_block();
  test_across_pages();
  test_not_executable();
}
