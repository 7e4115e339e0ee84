// Segmentation in 32-bit protected mode: limits, types and rights, call gates with parameters, conforming code, far
// returns, task switches, BOUND, INTO, LAR, LSL, VERR, VERW, ARPL. SDM 3A chapters 3, 5, 7.
#include "runtime/guest.h"

static u8 memory[8192] __attribute__((aligned(4096)));
static u8 user_stack[4096] __attribute__((aligned(16)));
static u8 gate_stack[4096] __attribute__((aligned(16)));
#define TOP(bytes) ((uptr)(bytes) + sizeof(bytes))

enum {  // access bytes, DPL 0, present
  kReadOnly = 0x91,
  kReadWrite = 0x93,
  kDownReadWrite = 0x97,
  kExecuteOnly = 0x99,
  kExecuteRead = 0x9b,
  kConforming = 0x9f,
  kByteGranular = 0,
  kBig = 4,
  kPageGranular = 8,
};

static void set_segment(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
  *gdt_slot(selector & ~7) = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
                             (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}

static void load_fs(u16 selector) { asm volatile("mov %0, %%fs" : : "r"(selector) : "memory"); }
static u8 fs_read8(u32 offset) {
  u8 v;
  asm volatile("movb %%fs:(%1), %0" : "=q"(v) : "r"(offset) : "memory");
  return v;
}
static u32 fs_read32(u32 offset) {
  u32 v;
  asm volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"(offset) : "memory");
  return v;
}
static void fs_write8(u32 offset, u8 v) {
  asm volatile("movb %0, %%fs:(%1)" : : "q"(v), "r"(offset) : "memory");
}
static int run_user(void* entry, uptr argument) {
  return CATCH(enter_user((uptr)entry, TOP(user_stack), argument, 0, kUserCode32));
}

static void test_limits(void) {
  u16 s = kSpare;
  memory[0x1000] = 0x5a;
  set_segment(s, (uptr)memory, 0xfff, kReadWrite, kBig);
  load_fs(s);
  check_trap(CATCH(fs_read8(0xfff)), kNoTrap, 0, "byte at the limit");
  check_trap(CATCH(fs_read8(0x1000)), kGP, 0, "byte beyond the limit: #GP(0)");
  check_trap(CATCH(fs_read32(0xffc)), kNoTrap, 0, "dword that ends at the limit");
  check_trap(CATCH(fs_read32(0xffd)), kGP, 0, "dword that ends beyond the limit: #GP(0)");
  check_trap(CATCH(fs_read8(0xffffffff)), kGP, 0, "byte at the top: #GP(0)");
  set_segment(s, (uptr)memory, 0, kReadWrite, kBig | kPageGranular);
  load_fs(s);
  check_trap(CATCH(fs_read8(0xfff)), kNoTrap, 0, "granularity: a limit of 0 pages is FFFh");
  check_trap(CATCH(fs_read8(0x1000)), kGP, 0, "granularity: beyond: #GP(0)");
  set_segment(s, (uptr)memory, 0xfff, kDownReadWrite, kBig);
  load_fs(s);
  check_trap(CATCH(fs_read8(0xfff)), kGP, 0, "expand-down: at the limit: #GP(0)");
  check_trap(CATCH(fs_read8(0x1000)), kNoTrap, 0, "expand-down: above the limit");
  check_eq(fs_read8(0x1000), 0x5a, "expand-down: the base is added");
  check_trap(CATCH(fs_read32(0xffe)), kGP, 0, "expand-down: a dword that begins below: #GP(0)");
  set_segment(s, (uptr)memory, 0xfff, kDownReadWrite, kByteGranular);
  load_fs(s);
  check_trap(CATCH(fs_read8(0xffff)), kNoTrap, 0, "expand-down, 16-bit: up to FFFFh");
  check_trap(CATCH(fs_read8(0x10000)), kGP, 0, "expand-down, 16-bit: beyond FFFFh: #GP(0)");
  // A stack segment reports #SS. The limit is above this image, so that the frame fits.
  set_segment(s, 0, 0x7ff, kReadWrite, kBig | kPageGranular);
  check_trap(CATCH(asm volatile("mov %0, %%ss; push %%ebp; mov %1, %%ebp; movb (%%ebp), %%al; pop %%ebp"
                                :
                                : "r"(s), "r"(0x800000)
                                : "eax")),
             kSS, 0, "access through ebp beyond SS's limit: #SS(0)");
  asm volatile("mov %0, %%ss" : : "r"(s));
  check_trap(CATCH(asm volatile("movb %%ss:(%0), %%al"
                                :
                                : "r"(0x800000)
                                : "eax")),
             kSS, 0, "SS override beyond the limit: #SS(0)");
  asm volatile("mov %0, %%ss" : : "r"((u16)kKernelData));
  load_fs(kKernelData);
}

static void test_types(void) {
  u16 s = kSpare;
  set_segment(s, (uptr)memory, 0xfff, kReadOnly, kBig);
  load_fs(s);
  check_trap(CATCH(fs_read8(0)), kNoTrap, 0, "read of a read-only segment");
  check_trap(CATCH(fs_write8(0, 1)), kGP, 0, "write to a read-only segment: #GP(0)");
  set_segment(s, (uptr)memory, 0xfff, kExecuteRead, kBig);
  load_fs(s);
  check_trap(CATCH(fs_read8(0)), kNoTrap, 0, "read of readable code");
  check_trap(CATCH(fs_write8(0, 1)), kGP, 0, "write to readable code: #GP(0)");
  check_trap(CATCH(asm volatile("movb $1, %%cs:%0" : : "m"(memory[0]))), kGP, 0, "write through CS: #GP(0)");
  set_segment(s, (uptr)memory, 0xfff, kExecuteOnly, kBig);
  check_trap(CATCH(load_fs(s)), kGP, s, "load of execute-only code: #GP(selector)");
  load_fs(0);
  check_trap(CATCH(fs_read8(0)), kGP, 0, "access through a null selector: #GP(0)");
  check_trap(CATCH(load_fs(3)), kNoTrap, 0, "null selectors 0 to 3 load");
  set_segment(s, (uptr)memory, 0xfff, kReadWrite & ~0x80, kBig);
  check_trap(CATCH(load_fs(s)), kNP, s, "load of a segment not present: #NP(selector)");
  check_trap(CATCH(asm volatile("mov %0, %%ss"
                                :
                                : "r"(s))),
             kSS, s, "SS from a segment not present: #SS(selector)");
  check_trap(CATCH(asm volatile("mov %0, %%ss" : : "r"((u16)0))), kGP, 0, "SS null: #GP(0)");
  check_trap(CATCH(asm volatile("mov %0, %%ss"
                                :
                                : "r"((u16)kUserData))),
             kGP, kUserData & ~3, "SS of DPL 3 at CPL 0: #GP(selector)");
  check_trap(CATCH(load_fs(kTss)), kGP, kTss, "FS from a TSS: #GP(selector)");
  // LES and friends load both halves or nothing.
  struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) pointer = {0x12345678, 0xffff & ~3};
  u32 offset = 0x11;
  check_trap(CATCH(asm volatile("lfs %1, %0"
                                : "+r"(offset)
                                : "m"(pointer))),
             kGP, 0xfffc, "LFS of a bad selector: #GP(selector)");
  pointer.selector = kKernelData;
  asm volatile("lfs %1, %0" : "=r"(offset) : "m"(pointer));
  check_eq(offset, 0x12345678, "LFS loads the offset");
  load_fs(kKernelData);
}

static void test_queries(void) {
  u32 value = 0;
  bool ok;
#define QUERY(instruction, selector) \
  asm volatile(instruction " %2, %1" : "=@ccz"(ok), "+r"(value) : "r"((u32)(selector)))
  QUERY("lar", kKernelData);
  check(ok && (value & 0xf0ff00) == 0xc09300, "LAR of data");
  QUERY("lsl", kKernelData);
  check(ok && value == 0xffffffff, "LSL scales a page-granular limit");
  QUERY("lsl", kTss);
  check(ok && value == sizeof tss - 1, "LSL of a TSS");
  value = 77;
  QUERY("lar", 0);
  check(!ok && value == 77, "LAR of a null selector: ZF=0, destination unchanged");
  QUERY("lar", 0x1000);
  check(!ok, "LAR beyond the GDT: ZF=0");
  set_segment(kSpare, 0, 0, 0x8e, 0);
  QUERY("lar", kSpare);
  check(!ok, "LAR of an interrupt gate: ZF=0");
  set_segment(kSpare, 0, 0, 0x8c, 0);
  QUERY("lar", kSpare);
  check(ok, "LAR of a call gate");
  QUERY("lsl", kSpare);
  check(!ok, "LSL of a call gate: ZF=0");
#undef QUERY
#define VERIFY(instruction, selector) asm volatile(instruction " %1" : "=@ccz"(ok) : "r"((u16)(selector)))
  VERIFY("verr", kKernelData);
  check(ok, "VERR of data");
  VERIFY("verw", kKernelData);
  check(ok, "VERW of data");
  VERIFY("verw", kKernelCode);
  check(!ok, "VERW of code: ZF=0");
  set_segment(kSpare, 0, 0xfff, kExecuteOnly, kBig);
  VERIFY("verr", kSpare);
  check(!ok, "VERR of execute-only code: ZF=0");
  VERIFY("verr", kKernelData | 3);
  check(!ok, "VERR with RPL 3 over DPL 0: ZF=0");
#undef VERIFY
  u16 destination = kUserData & ~3;
  asm volatile("arpl %2, %1" : "=@ccz"(ok), "+r"(destination) : "r"((u16)3));
  check(ok && destination == kUserData, "ARPL raises the RPL");
  asm volatile("arpl %2, %1" : "=@ccz"(ok), "+r"(destination) : "r"((u16)1));
  check(!ok && destination == kUserData, "ARPL leaves a higher RPL");
}

static void test_traps(void) {
  static const int bounds[2] = {10, 20};
  check_trap(CATCH(asm volatile("bound %0, %1" : : "r"(15), "m"(bounds))), kNoTrap, 0, "BOUND inside");
  check_trap(CATCH(asm volatile("bound %0, %1" : : "r"(9), "m"(bounds))), kBR, 0, "BOUND below: #BR");
  check_trap(CATCH(asm volatile("bound %0, %1" : : "r"(21), "m"(bounds))), kBR, 0, "BOUND above: #BR");
  check_trap(CATCH(asm volatile("movb $127, %%al; incb %%al; into"
                                :
                                :
                                : "eax", "cc")),
             kOF, 0, "INTO with OF: #OF");
  check_trap(CATCH(asm volatile("xor %%eax, %%eax; into" : : : "eax", "cc")), kNoTrap, 0, "INTO without OF");
  check_trap(CATCH(asm volatile("aam $0" : : : "eax", "cc")), kDE, 0, "AAM 0: #DE");
  check_trap(CATCH(asm volatile("int $0x33")), 0x33, 0, "INT n");
}

// ---- Calls between privilege levels
asm(R"(
.pushsection .text.entries, "ax"
user_gate: lcall *(%eax)
user_after_gate: int $0x80
user_push_gate: push $0x1111; push $0x2222; push $0x3333; lcall *(%eax)
int $0x80
user_jump: ljmp *(%eax)
user_done: int $0x80
user_segments: mov %ds, %eax; mov %es, %ecx; mov %fs, %edx; mov %gs, %ebx; int $0x80
user_int: int $0x77
gate_note: mov %esp, gate_esp; mov %ss, gate_ss; mov %cs, gate_cs; int $0x81
gate_return: lret
gate_return_12: lret $12
.popsection
.data
gate_esp: .long 0
gate_ss: .long 0
gate_cs: .long 0
.text
)");
extern u8 user_gate[], user_after_gate[], user_push_gate[], user_jump[], user_done[], user_segments[],
    user_int[], gate_note[], gate_return[], gate_return_12[];
extern volatile u32 gate_esp, gate_ss, gate_cs;

static void make_call_gate(u16 selector, void* target, u16 code, int dpl, int parameters) {
  uptr offset = (uptr)target;
  *gdt_slot(selector) = (offset & 0xffff) | (u64)code << 16 | (u64)parameters << 32 |
                        (u64)(0x8c | dpl << 5) << 40 | (u64)(offset >> 16) << 48;
}

static void test_gates(void) {
  u16 gate = kSpare;
  struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) pointer = {0xdeadbeef, gate | 3};
  tss.esp0 = TOP(gate_stack);
  make_call_gate(gate, gate_note, kKernelCode, 3, 3);
  check_trap(run_user(user_push_gate, (uptr)&pointer), 0x81, 0, "call gate with three parameters");
  check_eq(gate_cs & 0xffff, kKernelCode, "call gate: CS");
  check_eq(gate_ss & 0xffff, kKernelData, "call gate: SS from the TSS");
  check_eq(gate_esp, TOP(gate_stack) - 28, "call gate: seven dwords on the inner stack");
  const u32* frame = (const u32*)gate_esp;
  check_eq(frame[1], kUserCode32, "call gate: return CS");
  check(frame[2] == 0x3333 && frame[3] == 0x2222 && frame[4] == 0x1111, "call gate: parameters are copied");
  check_eq(frame[5], TOP(user_stack) - 12, "call gate: old esp");
  check_eq(frame[6], kUserData, "call gate: old SS");
  make_call_gate(gate, gate_return_12, kKernelCode, 3, 3);
  check_trap(run_user(user_push_gate, (uptr)&pointer), kUserReturn, 0, "far RET 12 to ring 3");
  check_eq(last_trap.frame.sp, TOP(user_stack), "far RET 12 releases the parameters on both stacks");
  make_call_gate(gate, gate_return, kKernelCode, 0, 0);
  check_trap(run_user(user_gate, (uptr)&pointer), kGP, gate, "gate of DPL 0 from ring 3: #GP(selector)");
  make_call_gate(gate, gate_return, kKernelCode, 3, 0);
  *gdt_slot(gate) &= ~(1ull << 47);
  check_trap(run_user(user_gate, (uptr)&pointer), kNP, gate, "gate not present: #NP(selector)");
  make_call_gate(gate, gate_return, kKernelData, 3, 0);
  check_trap(run_user(user_gate, (uptr)&pointer), kGP, kKernelData, "gate to data: #GP(selector)");
  make_call_gate(gate, gate_return, 0, 3, 0);
  check_trap(run_user(user_gate, (uptr)&pointer), kGP, 0, "gate to a null selector: #GP(0)");
  make_call_gate(gate, gate_return, kKernelCode, 3, 0);
  check_trap(run_user(user_jump, (uptr)&pointer), kGP, kKernelCode,
             "far JMP through a gate to an inner ring: #GP(code selector)");
  // Ring 1, whose stack the exception itself does not need.
  set_segment(kSpare + 8, 0, 0xfffff, 0xbb, kBig | kPageGranular);
  make_call_gate(gate, gate_return, kSpare + 8, 3, 0);
  tss.ss1 = kUserData;
  tss.esp1 = TOP(gate_stack);
  check_trap(run_user(user_gate, (uptr)&pointer), kTS, kUserData & ~3,
             "gate whose inner SS has the wrong DPL: #TS(selector)");
  tss.ss1 = 0;
  check_trap(run_user(user_gate, (uptr)&pointer), kTS, 0, "gate whose inner SS is null: #TS(0)");
  // Conforming code at CPL 3.
  set_segment(kSpare + 8, 0, 0xfffff, kConforming, kBig | kPageGranular);
  pointer.selector = kSpare + 8;
  pointer.offset = (uptr)user_done;
  check_trap(run_user(user_jump, (uptr)&pointer), kUserReturn, 0, "far JMP to conforming code of DPL 0");
  check_eq(last_trap.frame.cs, (kSpare + 8) | 3, "conforming code runs at CPL 3");
  pointer.selector = kKernelCode;
  check_trap(run_user(user_jump, (uptr)&pointer), kGP, kKernelCode, "far JMP to DPL 0 code: #GP(selector)");
  // Code limits.
  set_segment(kSpare + 8, 0, 0xff, 0xfb, kBig);
  pointer.selector = (kSpare + 8) | 3;
  check_trap(run_user(user_jump, (uptr)&pointer), kGP, 0, "far JMP beyond the code segment's limit: #GP(0)");
  // IRET to ring 3 nulls inner data segments.
  extern u8 iret_out[];
  asm volatile(
      ".pushsection .text.entries; iret_out: push $0x23; push %eax; push $2; push $0x1b; push "
      "$user_segments; iret; .popsection");
  check_trap(
      CATCH(asm volatile("mov %1, %%fs; mov %2, %%gs; jmp *%3"
                         :
                         : "a"(TOP(user_stack)), "r"((u16)kKernelData), "r"((u16)kUserData), "r"(iret_out))),
      kUserReturn, 0, "IRET to ring 3");
  check_eq(last_trap.frame.dx & 0xffff, 0, "IRET to ring 3 nulls FS of DPL 0");
  check_eq(last_trap.frame.bx & 0xffff, kUserData, "IRET to ring 3 keeps GS of DPL 3");
  check_eq(last_trap.frame.ax & 0xffff, 0, "IRET to ring 3 nulls DS of DPL 0");
  load_fs(kKernelData);
  asm volatile("mov %0, %%gs" : : "r"((u16)kKernelData));
  check_trap(run_user(user_int, 0), kGP, 0x77 * 8 + 2, "INT to a DPL 0 gate from ring 3: #GP(vector*8+2)");
}

// ---- Hardware task switches (SDM 3A 7.3)
static struct tss other_task __attribute__((aligned(128)));
static u8 other_stack[4096] __attribute__((aligned(16)));
static volatile u32 other_ran, other_saw_link, other_saw_flags;
static void other_main(void) {
  for (;;) {
    ++other_ran;
    other_saw_link = other_task.link & 0xffff;
    other_saw_flags = read_flags();
    asm volatile("iret");  // NT is set: back to the task in the link
  }
}

static void test_tasks(void) {
  u16 selector = kSpare + 16;
  set_segment(selector, (uptr)&other_task, sizeof other_task - 1, 0x89, 0);
  memset(&other_task, 0, sizeof other_task);
  other_task.eip = (uptr)other_main;
  other_task.esp = TOP(other_stack);
  other_task.eflags = 2;
  other_task.cs = kKernelCode;
  other_task.ss = other_task.ds = other_task.es = other_task.fs = other_task.gs = kKernelData;
  other_task.cr3 = read_cr3();
  other_task.iomap_base = sizeof other_task;
  asm volatile("" : : "r"(&other_task) : "memory");  // the compiler does not see the processor read it
  struct {
    u32 offset;
    u16 selector;
  } __attribute__((packed)) pointer = {0, selector};
  other_ran = 0;
  check_trap(CATCH(asm volatile("lcall *%0"
                                :
                                : "m"(pointer)
                                : "memory", "cc")),
             kNoTrap, 0, "far CALL to a TSS and IRET back");
  check_eq(other_ran, 1, "the other task ran");
  check_eq(other_saw_link, kTss, "the link is the first task");
  check(other_saw_flags & kEflagsNt, "NT is set in the nested task");
  check(!(read_flags() & kEflagsNt), "NT is clear back in the first task");
  check_eq(*gdt_slot(selector) >> 40 & 0xf, 9, "the nested task is no longer busy");
  check_eq(*gdt_slot(kTss) >> 40 & 0xf, 0xb, "the first task is still busy");
  check(read_cr0() & kCr0Ts, "a task switch sets CR0.TS");
  asm volatile("clts");
  check_trap(CATCH(asm volatile("lcall *%0"
                                :
                                : "m"(pointer)
                                : "memory", "cc")),
             kNoTrap, 0, "the task goes on where it stopped");
  check_eq(other_ran, 2, "the other task ran again");
  asm volatile("clts");
  *gdt_slot(selector) |= 2ull << 40;
  check_trap(CATCH(asm volatile("lcall *%0"
                                :
                                : "m"(pointer)
                                : "memory", "cc")),
             kGP, selector, "far CALL to a busy TSS: #GP(selector)");
  *gdt_slot(selector) &= ~(2ull << 40);
  // Through a task gate in the IDT.
  extern uptr trap_stubs[];
  set_gate(0x33, 0, selector, 5, 0);
  check_trap(CATCH(asm volatile("int $0x33" : : : "memory", "cc")), kNoTrap, 0, "INT through a task gate");
  check_eq(other_ran, 3, "the task ran for the interrupt");
  asm volatile("clts");
  set_gate(0x33, (void*)trap_stubs[0x33], kKernelCode, 0xe, 0);
  // A TSS whose limit is too small.
  set_segment(selector, (uptr)&other_task, 0x66, 0x89, 0);
  check_trap(CATCH(asm volatile("lcall *%0"
                                :
                                : "m"(pointer)
                                : "memory", "cc")),
             kTS, selector, "TSS with a limit below 67h: #TS(selector)");
  asm volatile("clts");
}

void test_main(void) {
  test_limits();
  test_types();
  test_queries();
  test_traps();
  test_gates();
  test_tasks();
}
