// Exceptions in 64-bit mode: each vector reached by its own cause, error codes, what the frame holds, double faults,
// canonical addresses, and instructions that fault half-way. SDM 3A chapter 6; SDM 1 chapter 3.3.7.1.
#include "runtime/guest.h"

// Eight 4 KiB pages under PML4 entry 2; the odd ones are missing.
enum { kAll = kPteP | kPteW | kPteU };
static const u64 kPages = 2ull << 39;
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 pt[512] __attribute__((aligned(4096)));
static u8 memory[8][4096] __attribute__((aligned(4096)));
static u8 user_stack[4096] __attribute__((aligned(16)));
static u8 ist_stack[4096] __attribute__((aligned(16)));

static u64 page(int index) { return kPages + 4096ull * index; }
static void map(int index, u64 flags) {
  pt[index] = flags ? (u64)memory[index] | flags : 0;
  invlpg(page(index));
}

static void map_pages(void) {
  boot_pml4[2] = (u64)pdpt | kAll;
  pdpt[0] = (u64)pd | kAll;
  pd[0] = (u64)pt | kAll;
  for (int i = 0; i < 8; i += 2) map(i, kAll);
}

static const u64 kNonCanonical = 1ull << 47;

static void test_divide(void) {
  check_trap(CATCH(asm volatile("divl %1" : : "a"(1), "r"(0), "d"(0) : "cc")), kDE, 0, "DIV by zero: #DE");
  check_trap(CATCH(asm volatile("divl %1"
                                :
                                : "a"(0), "r"(1), "d"(1)
                                : "cc")),
             kDE, 0, "DIV quotient too large: #DE");
  check_trap(CATCH(asm volatile("idivl %1"
                                :
                                : "a"(0x80000000), "r"(-1), "d"(-1)
                                : "cc")),
             kDE, 0, "IDIV INT_MIN / -1: #DE");
  check_trap(CATCH(asm volatile("divb %1"
                                :
                                : "a"(0x1234), "q"((u8)0x12)
                                : "cc")),
             kDE, 0, "DIV byte quotient 103h: #DE");
  check_trap(CATCH(asm volatile("xor %%ecx, %%ecx; idivl %%ecx"
                                :
                                : "a"(7), "d"(9)
                                : "ecx", "cc")),
             kDE, 0, "IDIV by zero: #DE");
  check(last_trap.frame.ax == 7 && last_trap.frame.dx == 9, "IDIV that faults leaves eax and edx");
}

static volatile u64 resumed_at, seen_flags, seen_stack;
static void skip_two_bytes(struct trap_frame* frame) {
  resumed_at = frame->ip;
  seen_flags = frame->flags;
  seen_stack = frame->sp;
  frame->ip += 2;
}
static void note_only(struct trap_frame* frame) {
  resumed_at = frame->ip;
  seen_flags = frame->flags;
  seen_stack = frame->sp;
}

static void test_frames(void) {
  // SDM 3A 6.5: faults save the address of the instruction, traps that of the next one.
  on_trap(kUD, skip_two_bytes);
  u64 expected, stack;
  asm volatile("lea 1f(%%rip), %0; mov %%rsp, %1; 1: ud2" : "=&r"(expected), "=&r"(stack) : : "memory");
  check_eq(resumed_at, expected, "#UD saves the address of UD2");
  check_eq(seen_stack, stack, "#UD saves rsp");
  check((seen_flags & kEflagsRf) != 0, "a fault saves RF=1");  // SDM 3B 17.3.1.1
  asm volatile("sub $8, %%rsp; mov %%rsp, %0; ud2; add $8, %%rsp" : "=&r"(stack) : : "memory", "cc");
  check_eq(seen_stack, stack, "rsp not a multiple of 16 is saved as it is");
  on_trap(kUD, 0);
  check_trap(CATCH(asm volatile("sub $24, %rsp; ud2")), kUD, 0, "UD2");
  check_eq(last_trap.stack & 15, 0, "the frame begins at a multiple of 16");  // SDM 3A 6.14.2

  on_trap(kBP, note_only);
  asm volatile("lea 1f(%%rip), %0; int3; 1:" : "=&r"(expected) : : "memory");
  check_eq(resumed_at, expected, "INT3 saves the next address");
  check((seen_flags & kEflagsRf) == 0, "INT3 saves RF=0");
  asm volatile("lea 1f(%%rip), %0; .byte 0xcd, 3; 1:" : "=&r"(expected) : : "memory");
  check_eq(resumed_at, expected, "INT 3 (two bytes) saves the next address");
  on_trap(kBP, 0);
  on_trap(0x77, note_only);
  asm volatile("lea 1f(%%rip), %0; int $0x77; 1:" : "=&r"(expected) : : "memory");
  check_eq(resumed_at, expected, "INT n saves the next address");
  check_eq(seen_flags & kEflagsIf, 0, "INT n saves IF as it was");
  on_trap(0x77, 0);

  // Interrupt gates clear IF, trap gates keep it; both clear TF, NT and RF (SDM 3A 6.12.1.3).
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  extern uptr trap_stubs[];
  sti();
  u64 in_gate;
  extern u8 report_flags[];
  asm volatile(".pushsection .text.stubs, \"ax\"; report_flags: pushf; pop %%rax; iretq; .popsection"
               :
               :
               : "memory");
  set_gate(0x78, report_flags, kKernelCode, 0xe, 0);
  asm volatile("int $0x78" : "=a"(in_gate) : : "memory");
  check_eq(in_gate & (kEflagsIf | kEflagsTf | kEflagsNt | kEflagsRf), 0, "interrupt gate clears IF");
  set_gate(0x78, report_flags, kKernelCode, 0xf, 0);
  asm volatile("int $0x78" : "=a"(in_gate) : : "memory");
  check_eq(in_gate & kEflagsIf, kEflagsIf, "trap gate keeps IF");
  cli();
  set_gate(0x78, (void*)trap_stubs[0x78], kKernelCode, 0xe, 0);
}

static void test_invalid_opcodes(void) {
  check_trap(CATCH(asm volatile("ud2")), kUD, 0, "UD2: #UD");
  check_trap(CATCH(asm volatile(".byte 0x0f, 0xb9, 0xc0")), kUD, 0, "UD1: #UD");
  check_trap(CATCH(asm volatile(".byte 0x06")), kUD, 0, "PUSH ES in 64-bit mode: #UD");
  check_trap(CATCH(asm volatile(".byte 0x27")), kUD, 0, "DAA in 64-bit mode: #UD");
  check_trap(CATCH(asm volatile(".byte 0xce")), kUD, 0, "INTO in 64-bit mode: #UD");
  check_trap(CATCH(asm volatile(".byte 0x9a, 0, 0, 0, 0, 0, 0")), kUD, 0,
             "far CALL immediate in 64-bit mode: #UD");
  check_trap(CATCH(asm volatile(".byte 0x82, 0xc0, 0x01")), kUD, 0, "opcode 82 in 64-bit mode: #UD");
  check_trap(CATCH(asm volatile(".byte 0xf0, 0x89, 0xc0")), kUD, 0, "LOCK MOV: #UD");
  check_trap(CATCH(asm volatile(".byte 0xf0, 0x01, 0xc0")), kUD, 0, "LOCK ADD to a register: #UD");
  check_trap(CATCH(asm volatile(".byte 0xf0, 0x90")), kUD, 0, "LOCK NOP: #UD");
  check_trap(CATCH(asm volatile(".byte 0xf0, 0x39, 0x04, 0x24")), kUD, 0, "LOCK CMP: #UD");
  check_trap(CATCH(asm volatile(".byte 0x8e, 0xc8")), kUD, 0, "MOV to CS: #UD");
  check_trap(CATCH(asm volatile(".byte 0x8c, 0xf0")), kUD, 0, "MOV from segment register 6: #UD");
  check_trap(CATCH(asm volatile(".byte 0x8d, 0xc0")), kUD, 0, "LEA of a register: #UD");
  check_trap(CATCH(asm volatile(".byte 0x0f, 0xff, 0xc0")), kUD, 0, "UD0: #UD");
  // 15 bytes is the limit (SDM 2A 2.3.11): fourteen prefixes and a NOP, then one more.
  check_trap(CATCH(asm volatile(".fill 14, 1, 0x66; nop")), kNoTrap, 0, "an instruction of 15 bytes runs");
  check_trap(CATCH(asm volatile(".fill 15, 1, 0x66; nop")), kGP, 0, "an instruction of 16 bytes: #GP");
}

static void test_software_interrupts(void) {
  uptr stack = (uptr)user_stack + sizeof user_stack;
  extern u8 user_int3[], user_int77[], user_int80[], user_hlt[], user_cli[], user_in[], user_wrmsr[],
      user_mov_cr[];
  asm volatile(
      ".pushsection .text.stubs, \"ax\"; user_int3: int3; user_int77: int $0x77; user_int80: int $0x80; "
      "user_hlt: hlt;"
      "user_cli: cli; user_in: inb $0x70; user_wrmsr: wrmsr; user_mov_cr: mov %cr0, %rax;"
      ".popsection");
  check_trap(CATCH(enter_user((uptr)user_int80, stack, 0, 0, kUserCode64)), kUserReturn, 0,
             "INT to a DPL 3 gate from ring 3");
  check_eq(last_trap.frame.cs, kUserCode64, "the frame holds the user CS");
  check_eq(last_trap.frame.ss, kUserData, "the frame holds the user SS");
  check_eq(last_trap.frame.sp, stack, "the frame holds the user rsp");
  check_eq(last_trap.stack, tss.rsp[0], "the frame is on the TSS's stack for ring 0");
  check_trap(CATCH(enter_user((uptr)user_int77, stack, 0, 0, kUserCode64)), kGP, 0x77 * 8 + 2,
             "INT to a DPL 0 gate from ring 3: #GP(vector*8+2)");
  check_trap(CATCH(enter_user((uptr)user_int3, stack, 0, 0, kUserCode64)), kGP, 3 * 8 + 2,
             "INT3 with a DPL 0 gate from ring 3: #GP(1a)");
  set_gate_dpl(kBP, 3);
  check_trap(CATCH(enter_user((uptr)user_int3, stack, 0, 0, kUserCode64)), kBP, 0,
             "INT3 with a DPL 3 gate from ring 3");
  set_gate_dpl(kBP, 0);
  check_trap(CATCH(enter_user((uptr)user_hlt, stack, 0, 0, kUserCode64)), kGP, 0, "HLT at CPL 3: #GP");
  check_trap(CATCH(enter_user((uptr)user_cli, stack, 0, 0, kUserCode64)), kGP, 0,
             "CLI at CPL 3, IOPL 0: #GP");
  check_trap(CATCH(enter_user((uptr)user_in, stack, 0, 0, kUserCode64)), kGP, 0,
             "IN at CPL 3, no I/O bitmap: #GP");
  check_trap(CATCH(enter_user((uptr)user_wrmsr, stack, 0, 0, kUserCode64)), kGP, 0, "WRMSR at CPL 3: #GP");
  check_trap(CATCH(enter_user((uptr)user_mov_cr, stack, 0, 0, kUserCode64)), kGP, 0,
             "MOV from CR0 at CPL 3: #GP");
  // With a bitmap in the TSS, only the ports it clears are open (SDM 1 19.5.2); two bits are read for every access.
  tss.iomap_base = __builtin_offsetof(struct tss, iomap);
  memset(tss.iomap, 0xff, sizeof tss.iomap);
  tss.iomap[0x70 / 8] &= ~(1 << (0x70 % 8));
  extern u8 user_in_word[];
  asm volatile(".pushsection .text.stubs, \"ax\"; user_in_word: inw $0x70; int $0x80; .popsection");
  check_trap(CATCH(enter_user((uptr)user_in, stack, 0, 0, kUserCode64)), kGP, 0,
             "IN of an open port works, then WRMSR: #GP");
  check_eq(last_trap.frame.ip, (uptr)user_wrmsr, "IN of an open port does not fault");
  check_trap(CATCH(enter_user((uptr)user_in_word, stack, 0, 0, kUserCode64)), kGP, 0,
             "IN of a word needs both ports open");
  check_eq(last_trap.frame.ip, (uptr)user_in_word, "the word IN itself faults");
  tss.iomap_base = sizeof tss;
}

static void test_alignment_check(void) {
  uptr stack = (uptr)user_stack + sizeof user_stack;
  extern u8 user_misaligned[], user_misaligned_load[];
  asm volatile(
      ".pushsection .text.stubs, \"ax\"; user_misaligned: pushf; orl $0x40000, (%rsp); popf; "
      "user_misaligned_load: movl (%rdi), %eax;"
      "pushf; andl $~0x40000, (%rsp); popf; int $0x80; .popsection");
  uptr odd = (uptr)memory[0] + 1;
  check_trap(CATCH(enter_user((uptr)user_misaligned, stack, odd, 0, kUserCode64)), kUserReturn, 0,
             "misaligned with AC but without CR0.AM");
  write_cr0(read_cr0() | kCr0Am);
  check_trap(CATCH(enter_user((uptr)user_misaligned, stack, odd, 0, kUserCode64)), kAC, 0,
             "misaligned at CPL 3 with AC and AM: #AC(0)");
  check_eq(last_trap.frame.ip, (uptr)user_misaligned_load, "#AC is a fault on the load");
  check_trap(CATCH(enter_user((uptr)user_misaligned_load, stack, odd, 0, kUserCode64)), kUserReturn, 0,
             "misaligned without EFLAGS.AC");
  check_trap(CATCH(enter_user((uptr)user_misaligned, stack, odd + 3, 0, kUserCode64)), kUserReturn, 0,
             "aligned with AC and AM");
  u32 value;
  write_flags(read_flags() | kEflagsAc);
  check_trap(CATCH(value = *(volatile u32*)odd), kNoTrap, 0, "misaligned at CPL 0 with AC and AM");
  write_flags(read_flags() & ~(uptr)kEflagsAc);
  (void)value;
  write_cr0(read_cr0() & ~(uptr)kCr0Am);
}

// SDM 1 3.3.7.1: a non-canonical address is #GP(0), or #SS(0) when it goes through the stack segment.
static void test_canonical(void) {
  // Some of these leave rsp where no frame can be pushed.
  tss.ist[0] = (u64)ist_stack + sizeof ist_stack;
  set_gate_ist(kSS, 1);
  set_gate_ist(kGP, 1);
  check_trap(CATCH(*(volatile u8*)kNonCanonical), kGP, 0, "read of a non-canonical address: #GP(0)");
  check_trap(CATCH(*(volatile u8*)(kNonCanonical - 1)), kPF, 0, "read of the last canonical address: #PF");
  check_trap(CATCH(*(volatile u8*)0xffff800000000000ull), kPF, 0,
             "read of the first high canonical address: #PF");
  check_trap(CATCH(asm volatile("mov %0, %%rbp; movb (%%rbp), %%al"
                                :
                                : "r"(kNonCanonical)
                                : "rax")),
             kSS, 0, "read of a non-canonical address through rbp: #SS(0)");
  check_trap(CATCH(asm volatile("mov %0, %%rsp; push %%rax"
                                :
                                : "r"(kNonCanonical + 8))),
             kSS, 0, "PUSH to a non-canonical address: #SS(0)");
  check_trap(CATCH(asm volatile("mov %0, %%rsp; pop %%rax"
                                :
                                : "r"(kNonCanonical)
                                : "rax")),
             kSS, 0, "POP from a non-canonical address: #SS(0)");
  boot_pml4[255] = (u64)pdpt | kAll;
  pdpt[511] = (u64)pd | kAll;
  pd[511] = (u64)pt | kAll;
  pt[511] = (u64)memory[7] | kAll;
  check_trap(CATCH(*(volatile u64*)(kNonCanonical - 4)), kGP, 0, "access that runs into the hole: #GP(0)");
  check_trap(CATCH(asm volatile("jmp *%0"
                                :
                                : "r"(kNonCanonical))),
             kGP, 0, "near JMP to a non-canonical address: #GP(0)");
  check_trap(CATCH(asm volatile("call *%0"
                                :
                                : "r"(kNonCanonical))),
             kGP, 0, "near CALL to a non-canonical address: #GP(0)");
  check_trap(CATCH(asm volatile("push %0; ret"
                                :
                                : "r"(kNonCanonical))),
             kGP, 0, "RET to a non-canonical address: #GP(0)");
  check_trap(CATCH(asm volatile("mov %%rsp, %%rax; push %1; push %%rax; pushf; push %2; push %0; iretq"
                                :
                                : "r"(kNonCanonical), "r"((u64)kKernelData), "r"((u64)kKernelCode)
                                : "rax")),
             kGP, 0, "IRETQ to a non-canonical rip: #GP(0)");
  set_gate_ist(kSS, 0);
  set_gate_ist(kGP, 0);
  check_trap(CATCH(wrmsr(kMsrFsBase, kNonCanonical)), kGP, 0, "WRMSR FS_BASE non-canonical: #GP(0)");
  check_trap(CATCH(wrmsr(kMsrLstar, kNonCanonical)), kGP, 0, "WRMSR LSTAR non-canonical: #GP(0)");
  check_trap(CATCH(invlpg(kNonCanonical)), kNoTrap, 0, "INVLPG of a non-canonical address does nothing");
}

static u64 make_segment(u32 access) { return 0x00cf00000000ffffull | (u64)access << 40; }

static void load_segment(int which, u16 selector) {
  if (which == 0) asm volatile("mov %0, %%ds" : : "r"(selector) : "memory");
  if (which == 1) asm volatile("mov %0, %%es" : : "r"(selector) : "memory");
  if (which == 2) asm volatile("mov %0, %%fs" : : "r"(selector) : "memory");
  if (which == 3) asm volatile("mov %0, %%gs" : : "r"(selector) : "memory");
  if (which == 4) asm volatile("mov %0, %%ss" : : "r"(selector) : "memory");
}

// SDM 2A MOV, "Protected Mode Exceptions" and "64-Bit Mode Exceptions".
static void test_segment_faults(void) {
  u16 slot = kSpare;
  const char* names[] = {"DS", "ES", "FS", "GS"};
  for (int i = 0; i < 4; ++i) {
    *gdt_slot(slot) = make_segment(0x13);  // data, DPL 0, not present
    check_trap(CATCH(load_segment(i, slot)), kNP, slot, "%s from a segment not present: #NP(selector)",
               names[i]);
    *gdt_slot(slot) = make_segment(0x99);  // execute-only code
    check_trap(CATCH(load_segment(i, slot)), kGP, slot, "%s from execute-only code: #GP(selector)", names[i]);
    *gdt_slot(slot) = make_segment(0x9b);  // readable code
    check_trap(CATCH(load_segment(i, slot)), kNoTrap, 0, "%s from readable code", names[i]);
    *gdt_slot(slot) = make_segment(0x93);
    check_trap(CATCH(load_segment(i, slot | 3)), kGP, slot, "%s with RPL 3 over DPL 0: #GP(selector)",
               names[i]);
    check_trap(CATCH(load_segment(i, 0)), kNoTrap, 0, "%s null", names[i]);
    load_segment(i, kKernelData);
  }
  *gdt_slot(slot) = make_segment(0x13);
  check_trap(CATCH(load_segment(4, slot)), kSS, slot, "SS from a segment not present: #SS(selector)");
  *gdt_slot(slot) = make_segment(0x91);
  check_trap(CATCH(load_segment(4, slot)), kGP, slot, "SS from a read-only segment: #GP(selector)");
  check_trap(CATCH(load_segment(4, kUserData)), kGP, kUserData & ~3,
             "SS from a DPL 3 segment at CPL 0: #GP(selector)");
  check_trap(CATCH(load_segment(4, 0)), kNoTrap, 0, "SS null at CPL 0 in 64-bit mode");
  check_trap(CATCH(load_segment(4, 3)), kGP, 0, "SS null with RPL 3 at CPL 0: #GP(0)");
  load_segment(4, kKernelData);
  check_trap(CATCH(load_segment(0, 0x1008)), kGP, 0x1008, "selector beyond the GDT: #GP(selector)");
  check_trap(CATCH(load_segment(0, 0x0c)), kGP, 0x0c, "selector into an empty LDT: #GP(selector)");
  // Accessed bit: set by the load (SDM 3A 3.4.5.1).
  *gdt_slot(slot) = make_segment(0x92);
  load_segment(0, slot);
  check_eq(*gdt_slot(slot) >> 40 & 0xff, 0x93, "a segment load sets the accessed bit");
  load_segment(0, kKernelData);
  check_trap(CATCH(asm volatile("ltr %0" : : "r"((u16)kTss))), kGP, kTss, "LTR of a busy TSS: #GP(selector)");
  *gdt_slot(slot) = make_segment(0x82);  // LDT
  gdt_slot(slot)[1] = 0;
  check_trap(CATCH(asm volatile("lldt %0" : : "r"(slot))), kNoTrap, 0, "LLDT");
  check_trap(CATCH(asm volatile("lldt %0" : : "r"((u16)kTss))), kGP, kTss, "LLDT of a TSS: #GP(selector)");
  check_trap(CATCH(asm volatile("lldt %0" : : "r"((u16)0))), kNoTrap, 0, "LLDT null");
}

static void test_idt_faults(void) {
  extern uptr trap_stubs[];
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) normal, cut;
  asm volatile("sidt %0" : "=m"(normal));
  check_eq(normal.limit, 256 * 16 - 1, "SIDT gives the limit that was loaded");
  cut = normal;
  cut.limit = 0x70 * 16 - 1;
  asm volatile("lidt %0" : : "m"(cut));
  check_trap(CATCH(asm volatile("int $0x77")), kGP, 0x77 * 8 + 2,
             "INT beyond the IDT limit: #GP(vector*8+2)");
  asm volatile("lidt %0" : : "m"(normal));
  u64* gate = (u64*)(normal.base + 0x77 * 16);
  u64 good = gate[0];
  gate[0] = good & ~(1ull << 47);
  check_trap(CATCH(asm volatile("int $0x77")), kNP, 0x77 * 8 + 2,
             "INT to a gate not present: #NP(vector*8+2)");
  gate[0] = (good & ~(0xfull << 40)) | 5ull << 40;
  check_trap(CATCH(asm volatile("int $0x77")), kGP, 0x77 * 8 + 2,
             "INT through a task gate in 64-bit mode: #GP(vector*8+2)");
  set_gate(0x77, (void*)trap_stubs[0x77], kKernelData, 0xe, 0);
  check_trap(CATCH(asm volatile("int $0x77")), kGP, kKernelData, "gate to a data segment: #GP(selector)");
  set_gate(0x77, (void*)trap_stubs[0x77], 0, 0xe, 0);
  check_trap(CATCH(asm volatile("int $0x77")), kGP, 0, "gate to a null selector: #GP(0)");
  set_gate(0x77, (void*)trap_stubs[0x77], kKernelCode32, 0xe, 0);
  check_trap(CATCH(asm volatile("int $0x77")), kGP, kKernelCode32,
             "gate to a 32-bit code segment: #GP(selector)");
  set_gate(0x77, (void*)kNonCanonical, kKernelCode, 0xe, 0);
  check_trap(CATCH(asm volatile("int $0x77")), kGP, 0, "gate to a non-canonical address: #GP(0)");
  set_gate(0x77, (void*)trap_stubs[0x77], kKernelCode, 0xe, 0);
  // A benign exception whose gate is missing gives #NP with EXT=1 (SDM 3A 6.13).
  gate = (u64*)(normal.base + kUD * 16);
  good = gate[0];
  gate[0] = good & ~(1ull << 47);
  check_trap(CATCH(asm volatile("ud2")), kNP, kUD * 8 + 3,
             "#UD through a missing gate: #NP(vector*8+3), EXT=1");
  gate[0] = good;
}

// SDM 3A 6.15, interrupt 8: the double-fault matrix.
static void test_double_faults(void) {
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) table;
  asm volatile("sidt %0" : "=m"(table));
  u64* gates = (u64*)table.base;
  tss.ist[0] = (u64)ist_stack + sizeof ist_stack;
  set_gate_ist(kDF, 1);
  // Page fault, then a contributory exception while delivering it.
  u64 good = gates[kPF * 2];
  gates[kPF * 2] = good & ~(1ull << 47);
  check_trap(CATCH(*(volatile u8*)page(1)), kDF, 0, "#PF, then #NP while delivering it: #DF(0)");
  check_eq(last_trap.cr2, page(1), "CR2 of the page fault that became a double fault");
  check(last_trap.stack == tss.ist[0], "#DF runs on its interrupt stack");
  gates[kPF * 2] = good;
  // Contributory, then contributory.
  good = gates[kGP * 2];
  gates[kGP * 2] = good & ~(1ull << 47);
  check_trap(CATCH(*(volatile u8*)kNonCanonical), kDF, 0, "#GP, then #NP while delivering it: #DF(0)");
  gates[kGP * 2] = good;
  good = gates[kDE * 2];
  gates[kDE * 2] = good & ~(1ull << 47);
  check_trap(CATCH(asm volatile("divl %1"
                                :
                                : "a"(1), "r"(0), "d"(0)
                                : "cc")),
             kDF, 0, "#DE, then #NP while delivering it: #DF(0)");
  gates[kDE * 2] = good;
  // A stack that cannot be pushed to: #PF while delivering #PF.
  check_trap(CATCH(asm volatile("mov %0, %%rsp; push %%rax"
                                :
                                : "r"(page(2)))),
             kDF, 0, "PUSH to a missing page: the frame cannot be pushed either: #DF(0)");
  check_eq(last_trap.frame.sp, page(2), "PUSH that faults leaves rsp alone");
  check_eq(last_trap.cr2 & ~0xfffull, page(1), "CR2 is on the missing stack page");
  // Contributory, then a page fault: handled one after the other, not a double fault.
  set_gate_ist(kPF, 2);
  tss.ist[1] = (u64)ist_stack + 2048;
  check_trap(CATCH(asm volatile("mov %0, %%rsp; ud2"
                                :
                                : "r"(page(2)))),
             kPF, kPfW, "#UD, then #PF while delivering it: #PF");
  check_trap(CATCH(asm volatile("mov %0, %%rsp; movb (%1), %%al"
                                :
                                : "r"(page(2)), "r"(kNonCanonical)
                                : "rax")),
             kPF, kPfW, "#GP, then #PF while delivering it: #PF");
  check_trap(CATCH(asm volatile("mov %0, %%rsp; int $0x77"
                                :
                                : "r"(page(2)))),
             kPF, kPfW, "INT n with a missing stack page: #PF");
  set_gate_ist(kPF, 0);
  set_gate_ist(kDF, 0);
}

// Instructions that fault half-way: nothing changed, or whole REP iterations only.
static void test_partial(void) {
  u64 rsp_before, rsp_after;
  map(1, 0);
  memory[0][4095] = 0x5a;
  // PUSH of memory that faults, POP to memory that faults.
  asm volatile("mov %%rsp, %0" : "=r"(rsp_before));
  check_trap(CATCH(asm volatile("push (%0)" : : "r"(page(1)))), kPF, 0, "PUSH of missing memory");
  check_trap(CATCH(asm volatile("pop (%0)" : : "r"(page(1)) : "memory")), kPF, kPfW, "POP to missing memory");
  asm volatile("mov %%rsp, %0" : "=r"(rsp_after));
  check_eq(last_trap.frame.sp, rsp_after, "POP that faults leaves rsp alone");
  check_eq(rsp_before, rsp_after, "rsp is as before");
  // REP MOVSB into a missing page: 16 bytes fit, then the fault.
  for (int i = 0; i < 64; ++i) memory[2][i] = (u8)(i + 1);
  u64 target = page(1) - 16, source = page(2);
  check_trap(CATCH(asm volatile("rep movsb"
                                :
                                : "c"(32ul), "S"(source), "D"(target)
                                : "memory")),
             kPF, kPfW, "REP MOVSB into a missing page");
  check_eq(last_trap.cr2, page(1), "REP MOVSB: CR2");
  check_eq(last_trap.frame.cx, 16, "REP MOVSB: rcx counts whole iterations");
  check_eq(last_trap.frame.si, source + 16, "REP MOVSB: rsi");
  check_eq(last_trap.frame.di, page(1), "REP MOVSB: rdi");
  check_eq(memory[0][4095], 16, "REP MOVSB: the bytes before the fault are there");
  check_trap(CATCH(asm volatile("rep movsq"
                                :
                                : "c"(4ul), "S"(page(2)), "D"(page(1) - 20)
                                : "memory")),
             kPF, kPfW, "REP MOVSQ crossing into a missing page");
  check_eq(last_trap.frame.cx, 2, "REP MOVSQ: two whole iterations");
  check_eq(last_trap.frame.di, page(1) - 4, "REP MOVSQ: rdi at the iteration that faulted");
  check_eq(memory[0][4092], 13, "REP MOVSQ: nothing of the iteration that faulted is written");
  check_trap(CATCH(asm volatile("std; rep movsb; cld"
                                :
                                : "c"(32ul), "S"(page(4) + 15), "D"(page(2) + 15)
                                : "memory")),
             kPF, 0, "REP MOVSB downwards from a missing page");
  check_eq(last_trap.cr2, page(3) + 4095, "REP MOVSB downwards: CR2");
  check_eq(last_trap.frame.cx, 16, "REP MOVSB downwards: rcx");
  check_eq(last_trap.frame.si, page(3) + 4095, "REP MOVSB downwards: rsi");
  check(last_trap.frame.flags & kEflagsDf, "REP MOVSB downwards: DF is in the frame");
  check_trap(CATCH(asm volatile("rep stosl"
                                :
                                : "a"(0), "c"(100ul), "D"(page(1) - 40)
                                : "memory")),
             kPF, kPfW, "REP STOSD into a missing page");
  check_eq(last_trap.frame.cx, 90, "REP STOSD: rcx");
  check_trap(CATCH(asm volatile("repe scasb"
                                :
                                : "a"(0), "c"(100ul), "D"(page(1) - 10)
                                : "memory")),
             kPF, 0, "REPE SCASB into a missing page");
  check_eq(last_trap.frame.cx, 90, "REPE SCASB: rcx");
  check_trap(CATCH(asm volatile("repe cmpsb"
                                :
                                : "c"(100ul), "S"(page(1) - 10), "D"(page(1) - 20)
                                : "memory")),
             kPF, 0, "REPE CMPSB into a missing page");
  check_eq(last_trap.frame.si, page(1), "REPE CMPSB: rsi");
  check_trap(CATCH(asm volatile("rep lodsb"
                                :
                                : "c"(100ul), "S"(page(1) - 10)
                                : "rax", "memory")),
             kPF, 0, "REP LODSB into a missing page");
  check_eq(last_trap.frame.ax & 0xff, 0, "REP LODSB: the last byte loaded before the fault");
  check_trap(CATCH(asm volatile("rep movsb"
                                :
                                : "c"(0ul), "S"(page(1)), "D"(page(1))
                                : "memory")),
             kNoTrap, 0, "REP MOVSB with rcx=0 touches nothing");
  // Read-modify-write on a read-only page: flags and memory stay.
  map(6, kPteP | kPteU);
  memory[6][0] = 0xff;
  check_trap(CATCH(asm volatile("xor %%eax, %%eax; addb $1, (%0)"
                                :
                                : "r"(page(6))
                                : "rax", "memory", "cc")),
             kPF, kPfP | kPfW, "ADD to a read-only page");
  check_eq(memory[6][0], 0xff, "ADD that faults does not write");
  check_eq(last_trap.frame.flags & (kEflagsZf | kEflagsCf), kEflagsZf, "ADD that faults leaves the flags");
  check_trap(CATCH(asm volatile("xchgl %%eax, (%0)"
                                :
                                : "r"(page(6)), "a"(5)
                                : "memory")),
             kPF, kPfP | kPfW, "XCHG with a read-only page");
  check_eq((u32)last_trap.frame.ax, 5, "XCHG that faults leaves the register");
  check_trap(CATCH(asm volatile("xaddl %%eax, (%0)"
                                :
                                : "r"(page(6)), "a"(5)
                                : "memory", "cc")),
             kPF, kPfP | kPfW, "XADD to a read-only page");
  check_eq((u32)last_trap.frame.ax, 5, "XADD that faults leaves the register");
  check_trap(CATCH(asm volatile("sub $128, %%rsp; enter $16, $1; leave; add $128, %%rsp"
                                :
                                :
                                : "memory", "cc")),
             kNoTrap, 0, "ENTER and LEAVE");
  check_trap(CATCH(asm volatile("cmpxchg16b (%0)"
                                :
                                : "r"(page(0) + 8)
                                : "rax", "rdx", "memory", "cc")),
             kGP, 0, "CMPXCHG16B misaligned: #GP(0)");
  // CALL through memory pushes only when the target could be read; a far pointer is read whole.
  check_trap(CATCH(asm volatile("call *(%0)"
                                :
                                : "r"(page(1) - 4)
                                : "memory")),
             kPF, 0, "CALL through a pointer that crosses into a missing page");
  map(6, kAll);
}

static void map_and_go_on(struct trap_frame* frame) {
  (void)frame;
  map(read_cr2() >> 12 & 7, kAll);
}

// A handler that mends the page and returns: the instruction completes as if nothing had been.
static void test_restart(void) {
  map(1, 0);
  map(3, 0);
  on_trap(kPF, map_and_go_on);
  for (int i = 0; i < 4096; ++i) memory[2][i] = (u8)(i * 7);
  u64 count = 8192, source = page(2), target = page(0);
  asm volatile("rep movsb" : "+c"(count), "+S"(source), "+D"(target) : : "memory");
  check(count == 0 && source == page(4) && target == page(2), "REP MOVSB resumes over two missing pages");
  check(memcmp(memory[0], memory[2], 4096) == 0, "REP MOVSB: the copy is right");
  map(1, 0);
  *(volatile u64*)(page(1) - 3) = 0x0807060504030201ull;
  check(memory[0][4093] == 1 && memory[1][0] == 4, "crossing store resumes");
  on_trap(kPF, 0);
}

// Last, because they leave nothing to go on with where they are not refused.
static void test_table_registers(void) {
  check_trap(CATCH(asm volatile("ltr %0" : : "r"((u16)0))), kGP, 0, "LTR null: #GP(0)");
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) table = {0xffff, kNonCanonical};
  check_trap(CATCH(asm volatile("lgdt %0" : : "m"(table))), kGP, 0, "LGDT of a non-canonical base: #GP(0)");
  check_trap(CATCH(asm volatile("lidt %0" : : "m"(table))), kGP, 0, "LIDT of a non-canonical base: #GP(0)");
}

void test_main(void) {
  map_pages();
  check_trap(CATCH(asm volatile("int $0x77")), 0x77, 0, "INT n reaches its handler");
  test_divide();
  test_frames();
  test_invalid_opcodes();
  test_software_interrupts();
  test_alignment_check();
  test_canonical();
  test_segment_faults();
  test_idt_faults();
  test_double_faults();
  test_partial();
  test_restart();
  test_table_registers();
}
