// 16-bit protected mode: stacks and addresses of 16 bits, limits, far transfers of both widths, 16- and
// 32-bit gates, conforming code, the LDT, LAR to ARPL, 16- and 32-bit task switches. SDM 3A chapters 3,
// 5, 6.12, 7, 21; SDM 2.
#include "runtime/modes.h"

enum {
  kGate = kFree,
  kOther = kFree + 8,
  kTask16 = kFree + 16,
  kTask32 = kFree + 24,
  kLdt = kFree + 32,
  kBig16 = kFree + 40,
  kIopl3 = 3 << 12,
  kHandler = 0x9000,  // offset in kCode16
};
_Static_assert(kGate == 0x80 && kOther == 0x88 && kTask16 == 0x90 && kTask32 == 0x98,
               "selectors in the snippets");
#define CALL_GATE ".byte 0x9a; .word 0xdead, 0x83\n"
#define CALL_OTHER(offset) ".byte 0x9a; .word " #offset ", 0x88\n"
#define STACK16(offset) LOW16(kStackLinear + ((offset)&0xffff))
#define STACK32(offset) LOW32(kStackLinear + ((offset)&0xffff))

static void user(void) {
  in.cs = kUserCode16, in.ss = kUserStack16;
  in.ds = in.es = in.fs = in.gs = kUserData16;
}
static void inner16(void) { inner_ss = kStack16, inner_sp = 0x4000; }

// ---- Stacks with B = 0. SDM 1 6.2.3, SDM 3A 3.4.5
static void test_stack(void) {
  in.sp = 0xabcd0000, in.ax = 0x1234;
  DONE("push ax", "PUSH with SP = 0");
  check_eq(out.sp, 0xabcdfffe, "PUSH with SP = 0 wraps within SP");
  check_eq(STACK16(0xfffe), 0x1234, "PUSH with SP = 0: value");
  in.sp = 0xabcdfffc;
  DONE("pop eax", "POP at FFFCh");
  check_eq(out.sp, 0xabcd0000, "POP at FFFCh wraps within SP");
  in.sp = 0x20004;
  DONE("pushad", "PUSHAD around the end");
  check_eq(out.sp, 0x2ffe4, "PUSHAD around the end: ESP");
  check_eq(STACK32(0), 0, "PUSHAD around the end: EAX");
  in.sp = 0x2ffe4;
  DONE("popad", "POPAD around the end");
  check_eq(out.sp, 0x20004, "POPAD around the end: ESP");
  in.sp = 0x50100, in.bp = 0x60200;
  DONE("enter 0x10, 0", "ENTER");
  check(out.bp == 0x600fe && out.sp == 0x500ee, "ENTER moves BP and SP alone");
  in.sp = 0x50100, in.bp = 0x60200;
  DONE(".byte 0x66; enter 0x10, 0", "32-bit ENTER");
  check(out.bp == 0x500fc && out.sp == 0x500ec, "32-bit ENTER on a 16-bit stack: EBP is all of ESP");
  in.sp = 0x50100, in.bp = 0x60200;
  DONE(".byte 0x66; enter 0x10, 1", "32-bit ENTER of level 1 on a 16-bit stack");
  check_eq(STACK32(0xf8), 0x500fc, "32-bit ENTER of level 1 on a 16-bit stack: the frame pointer pushed");
  in.sp = 0x50100, in.bp = 0x60200, STACK16(0x200) = 0x7777;
  DONE("leave", "LEAVE");
  check(out.sp == 0x50202 && out.bp == 0x67777, "LEAVE loads SP from BP");
  // At level 3 a stack fault has another stack to go to.
  user(), in.sp = 1;
  EXPECT(kSS, 0, "push ax", "PUSH with SP = 1: #SS(0)");
  check_eq(out.sp & 0xffff, 1, "PUSH with SP = 1: SP stays");
  user(), in.sp = 2;
  EXPECT(kSS, 0, "push eax", "PUSH of a dword with SP = 2: #SS(0)");
  user(), in.sp = 0xffff;
  EXPECT(kSS, 0, "pop ax", "POP at FFFFh: #SS(0)");
  user(), in.sp = 7;
  EXPECT(kSS, 0, "pusha", "PUSHA with SP = 7: #SS(0)");
  check_eq(out.sp & 0xffff, 7, "PUSHA with SP = 7: SP stays");
  user(), in.sp = 0xfff8;
  DONE("mov esp, 0x1230fffe; pop ax", "POP at FFFEh");
  check_eq(out.sp, 0x12300000, "a 32-bit gate saves all of ESP");
  user(), in.sp = 0x12348000;
  DONE("nop", "IRETD to a 16-bit stack");
  check(out.sp >> 16 != 0x1234 && (out.sp & 0xffff) == 0x8000, "IRETD to a 16-bit stack loads SP alone");
  // A 32-bit stack under 16-bit code, and the other way round.
  set_segment(kOther, kStackLinear, 0xfffff, kReadWrite, kBig | kPageGranular);
  in.ss = kOther, in.sp = 0x10000, in.ax = 0x5678;
  DONE("push ax", "16-bit code on a 32-bit stack");
  check_eq(out.sp, 0xfffe, "16-bit code on a 32-bit stack: ESP");
  in.ss = kOther, in.sp = 0x10002;
  DONE("push eax", "a push across 64 KiB on a 32-bit stack");
  check(out.sp == 0xfffe && LOW32(kStackLinear + 0xfffe) == 0,
        "a push across 64 KiB on a 32-bit stack: ESP and memory");
  in.ss = kOther, in.sp = 0x8000, in.bp = 0x10100, LOW16(kStackLinear + 0x10100) = 0x4141;
  DONE("leave", "LEAVE on a 32-bit stack");
  check(out.sp == 0x10102 && out.bp == 0x14141, "16-bit LEAVE on a 32-bit stack takes all of EBP");
  in.cs = kKernelCode, in.ip = kCodeLinear, in.sp = 0x70000;
  check_event(run_snippet(CODE32("push eax; push ax; int3")), kBP, kAnyError,
              "32-bit code on a 16-bit stack");
  check_eq(out.sp, 0x7fffa, "32-bit code on a 16-bit stack: ESP");
  // Expand-down: from limit + 1 to FFFFh. SDM 3A 5.3
  set_segment(kOther, kStackLinear, 0xff, kDownReadWrite | kDpl3, kByteGranular);
  user(), in.ss = kOther | 3, in.sp = 0x102;
  DONE("push ax", "PUSH down to the limit of an expand-down stack");
  user(), in.ss = kOther | 3, in.sp = 0x101;
  EXPECT(kSS, 0, "push ax", "PUSH below it: #SS(0)");
  user(), in.ss = kOther | 3, in.sp = 0;
  DONE("push ax", "PUSH at the top of an expand-down stack");
  user(), in.ss = kOther | 3, in.sp = 0;
  EXPECT(kSS, 0, "pop ax", "POP at 0 of an expand-down stack: #SS(0)");
}

// ---- Addresses and limits
static void test_addresses(void) {
  LOW32(kDataLinear + 0xfffc) = 0x44332211, LOW32(kDataLinear + 0x10000) = 0x88776655,
                      LOW8(kDataLinear + 1) = 0x99;
  in.bx = 0xffff, in.si = 2;
  DONE("mov al, [bx+si]", "a 16-bit address wraps");
  check_eq(out.ax & 0xff, 0x99, "a 16-bit address wraps: value");
  EXPECT(kGP, 0, "mov ax, [0xffff]", "word at FFFFh: #GP(0)");
  in.bx = 0x10000;
  EXPECT(kGP, 0, "mov al, [ebx]", "32-bit address of 10000h: #GP(0)");
  // In a larger segment only the address itself wraps, not what follows it.
  set_segment(kBig16, kDataLinear, 0xfffff, kReadWrite, kPageGranular);
  in.ds = kBig16;
  DONE("mov ax, [0xffff]", "word at FFFFh of a larger segment");
  check_eq(out.ax & 0xffff, 0x5544, "word at FFFFh of a larger segment: its second byte is at 10000h");
  in.ds = kBig16, in.bx = 0xffff, in.si = 2;
  DONE("mov al, [bx+si]", "a 16-bit address wraps in a larger segment too");
  check_eq(out.ax & 0xff, 0x99, "a 16-bit address wraps in a larger segment too: value");
  in.ds = kBig16, in.bx = 0x10001;
  DONE("mov al, [ebx]", "32-bit address in a larger segment");
  check_eq(out.ax & 0xff, 0x66, "32-bit address in a larger segment: value");
  in.ds = in.es = kBig16, in.si = 0xffff, in.di = 0x100, in.cx = 2;
  DONE("rep movsb", "REP MOVSB around the end of SI");
  check(out.si == 1 && LOW8(kDataLinear + 0x101) == LOW8(kDataLinear),
        "REP MOVSB around the end of SI: registers and memory");
  in.es = in.ds = kBig16, in.si = 0xfffe, in.di = 0x200, in.cx = 2;
  DONE(".byte 0x67; rep movsw", "67h REP MOVSW goes on");
  check(out.si == 0x10002 && LOW16(kDataLinear + 0x202) == 0x6655,
        "67h REP MOVSW goes on: registers and memory");
  set_segment(kOther, kDataLinear, 0xfff, kDownReadWrite, kByteGranular);
  in.ds = kOther;
  EXPECT(kGP, 0, "mov al, [0xfff]", "expand-down: at the limit: #GP(0)");
  in.ds = kOther;
  DONE("mov ax, [0x1000]", "expand-down: above it");
  in.ds = kOther;
  EXPECT(kGP, 0, "mov ax, [0xffff]", "expand-down: across FFFFh: #GP(0)");
  set_segment(kOther, kDataLinear, 0xfff, kDownReadWrite, kBig);
  in.ds = kOther;
  DONE("mov ax, [0xffff]", "expand-down with B = 1: across FFFFh");
  set_segment(kOther, kDataLinear, 0xffff, kReadOnly, kByteGranular);
  in.ds = kOther;
  EXPECT(kGP, 0, "mov [0], al", "write to a read-only segment: #GP(0)");
  in.ds = kOther;
  EXPECT(kGP, 0, "add [0], al", "read-modify-write of a read-only segment: #GP(0)");
  EXPECT(kGP, 0, "mov cs:[0x100], al", "write through CS: #GP(0)");
  in.ds = 0;
  EXPECT(kGP, 0, "mov al, [0]", "access through a null selector: #GP(0)");
  user(), in.ip = 0xffff;
  EXPECT(kGP, 0, "nop", "running off the end: #GP(0)");
  check_eq(out.ip, 0x10000, "running off the end: EIP");
  in.ax = 0x10000;
  EXPECT(kGP, 0, "jmp eax", "JMP EAX beyond the limit: #GP(0)");
  EXPECT(kGP, 0, ".byte 0x66, 0xe8; .long 0x10000", "32-bit near CALL beyond the limit: #GP(0)");
  check_eq(out.sp, 0x8000, "32-bit near CALL beyond the limit: SP stays");
  // Larger code: EIP runs on past FFFFh, and a 16-bit branch cuts it.
  set_segment(kBig16, kCodeLinear, 0xfffff, kExecuteRead, kPageGranular);
  LOW8(kCodeLinear + 0x10000) = 0xcc;
  in.cs = kBig16, in.ip = 0xffff;
  check_event(RUN("nop\nint3"), kBP, 0, "EIP runs on past FFFFh in a larger segment");
  check_eq(out.ip, 0x10001, "EIP runs on past FFFFh: EIP");
  in.cs = kBig16, in.ip = 0x10010;
  LOW8(kCodeLinear + 0x22) = 0xcc;
  check_event(RUN(".byte 0xeb, 0x10"), kBP, 0, "a 16-bit branch cuts EIP");
  check_eq(out.ip, 0x23, "a 16-bit branch cuts EIP: EIP");
}

// ---- Far transfers between code of both widths. SDM 2A CALL, JMP, RET; SDM 3A 21.4
static void test_far(void) {
  set_segment(kOther, kCodeLinear, 0xffff, kExecuteRead, kBig);  // 32-bit code at the same place
  LOW8(kCodeLinear + 0x100) = 0xcc;
  check_event(RUN(".byte 0xea; .word 0x100, 0x88"), kBP, 0, "far JMP 16:16 to 32-bit code");
  check(out.cs == kOther && out.ip == 0x101, "far JMP 16:16: CS:EIP");
  check_event(RUN(".byte 0x66, 0xea; .long 0x100; .word 0x88"), kBP, 0, "far JMP 16:32");
  EXPECT(kGP, 0, ".byte 0x66, 0xea; .long 0x10000; .word 0x88", "far JMP beyond the limit: #GP(0)");
  in.sp = 0x100;
  check_event(RUN(CALL_OTHER(0x100)), kBP, 0, "far CALL 16:16 to 32-bit code");
  check(out.sp == 0xfc && STACK16(0xfc) == 5 && STACK16(0xfe) == kCode16, "far CALL 16:16: a frame of words");
  in.sp = 0x100;
  check_event(RUN(".byte 0x66, 0x9a; .long 0x100; .word 0x88"), kBP, 0, "far CALL 16:32");
  check(out.sp == 0xf8 && STACK32(0xf8) == 8 && STACK16(0xfc) == kCode16,
        "far CALL 16:32: a frame of dwords");
  // The callee must return by the width of the call.
  place(kCodeLinear + 0x200, CODE32("mov eax, 0x12345678; .byte 0x66; retf"));
  DONE(CALL_OTHER(0x200), "32-bit code returns by a 16-bit RET");
  check(out.ax == 0x12345678 && out.cs == kCode16 && out.sp == 0x8000, "32-bit code returns: registers");
  place(kCodeLinear + 0x200, CODE32("retf"));
  DONE(".byte 0x66, 0x9a; .long 0x200; .word 0x88", "32-bit code returns by a 32-bit RET");
  place(kCodeLinear + 0x200, CODE32("retf 6"));
  DONE("push ax; push eax; .byte 0x66, 0x9a; .long 0x200; .word 0x88", "far RET 6");
  check_eq(out.sp, 0x8000, "far RET 6: SP");
  in.sp = 4;
  DONE(".byte 0x66, 0x9a; .long 0x300; .word 0x50; .org 0x300; nop", "far CALL around the end of the stack");
  check(out.sp == 0xfffc && STACK32(0xfffc) == 8 && STACK16(0) == kCode16,
        "far CALL around the end of the stack: frame");
  user(), in.sp = 6;
  EXPECT(kSS, 0, ".byte 0x66, 0x9a; .long 0x300; .word 0x6b", "far CALL whose frame meets FFFEh: #SS(0)");
  check_eq(out.sp & 0xffff, 6, "far CALL whose frame meets FFFEh: SP stays");
  EXPECT(kGP, 0, ".byte 0xea; .word 0, 3", "far JMP to a null selector: #GP(0)");
  EXPECT(kGP, kData16, ".byte 0xea; .word 0, 0x58", "far JMP to data: #GP(selector)");
  EXPECT(kGP, kUserCode16 & ~3, ".byte 0xea; .word 0, 0x68", "far JMP to an outer level: #GP(selector)");
  EXPECT(kGP, kCode16, ".byte 0xea; .word 0, 0x51", "far JMP with an RPL above CPL: #GP(selector)");
  EXPECT(kGP, 0xfff8, ".byte 0xea; .word 0, 0xfff8", "far JMP beyond the GDT: #GP(selector)");
  set_segment(kOther, kCodeLinear, 0xffff, kExecuteRead & ~0x80, kByteGranular);
  EXPECT(kNP, kOther, ".byte 0xea; .word 0, 0x88", "far JMP to code not present: #NP(selector)");
  in.sp = 0x100, STACK16(0x100) = 0, STACK16(0x102) = kOther;
  EXPECT(kNP, kOther, "retf", "far RET to code not present: #NP(selector)");
  check_eq(out.sp, 0x100, "far RET to code not present: SP stays");
  user(), in.sp = 0x100, STACK16(0x100) = 0, STACK16(0x102) = kCode16;
  EXPECT(kGP, kCode16, "retf", "far RET to an inner level: #GP(selector)");
  // To an outer level: words of SP and SS follow the released parameters.
  LOW8(kCodeLinear + 0x100) = 0xcc;
  in.sp = 0x200;
  STACK16(0x200) = 0x100, STACK16(0x202) = kUserCode16, STACK16(0x206) = 0x6000,
  STACK16(0x208) = kUserStack16;
  check_event(RUN("retf 2"), kBP, 0, "far RET 2 to level 3");
  check(out.cs == kUserCode16 && out.ss == kUserStack16 && (out.sp & 0xffff) == 0x6002,
        "far RET 2 to level 3: CS and SS:SP");
  check(out.ds == 0 && out.es == 0, "far RET to level 3 clears data segments of DPL 0");
  in.sp = 0x200, STACK16(0x206) = 0x6000, STACK16(0x208) = kStack16;
  EXPECT(kGP, kStack16, "retf 2", "far RET to level 3 with a stack of DPL 0: #GP(selector)");
  in.sp = 0x200, STACK16(0x208) = 0;
  EXPECT(kGP, 0, "retf 2", "far RET to level 3 with a null stack: #GP(0)");
}

// ---- Call gates. SDM 3A 5.8.3 to 5.8.5
static void test_call_gates(void) {
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 4, 3, 2);
  user(), inner16(), in.sp = 0x100;
  check_event(RUN("push 0x1111; push 0x2222\n" CALL_GATE), 0x81, 0, "16-bit call gate from level 3");
  check(out.cs == kCode16 && out.ss == kStack16, "16-bit call gate: CS and SS");
  check_eq(out.sp & 0xffff, 0x4000 - 12, "16-bit call gate: six words on the inner stack");
  check(STACK16(0x3ff4) == 11 && STACK16(0x3ff6) == kUserCode16, "16-bit call gate: return CS:IP");
  check(STACK16(0x3ff8) == 0x2222 && STACK16(0x3ffa) == 0x1111, "16-bit call gate: words of parameters");
  check(STACK16(0x3ffc) == 0xfc && STACK16(0x3ffe) == kUserStack16, "16-bit call gate: old SS:SP");
  user(), inner16(), in.sp = 2;
  check_event(RUN("push 0x1111; push 0x2222\n" CALL_GATE), 0x81, 0, "parameters around the end of the stack");
  check(STACK16(0x3ff8) == 0x2222 && STACK16(0x3ffa) == 0x1111,
        "parameters around the end of the stack: values");
  user(), in.sp = 0x100;
  check_event(RUN("push 0x1111; push 0x2222\n" CALL_GATE), 0x81, 0, "16-bit call gate to a 32-bit stack");
  check(out.ss == kKernelData && LOW16(out.sp) == 11 && LOW16(out.sp + 8) == 0xfc,
        "16-bit call gate to a 32-bit stack: words");
  place(kCodeLinear + kHandler, CODE16("retf 4"));
  user(), inner16(), in.sp = 0x100;
  DONE("push 0x1111; push 0x2222\n" CALL_GATE, "16-bit call gate and RET 4");
  check(out.cs == kUserCode16 && out.ss == kUserStack16 && (out.sp & 0xffff) == 0x100,
        "RET 4 releases the parameters on both stacks");
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 4, 3, 31);
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
  for (u32 i = 0; i < 31; ++i) STACK16(0x100 + i * 2) = (u16)(i + 100);
  user(), inner16(), in.sp = 0x100;
  check_event(RUN(CALL_GATE), 0x81, 0, "31 parameters");
  u32 wrong = 0;
  for (u32 i = 0; i < 31; ++i) wrong += STACK16(0x4000 - 4 - 62 + i * 2) != i + 100;
  check_eq(wrong, 0, "31 parameters: values");
  // 32-bit gate: dwords, from 16-bit code too.
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 0xc, 3, 1);
  user(), inner16(), in.sp = 0x100;
  check_event(RUN("mov esp, 0x770100; push 0x1111; push 0x2222\n" CALL_GATE), 0x81, 0,
              "32-bit call gate from 16-bit code");
  check_eq(out.sp & 0xffff, 0x4000 - 20, "32-bit call gate: five dwords");
  check(STACK32(0x3fec) == 17 && STACK32(0x3ff4) == 0x11112222 && STACK32(0x3ff8) == 0x7700fc,
        "32-bit call gate: EIP, parameter, ESP");
  place(kCodeLinear + kHandler, CODE16(".byte 0x66; retf 4"));
  user(), inner16(), in.sp = 0x100;
  DONE("push 0x1111; push 0x2222\n" CALL_GATE, "32-bit call gate and 32-bit RET 4");
  check_eq(out.sp & 0xffff, 0x100, "32-bit RET 4 releases the parameter");
  // From 32-bit code through a 16-bit gate: the upper halves of EIP and ESP are lost.
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 4, 3, 0);
  in.cs = kUserCode32, in.ip = kCodeLinear + 0x400, in.ss = in.ds = in.es = kUserData,
  in.sp = kStackLinear + 0x100;
  inner16();
  check_event(run_snippet(CODE32(".byte 0x9a; .long 0; .word 0x83")), 0x81, 0,
              "16-bit call gate from 32-bit code");
  check(STACK16(0x3ff8) == 0x407 && STACK16(0x3ffc) == 0x100, "16-bit call gate from 32-bit code: words");
  // Same level, and conforming code.
  *gdt_slot(kGate) = make_gate(kUserCode16, 0x500, 4, 3, 5);
  LOW8(kCodeLinear + 0x500) = 0xcc;
  user(), in.sp = 0x100;
  check_event(RUN(CALL_GATE), kBP, 0, "16-bit call gate to the same level");
  check((out.sp & 0xffff) == 0xfc && STACK16(0xfc) == 5 && STACK16(0xfe) == kUserCode16,
        "16-bit call gate to the same level copies nothing");
  user();
  check_event(RUN(".byte 0xea; .word 0, 0x83"), kBP, 0, "far JMP through a 16-bit gate");
  check(out.cs == kUserCode16 && out.ip == 0x501, "far JMP through a 16-bit gate: CS:IP");
  set_segment(kOther, kCodeLinear, 0xffff, kConforming, kByteGranular);
  *gdt_slot(kGate) = make_gate(kOther, 0x500, 4, 3, 5);
  user(), in.sp = 0x100;
  check_event(RUN(CALL_GATE), kBP, 0, "16-bit call gate to conforming code");
  check(out.cs == (kOther | 3) && (out.sp & 0xffff) == 0xfc && out.ss == kUserStack16,
        "conforming code runs at level 3 on the same stack");
  // Faults
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 4, 0, 0);
  user();
  EXPECT(kGP, kGate, CALL_GATE, "gate of DPL 0: #GP(gate)");
  *gdt_slot(kGate) = make_gate(kCode16, kHandler, 4, 3, 0) & ~(1ull << 47);
  user();
  EXPECT(kNP, kGate, CALL_GATE, "gate not present: #NP(gate)");
  *gdt_slot(kGate) = make_gate(kCode16, 0xffff0000u | kHandler, 4, 3, 0);
  user(), inner16();
  check_event(RUN(CALL_GATE), 0x81, 0, "a 16-bit gate has no upper half of the offset");
  *gdt_slot(kGate) = make_gate(kCode16, 0x10000, 0xc, 3, 0);
  user();
  EXPECT(kGP, 0, CALL_GATE, "gate to an offset beyond the limit: #GP(0)");
  // Level 1: its stack is not that of the exception. The frame wraps below 0, beyond the limit.
  set_segment(kTask16, kCodeLinear, 0xffff, kExecuteRead | 0x20, kByteGranular);
  set_segment(kTask32, kStackLinear, 0xfff, kReadWrite | 0x20, kByteGranular);
  *gdt_slot(kGate) = make_gate(kTask16, kHandler, 4, 3, 2);
  tss.ss1 = kTask32 | 1, tss.esp1 = 10;
  user(), in.sp = 0x100;
  EXPECT(kSS, kTask32, CALL_GATE, "no room on the inner stack: #SS(selector)");
  tss.ss1 = kTask32;
  user();
  EXPECT(kTS, kTask32, CALL_GATE, "inner stack with the wrong RPL: #TS(selector)");
  tss.ss1 = kTask32 | 1, tss.esp1 = 0x800;
  place(kCodeLinear + kHandler, CODE16("mov ax, cs; mov bx, ss; hlt"));
  user();
  EXPECT(kGP, 0, CALL_GATE, "16-bit call gate to level 1: HLT is #GP(0)");
  check(out.ax == (kTask16 | 1) && out.bx == (kTask32 | 1) && (out.sp & 0xffff) == 0x800 - 12,
        "level 1: CS, SS and SP");
  set_mode(kModeProtected);
}

// ---- Interrupt and trap gates of 16 bits. SDM 3A 6.12, 21.5
static void test_interrupts(void) {
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
  for (int type = 6; type <= 7; ++type) {
    const char* kind = type == 6 ? "interrupt" : "trap";
    mode_idt[0x85] = make_gate(kCode16, kHandler, type, 3, 0);
    in.flags = 2 | kEflagsIf | kEflagsNt | kEflagsCf | kEflagsAc, in.sp = 0x100;
    check_event(RUN("int 0x85"), 0x81, 0, "16-bit %s gate", kind);
    check_eq(out.sp, 0xfa, "16-bit %s gate: three words", kind);
    check(STACK16(0xfa) == 2 && STACK16(0xfc) == kCode16 && STACK16(0xfe) == (0x4203),
          "16-bit %s gate: frame", kind);
    check_eq(out.flags & (kEflagsIf | kEflagsNt | kEflagsAc), (type == 7 ? kEflagsIf : 0) | kEflagsAc,
             "16-bit %s gate: flags", kind);
    user(), inner16(), in.sp = 0x100;
    check_event(RUN("int 0x85"), 0x81, 0, "16-bit %s gate from level 3", kind);
    check_eq(out.sp & 0xffff, 0x4000 - 10, "16-bit %s gate from level 3: five words", kind);
    check(STACK16(0x3ff6) == 2 && STACK16(0x3ff8) == kUserCode16 && STACK16(0x3ffc) == 0x100 &&
              STACK16(0x3ffe) == kUserStack16,
          "16-bit %s gate from level 3: frame", kind);
    check(out.ds == kUserData16, "16-bit %s gate from level 3 leaves DS", kind);
  }
  mode_idt[kGP] = make_gate(kCode16, kHandler, 6, 0, 0);
  in.sp = 0x100;
  check_event(RUN("mov ax, 0xfff8; mov ds, ax"), 0x81, 0, "16-bit gate with an error code");
  check(out.sp == 0xf8 && STACK16(0xf8) == 0xfff8 && STACK16(0xfa) == 3 && STACK16(0xfc) == kCode16,
        "the error code is a word");
  reset_mode_idt();
  // IRET of 16 bits.
  place(kCodeLinear + kHandler, CODE16("iret"));
  mode_idt[0x85] = make_gate(kCode16, kHandler, 6, 3, 0);
  in.flags = 2 | kEflagsAc | kEflagsIf | kEflagsCf, in.sp = 0x50100;
  DONE("int 0x85", "16-bit gate and IRET");
  check_eq(out.flags & (kEflagsAc | kEflagsIf | kEflagsCf), kEflagsAc | kEflagsIf | kEflagsCf,
           "16-bit IRET leaves the upper half of the flags");
  check_eq(out.sp, 0x50100, "16-bit IRET: ESP");
  user(), inner16(), in.sp = 0x100;
  DONE("int 0x85", "16-bit gate and IRET to level 3");
  check(out.cs == kUserCode16 && out.ss == kUserStack16 && (out.sp & 0xffff) == 0x100,
        "IRET to level 3: CS and SS:SP");
  user(), in.sp = 0x100, STACK16(0x100) = 0x10, STACK16(0x102) = kUserCode16, STACK16(0x104) = 0x7ed7;
  LOW8(kCodeLinear + 0x10) = 0xcc;
  check_event(RUN("iret"), kBP, 0, "IRET at level 3");
  check_eq(out.flags & 0x7fd7, 0x4cd7, "IRET at level 3 leaves IF and IOPL");
  in.sp = 0x100, STACK32(0x100) = 0x10, STACK32(0x104) = kCode16, STACK32(0x108) = 0x40002 | kIopl3;
  check_event(RUN("iretd"), kBP, 0, "IRETD in 16-bit code");
  check(out.sp == 0x10c && (out.flags & 0x47000) == (0x40000 | kIopl3), "IRETD in 16-bit code: SP and flags");
  in.sp = 0x100, STACK32(0x100) = 0x10010;
  EXPECT(kGP, 0, "iretd", "IRETD beyond the limit: #GP(0)");
  // A handler that is not at level 0: conforming code, and DPL 3 code called from level 3.
  set_segment(kOther, kCodeLinear, 0xffff, kConforming, kByteGranular);
  mode_idt[0x85] = make_gate(kOther, 0x10, 6, 3, 0);
  user(), in.sp = 0x100;
  check_event(RUN("int 0x85"), kBP, 0, "16-bit gate to conforming code");
  check(out.cs == (kOther | 3) && (out.sp & 0xffff) == 0xfa && STACK16(0xfa) == 2,
        "16-bit gate to conforming code: level 3, same stack");
  mode_idt[0x85] = make_gate(kUserCode16, 0x10, 6, 3, 0);
  EXPECT(kGP, kUserCode16 & ~3, "int 0x85", "gate to an outer level: #GP(selector)");
  mode_idt[0x85] = make_gate(kCode16, 0xffff, 6, 3, 0);
  set_segment(kCode16, kCodeLinear, 0xfffe, kExecuteRead, kByteGranular);
  EXPECT(kGP, 0, "int 0x85", "gate to an offset beyond the limit: #GP(0)");
  set_mode(kModeProtected);
}

// ---- Conforming code. SDM 3A 5.8.1.2
static void test_conforming(void) {
  LOW8(kCodeLinear + 0x100) = 0xcc;
  set_segment(kOther, kCodeLinear, 0xffff, kConforming, kByteGranular);
  user(), in.sp = 0x100;
  check_event(RUN(CALL_OTHER(0x100)), kBP, 0, "far CALL from level 3 to conforming code of DPL 0");
  check(out.cs == (kOther | 3) && STACK16(0xfe) == kUserCode16, "conforming code: CS has RPL 3");
  place(kCodeLinear + 0x200, CODE16("retf"));
  user();
  DONE(CALL_OTHER(0x200), "far RET from conforming code");
  user(), in.sp = 0x100, STACK16(0x100) = 0x100, STACK16(0x102) = kOther | 3;
  check_event(RUN("retf"), kBP, 0, "far RET to conforming code");
  user(), in.ds = kOther | 3, LOW8(kCodeLinear + 0x300) = 0x5a;
  DONE("mov al, [0x300]", "conforming code of DPL 0 as a data segment at level 3");
  check_eq(out.ax & 0xff, 0x5a, "conforming code as a data segment: value");
  set_segment(kOther, kCodeLinear, 0xffff, kConforming | kDpl3, kByteGranular);
  EXPECT(kGP, kOther, CALL_OTHER(0x100), "far CALL from level 0 to conforming code of DPL 3: #GP(selector)");
  in.sp = 0x100, STACK16(0x100) = 0x100, STACK16(0x102) = kOther | 3;
  STACK16(0x104) = 0x6000, STACK16(0x106) = kUserStack16;
  check_event(RUN("retf"), kBP, 0, "far RET from level 0 to conforming code at level 3");
  check(out.cs == (kOther | 3) && (out.sp & 0xffff) == 0x6000,
        "far RET to conforming code at level 3: CS and SP");
  in.sp = 0x100, STACK16(0x102) = kOther;
  EXPECT(kGP, kOther, "retf", "far RET with an RPL below the DPL of conforming code: #GP(selector)");
}

// ---- The LDT. SDM 3A 3.5.1, SDM 2A LLDT, SLDT
static u64 ldt[8] __attribute__((aligned(8)));
static void test_ldt(void) {
  ldt[1] = make_segment(kDataLinear + 0x1000, 0xff, kReadWrite | kDpl3, kByteGranular);
  ldt[2] = make_gate(kCode16, kHandler, 4, 3, 0);
  ldt[3] = make_segment(kCodeLinear, 0xffff, kExecuteRead | kDpl3, kByteGranular);
  set_segment(kLdt, (uptr)ldt, 4 * 8 - 1, 0x82, 0);
  DONE("mov ax, 0xa0; lldt ax; sldt bx", "LLDT and SLDT");
  _Static_assert(kLdt == 0xa0, "the selector of LLDT");
  check_eq(out.bx, kLdt, "SLDT");
  LOW8(kDataLinear + 0x1005) = 0x3c;
  in.ds = 8 | 4;
  DONE("mov al, [5]", "a data segment of the LDT");
  check_eq(out.ax & 0xff, 0x3c, "a data segment of the LDT: value");
  in.ds = 8 | 4;
  EXPECT(kGP, 0, "mov al, [0x100]", "and its limit: #GP(0)");
  EXPECT(kGP, 4, "mov ax, 4; mov es, ax", "entry 0 of the LDT is empty, not null: #GP(selector)");
  EXPECT(kGP, 0x24, "mov ax, 0x27; mov es, ax", "beyond the LDT: #GP(selector)");
  check_eq(out.ax, 0x27, "beyond the LDT: AX");
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
  user(), inner16();
  check_event(RUN(".byte 0x9a; .word 0, 0x17"), 0x81, 0, "a call gate of the LDT");
  LOW8(kCodeLinear + 0x100) = 0xcc;
  user();
  check_event(RUN(".byte 0xea; .word 0x100, 0x1f"), kBP, 0, "code of the LDT");
  check_eq(out.cs, 0x1f, "code of the LDT: CS");
  EXPECT(kGP, 0x0c, "mov ax, 0x0c; lldt ax", "LLDT of a selector with TI: #GP(selector)");
  EXPECT(kGP, kData16, "mov ax, 0x58; lldt ax", "LLDT of data: #GP(selector)");
  set_segment(kOther, (uptr)ldt, 31, 0x02, 0);
  EXPECT(kNP, kOther, "mov ax, 0x88; lldt ax", "LLDT of an LDT not present: #NP(selector)");
  user();
  EXPECT(kGP, 0, "mov ax, 0xa0; lldt ax", "LLDT at level 3: #GP(0)");
  user();
  DONE("sldt ax; str bx", "SLDT and STR at level 3");
  check(out.ax == kLdt && out.bx == kTss, "SLDT and STR at level 3: values");
  DONE("xor ax, ax; lldt ax; sldt bx", "LLDT of a null selector");
  EXPECT(kGP, 0x0c, "mov ax, 0x0f; mov es, ax", "a selector of no LDT: #GP(selector)");
  DONE("mov ax, 0x0f; lar bx, ax; setz cl", "LAR of a selector of no LDT");
  check_eq(out.cx & 0xff, 0, "LAR of a selector of no LDT: ZF=0");
}

// ---- LAR, LSL, VERR, VERW, ARPL. SDM 2
static void test_queries(void) {
  const u16 lar_types = 0x1a3e,
            lsl_types = 0x0a0e;  // a bit for each system type, SDM 2A tables 3-53 and 3-56
  u32 wrong_lar = 0, wrong_lsl = 0;
  for (u32 type = 0; type < 16; ++type) {
    *gdt_slot(kOther) = make_segment(0x12345678, 0x0abcd, (u8)(0xe0 | type), 0);
    user(), in.cx = kOther | 3;
    RUN("lar eax, ecx; setz bl; int3");
    wrong_lar += (out.bx & 1) != (lar_types >> type & 1u);
    user(), in.cx = kOther | 3;
    RUN("lsl eax, ecx; setz bl; int3");
    wrong_lsl += (out.bx & 1) != (lsl_types >> type & 1u);
  }
  check_eq(wrong_lar, 0, "LAR of all system types");
  check_eq(wrong_lsl, 0, "LSL of all system types");
  set_segment(kOther, 0, 0x12345, kReadWrite | kDpl3, kBig | kPageGranular);
  user(), in.cx = kOther | 3, in.ax = 0x77777777;
  DONE("lar ax, cx", "LAR of 16 bits");
  check_eq(out.ax, 0x7777f300, "LAR of 16 bits: the access byte");
  user(), in.cx = kOther | 3;
  DONE("lsl eax, ecx", "LSL");
  check_eq(out.ax, 0x12345fff, "LSL scales the limit");
  user(), in.cx = kOther | 3, in.ax = 0x77777777;
  DONE("lsl ax, cx", "LSL of 16 bits");
  check_eq(out.ax, 0x77775fff, "LSL of 16 bits cuts the limit");
  LOW16(kDataLinear) = kOther | 3;
  user();
  DONE("lar eax, [0]; lsl ebx, [0]; verr [0]; setz cl; verw [0]; setz ch", "memory operands");
  check((out.ax & 0xf0ff00) == 0xc0f300 && out.bx == 0x12345fff && out.cx == 0x0101,
        "memory operands: results");
  user();
  EXPECT(kGP, 0, "verr [0xffff]", "VERR of a word across the limit: #GP(0)");
#define QUERY(text, selector, zf, name)  \
  user(), in.cx = (selector), in.bx = 0; \
  DONE(text "; setz bl", name);          \
  check_eq(out.bx, zf, name ": ZF")
  QUERY("verr cx", kOther | 3, 1, "VERR of data of DPL 3");
  QUERY("verw cx", kOther | 3, 1, "VERW of data of DPL 3");
  QUERY("verr cx", kData16, 0, "VERR of data of DPL 0 at level 3");
  QUERY("lar ax, cx", kData16, 0, "LAR of data of DPL 0 at level 3");
  QUERY("verr cx", 0, 0, "VERR of a null selector");
  QUERY("verr cx", 0xfff8, 0, "VERR beyond the GDT");
  QUERY("verr cx", kTss, 0, "VERR of a TSS");
  set_segment(kOther, 0, 0xffff, kReadOnly | kDpl3, kByteGranular);
  QUERY("verw cx", kOther | 3, 0, "VERW of read-only data");
  set_segment(kOther, 0, 0xffff, kConforming, kByteGranular);
  QUERY("verr cx", kOther | 3, 1, "VERR of conforming code of DPL 0");
  QUERY("lsl ax, cx", kOther | 3, 1, "LSL of conforming code of DPL 0");
  QUERY("verw cx", kOther | 3, 0, "VERW of code");
  set_segment(kOther, 0, 0xffff, (kReadWrite | kDpl3) & ~0x80, kByteGranular);
  QUERY("verr cx", kOther | 3, 1, "VERR does not ask whether a segment is present");
#undef QUERY
  in.ax = 0x1230, in.cx = 3;
  DONE("arpl ax, cx; setz bl", "ARPL raises the RPL");
  check(out.ax == 0x1233 && (out.bx & 0xff) == 1, "ARPL raises the RPL: AX and ZF");
  LOW16(kDataLinear) = 0x1232, in.cx = 1;
  DONE("arpl [0], cx; setz bl", "ARPL leaves a higher RPL");
  check(LOW16(kDataLinear) == 0x1232 && (out.bx & 0xff) == 0, "ARPL leaves a higher RPL: memory and ZF");
  set_segment(kOther, kDataLinear, 0xffff, kReadOnly, kByteGranular);
  in.ds = kOther, in.cx = 1;
  DONE("arpl [0], cx", "ARPL that changes nothing in a read-only segment");
  in.ds = kOther, in.cx = 3;
  EXPECT(kGP, 0, "arpl [0], cx", "ARPL that raises the RPL in a read-only segment: #GP(0)");
}

// ---- Task switches of both widths. SDM 3A 7.2.1, 7.3, 7.6
static struct tss16 {
  u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
} task16 __attribute__((aligned(64))), first16 __attribute__((aligned(64)));
_Static_assert(sizeof task16 == 44, "SDM 3A figure 7-10");
static struct tss task32 __attribute__((aligned(128)));
static u8 task_stack[4096] __attribute__((aligned(16)));
#define TASK_STACK_TOP ((uptr)task_stack + sizeof task_stack)
#define CALL_TASK16 ".byte 0x9a; .word 0, 0x90\n"
#define CALL_TASK32 ".byte 0x9a; .word 0, 0x98\n"
#define JUMP_TASK32 ".byte 0xea; .word 0, 0x98\n"

static int type_of(u16 selector) { return *gdt_slot(selector) >> 40 & 0xf; }
static void load_tr(u16 selector) {
  *gdt_slot(selector) &= ~(2ull << 40);
  asm volatile("ltr %0" : : "r"(selector) : "memory");
}
static void prepare_tasks(void) {
  memset(&task16, 0, sizeof task16);
  task16.ip = kHandler, task16.flags = 2, task16.cs = kCode16, task16.ss = kStack16, task16.sp = 0x6000;
  task16.ds = task16.es = kData16;
  task16.ax = 0xa1, task16.cx = 0xc1, task16.dx = 0xd1, task16.bx = 0xb1, task16.bp = 0xb2, task16.si = 0x51,
  task16.di = 0xd2;
  set_segment(kTask16, (uptr)&task16, sizeof task16 - 1, 0x81, 0);
  memset(&task32, 0, sizeof task32);
  task32.eip = kHandler, task32.eflags = 2, task32.cs = kCode16, task32.ss = kStack16, task32.esp = 0x6000;
  task32.ds = task32.es = task32.fs = task32.gs = kData16, task32.iomap_base = sizeof task32,
  task32.eax = 0x12345678;
  task32.ss0 = kKernelData, task32.esp0 = TASK_STACK_TOP;
  set_segment(kTask32, (uptr)&task32, sizeof task32 - 1, 0x89, 0);
  place(kCodeLinear + kHandler, CODE16("int 0x81"));
}
static void back(void) {
  load_tr(kTss);
  asm volatile("clts");
  asm volatile("lldt %0" : : "r"((u16)0));
  prepare_tasks();
}

static void test_tasks(void) {
  prepare_tasks();
  // From a 32-bit to a 16-bit task.
  in.ax = 0x11112222, in.sp = 0x33338000, in.flags = 2 | kEflagsCf, in.fs = kData16;
  check_event(RUN(CALL_TASK16), 0x81, 0, "far CALL to a 16-bit TSS");
  check((out.ax & 0xffff) == 0xa1 && (out.cx & 0xffff) == 0xc1 && (out.dx & 0xffff) == 0xd1 &&
            (out.bx & 0xffff) == 0xb1,
        "16-bit task: AX to BX");
  check((out.bp & 0xffff) == 0xb2 && (out.si & 0xffff) == 0x51 && (out.di & 0xffff) == 0xd2,
        "16-bit task: BP, SI, DI");
  check(out.cs == kCode16 && out.ip == kHandler + 2 && out.ss == kStack16 && (out.sp & 0xffff) == 0x6000,
        "16-bit task: CS:IP and SS:SP");
  check(out.ds == kData16 && out.es == kData16 && out.fs == 0 && out.gs == 0,
        "16-bit task: FS and GS are null");
  check_eq(task16.link, kTss, "16-bit task: link");
  check(out.flags & kEflagsNt, "16-bit task: NT");
  check(type_of(kTask16) == 3 && type_of(kTss) == 0xb, "both tasks are busy");
  check(tss.eip == 5 && tss.eax == 0x11112222 && tss.esp == 0x33338000 && (tss.eflags & kEflagsCf) &&
            (tss.cs & 0xffff) == kCode16,
        "the 32-bit TSS has the first task");
  check(read_cr0() & kCr0Ts, "TS is set");
  back();
  // And back by IRET.
  place(kCodeLinear + kHandler, CODE16("inc cx; iret"));
  in.cx = 0x44445555;
  DONE(CALL_TASK16, "16-bit task and IRET");
  check(out.cx == 0x44445555 && out.cs == kCode16 && out.sp == 0x8000, "IRET restores the first task");
  check_eq(task16.cx, 0xc2, "the 16-bit TSS has the register");
  check(task16.ip == kHandler + 2 && !(task16.flags & kEflagsNt), "the 16-bit TSS has IP; NT is clear");
  check(type_of(kTask16) == 1 && type_of(kTss) == 0xb && !(out.flags & kEflagsNt),
        "one task is busy; NT is clear");
  back();
  // Between 16-bit tasks, and from a 16-bit to a 32-bit one.
  set_segment(kOther, (uptr)&first16, sizeof first16 - 1, 0x81, 0);
  memset(&first16, 0, sizeof first16);
  load_tr(kOther);
  check_eq(type_of(kOther), 3, "LTR of a 16-bit TSS makes it busy");
  in.ax = 0x99991234, in.sp = 0x55558000, in.flags = 2 | kEflagsCf;
  check_event(RUN(CALL_TASK16), 0x81, 0, "far CALL between 16-bit tasks");
  check(first16.ax == 0x1234 && first16.sp == 0x8000 && first16.ip == 5 && first16.cs == kCode16 &&
            (first16.flags & 1),
        "the first 16-bit TSS");
  check_eq(task16.link, kOther, "link between 16-bit tasks");
  back();
  load_tr(kOther);
  in.sp = 0x55558000;
  check_event(RUN(CALL_TASK32), 0x81, 0, "far CALL from a 16-bit to a 32-bit task");
  check(out.ax == 0x12345678 && (task32.link & 0xffff) == kOther, "32-bit task: EAX and link");
  back();
  place(kCodeLinear + kHandler, CODE16("iret"));
  load_tr(kOther);
  DONE(CALL_TASK32, "32-bit task and IRET to the 16-bit one");
  check_eq(out.sp & 0xffff, 0x8000, "IRET to the 16-bit task: SP");
  back();
  load_tr(kOther);
  check_event(RUN(JUMP_TASK32), 0x81, 0, "far JMP to a 32-bit task");
  check(type_of(kOther) == 1 && type_of(kTask32) == 0xb && !(out.flags & kEflagsNt),
        "far JMP: the first task is not busy, NT is clear");
  back();
  // Inner stacks of a 16-bit TSS, and no I/O bitmap.
  first16.sp0 = 0x3000, first16.ss0 = kStack16;
  load_tr(kOther);
  mode_idt[0x85] = make_gate(kCode16, kHandler, 6, 3, 0);
  user(), in.sp = 0x100;
  check_event(RUN("int 0x85"), 0x81, 0, "inner stack of a 16-bit TSS");
  check(out.ss == kStack16 && (out.sp & 0xffff) == 0x3000 - 10, "inner stack of a 16-bit TSS: SS:SP");
  user();
  check_event(RUN("in al, 0x80"), kGP, 0, "a 16-bit TSS has no I/O bitmap: #GP(0)");
  user(), in.flags |= kIopl3;
  DONE("in al, 0x80", "IN at level 3 with IOPL 3");
  back();
  // Through task gates; an error code is as wide as the new TSS.
  mode_idt[0x86] = make_gate(kTask16, 0, 5, 3, 0);
  user();
  check_event(RUN("int 0x86"), 0x81, 0, "INT through a task gate at level 3");
  check((tss.cs & 0xffff) == kUserCode16 && tss.eip == 2 && out.cs == kCode16,
        "INT through a task gate: old and new CS");
  back();
  mode_idt[kGP] = make_gate(kTask16, 0, 5, 0, 0);
  check_event(RUN("mov ax, 0xfff8; mov ds, ax"), 0x81, 0, "#GP through a task gate to a 16-bit task");
  check((out.sp & 0xffff) == 0x5ffe && STACK16(0x5ffe) == 0xfff8, "the error code is a word");
  check((tss.eflags & kEflagsRf) && tss.eip == 3, "the old TSS has RF and the EIP of the fault");
  back();
  mode_idt[kGP] = make_gate(kTask32, 0, 5, 0, 0);
  check_event(RUN("mov ax, 0xfff8; mov ds, ax"), 0x81, 0, "#GP through a task gate to a 32-bit task");
  check((out.sp & 0xffff) == 0x5ffc && STACK32(0x5ffc) == 0xfff8, "the error code is a dword");
  back();
  reset_mode_idt();
  *gdt_slot(kGate) = make_gate(kTask16, 0, 5, 3, 0);
  user();
  check_event(RUN(CALL_GATE), 0x81, 0, "far CALL through a task gate at level 3");
  back();
  // The T flag. SDM 3B 17.2.3
  task32.trap = 1;
  asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0));
  check_event(RUN(JUMP_TASK32), kDB, 0, "T flag of the new TSS: #DB");
  uptr dr6;
  asm volatile("mov %%dr6, %0" : "=r"(dr6));
  check(out.ip == kHandler && (dr6 & 0x8000), "T flag: before the first instruction, DR6.BT");
  back();
}

// Faults of a task switch. SDM 3A table 7-1
static void test_task_faults(void) {
  prepare_tasks();
  user();
  EXPECT(kGP, kTask32, JUMP_TASK32, "TSS of DPL 0 at level 3: #GP(TSS)");
  *gdt_slot(kTask32) |= 2ull << 40;
  EXPECT(kGP, kTask32, JUMP_TASK32, "busy TSS: #GP(TSS)");
  prepare_tasks();
  *gdt_slot(kTask32) &= ~(1ull << 47);
  EXPECT(kNP, kTask32, JUMP_TASK32, "TSS not present: #NP(TSS)");
  prepare_tasks();
  set_segment(kTask32, (uptr)&task32, sizeof task32 - 2, 0x89, 0);
  EXPECT(kTS, kTask32, JUMP_TASK32, "32-bit TSS with a limit below 67h: #TS(TSS)");
  set_segment(kTask16, (uptr)&task16, sizeof task16 - 2, 0x81, 0);
  EXPECT(kTS, kTask16, CALL_TASK16, "16-bit TSS with a limit below 2Bh: #TS(TSS)");
  tss.link = kTask32;
  prepare_tasks();
  in.flags |= kEflagsNt;
  EXPECT(kTS, kTask32, "iret", "IRET to a task that is not busy: #TS(TSS)");
  check(out.flags & kEflagsNt, "IRET to a task that is not busy: NT stays");
  tss.link = 0;
  in.flags |= kEflagsNt;
  EXPECT(kTS, 0, "iret", "IRET with a null link: #TS(0)");
  // Everything from here on is found after the switch, and belongs to the new task, which is at level 3.
#define IN_NEW_TASK(vector, error, change, name)                                                        \
  back();                                                                                               \
  task32.cs = kUserCode16, task32.ss = kUserStack16, task32.ds = task32.es = task32.fs = task32.gs = 0; \
  change;                                                                                               \
  asm volatile("" : : "r"(&task32) : "memory");                                                         \
  check_event(RUN(JUMP_TASK32), vector, error, name);                                                   \
  check(out.ip == task32.eip && event.frame + 20 == TASK_STACK_TOP, name ": in the new task")
  IN_NEW_TASK(kGP, 0, task32.eip = 0x10000, "EIP beyond the limit: #GP(0)");
  IN_NEW_TASK(kTS, 0, task32.cs = 3, "null CS: #TS(0)");
  IN_NEW_TASK(kTS, kData16, task32.cs = kData16 | 3, "CS of data: #TS(selector)");
  IN_NEW_TASK(kTS, kCode16, task32.cs = kCode16 | 3, "CS whose DPL is not its RPL: #TS(selector)");
  set_segment(kOther, kCodeLinear, 0xffff, (kExecuteRead | kDpl3) & ~0x80, 0);
  IN_NEW_TASK(kNP, kOther, task32.cs = kOther | 3, "CS not present: #NP(selector)");
  IN_NEW_TASK(kTS, 0, task32.ss = 3, "null SS: #TS(0)");
  IN_NEW_TASK(kTS, kStack16, task32.ss = kStack16 | 3, "SS of DPL 0: #TS(selector)");
  IN_NEW_TASK(kTS, kUserStack16 & ~3, task32.ss = kUserStack16 & ~3, "SS of RPL 0: #TS(selector)");
  set_segment(kOther, kStackLinear, 0xffff, (kReadWrite | kDpl3) & ~0x80, 0);
  IN_NEW_TASK(kSS, kOther, task32.ss = kOther | 3, "SS not present: #SS(selector)");
  IN_NEW_TASK(kNP, kOther, task32.es = kOther | 3, "ES not present: #NP(selector)");
  IN_NEW_TASK(kTS, kTss, task32.ds = kTss, "DS of a TSS: #TS(selector)");
  IN_NEW_TASK(kTS, kData16, task32.fs = kData16 | 3, "FS of DPL 0: #TS(selector)");
  IN_NEW_TASK(kTS, 0xfff8, task32.gs = 0xffff & ~7, "GS beyond the GDT: #TS(selector)");
  IN_NEW_TASK(kTS, kData16, task32.ldt = kData16, "LDT of data: #TS(selector)");
  IN_NEW_TASK(kTS, 0xc, task32.ldt = 0xc, "LDT in the LDT: #TS(selector)");
  set_segment(kLdt, (uptr)ldt, 31, 0x02, 0);
  IN_NEW_TASK(kTS, kLdt, task32.ldt = kLdt, "LDT not present: #TS(selector)");
#undef IN_NEW_TASK
  back();
}

void test_main(void) {
  set_mode(kModeProtected);
  test_stack();
  test_addresses();
  test_far();
  test_call_gates();
  test_interrupts();
  test_conforming();
  test_ldt();
  test_queries();
  test_tasks();
  test_task_faults();
}
