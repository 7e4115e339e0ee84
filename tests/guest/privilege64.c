// Changes of privilege and mode in 64-bit mode: IRETQ, SYSCALL and SYSRET, SYSENTER and SYSEXIT, far CALL, JMP and RET,
// 64-bit call gates, compatibility mode, SWAPGS, FS and GS bases. SDM 3A 5.8; SDM 2 under each instruction.
#include "runtime/guest.h"

static u8 user_stack_bytes[4096] __attribute__((aligned(16)));
static u8 entry_stack_bytes[4096] __attribute__((aligned(16)));
static u8 gate_stack_bytes[4096] __attribute__((aligned(16)));
#define TOP(bytes) ((uptr)(bytes) + sizeof(bytes))

// What an entry point saw; the entry points below fill it.
struct seen {
  u64 cs, ss, rsp, flags, rcx, r11, rip_slot[5];
};
volatile struct seen seen;

// Entry points for the kernel side: note the state, then leave through `int 0x81`, which CATCH turns into a result.
enum { kEntered = 0x81 };
asm(R"(
.pushsection .text.entries, "ax"
note_entry:
  mov %rsp, seen+16(%rip)
  mov entry_scratch(%rip), %rsp
  pushf
  pop seen+24(%rip)
  mov %rcx, seen+32(%rip)
  mov %r11, seen+40(%rip)
  mov %cs, %ecx
  mov %rcx, seen(%rip)
  mov %ss, %ecx
  mov %rcx, seen+8(%rip)
  int $0x81
note_gate_entry:
  mov %rsp, %rcx
  mov (%rcx), %rdx
  mov %rdx, seen+48(%rip)
  mov 8(%rcx), %rdx
  mov %rdx, seen+56(%rip)
  mov 16(%rcx), %rdx
  mov %rdx, seen+64(%rip)
  mov 24(%rcx), %rdx
  mov %rdx, seen+72(%rip)
  jmp note_entry
gate_returns:
  lretq

user64_done: int $0x80
user64_syscall: mov $0, %ecx; syscall
user64_after_syscall: int $0x80
user64_sysenter: sysenter
user64_far_call: lcall *(%rdi)
user64_far_jump: ljmp *(%rdi)
user64_swapgs: swapgs
user64_call_gate: lcall *(%rdi)
user64_after_gate: int $0x80
user64_sysret: sysretq
user64_iret_self:
  mov %ss, %eax
  lea -128(%rsp), %rcx
  push %rax
  push %rcx
  pushf
  mov %cs, %eax
  push %rax
  lea 1f(%rip), %rax
  push %rax
  iretq
1: int $0x80
user64_iret_kernel:
  push $0x10
  push %rsp
  pushf
  push $0x08
  push $user64_done
  iretq
.code32
user32_done: int $0x80
user32_modes:
  mov $0x12345678, %eax
  .byte 0x40              # INC EAX here, a REX prefix in 64-bit mode
  mov $0xffffffff, %ecx
  mov %esp, %edx
  push %eax
  mov %esp, %ebx
  int $0x80
user32_syscall: syscall
user32_sysenter: sysenter
user32_sysret_target: int $0x80
user32_to_64:
  ljmp $0x2b, $user64_done
user32_stack_limit:
  mov 0xfffffffe, %eax    # crosses 4 GiB, which compatibility mode forbids by its limit
  int $0x80
user32_wrap:
  mov $0xfffffff0, %eax
  mov %ss:0x20(%eax), %edx # effective address wraps to 10h; DS is null here
  int $0x80
.code64
.popsection
)");
extern u8 note_entry[], note_gate_entry[], user64_done[], user64_syscall[], user64_after_syscall[],
    user64_sysenter[], user64_far_call[], user64_far_jump[], user64_swapgs[], user64_call_gate[],
    user64_after_gate[], user64_sysret[], user64_iret_self[], user64_iret_kernel[], user32_done[],
    user32_modes[], user32_syscall[], user32_sysenter[], user32_sysret_target[], user32_to_64[],
    user32_wrap[], gate_returns[];
u64 entry_scratch;

static int run_user(void* entry, u16 code, uptr argument) {
  return CATCH(enter_user((uptr)entry, TOP(user_stack_bytes), argument, 0, code));
}

/// SYSCALL in compatibility mode exists on AMD only; SYSENTER in long mode on Intel only.
static bool vendor_is_intel(void) { return cpuid(0, 0).b == 0x756e6547; }

/// IRETQ with this frame, from ring 0.
static int iretq(u64 rip, u64 cs, u64 flags, u64 rsp, u64 ss) {
  return CATCH(asm volatile("push %4; push %3; push %2; push %1; push %0; iretq"
                            :
                            : "r"(rip), "r"(cs), "r"(flags), "r"(rsp), "r"(ss)));
}

static void test_iretq(void) {
  u64 stack = TOP(user_stack_bytes);
  check_trap(iretq((u64)user64_done, kUserCode64, 2, stack, kUserData), kUserReturn, 0,
             "IRETQ to 64-bit ring 3");
  check_eq(last_trap.frame.sp, stack, "IRETQ to ring 3: rsp");
  check_trap(iretq((u64)user32_done, kUserCode32, 2, stack, kUserData), kUserReturn, 0,
             "IRETQ to compatibility mode");
  check_eq(last_trap.frame.cs, kUserCode32, "IRETQ to compatibility mode: CS");
  check_trap(iretq((u64)user64_done, kKernelCode, 2, stack, kKernelData), kUserReturn, 0,
             "IRETQ to the same ring loads SS and rsp");
  check_eq(last_trap.frame.sp, stack, "IRETQ to the same ring: rsp");
  check_trap(iretq((u64)user64_done, kKernelCode, 2, stack, 0), kUserReturn, 0,
             "IRETQ to ring 0 with a null SS");
  check_trap(iretq((u64)user64_done, kUserCode64, 2, stack, 0), kGP, 0,
             "IRETQ to ring 3 with a null SS: #GP(0)");
  check_trap(iretq((u64)user64_done, 0, 2, stack, kUserData), kGP, 0, "IRETQ with a null CS: #GP(0)");
  check_trap(iretq((u64)user64_done, 3, 2, stack, kUserData), kGP, 0,
             "IRETQ with a null CS of RPL 3: #GP(0)");
  check_trap(iretq((u64)user64_done, kKernelData, 2, stack, kKernelData), kGP, kKernelData,
             "IRETQ to a data segment: #GP(selector)");
  check_trap(iretq((u64)user64_done, kKernelCode | 3, 2, stack, kUserData), kGP, kKernelCode,
             "IRETQ with RPL 3 to DPL 0 code: #GP(selector)");
  check_trap(iretq((u64)user64_done, kUserCode64, 2, stack, kKernelData), kGP, kKernelData,
             "IRETQ to ring 3 with a DPL 0 stack: #GP(selector)");
  check_trap(iretq((u64)user64_done, 0x1008, 2, stack, kKernelData), kGP, 0x1008,
             "IRETQ with CS beyond the GDT: #GP(selector)");
  *gdt_slot(kSpare) = *gdt_slot(kUserCode64) & ~(1ull << 47);
  check_trap(iretq((u64)user64_done, kSpare | 3, 2, stack, kUserData), kNP, kSpare,
             "IRETQ to code not present: #NP(selector)");
  *gdt_slot(kSpare) = *gdt_slot(kUserData) & ~(1ull << 47);
  check_trap(iretq((u64)user64_done, kUserCode64, 2, stack, kSpare | 3), kSS, kSpare,
             "IRETQ with a stack not present: #SS(selector)");
  // Flags: IOPL and all the rest come back at CPL 0; bits 1, 3, 5, 15 are fixed (SDM 1 3.4.3).
  check_trap(iretq((u64)user64_done, kUserCode64,
                   0xffffffff & ~(kEflagsTf | kEflagsNt | 1u << 17 | 3u << 19 | kEflagsIf), stack, kUserData),
             kUserReturn, 0, "IRETQ with many flags");
  check_eq(last_trap.frame.flags & 0xffe8802a & ~(u64)kEflagsRf & ~(1ull << 21), 2,
           "IRETQ: reserved flags read as they must");
  check_eq(last_trap.frame.flags & kEflagsIopl, kEflagsIopl, "IRETQ at CPL 0 loads IOPL");
  // NT=1 makes IRETQ a task return, which 64-bit mode does not have.
  check_trap(CATCH(write_flags(read_flags() | kEflagsNt);
                   asm volatile("push $0x10; push %rsp; pushf; push $8; push $0; iretq")),
             kGP, 0, "IRETQ with NT: #GP(0)");
  // From ring 3.
  check_trap(run_user(user64_iret_self, kUserCode64, 0), kUserReturn, 0, "IRETQ from ring 3 to ring 3");
  check_trap(run_user(user64_iret_kernel, kUserCode64, 0), kGP, kKernelCode,
             "IRETQ from ring 3 to ring 0: #GP(selector)");
  // Segments of the inner ring do not survive the way out (SDM 2A IRET, "RETURN-TO-OUTER-PRIVILEGE-LEVEL").
  extern u8 user64_segments[];
  asm volatile(
      ".pushsection .text.entries; user64_segments: mov %ds, %eax; mov %es, %ecx; mov %fs, %edx; mov %gs, "
      "%ebx; int $0x80; .popsection");
  u16 user_data = kUserData;
  asm volatile("mov %0, %%ds; mov %1, %%es; mov %0, %%fs; mov %1, %%gs"
               :
               : "r"((u16)kKernelData), "r"(user_data));
  wrmsr(kMsrFsBase, 0x12345000);
  run_user(user64_segments, kUserCode64, 0);
  check_eq(rdmsr(kMsrFsBase), 0x12345000, "IRETQ to ring 3 leaves the base of FS");
  check_eq(last_trap.frame.ax, 0, "IRETQ to ring 3 nulls DS of DPL 0");
  check_eq(last_trap.frame.cx, kUserData, "IRETQ to ring 3 keeps ES of DPL 3");
  check_eq(last_trap.frame.dx, 0, "IRETQ to ring 3 nulls FS of DPL 0");
  check_eq(last_trap.frame.bx, kUserData, "IRETQ to ring 3 keeps GS of DPL 3");
  asm volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%fs; mov %1, %%gs"
               :
               : "r"((u16)kKernelData), "r"((u16)0));
}

static void test_syscall(void) {
  // STAR[47:32] is the kernel's CS, +8 its SS; STAR[63:48]+16 the 64-bit user CS, +8 its SS, +0 the 32-bit user CS.
  wrmsr(kMsrStar, (u64)kKernelCode << 32 | (u64)(kUserCode32 & ~3) << 48);
  wrmsr(kMsrLstar, (u64)note_entry);
  wrmsr(kMsrCstar, (u64)note_entry);
  wrmsr(kMsrFmask, kEflagsDf | kEflagsAc);
  check_trap(run_user(user64_syscall, kUserCode64, 0), kEntered, 0,
             "SYSCALL from 64-bit ring 3 reaches LSTAR");
  check_eq(seen.cs, kKernelCode, "SYSCALL: CS");
  check_eq(seen.ss, kKernelData, "SYSCALL: SS");
  check_eq(seen.rcx, (u64)user64_after_syscall, "SYSCALL: rcx is the next address");
  check_eq(seen.r11, 2, "SYSCALL: r11 is rflags");
  check_eq(seen.rsp, TOP(user_stack_bytes), "SYSCALL leaves rsp alone");
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) & ~(u64)kEferSce);
  check_trap(run_user(user64_syscall, kUserCode64, 0), kUD, 0, "SYSCALL with EFER.SCE=0: #UD");
  check_trap(CATCH(asm volatile("sysretq" : : "c"(user64_done))), kUD, 0, "SYSRET with EFER.SCE=0: #UD");
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) | kEferSce);
  check_trap(run_user(user32_syscall, kUserCode32, 0), vendor_is_intel() ? kUD : kEntered, 0,
             "SYSCALL in compatibility mode: #UD (CSTAR on AMD)");

  // SYSRET: 64-bit and compatibility forms, flags from r11 without RF and VM.
  u64 stack = TOP(user_stack_bytes);
  check_trap(CATCH(asm volatile("mov %0, %%rsp; sysretq"
                                :
                                : "r"(stack), "c"(user64_done), "r"((u64)0)
                                : "r11")),
             kUserReturn, 0, "SYSRETQ");
  check_eq(last_trap.frame.cs, kUserCode64, "SYSRETQ: CS");
  check_eq(last_trap.frame.ss, kUserData, "SYSRETQ: SS");
  check_eq(last_trap.frame.sp, stack, "SYSRETQ leaves rsp alone");
  check_trap(
      CATCH(asm volatile("mov %0, %%rsp; mov %2, %%r11; sysretq"
                         :
                         : "r"(stack), "c"(user64_done), "r"((u64)(kEflagsDf | kEflagsAc | kEflagsRf | 0x28))
                         : "r11")),
      kUserReturn, 0, "SYSRETQ with flags");
  check_eq(last_trap.frame.flags, kEflagsDf | kEflagsAc | 2,
           "SYSRETQ: rflags from r11, without RF and reserved bits");
  check_trap(CATCH(asm volatile("mov %0, %%rsp; xor %%r11d, %%r11d; sysretl"
                                :
                                : "r"(stack), "c"(user32_sysret_target)
                                : "r11")),
             kUserReturn, 0, "SYSRETL");
  check_eq(last_trap.frame.cs, kUserCode32, "SYSRETL: CS is the 32-bit one");
  check_trap(run_user(user64_sysret, kUserCode64, 0), kGP, 0, "SYSRET at CPL 3: #GP(0)");
  // SDM 2B SYSRET: rcx not canonical is #GP(0) at CPL 0.
  check_trap(CATCH(asm volatile("sysretq"
                                :
                                : "c"(1ull << 47))),
             kGP, 0, "SYSRETQ to a non-canonical address: #GP(0)");
  check_eq(last_trap.frame.cs, kKernelCode, "SYSRETQ to a non-canonical address faults in ring 0");
}

static void test_sysenter(void) {
  wrmsr(kMsrSysenterCs, kKernelCode);
  wrmsr(kMsrSysenterEip, (u64)note_entry);
  wrmsr(kMsrSysenterEsp, TOP(entry_stack_bytes));
  if (!vendor_is_intel()) return skip("SYSENTER and SYSEXIT in long mode: not on AMD");
  check_trap(run_user(user64_sysenter, kUserCode64, 0), kEntered, 0, "SYSENTER from 64-bit ring 3");
  check_eq(seen.cs, kKernelCode, "SYSENTER: CS");
  check_eq(seen.ss, kKernelData, "SYSENTER: SS is CS+8");
  check_eq(seen.rsp, TOP(entry_stack_bytes), "SYSENTER: rsp");
  check_eq(seen.flags & kEflagsIf, 0, "SYSENTER clears IF");
  check_trap(run_user(user32_sysenter, kUserCode32, 0), kEntered, 0, "SYSENTER from compatibility mode");
  check_eq(seen.cs, kKernelCode, "SYSENTER from compatibility mode: CS is 64-bit");
  u64 stack = TOP(user_stack_bytes);
  check_trap(CATCH(asm volatile("sysexitq"
                                :
                                : "c"(stack), "d"(user64_done))),
             kUserReturn, 0, "SYSEXIT to 64-bit ring 3");
  check_eq(last_trap.frame.cs, kUserCode64, "SYSEXIT to 64-bit: CS is SYSENTER_CS+32");
  check_eq(last_trap.frame.ss, kUserData64, "SYSEXIT to 64-bit: SS is SYSENTER_CS+40");
  check_eq(last_trap.frame.sp, stack, "SYSEXIT to 64-bit: rsp is rcx");
  check_trap(CATCH(asm volatile("sysexitl"
                                :
                                : "c"(stack), "d"(user32_done))),
             kUserReturn, 0, "SYSEXIT to compatibility mode");
  check_eq(last_trap.frame.cs, kUserCode32, "SYSEXIT to compatibility mode: CS is SYSENTER_CS+16");
  check_eq(last_trap.frame.ss, kUserData, "SYSEXIT to compatibility mode: SS is SYSENTER_CS+24");
  check_trap(CATCH(asm volatile("sysexitq"
                                :
                                : "c"(stack), "d"(1ull << 47))),
             kGP, 0, "SYSEXIT to a non-canonical address: #GP(0)");
  wrmsr(kMsrSysenterCs, 0);
  check_trap(run_user(user64_sysenter, kUserCode64, 0), kGP, 0, "SYSENTER with SYSENTER_CS=0: #GP(0)");
  check_trap(CATCH(asm volatile("sysexitq"
                                :
                                : "c"(stack), "d"(user64_done))),
             kGP, 0, "SYSEXIT with SYSENTER_CS=0: #GP(0)");
  wrmsr(kMsrSysenterCs, kKernelCode);
}

struct far_pointer32 {
  u32 offset;
  u16 selector;
} __attribute__((packed));

static void make_call_gate(u16 slot, void* target, u16 selector, int dpl, int type) {
  u64 offset = (u64)target;
  gdt_slot(slot)[0] = (offset & 0xffff) | (u64)selector << 16 | (u64)(0x80 | dpl << 5 | type) << 40 |
                      (offset >> 16 & 0xffff) << 48;
  gdt_slot(slot)[1] = offset >> 32;
}

static void test_far_transfers(void) {
  u16 gate = kSpare;
  struct far_pointer32 pointer = {0xdeadbeef, gate};
  tss.rsp[0] = TOP(gate_stack_bytes);
  make_call_gate(gate, note_gate_entry, kKernelCode, 3, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kEntered, 0,
             "far CALL through a 64-bit call gate");
  check_eq(seen.cs, kKernelCode, "call gate: CS");
  check_eq(seen.ss, 0, "call gate to an inner ring: SS is null with RPL 0");
  check_eq(seen.rsp, TOP(gate_stack_bytes) - 32, "call gate: four quadwords on the TSS's stack");
  check_eq(seen.rip_slot[0], (u64)user64_after_gate, "call gate: return rip");
  check_eq(seen.rip_slot[1], kUserCode64, "call gate: return CS");
  check_eq(seen.rip_slot[2], TOP(user_stack_bytes), "call gate: old rsp");
  check_eq(seen.rip_slot[3], kUserData, "call gate: old SS");
  make_call_gate(gate, gate_returns, kKernelCode, 3, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kUserReturn, 0,
             "far RET from a call gate to ring 3");
  check_eq(last_trap.frame.sp, TOP(user_stack_bytes), "far RET to ring 3: rsp");
  check_eq(last_trap.frame.cs, kUserCode64, "far RET to ring 3: CS");
  make_call_gate(gate, note_gate_entry, kKernelCode, 0, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kGP, gate,
             "call gate of DPL 0 from ring 3: #GP(selector)");
  make_call_gate(gate, note_gate_entry, kKernelCode, 3, 0xc);
  *gdt_slot(gate) &= ~(1ull << 47);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kNP, gate,
             "call gate not present: #NP(selector)");
  make_call_gate(gate, note_gate_entry, kKernelCode, 3, 0xc);
  check_trap(run_user(user64_far_jump, kUserCode64, (uptr)&pointer), kGP, kKernelCode,
             "far JMP through a gate to an inner ring: #GP(code selector)");
  make_call_gate(gate, note_gate_entry, kKernelCode32, 3, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kGP, kKernelCode32,
             "call gate to 32-bit code: #GP(code selector)");
  make_call_gate(gate, note_gate_entry, 0, 3, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kGP, 0,
             "call gate to a null selector: #GP(0)");
  make_call_gate(gate, (void*)(1ull << 47), kKernelCode, 3, 0xc);
  check_trap(run_user(user64_call_gate, kUserCode64, (uptr)&pointer), kGP, 0,
             "call gate to a non-canonical address: #GP(0)");
  pointer.selector = kTss;
  check_trap(run_user(user64_far_call, kUserCode64, (uptr)&pointer), kGP, kTss,
             "far CALL to a TSS in 64-bit mode: #GP(selector)");
  pointer.selector = kKernelCode;
  check_trap(run_user(user64_far_call, kUserCode64, (uptr)&pointer), kGP, kKernelCode,
             "far CALL from ring 3 to DPL 0 code: #GP(selector)");
  pointer.selector = 0;
  check_trap(run_user(user64_far_call, kUserCode64, (uptr)&pointer), kGP, 0,
             "far CALL to a null selector: #GP(0)");
  *gdt_slot(gate) = *gdt_slot(kUserCode64) | 1ull << 54;
  pointer.selector = gate | 3;
  check_trap(run_user(user64_far_jump, kUserCode64, (uptr)&pointer), kGP, gate,
             "far JMP to code with L and D set: #GP(selector)");
  pointer.selector = kUserCode32;
  pointer.offset = (u32)(uptr)user32_done;
  check_trap(run_user(user64_far_jump, kUserCode64, (uptr)&pointer), kUserReturn, 0,
             "far JMP from 64-bit to compatibility mode");
  check_eq(last_trap.frame.cs, kUserCode32, "far JMP to compatibility mode: CS");
  // Conforming code keeps the caller's CPL (SDM 3A 5.8.1.2).
  *gdt_slot(gate) = 0x00af9f000000ffffull;
  pointer.selector = gate;
  pointer.offset = (u32)(uptr)user64_done;
  check_trap(run_user(user64_far_jump, kUserCode64, (uptr)&pointer), kUserReturn, 0,
             "far JMP to conforming DPL 0 code");
  check_eq(last_trap.frame.cs, gate | 3, "conforming code runs at CPL 3");
  *gdt_slot(gate) = 0;
}

static void test_compatibility(void) {
  check_trap(run_user(user32_modes, kUserCode32, 0), kUserReturn, 0, "compatibility mode runs");
  check_eq(last_trap.frame.ax, 0x12345679, "40h is INC EAX in compatibility mode");
  check_eq(last_trap.frame.cx, 0xffffffff, "32-bit results are zero-extended");
  check_eq(last_trap.frame.dx - last_trap.frame.bx, 4, "PUSH is four bytes in compatibility mode");
  *(volatile u32*)0x10 = 0xcafe;
  check_trap(run_user(user32_wrap, kUserCode32, 0), kUserReturn, 0,
             "compatibility mode: effective address that wraps");
  check_eq(last_trap.frame.dx, 0xcafe, "effective addresses wrap at 4 GiB");
  check_trap(run_user(user32_to_64, kUserCode32, 0), kUserReturn, 0,
             "far JMP from compatibility to 64-bit mode");
  check_eq(last_trap.frame.cs, kUserCode64, "far JMP to 64-bit mode: CS");
}

static void test_bases(void) {
  check_trap(run_user(user64_swapgs, kUserCode64, 0), kGP, 0, "SWAPGS at CPL 3: #GP(0)");
  wrmsr(kMsrGsBase, 0x1111);
  wrmsr(kMsrKernelGsBase, 0x2222);
  asm volatile("swapgs");
  check_eq(rdmsr(kMsrGsBase), 0x2222, "SWAPGS: GS base");
  check_eq(rdmsr(kMsrKernelGsBase), 0x1111, "SWAPGS: KERNEL_GS_BASE");
  static u64 word = 0x77;
  wrmsr(kMsrFsBase, (u64)&word - 0x100);
  u64 value;
  asm volatile("mov %%fs:0x100, %0" : "=r"(value));
  check_eq(value, 0x77, "FS base is added");
  asm volatile("mov %%fs:(%k1), %0" : "=r"(value) : "r"(0x100ull | 0xabcd00000000ull));
  check_eq(value, 0x77, "67h cuts the effective address, then the base is added");
  if (cpuid(7, 0).b & 1) {
    check_trap(CATCH(asm volatile("rdfsbase %0" : "=r"(value))), kUD, 0, "RDFSBASE with CR4.FSGSBASE=0: #UD");
    write_cr4(read_cr4() | kCr4Fsgsbase);
    asm volatile("rdfsbase %0" : "=r"(value));
    check_eq(value, (u64)&word - 0x100, "RDFSBASE");
    asm volatile("wrgsbase %0" : : "r"(0x123456789aull));
    check_eq(rdmsr(kMsrGsBase), 0x123456789aull, "WRGSBASE");
    check_trap(CATCH(asm volatile("wrfsbase %0"
                                  :
                                  : "r"(1ull << 47))),
               kGP, 0, "WRFSBASE non-canonical: #GP(0)");
    asm volatile("wrfsbase %k0" : : "r"(0xffffffff12345678ull));
    check_eq(rdmsr(kMsrFsBase), 0x12345678, "WRFSBASE of 32 bits zero-extends");
    write_cr4(read_cr4() & ~(uptr)kCr4Fsgsbase);
  } else {
    skip("FSGSBASE");
  }
  // A 32-bit descriptor load sets the base to the descriptor's (SDM 3A 3.4.4).
  *gdt_slot(kSpare) = 0x12cf93345678ffffull;
  asm volatile("mov %0, %%fs" : : "r"((u16)kSpare));
  check_eq(rdmsr(kMsrFsBase), 0x12345678, "loading FS sets its base from the descriptor");
  asm volatile("mov %0, %%fs; mov %0, %%gs" : : "r"((u16)0));
  wrmsr(kMsrGsBase, 0);
}

static void test_privileged_user(void) {
  // SMSW, SGDT, SIDT, SLDT, STR at CPL 3: only UMIP forbids them (SDM 3A 2.5, CR4.UMIP).
  extern u8 user64_smsw[], user64_sgdt[], user64_str[], user64_rdtsc[];
  asm volatile(
      ".pushsection .text.entries; user64_smsw: smsw %eax; int $0x80; user64_sgdt: sgdt -16(%rsp); int $0x80;"
      "user64_str: str %eax; int $0x80; user64_rdtsc: rdtsc; int $0x80; .popsection");
  void* entries[] = {user64_smsw, user64_sgdt, user64_str};
  const char* names[] = {"SMSW", "SGDT", "STR"};
  for (int i = 0; i < 3; ++i)
    check_trap(run_user(entries[i], kUserCode64, 0), kUserReturn, 0, "%s at CPL 3", names[i]);
  if (cpuid(7, 0).c & 4) {
    write_cr4(read_cr4() | kCr4Umip);
    for (int i = 0; i < 3; ++i)
      check_trap(run_user(entries[i], kUserCode64, 0), kGP, 0, "%s at CPL 3 with UMIP: #GP(0)", names[i]);
    write_cr4(read_cr4() & ~(uptr)kCr4Umip);
  } else {
    skip("UMIP");
  }
  check_trap(run_user(user64_rdtsc, kUserCode64, 0), kUserReturn, 0, "RDTSC at CPL 3");
  write_cr4(read_cr4() | kCr4Tsd);
  check_trap(run_user(user64_rdtsc, kUserCode64, 0), kGP, 0, "RDTSC at CPL 3 with CR4.TSD: #GP(0)");
  check_trap(CATCH(rdtsc()), kNoTrap, 0, "RDTSC at CPL 0 with CR4.TSD");
  write_cr4(read_cr4() & ~(uptr)kCr4Tsd);
}

void test_main(void) {
  entry_scratch = TOP(entry_stack_bytes);
  test_iretq();
  test_syscall();
  test_sysenter();
  test_far_transfers();
  test_compatibility();
  test_bases();
  test_privileged_user();
}
