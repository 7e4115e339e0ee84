// Real-address mode: limits, wraparound, the interrupt table, operand and address sizes, far transfers, what
// protected mode leaves in the segment registers, A20, decimal instructions. SDM 3A chapter 20.1, SDM 2, SDM
// 3B 22.
#include "runtime/modes.h"

enum { kFlagsOf = 1 << 11, kFlagsAf = 1 << 4, kFlagsSf = 1 << 7, kFlagsPf = 1 << 2 };

// ---- Addresses and limits. SDM 3A 20.1.1, SDM 3A 5.3
static void test_addresses(void) {
  LOW32(kDataLinear + 0xfffc) = 0x44332211;
  LOW32(kDataLinear) = 0xddccbbaa;
  DONE("mov al, [0xffff]", "byte at FFFFh");
  check_eq(out.ax & 0xff, 0x44, "byte at FFFFh: value");
  EXPECT(kGP, 0, "mov ax, [0xffff]", "word at FFFFh: #GP");
  check_eq(out.ip, 0, "the fault returns to the instruction");
  EXPECT(kGP, 0, "mov eax, [0xfffd]", "dword at FFFDh: #GP");
  DONE("mov eax, [0xfffc]", "dword at FFFCh");
  EXPECT(kGP, 0, "mov word ptr [0xffff], 0x1234", "store of a word at FFFFh: #GP");
  check_eq(LOW8(kDataLinear + 0xffff), 0x44, "nothing is stored");
  in.bx = 0xffff;
  in.si = 2;
  DONE("mov al, [bx+si]", "a 16-bit address wraps at 64 KiB");
  check_eq(out.ax & 0xff, 0xbb, "a 16-bit address wraps: value");
  in.bx = 0x10001;
  DONE("mov al, [bx]", "the upper half of the register does not count");
  check_eq(out.ax & 0xff, 0xbb, "the upper half of the register does not count: value");
  in.ax = 0xffff;
  DONE("mov al, [eax]", "32-bit address of FFFFh");
  in.ax = 0x10000;
  EXPECT(kGP, 0, "mov al, [eax]", "32-bit address of 10000h: #GP");
  in.ax = 0xffffffff;
  EXPECT(kGP, 0, "mov al, [eax+1-1]", "32-bit address of FFFFFFFFh: #GP");
  in.ax = 0xffffffff;
  DONE("mov al, [eax+2]", "32-bit addresses wrap at 4 GiB");
  check_eq(out.ax & 0xff, 0xbb, "32-bit addresses wrap at 4 GiB: value");

  // Default segments: SS for BP, DS for the rest.
  LOW8(kDataLinear + 0x1230) = 0xd5;
  LOW8(kStackLinear + 0x1230) = 0x55;
  LOW8(kExtraLinear + 0x1230) = 0xe5;
#define LEA(operand, offset, segment)                                    \
  in.bx = 0x1000, in.bp = 0x1010, in.si = 0x200, in.di = 0x220;          \
  DONE("lea ax, " operand, "EA of " operand);                            \
  check_eq(out.ax, offset, "EA of " operand ": value");                  \
  LOW8(kDataLinear + offset) = 0xd5, LOW8(kStackLinear + offset) = 0x55; \
  in.bx = 0x1000, in.bp = 0x1010, in.si = 0x200, in.di = 0x220;          \
  DONE("mov al, " operand, "access at " operand);                        \
  check_eq(out.ax & 0xff, segment, "access at " operand ": segment")
  LEA("[bx+si]", 0x1200, 0xd5);
  LEA("[bx+di]", 0x1220, 0xd5);
  LEA("[bp+si]", 0x1210, 0x55);
  LEA("[bp+di]", 0x1230, 0x55);
  LEA("[si]", 0x200, 0xd5);
  LEA("[di]", 0x220, 0xd5);
  LEA("[bp+0]", 0x1010, 0x55);
  LEA("[bx]", 0x1000, 0xd5);
  LEA("[bx+si-1]", 0x11ff, 0xd5);
  LEA("[bp+di+0x4000]", 0x5230, 0x55);
  LEA("[bp+si+0x7f]", 0x128f, 0x55);
  LEA("[di-0x220]", 0, 0xd5);
#undef LEA
  in.sp = 0x1230, in.ax = 0;
  DONE("mov al, [esp]", "SS is the default for ESP");
  check_eq(out.ax, 0x55, "SS is the default for ESP: value");
  DONE("mov al, es:[0x1230]", "segment override");
  check_eq(out.ax & 0xff, 0xe5, "segment override: value");
  in.bx = 0xffff, in.si = 3;
  DONE("lea eax, [bx+si]", "LEA of a 16-bit address into a 32-bit register");
  check_eq(out.ax, 2, "and it is zero-extended");
  in.bx = 0x12345678;
  DONE("lea ax, [ebx+0x11111111]", "LEA of a 32-bit address into a 16-bit register");
  check_eq(out.ax, 0x6789, "and it is cut");
  in.ds = 0xffff;
  DONE("mov eax, [0xfffc]", "segment FFFFh ends at 1 MiB + 64 KiB - 17");
  check_eq(out.ax, LOW32(0x10ffec), "segment FFFFh: value");
}

// ---- The stack. SDM 1 6.2; SDM 2 PUSH, POP
static void test_stack(void) {
  in.sp = 0, in.ax = 0x1234;
  DONE("push ax", "PUSH with SP = 0");
  check_eq(out.sp, 0xfffe, "PUSH with SP = 0 wraps");
  check_eq(LOW16(kStackLinear + 0xfffe), 0x1234, "PUSH with SP = 0: value");
  in.sp = 0xabcd0000;
  DONE("push ax", "PUSH moves SP alone");
  check_eq(out.sp, 0xabcdfffe, "PUSH moves SP alone: ESP");
  in.sp = 0xfffe;
  DONE("pop ax", "POP at FFFEh");
  check_eq(out.sp, 0, "POP at FFFEh wraps");
  in.sp = 2, in.ax = 0;
  LOW16(kDataLinear + 0x10) = 0x4321;
  DONE("pop word ptr [0x10]", "POP to memory");
  check_eq(out.sp, 4, "POP to memory: SP");
  // Stack faults: the handler needs a stack of its own, so they are taken at a wrapped pointer that can hold
  // its frame.
  in.bp = 0xffff;
  EXPECT(kSS, 0, "mov ax, [bp]", "word at SS:FFFFh: #SS");
  EXPECT(kSS, 0, "mov ax, ss:[0xffff]", "SS override at FFFFh: #SS");
  in.sp = 0xffff;
  EXPECT(kSS, 0, "pop ax", "POP at FFFFh: #SS");
  check_eq(out.sp, 0xffff, "and SP stays");
  in.sp = 0xfffe;
  EXPECT(kSS, 0, "pop eax", "POP of a dword at FFFEh: #SS");
  in.bp = 0xffff;
  EXPECT(kSS, 0, "leave", "LEAVE with BP = FFFFh: #SS");
  check_eq(out.sp, 0x8000, "LEAVE with BP = FFFFh: SP stays");
  in.ax = 1, in.cx = 2, in.dx = 3, in.bx = 4, in.bp = 5, in.si = 6, in.di = 7, in.sp = 0x100;
  DONE("pusha", "PUSHA");
  check_eq(out.sp, 0xf0, "PUSHA: SP");
  check_eq(LOW16(kStackLinear + 0xfe), 1, "PUSHA: AX");
  check_eq(LOW16(kStackLinear + 0xf6), 0x100, "PUSHA: SP as it was");
  check_eq(LOW16(kStackLinear + 0xf0), 7, "PUSHA: DI");
  in.sp = 0xf0;
  DONE("popa", "POPA");
  check(out.ax == 1 && out.cx == 2 && out.dx == 3 && out.bx == 4 && out.bp == 5 && out.si == 6 && out.di == 7,
        "POPA: registers");
  check_eq(out.sp, 0x100, "POPA: SP is not loaded");
  in.ax = 0x11112222, in.sp = 0x100;
  DONE("pushad", "PUSHAD");
  check_eq(out.sp, 0xe0, "PUSHAD: SP");
  check_eq(LOW32(kStackLinear + 0xfc), 0x11112222, "PUSHAD: EAX");
  check_eq(LOW32(kStackLinear + 0xec), 0x100, "PUSHAD: ESP as it was");
  in.sp = 0x100;
  DONE(".byte 0x66, 0x68; .long 0x12345678", "PUSH imm32");
  check_eq(out.sp, 0xfc, "PUSH imm32: SP");
  check_eq(LOW32(kStackLinear + 0xfc), 0x12345678, "PUSH imm32: value");
  in.sp = 0x100;
  DONE(".byte 0x66, 0x6a, 0xfe", "PUSH imm8 of 32 bits");
  check_eq(LOW32(kStackLinear + 0xfc), 0xfffffffe, "PUSH imm8 is sign-extended");
  in.sp = 0x100;
  DONE("push sp", "PUSH SP");
  check_eq(LOW16(kStackLinear + 0xfe), 0x100, "PUSH SP pushes SP as it was");
  in.sp = 0x100, LOW16(kStackLinear + 0x100) = 0x4444;
  DONE("pop sp", "POP SP");
  check_eq(out.sp, 0x4444, "POP SP loads SP");
  in.sp = 0x100, in.bp = 0x200, LOW16(kStackLinear + 0x1fe) = 0xaaaa;
  DONE("enter 0x10, 2", "ENTER 16, 2");
  check_eq(out.bp, 0xfe, "ENTER: BP");
  check_eq(out.sp, 0xea, "ENTER: SP");
  check(LOW16(kStackLinear + 0xfe) == 0x200 && LOW16(kStackLinear + 0xfc) == 0xaaaa &&
            LOW16(kStackLinear + 0xfa) == 0xfe,
        "ENTER: frame");
  in.bp = 0x12340200, in.sp = 0x56780000, LOW16(kStackLinear + 0x200) = 0x9999;
  DONE("leave", "LEAVE");
  check_eq(out.sp, 0x56780202, "LEAVE loads SP from BP");
  check_eq(out.bp, 0x12349999, "LEAVE loads BP");
  // An address-size prefix does not change the width of the stack pointer. SDM 1 6.2.3
  in.sp = 0xabcd0100;
  DONE(".byte 0x67; push ax", "67h PUSH");
  check_eq(out.sp, 0xabcd00fe, "67h leaves the stack address size alone");
  in.sp = 0x100;
  DONE(".byte 0x66; push ds", "PUSH DS of 32 bits");
  check_eq(out.sp, 0xfc, "PUSH DS of 32 bits: SP");
  check_eq(LOW16(kStackLinear + 0xfc), kDataParagraph, "PUSH DS of 32 bits: value");
}

// ---- Instruction pointer
static void test_instruction_pointer(void) {
  in.ip = 0x8000;
  DONE("jmp 1f\n.skip 0x10\n1:", "short JMP");
  LOW8(kCodeLinear + 0x10) = 0xcc;
  in.ip = 0xff00;
  DONE(".byte 0xe9; .word 0x10d", "near JMP wraps at 64 KiB");
  check_eq(out.ip, 0x11, "near JMP wraps: IP");
  in.ip = 0xff00, LOW8(kCodeLinear + 0x106) = 0xcc;
  EXPECT(kGP, 0, ".byte 0x66, 0xe9; .long 0x200", "near JMP with a 32-bit target beyond the limit: #GP");
  check_eq(out.ip, 0xff00, "and IP is that of the JMP");
  // Running off the end: the fetch at 10000h is beyond the limit. SDM 3B 22.35
  in.ip = 0xffff;
  EXPECT(kGP, 0, "nop", "running off the end: #GP");
  LOW16(kDataLinear) = 0xffff;
  in.ip = 0xffff;
  EXPECT(kGP, 0, "nop", "running off the end to what is no instruction: #GP");
  in.ip = 0xffff;
  EXPECT(kGP, 0, ".byte 0x0f, 0x04", "undefined opcode across the end: #GP");
  in.ip = 0xfffe;
  EXPECT(kGP, 0, ".byte 0x0f, 0x7a, 0xc0", "undefined opcode with its ModRM byte beyond the end: #GP");
  in.ip = 0xfffd;
  EXPECT(kUD, 0, ".byte 0x0f, 0x7a, 0xc0", "undefined opcode that ends at the end: #UD");
  in.ip = 0xfffe;
  EXPECT(kGP, 0, ".byte 0xb8, 1, 2", "instruction across the end: #GP");
  check_eq(out.ip, 0xfffe, "instruction across the end: IP");
  in.ip = 0xfffe;
  DONE("jmp .+0x12", "a jump at the very end");
  in.ax = 0x12340010;
  DONE("jmp ax", "JMP AX");
  in.ax = 0x10000;
  EXPECT(kGP, 0, "jmp eax", "JMP EAX beyond the limit: #GP");
  in.sp = 0x100, in.ax = 0x10;
  DONE("call ax", "CALL AX");
  check_eq(LOW16(kStackLinear + 0xfe), 2, "CALL AX pushes IP");
  in.sp = 0x100, in.ax = 0x10;
  DONE("call eax", "CALL EAX");
  check_eq(out.sp, 0xfc, "CALL EAX pushes four bytes");
  check_eq(LOW32(kStackLinear + 0xfc), 3, "CALL EAX pushes EIP");
  in.sp = 0x100, in.ax = 0x10000;
  EXPECT(kGP, 0, "call eax", "CALL EAX beyond the limit: #GP");
  check_eq(out.sp, 0x100, "and SP stays");
  in.sp = 0x100, LOW16(kStackLinear + 0x100) = 0x10;
  DONE("ret 4", "RET 4");
  check_eq(out.sp, 0x106, "RET 4: SP");
  in.sp = 0x100, LOW32(kStackLinear + 0x100) = 0x10000;
  EXPECT(kGP, 0, ".byte 0x66; ret", "32-bit RET beyond the limit: #GP");
  check_eq(out.sp, 0x100, "32-bit RET beyond the limit: SP stays");
  in.sp = 0x100, LOW32(kStackLinear + 0x100) = 0x10;
  DONE(".byte 0x66; ret", "32-bit RET");
  check_eq(out.sp, 0x104, "32-bit RET: SP");
  in.cx = 0x10001;
  DONE("loop 1f; mov al, 5; 1:", "LOOP counts CX");
  check(out.cx == 0x10000 && (out.ax & 0xff) == 5, "LOOP leaves the upper half of ECX");
  in.cx = 0x10000;
  DONE("jecxz 1f; mov al, 6; 1:", "JECXZ looks at ECX");
  check_eq(out.ax, 6, "JECXZ is not taken");
  in.cx = 0x10000;
  DONE("jcxz 1f; mov al, 6; 1:", "JCXZ looks at CX");
  check_eq(out.ax, 0, "JCXZ is taken");
  in.cx = 0;
  DONE(".byte 0x67; loop 1f; 1:", "67h LOOP counts ECX");
  check_eq(out.cx, 0xffffffff, "67h LOOP: ECX");
  EXPECT(kGP, 0, ".fill 15, 1, 0x26; nop", "instruction of 16 bytes: #GP");
  DONE(".fill 14, 1, 0x26; nop", "instruction of 15 bytes");
}

// ---- Strings
static void test_strings(void) {
  LOW8(kDataLinear + 0xffff) = 0x5a;
  in.si = 0xffff, in.ax = 0;
  DONE("lodsb", "LODSB at FFFFh");
  check(out.si == 0 && out.ax == 0x5a, "SI wraps");
  in.si = 0xffff;
  EXPECT(kGP, 0, "lodsw", "LODSW at FFFFh: #GP");
  in.si = 0xabcd0000, in.flags = 2 | kEflagsDf;
  DONE("lodsw", "LODSW down from 0");
  check_eq(out.si, 0xabcdfffe, "only SI moves");
  in.di = 0xfffe, in.cx = 2, in.ax = 0x1111;
  EXPECT(kGP, 0, "cld; add di, 1; rep stosw", "REP STOSW across the end: #GP");
  in.di = 0xfffc, in.cx = 4, in.ax = 0x2222;
  DONE("rep stosw", "REP STOSW around the end");
  check(out.di == 4 && out.cx == 0, "REP STOSW around the end: DI and CX");
  check(LOW16(kExtraLinear + 2) == 0x2222 && LOW16(kExtraLinear + 0xfffe) == 0x2222,
        "REP STOSW around the end: memory");
  in.di = 0xfffb, in.cx = 4, in.ax = 0x3333;
  EXPECT(kGP, 0, "rep stosw", "REP STOSW that meets FFFFh: #GP");
  check(out.di == 0xffff && out.cx == 2, "after whole iterations");
  in.di = 0x10, in.si = 0x10, in.cx = 0x10003;
  DONE("rep movsb", "REP MOVSB counts CX");
  check(out.cx == 0x10000 && out.si == 0x13, "REP MOVSB counts CX: ECX and SI");
  in.di = 0x10, in.si = 0x10, in.cx = 3;
  DONE(".byte 0x67; rep movsd", "67h REP MOVSD");
  check(out.cx == 0 && out.si == 0x1c && out.di == 0x1c, "67h REP MOVSD: registers");
  in.si = 0x10000;
  EXPECT(kGP, 0, ".byte 0x67; lodsb", "67h LODSB at 10000h: #GP");
  in.cx = 0x10000, in.si = 0x10;
  DONE("rep lodsb", "REP with CX = 0 and ECX not");
  check_eq(out.si, 0x10, "REP with CX = 0 does nothing");
  LOW8(kStackLinear + 0x20) = 0x51;
  in.si = 0x20;
  DONE("lods al, ss:[si]", "LODSB with an override");
  check_eq(out.ax & 0xff, 0x51, "LODSB with an override: value");
  in.bx = 0xfff0, in.ax = 0x20, LOW8(kDataLinear + 0x10) = 0x66;
  DONE("xlat", "XLAT wraps");
  check_eq(out.ax & 0xff, 0x66, "XLAT wraps: value");
}

// ---- Interrupts. SDM 3A 20.1.4, SDM 2A INT n, IRET
static void test_interrupts(void) {
  in.flags = 0x3ed7, in.sp = 0x100;
  check_event(RUN("int 0x45"), 0x45, 0, "INT n");
  check_eq(out.ip, 2, "INT n: IP behind it");
  check_eq(out.cs, kCodeParagraph, "INT n: CS");
  check_eq(out.flags, 0x3ed7, "INT n: flags");
  check_eq(event.handler_sp, 0xfa, "INT n pushes six bytes");
  check_eq(event.handler_flags & 0x3fd7, 0x3cd7, "INT n clears IF");
  in.flags = 2 | kEflagsAc | kEflagsNt | kEflagsIopl;
  check_event(RUN("int 0x46"), 0x46, 0, "INT n with AC");
  check_eq(event.handler_flags & (kEflagsAc | kEflagsNt | kEflagsIopl), kEflagsNt | kEflagsIopl,
           "INT n clears AC, not NT and IOPL");
  in.sp = 0xabcd0002;
  check_event(RUN("int 0x46"), 0x46, 0, "INT n with SP = 2 wraps");
  check_eq(event.handler_sp, 0xabcdfffc, "INT n with SP = 2: SP");
  EXPECT(kBP, 0, "int3", "INT3");
  check_eq(out.ip, 1, "INT3: IP behind it");
  EXPECT(kOF, 0, "mov al, 127; inc al; into", "INTO with OF");
  check_eq(out.ip, 5, "INTO: IP behind it");
  DONE("xor ax, ax; into", "INTO without OF");
  EXPECT(kDE, 0, "xor cx, cx; div cx", "DIV by zero");
  check_eq(out.ip, 2, "DIV by zero: IP of DIV");
  EXPECT(kUD, 0, "ud2", "UD2");
  LOW16(kDataLinear + 0x100) = (u16)-5;
  LOW16(kDataLinear + 0x102) = 10;
  in.ax = (u16)-5;
  DONE("bound ax, [0x100]", "BOUND at the lower bound");
  in.ax = 10;
  DONE("bound ax, [0x100]", "BOUND at the upper bound");
  in.ax = 11;
  EXPECT(kBR, 0, "bound ax, [0x100]", "BOUND above");
  check_eq(out.ip, 0, "BOUND: IP of BOUND");
  in.ax = (u16)-6;
  EXPECT(kBR, 0, "bound ax, [0x100]", "BOUND below");
  EXPECT(kGP, 0, "bound ax, [0xfffd]", "BOUND across the end: #GP");
  LOW16(kDataLinear + 0xfffe) = 1, LOW16(kDataLinear) = 3, in.ax = 2;
  DONE("bound ax, [0xfffe]", "BOUND with its upper bound at 0");
  EXPECT(kUD, 0, ".byte 0x62, 0xc0", "BOUND of registers: #UD");
  // A table that is too short, and one elsewhere.
  set_real_idt(0x45 * 4 + 2, 0);
  check_event(RUN("int 0x45"), kGP, 0, "INT beyond the limit of the table: #GP");
  check_eq(out.ip, 0, "and IP is that of INT");
  set_real_idt(0x45 * 4 + 3, 0);
  check_event(RUN("int 0x45"), 0x45, 0, "INT at the limit of the table");
  memcpy((void*)(kExtraLinear + 0x1000), (void*)0, 1024);
  LOW32(kExtraLinear + 0x1000 + 0x45 * 4) = LOW32(0x47 * 4);
  set_real_idt(0x3ff, kExtraLinear + 0x1000);
  check_event(RUN("int 0x45"), 0x47, 0, "the table may be anywhere");
  set_real_idt(0x3ff, 0);
  // LIDT takes 24 bits of the base with a 16-bit operand.
  LOW16(kDataLinear) = 0x3ff;
  LOW32(kDataLinear + 2) = 0xff000000;
  check_event(RUN("lidt [0]; int 0x45"), 0x45, 0, "LIDT with a 16-bit operand loads 24 bits of the base");
  DONE(".byte 0x66; lidt [0x10]; sidt [0x20]; lidt [0]", "SIDT");
  // Single-step
  in.sp = 0x100, LOW16(kStackLinear + 0x100) = 2 | kEflagsTf;
  check_event(RUN("popf; nop; nop"), kDB, 0, "single-step");
  check_eq(out.ip, 2, "single-step: one instruction behind POPF");
  check(out.flags & kEflagsTf, "single-step: TF is set in the frame");
  check(!(event.handler_flags & kEflagsTf), "single-step: TF is clear in the handler");
  // IRET
  in.sp = 0x100;
  LOW16(kStackLinear + 0x100) = 0x10, LOW16(kStackLinear + 0x102) = kCodeParagraph,
                       LOW16(kStackLinear + 0x104) = 0x7cd7;
  LOW8(kCodeLinear + 0x10) = 0xcc;
  check_event(RUN("iret"), kBP, 0, "IRET");
  check_eq(out.flags, 0x7cd7, "IRET loads IOPL and NT");
  check_eq(out.sp, 0x106, "IRET: SP");
  in.sp = 0x100;
  LOW32(kStackLinear + 0x100) = 0x10, LOW32(kStackLinear + 0x104) = kCodeParagraph | 0xffff0000,
                       LOW32(kStackLinear + 0x108) = 0x003b7002;
  check_event(RUN("iretd"), kBP, 0, "IRETD");
  check_eq(out.sp, 0x10c, "IRETD: SP");
  check_eq(event.handler_flags & 0x3f0000, kEflagsId, "IRETD loads ID and not VM; the INT3 cleared AC");
  in.sp = 0x100;
  LOW32(kStackLinear + 0x100) = 0x10010;
  EXPECT(kGP, 0, "iretd", "IRETD with EIP above FFFFh: #GP");
  check_eq(out.sp, 0x100, "IRETD with EIP above FFFFh: SP stays");
  in.sp = 0xfffc;
  LOW32(kStackLinear + 0xfffc) = kCodeParagraph << 16 | 0x10, LOW16(kStackLinear) = 2;
  check_event(RUN("iret"), kBP, 0, "IRET around the end of the stack");
  check_eq(out.sp, 2, "IRET around the end of the stack: SP");
  in.sp = 0xfffd;
  EXPECT(kSS, 0, "iret", "IRET at FFFDh: #SS");
}

// ---- Flags. SDM 2B PUSHF, POPF
static void test_flags(void) {
  DONE("push 0x7ed7; popf; pushf; pop ax; push 2; popf", "POPF");
  check_eq(out.ax, 0x7ed7, "POPF loads IOPL, NT and IF");
  DONE(".byte 0x66, 0x68; .long 0x003f0002; popfd; pushfd; pop eax; push 2; popf", "POPFD");
  check_eq(out.ax, 0x240002, "POPFD loads AC and ID; VM, RF, VIF and VIP stay clear");
  in.ax = 0x0200;
  DONE("sti; pushf; pop ax; cli", "STI");
  check(out.ax & kEflagsIf, "STI sets IF whatever IOPL is");
}

// ---- What protected mode alone has. SDM 3A 20.1.3: #UD or #GP in real-address mode
static void test_forbidden(void) {
  EXPECT(kUD, 0, "sldt ax", "SLDT: #UD");
  EXPECT(kUD, 0, "str ax", "STR: #UD");
  EXPECT(kUD, 0, "lldt ax", "LLDT: #UD");
  EXPECT(kUD, 0, "ltr ax", "LTR: #UD");
  EXPECT(kUD, 0, "verr ax", "VERR: #UD");
  EXPECT(kUD, 0, "verw ax", "VERW: #UD");
  EXPECT(kUD, 0, "lar ax, cx", "LAR: #UD");
  EXPECT(kUD, 0, "lsl ax, cx", "LSL: #UD");
  EXPECT(kUD, 0, "arpl ax, cx", "ARPL: #UD");
  EXPECT(kUD, 0, ".byte 0x8e, 0xc8", "MOV CS: #UD");
  EXPECT(kUD, 0, ".byte 0x8c, 0xf0", "MOV from segment register 6: #UD");
  EXPECT(kUD, 0, ".byte 0x0f, 0x05", "0F 05 (SYSCALL, once LOADALL): #UD");
  EXPECT(kUD, 0, ".byte 0x0f, 0x07", "0F 07 (SYSRET, once LOADALL): #UD");
  EXPECT(kGP, 0, "sysenter", "SYSENTER: #GP");
  EXPECT(kGP, 0, "sysexit", "SYSEXIT: #GP");
  EXPECT(kUD, 0, ".byte 0xc5, 0xf8, 0x58, 0xc1", "VADDPS: #UD");
  EXPECT(kUD, 0, ".byte 0xc4, 0xe2, 0x78, 0xf2, 0xc1", "ANDN: #UD");
  EXPECT(kUD, 0, "lock; nop", "LOCK NOP: #UD");
  EXPECT(kUD, 0, ".byte 0xf0, 0x01, 0xc0", "LOCK ADD of a register: #UD");
  EXPECT(kUD, 0, ".byte 0xc4, 0xc0", "LES of a register: #UD");
  EXPECT(kUD, 0, ".byte 0xff, 0xd8", "far CALL of a register: #UD");
  EXPECT(kUD, 0, ".byte 0xff, 0xf8", "FF /7: #UD");
  EXPECT(kUD, 0, "mov cr1, eax", "MOV CR1: #UD");
  DONE("smsw ax; clts; mov eax, cr0; mov cr0, eax; lmsw ax; mov eax, cr4; mov eax, dr7; wbinvd; cpuid; rdtsc",
       "what real mode allows");
}

// ---- Far transfers of both widths. SDM 2A CALL, JMP, RET
static void test_far(void) {
  const u16 other = kCodeParagraph + 0x10;  // IP 10h there is linear 10110h
  LOW8(kCodeLinear + 0x110) = 0xcc;
  check_event(RUN(".byte 0xea; .word 0x10, 0x1010"), kBP, 0, "far JMP 16:16");
  check(out.cs == other && out.ip == 0x11, "far JMP 16:16: CS:IP");
  check_event(RUN(".byte 0x66, 0xea; .long 0x10; .word 0x1010"), kBP, 0, "far JMP 16:32");
  check(out.cs == other && out.ip == 0x11, "far JMP 16:32: CS:EIP");
  EXPECT(kGP, 0, ".byte 0x66, 0xea; .long 0x10010; .word 0x1010", "far JMP beyond the limit: #GP");
  check_eq(out.cs, kCodeParagraph, "far JMP beyond the limit: CS stays");
  in.sp = 0x100;
  check_event(RUN(".byte 0x9a; .word 0x10, 0x1010"), kBP, 0, "far CALL 16:16");
  check(out.sp == 0xfc && LOW16(kStackLinear + 0xfc) == 5 && LOW16(kStackLinear + 0xfe) == kCodeParagraph,
        "far CALL 16:16: frame");
  in.sp = 0x100;
  check_event(RUN(".byte 0x66, 0x9a; .long 0x10; .word 0x1010"), kBP, 0, "far CALL 16:32");
  check(out.sp == 0xf8 && LOW32(kStackLinear + 0xf8) == 8 && LOW16(kStackLinear + 0xfc) == kCodeParagraph,
        "far CALL 16:32: frame");
  in.sp = 0x100;
  EXPECT(kGP, 0, ".byte 0x66, 0x9a; .long 0x10010; .word 0x1010", "far CALL beyond the limit: #GP");
  check_eq(out.sp, 0x100, "far CALL beyond the limit: SP stays");
  in.sp = 2;
  check_event(RUN(".byte 0x9a; .word 0x10, 0x1010"), kBP, 0, "far CALL around the end of the stack");
  check(out.sp == 0xfffe && LOW16(kStackLinear + 0xfffe) == 5 && LOW16(kStackLinear) == kCodeParagraph,
        "far CALL around the end of the stack: frame");
  LOW32(kDataLinear + 0x200) = 0x10100010;
  check_event(RUN("jmp dword ptr [0x200]"), kBP, 0, "far JMP m16:16");
  check_eq(out.cs, other, "far JMP m16:16: CS");
  LOW32(kDataLinear + 0x208) = 0x10, LOW16(kDataLinear + 0x20c) = other;
  check_event(RUN(".byte 0x66, 0xff, 0x2e; .word 0x208"), kBP, 0, "far JMP m16:32");
  check_eq(out.cs, other, "far JMP m16:32: CS");
  in.sp = 0x100;
  check_event(RUN(".byte 0x66, 0xff, 0x1e; .word 0x208"), kBP, 0, "far CALL m16:32");
  check_eq(out.sp, 0xf8, "far CALL m16:32: SP");
  EXPECT(kGP, 0, "jmp dword ptr [0xfffd]", "far JMP of a pointer across the end: #GP");
  in.sp = 0x100, LOW32(kStackLinear + 0x100) = 0x10100010;
  check_event(RUN("retf 6"), kBP, 0, "far RET 6");
  check(out.cs == other && out.sp == 0x10a, "far RET 6: CS and SP");
  in.sp = 0x100, LOW32(kStackLinear + 0x100) = 0x10, LOW32(kStackLinear + 0x104) = 0xabcd0000 | other;
  check_event(RUN(".byte 0x66, 0xcb"), kBP, 0, "32-bit far RET");
  check(out.cs == other && out.sp == 0x108, "32-bit far RET: CS and SP");
  in.sp = 0x100, LOW32(kStackLinear + 0x100) = 0x10010;
  EXPECT(kGP, 0, ".byte 0x66, 0xcb", "32-bit far RET beyond the limit: #GP");
  check_eq(out.sp, 0x100, "32-bit far RET beyond the limit: SP stays");
  // Far pointers
  LOW32(kDataLinear + 0x300) = 0x55551234, LOW32(kDataLinear + 0x304) = 0x6666;
  DONE("les di, [0x300]; mov ax, es", "LES");
  check(out.di == 0x1234 && out.es == 0x5555, "LES: ES:DI");
  DONE("lfs edi, [0x300]", "LFS of 32 bits");
  check(out.di == 0x55551234 && out.fs == 0x6666, "LFS of 32 bits: FS:EDI");
  EXPECT(kGP, 0, "lgs di, [0xfffd]", "LGS across the end: #GP");
  LOW16(kDataLinear + 0xfffe) = 0x4321, LOW16(kDataLinear) = 0x1357;
  DONE("lgs di, [0xfffe]", "LGS with its selector at 0");
  check(out.di == 0x4321 && out.gs == 0x1357, "LGS with its selector at 0: GS:DI");
  DONE("lss sp, [0x310]; lss sp, [0x318]", "LSS");
}

// ---- Hidden parts that protected mode leaves. SDM 3A 9.9.2, 20.1.1
static void test_unreal(void) {
  set_segment(kFree, 0, 0xfffff, kReadWrite, kBig | kPageGranular);
  real_cache_fs = kFree;
  in.bx = 0x12345 + 0x100000, in.fs = 0;
  LOW8(0x12345 + 0x100000 + 0x200000) = 0x99;
  in.bx = 0x12345 + 0x300000;
  DONE("mov al, fs:[ebx]", "a 4 GiB limit stays in real mode");
  check_eq(out.ax & 0xff, 0x99, "a 4 GiB limit stays in real mode: value");
  real_cache_fs = kFree, in.fs = 0x1000, in.bx = 0x12345 + 0x300000 - 0x20000;
  DONE("mov ax, 0x2000; mov fs, ax; mov al, fs:[ebx]", "a load of the register keeps the limit");
  check_eq(out.ax & 0xff, 0x99, "a load of the register keeps the limit: value");
  set_segment(kFree, 0x300000, 0xfffff, kReadWrite, kBig | kPageGranular);
  real_cache_fs = real_cache_gs = kFree, real_keep_fs_gs = true, in.bx = 0x12345;
  DONE("mov al, fs:[ebx]", "the base stays until the register is loaded");
  check_eq(out.ax & 0xff, 0x99, "the base stays: value");
  set_segment(kFree, 0, 0xfff, kReadWrite, kByteGranular);
  real_cache_ds = kFree;
  DONE("mov al, [0xfff]", "a small limit: inside");
  real_cache_ds = kFree;
  EXPECT(kGP, 0, "mov al, [0x1000]", "a small limit stays in real mode: #GP");
  real_cache_ds = kFree;
  EXPECT(kGP, 0, "mov ax, 0x2000; mov ds, ax; mov al, [0x1000]", "and through a load of the register: #GP");
  set_segment(kFree, 0, 0xfffff, kReadWrite, kBig | kPageGranular);
  real_cache_ss = kFree, in.sp = 0x18000, in.ax = 0x4567;
  DONE("push ax", "SS.B stays: PUSH uses ESP");
  check_eq(out.sp, 0x17ffe, "SS.B stays: ESP");
  check_eq(LOW16(kStackLinear + 0x17ffe), 0x4567, "SS.B stays: the value is beyond 64 KiB");
  set_segment(kFree, 0x300000, 0xfff, kDownReadWrite, kByteGranular);
  real_cache_fs = real_cache_gs = kFree, real_keep_fs_gs = true;
  EXPECT(kGP, 0, "mov al, fs:[0xfff]", "an expand-down segment stays one until it is loaded: #GP");
  real_cache_fs = real_cache_gs = kFree, real_keep_fs_gs = true;
  DONE("mov al, fs:[0x1000]", "an expand-down segment: inside");
}

// ---- A20: port 92h and the keyboard controller, either of which turns it on. The snippet's own memory is
// below 1 MiB.
#define KEYBOARD_A20_OFF "mov al, 0xdd; out 0x64, al\n"
#define KEYBOARD_A20_ON "mov al, 0xdf; out 0x64, al\n"
#define PORT92_A20_OFF "in al, 0x92; and al, 0xfc; out 0x92, al\n"
#define PORT92_A20_ON "in al, 0x92; or al, 2; out 0x92, al\n"
static void test_a20(void) {
  const u32 saved = LOW32(0x100500);
  LOW8(0x500) = 0x11;
  LOW8(0x100500) = 0x22;
  in.ds = 0xffff;
  DONE("mov bl, [0x510]\n" KEYBOARD_A20_OFF PORT92_A20_OFF
       "mov bh, [0x510]; mov byte ptr [0x510], 0x33\n" PORT92_A20_ON "mov cl, [0x510]\n" KEYBOARD_A20_ON,
       "A20 off and on");
  check_eq(out.bx & 0xff, 0x22, "A20 on: FFFF:0510 is 100500h");
  check_eq(out.bx >> 8 & 0xff, 0x11, "A20 off: FFFF:0510 is 500h");
  check_eq(LOW8(0x500), 0x33, "A20 off: the store went to 500h");
  check_eq(out.cx & 0xff, 0x22, "A20 on again: 100500h is as it was");
  in.ds = 0xffff, LOW8(0x500) = 0x11;
  DONE(PORT92_A20_ON KEYBOARD_A20_OFF "mov bl, [0x510]\n" KEYBOARD_A20_ON PORT92_A20_OFF
                                      "mov bh, [0x510]\n" PORT92_A20_ON,
       "one of the two off");
  check_eq(out.bx & 0xff, 0x22, "A20 is on with the keyboard controller's off");
  check_eq(out.bx >> 8 & 0xff, 0x22, "A20 is on with port 92h's off");
  // Code, too: the same address fetches other bytes.
  LOW32(0x500) = 0xcb01b0;  // mov al, 1; retf
  LOW32(0x100500) = 0xcb02b0;
#define CALL_510 ".byte 0x9a; .word 0x510, 0xffff\n"
  DONE(CALL_510 "mov bl, al\n" KEYBOARD_A20_OFF PORT92_A20_OFF CALL_510
                "mov bh, al\n" PORT92_A20_ON KEYBOARD_A20_ON CALL_510 "mov cl, al",
       "code at FFFF:0510");
  check_eq(out.bx & 0xffff, 0x0102, "A20 off: code comes from 500h");
  check_eq(out.cx & 0xff, 2, "A20 on again: code comes from 100500h");
  LOW32(0x100500) = saved;
}

// ---- Decimal adjustment, all values of AL, CF and AF against the manual's text. SDM 2A AAA to DAS
enum { kDaa, kDas, kAaa, kAas };
static u32 adjusted(int operation, u16 ax, u32 flags) {
  u8 al = (u8)ax, ah = (u8)(ax >> 8);
  bool cf = flags & 1, af = flags >> 4 & 1;
  const bool low = (al & 15) > 9 || af;
  bool new_cf = false, new_af = false;
  if (operation == kDaa || operation == kDas) {
    const u8 old = al;
    const int sign = operation == kDaa ? 1 : -1;
    if (low) {
      new_cf = cf || (sign > 0 ? al > 0xff - 6 : al < 6);
      al = (u8)(al + 6 * sign);
      new_af = true;
    }
    if (old > 0x99 || cf) {
      al = (u8)(al + 0x60 * sign);
      new_cf = true;
    } else if (sign > 0) {
      new_cf = false;
    }
    ax = (u16)(ah << 8 | al);
  } else {
    if (low) {
      ax = (u16)(operation == kAaa ? ax + 0x106 : (ax - 6) - 0x100);
      new_cf = new_af = true;
    }
    ax &= 0xff0f;
  }
  return (u32)ax | (u32)new_cf << 16 | (u32)new_af << 20;
}

static void test_decimal(void) {
  static const char* const names[] = {"DAA", "DAS", "AAA", "AAS"};
  for (int operation = 0; operation < 4; ++operation) {
    u32 wrong = 0, first = 0;
    for (u32 value = 0; value < 0x400; ++value) {
      in.ax = 0x1200 | (value & 0xff);
      in.flags = 2 | (value >> 8 & 1) | (value >> 9 & 1) << 4;
      const u32 want = adjusted(operation, (u16)in.ax, in.flags);
      switch (operation) {
        case kDaa: RUN("daa; int3"); break;
        case kDas: RUN("das; int3"); break;
        case kAaa: RUN("aaa; int3"); break;
        default: RUN("aas; int3"); break;
      }
      const u32 got = (out.ax & 0xffff) | (out.flags & 0x11) << 16;
      const u8 al = (u8)want;
      const bool decimal = operation == kDaa || operation == kDas;
      const bool flags_ok =
          !decimal || ((out.flags >> 6 & 1) == (al == 0) && (out.flags >> 7 & 1) == al >> 7);
      if (got != want || !flags_ok) {
        if (!wrong++) first = value;
      }
    }
    check_eq(wrong, 0, "%s of all values (first wrong: %x)", names[operation], first);
  }
  in.ax = 0x12ff;
  DONE("aam", "AAM");
  check_eq(out.ax, 0x1905, "AAM: 255 is 25 and 5");
  in.ax = 0x12ff;
  DONE("aam 16", "AAM 16");
  check_eq(out.ax, 0x0f0f, "AAM 16: value");
  EXPECT(kDE, 0, "aam 0", "AAM 0: #DE");
  in.ax = 0x0905;
  DONE("aad", "AAD");
  check_eq(out.ax, 95, "AAD: value");
  in.ax = 0xff05;
  DONE("aad 16", "AAD 16");
  check_eq(out.ax, 0xf5, "AAD 16: only AL is left");
}

void test_main(void) {
  set_mode(kModeReal);
  test_addresses();
  test_stack();
  test_instruction_pointer();
  test_strings();
  test_interrupts();
  test_flags();
  test_forbidden();
  test_far();
  test_unreal();
  test_a20();
  test_decimal();
}
