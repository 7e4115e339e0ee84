// Virtual-8086 mode: entry by IRET and by task switch, IOPL-sensitive instructions, the I/O bitmap, what is
// forbidden, interrupts and exceptions out of it, a small monitor that reflects INT n. SDM 3A chapter 20.2
// and 20.3; VME is not used.
#include "runtime/modes.h"

enum { kFlagsVm = 1 << 17, kIopl3 = 3 << 12, kCr4Vme = 1 << 0, kCr4Pvi = 1 << 1 };

static u8 inner_stack[4096] __attribute__((aligned(16)));
#define INNER_TOP ((uptr)inner_stack + sizeof inner_stack)
static void load_tr(u16 selector) {
  *gdt_slot(selector) &= ~(2ull << 40);  // not busy
  asm volatile("ltr %0" : : "r"(selector));
}

// ---- Entry and registers. SDM 3A 20.2.1, 20.2.5; SDM 2A IRET
static void test_entry(void) {
  in.ax = 0x11112222, in.sp = 0xabcd8000, in.flags |= kEflagsId | kEflagsAc;
  in.es = 0x4001, in.fs = 0x4002, in.gs = 0x4003;
  LOW8(kExtraLinear + 0x30) = 0x77;
  DONE("mov bl, gs:[0]; mov cx, cs; mov dx, ss", "IRETD to virtual-8086 mode");
  check_eq(out.bx & 0xff, 0x77, "segment bases are the selectors times 16");
  check(out.cx == kCodeParagraph && out.dx == kStackParagraph, "CS and SS");
  check(out.ds == kDataParagraph && out.es == 0x4001 && out.fs == 0x4002 && out.gs == 0x4003,
        "the frame has the data segments");
  check_eq(out.flags & (kFlagsVm | kIopl3 | kEflagsId | kEflagsAc), kFlagsVm | kEflagsId | kEflagsAc,
           "the frame has VM, ID and AC");
  check_eq(out.sp, 0xabcd8000, "the frame has all of ESP");
  check(event.handler_ds == 0 && event.handler_es == 0 && event.handler_fs == 0 && event.handler_gs == 0,
        "the handler's data segments are null");
  check_eq(event.handler_flags & kFlagsVm, 0, "VM is clear in the handler");
  check_eq(event.handler_ss & 0xffff, kKernelData, "the handler's stack is that of the TSS");
  in.ip = 0x10000;
  EXPECT(kGP, 0, "nop", "IRETD with EIP above FFFFh: #GP(0)");
  check(!(out.flags & kFlagsVm) && out.cs == kKernelCode, "and it is the IRETD that faults");
  DONE("mov ax, 0xffff; mov ds, ax; mov ax, ds", "any value loads a segment register");
  EXPECT(kUD, 0, ".byte 0x8e, 0xc8", "MOV CS: #UD");
  LOW8(kCodeLinear + 0x153) = 0xcc;
  check_event(RUN("push 0x1015; push 3; retf"), kBP, kAnyError, "far RET");
  check(out.cs == 0x1015 && out.ip == 4 && out.sp == 0x8000, "far RET: CS:IP and SP");
}

// ---- Limits. SDM 3A 20.2.4: all segments end at FFFFh
static void test_limits(void) {
  DONE("mov al, [0xffff]", "byte at FFFFh");
  EXPECT(kGP, 0, "mov ax, [0xffff]", "word at FFFFh: #GP(0)");
  in.bx = 0x10000;
  EXPECT(kGP, 0, "mov al, [ebx]", "32-bit address of 10000h: #GP(0)");
  in.bp = 0xffff;
  EXPECT(kSS, 0, "mov ax, [bp]", "word at SS:FFFFh: #SS(0)");
  in.sp = 1;
  EXPECT(kSS, 0, "push ax", "PUSH with SP = 1: #SS(0)");
  check_eq(out.sp, 1, "and SP stays");
  in.sp = 0;
  DONE("push ax", "PUSH with SP = 0");
  check_eq(out.sp, 0xfffe, "PUSH with SP = 0 wraps");
  in.ip = 0xffff;
  EXPECT(kGP, 0, "nop", "running off the end: #GP(0)");
  check_eq(out.ip, 0x10000, "running off the end: EIP");
  EXPECT(kGP, 0, ".byte 0x66, 0xea; .long 0x10000; .word 0x1000", "far JMP beyond the limit: #GP(0)");
  in.ax = 0x12345;
  EXPECT(kGP, 0, "jmp eax", "JMP EAX beyond the limit: #GP(0)");
  in.sp = 0x100, in.ax = 0x10, LOW8(kCodeLinear + 0x10) = 0xcc;
  DONE("call eax", "32-bit near CALL");
  check(out.sp == 0xfc && LOW32(kStackLinear + 0xfc) == 3, "32-bit near CALL: frame");
  in.sp = 0x100, LOW8(kCodeLinear + 0x110) = 0xcc;
  check_event(RUN(".byte 0x66, 0x9a; .long 0x10; .word 0x1010"), kBP, 0, "far CALL 16:32");
  check(out.sp == 0xf8 && out.cs == 0x1010 && LOW32(kStackLinear + 0xf8) == 8 &&
            LOW16(kStackLinear + 0xfc) == kCodeParagraph,
        "far CALL 16:32: frame");
}

// ---- Instructions that IOPL decides about. SDM 3A 20.2.7
static void test_iopl(void) {
#define SENSITIVE(text, name)                        \
  EXPECT(kGP, 0, text, name " with IOPL 0: #GP(0)"); \
  in.flags |= 2 << 12;                               \
  EXPECT(kGP, 0, text, name " with IOPL 2: #GP(0)"); \
  check_eq(out.ip, 0, name ": nothing has happened")
  SENSITIVE("cli", "CLI");
  SENSITIVE("sti", "STI");
  SENSITIVE("pushf", "PUSHF");
  SENSITIVE("popf", "POPF");
  SENSITIVE("pushfd", "PUSHFD");
  SENSITIVE("popfd", "POPFD");
  SENSITIVE("iret", "IRET");
  SENSITIVE("iretd", "IRETD");
  SENSITIVE("int 0x80", "INT n");
  SENSITIVE(".byte 0xcd, 3", "INT 3 of two bytes");
#undef SENSITIVE
  EXPECT(kBP, 0, "nop; int3", "INT3 does not look at IOPL");
  mode_idt[kOF] |= 3ull << 45;
  EXPECT(kOF, 0, "mov al, 127; inc al; into", "INTO does not look at IOPL");
  check_eq(out.ip, 5, "INTO: IP behind it");
  mode_idt[kOF] &= ~(3ull << 45);
  check_event(RUN("mov al, 127; inc al; into"), kGP, kOF * 8 + 2,
              "INTO through a gate of DPL 0: #GP(vector*8+2)");
  mode_idt[kBP] &= ~(3ull << 45);
  check_event(RUN("int3"), kGP, kBP * 8 + 2, "INT3 through a gate of DPL 0: #GP(vector*8+2)");
  mode_idt[kBP] |= 3ull << 45;
  LOW16(kDataLinear) = 1, LOW16(kDataLinear + 2) = 2, in.ax = 5;
  EXPECT(kBR, 0, "bound ax, [0]", "BOUND does not look at the gate's DPL");

  in.flags |= kIopl3;
  DONE("cli", "CLI with IOPL 3");
  in.flags |= kIopl3;
  DONE("sti; nop", "STI with IOPL 3");
  check(out.flags & kEflagsIf, "STI with IOPL 3 sets IF");
  in.flags |= kIopl3 | kEflagsNt;
  DONE("pushf; pop ax", "PUSHF with IOPL 3");
  check_eq(out.ax & 0x7000, 0x7000, "PUSHF shows IOPL and NT");
  in.flags |= kIopl3 | kEflagsId;
  DONE("pushfd; pop eax", "PUSHFD with IOPL 3");
  check_eq(out.ax, kIopl3 | kEflagsId | 2, "PUSHFD does not show VM");
  in.flags |= kIopl3;
  DONE("push 0x4202; popf; nop", "POPF with IOPL 3");
  check_eq(out.flags & 0x7200, 0x7200, "POPF loads IF and NT, not IOPL");
  in.flags |= kIopl3;
  DONE(".byte 0x66, 0x68; .long 0x00240002; popfd", "POPFD with IOPL 3");
  check_eq(out.flags & 0x3e7200, kFlagsVm | kIopl3 | 0x240000, "POPFD loads AC and ID, not VM and IOPL");
  in.flags |= kIopl3, in.sp = 0x100;
  LOW16(kStackLinear + 0x100) = 0x10, LOW16(kStackLinear + 0x102) = 0x1010,
                       LOW16(kStackLinear + 0x104) = 0x0ad7;
  LOW8(kCodeLinear + 0x110) = 0xcc;
  check_event(RUN("iret"), kBP, 0, "IRET with IOPL 3");
  check(out.cs == 0x1010 && out.ip == 0x11 && out.sp == 0x106, "IRET: CS:IP and SP");
  check_eq(out.flags & 0x27fd7, kFlagsVm | kIopl3 | 0xad7, "IRET leaves IOPL and VM alone");
  in.flags |= kIopl3, in.sp = 0x100;
  LOW32(kStackLinear + 0x100) = 0x10, LOW32(kStackLinear + 0x104) = 0x1010,
                       LOW32(kStackLinear + 0x108) = 0x200002;
  check_event(RUN("iretd"), kBP, 0, "IRETD with IOPL 3");
  check_eq(out.flags & 0x237000, kFlagsVm | kIopl3 | 0x200000, "IRETD leaves IOPL and VM alone, loads ID");
  in.flags |= kIopl3, in.sp = 0x100;
  LOW32(kStackLinear + 0x100) = 0x10010;
  EXPECT(kGP, 0, "iretd", "IRETD with EIP above FFFFh: #GP(0)");
  check_eq(out.sp, 0x100, "and SP stays");
  in.flags |= kIopl3;
  check_event(RUN("int 0x80"), 0x80, 0, "INT n with IOPL 3");
  check(out.ip == 2 && (out.flags & (kFlagsVm | kIopl3)) == (kFlagsVm | kIopl3), "INT n with IOPL 3: frame");
  in.flags |= kIopl3;
  check_event(RUN("int 0x45"), kGP, 0x45 * 8 + 2, "INT n through a gate of DPL 0: #GP(vector*8+2)");
}

// ---- What virtual-8086 mode has not. SDM 3A 20.2.7 to 20.2.8, SDM 2 (exceptions in virtual-8086 mode)
static void test_forbidden(void) {
#define PRIVILEGED(text, name) \
  in.flags |= kIopl3;          \
  EXPECT(kGP, 0, text, name ": #GP(0)")
  PRIVILEGED("hlt", "HLT");
  PRIVILEGED("mov eax, cr0", "MOV from CR0");
  PRIVILEGED("mov cr0, eax", "MOV to CR0");
  PRIVILEGED("mov eax, cr2", "MOV from CR2");
  PRIVILEGED("mov eax, dr7", "MOV from DR7");
  PRIVILEGED("mov dr0, eax", "MOV to DR0");
  PRIVILEGED("lgdt [0]", "LGDT");
  PRIVILEGED("lidt [0]", "LIDT");
  PRIVILEGED("lmsw ax", "LMSW");
  PRIVILEGED("clts", "CLTS");
  PRIVILEGED("invd", "INVD");
  PRIVILEGED("wbinvd", "WBINVD");
  PRIVILEGED("invlpg [0]", "INVLPG");
  PRIVILEGED("rdmsr", "RDMSR");
  PRIVILEGED("wrmsr", "WRMSR");
  PRIVILEGED("xor ecx, ecx; rdpmc", "RDPMC");
  PRIVILEGED("sysexit", "SYSEXIT");
#undef PRIVILEGED
  EXPECT(kUD, 0, "sldt ax", "SLDT: #UD");
  EXPECT(kUD, 0, "str ax", "STR: #UD");
  EXPECT(kUD, 0, "lldt ax", "LLDT: #UD");
  EXPECT(kUD, 0, "ltr ax", "LTR: #UD");
  EXPECT(kUD, 0, "verr ax", "VERR: #UD");
  EXPECT(kUD, 0, "verw ax", "VERW: #UD");
  EXPECT(kUD, 0, "lar ax, cx", "LAR: #UD");
  EXPECT(kUD, 0, "lsl ax, cx", "LSL: #UD");
  EXPECT(kUD, 0, "arpl ax, cx", "ARPL: #UD");
  EXPECT(kUD, 0, ".byte 0x0f, 0x05", "SYSCALL: #UD");
  EXPECT(kUD, 0, ".byte 0x0f, 0x07", "SYSRET: #UD");
  EXPECT(kUD, 0, "clac", "CLAC: #UD");
  EXPECT(kUD, 0, "stac", "STAC: #UD");
  EXPECT(kUD, 0, ".byte 0x0f, 0xaa", "RSM: #UD");
  EXPECT(kUD, 0, ".byte 0xc5, 0xf8, 0x58, 0xc1", "VADDPS: #UD");
  EXPECT(kUD, 0, ".byte 0xc4, 0xe2, 0x78, 0xf2, 0xc1", "ANDN: #UD");
  DONE("smsw ax; sgdt [0]; sidt [8]; rdtsc; cpuid", "SMSW, SGDT, SIDT, RDTSC, CPUID");
  check(out.flags & kFlagsVm, "still in virtual-8086 mode");
  write_cr4(read_cr4() | kCr4Tsd);
  EXPECT(kGP, 0, "rdtsc", "RDTSC with CR4.TSD: #GP(0)");
  write_cr4(read_cr4() & ~kCr4Tsd);
  if (cpuid(7, 0).c & 4) {
    write_cr4(read_cr4() | kCr4Umip);
    EXPECT(kGP, 0, "smsw ax", "SMSW with CR4.UMIP: #GP(0)");
    EXPECT(kGP, 0, "sgdt [0]", "SGDT with CR4.UMIP: #GP(0)");
    EXPECT(kUD, 0, "sldt ax", "SLDT with CR4.UMIP: #UD");
    write_cr4(read_cr4() & ~kCr4Umip);
  }
  if (!(cpuid(1, 0).d & 2)) {  // VME is not offered: SDM 3A 2.5
    check_trap(CATCH(write_cr4(read_cr4() | kCr4Vme)), kGP, 0, "CR4.VME: #GP(0)");
    check_trap(CATCH(write_cr4(read_cr4() | kCr4Pvi)), kGP, 0, "CR4.PVI: #GP(0)");
  } else {
    skip("CR4.VME is offered");
    skip("CR4.PVI is offered");
  }
}

// ---- I/O: the bitmap decides whatever IOPL is. SDM 3A 20.2.8.1, SDM 1 19.5.2
static struct {
  struct tss tss;
  u8 bitmap[8193];
} __attribute__((packed, aligned(128))) io_tss;

static void set_io_limit(u32 limit) {
  set_segment(kFree, (uptr)&io_tss, limit, 0x89, 0);
  load_tr(kFree);
}

static void test_io(void) {
  io_tss.tss = tss;
  io_tss.tss.esp0 = INNER_TOP;
  io_tss.tss.iomap_base = sizeof io_tss.tss;
  memset(io_tss.bitmap, 0, sizeof io_tss.bitmap);
  io_tss.bitmap[8192] = 0xff;
  io_tss.bitmap[0x80 / 8] = 0x02;  // port 81h
  io_tss.bitmap[0x88 / 8] = 0x80;  // port 8Fh
  set_io_limit(sizeof io_tss - 1);
  DONE("in al, 0x80; out 0x80, al", "a port whose bit is clear");
  in.flags |= kIopl3;
  EXPECT(kGP, 0, "in al, 0x81", "IN of a port whose bit is set: #GP(0), with IOPL 3 too");
  EXPECT(kGP, 0, "out 0x81, al", "OUT to a port whose bit is set: #GP(0)");
  EXPECT(kGP, 0, "in ax, 0x80", "IN of a word, second port denied: #GP(0)");
  DONE("in ax, 0x82", "IN of a word, both allowed");
  EXPECT(kGP, 0, "in eax, 0x8c", "IN of a dword, last port denied: #GP(0)");
  EXPECT(kGP, 0, "in ax, 0x8f", "IN of a word across bitmap bytes: #GP(0)");
  DONE("in ax, 0x87", "IN of a word across bitmap bytes, both allowed");
  in.dx = 0x81, in.cx = 0;
  EXPECT(kGP, 0, "rep insb", "REP INSB of a denied port with CX = 0: #GP(0)");
  in.dx = 0x81;
  EXPECT(kGP, 0, "outsb", "OUTSB to a denied port: #GP(0)");
  in.dx = 0x80, in.di = 0x10;
  DONE("insb", "INSB of an allowed port");
  check_eq(out.di, 0x11, "INSB: DI");
  in.dx = 0x80, in.di = 0xffff;
  EXPECT(kGP, 0, "insw", "INSW to FFFFh: #GP(0)");
  in.dx = 0xffff;
  DONE("in al, dx", "IN of port FFFFh");
  in.dx = 0xffff;
  EXPECT(kGP, 0, "in ax, dx",
         "IN of a word at port FFFFh: the byte of ones behind the bitmap denies it: #GP(0)");
  // Two bytes of the bitmap are read whatever the access. SDM 1 19.5.2
  set_io_limit(sizeof io_tss.tss + 0x80 / 8);
  EXPECT(kGP, 0, "in al, 0x80", "the second byte is beyond the limit: #GP(0)");
  set_io_limit(sizeof io_tss.tss + 0x80 / 8 + 1);
  DONE("in al, 0x80", "the second byte is the last of the TSS");
  EXPECT(kGP, 0, "in al, 0x88", "the first byte is the last of the TSS: #GP(0)");
  io_tss.tss.iomap_base = 0xffff;
  EXPECT(kGP, 0, "in al, 0x80", "a bitmap beyond the limit: #GP(0)");
  load_tr(kTss);
}

// ---- Exceptions and gates. SDM 3A 20.3.1, 6.12
static void test_events(void) {
  EXPECT(kUD, 0, "ud2", "UD2");
  check_eq(out.flags & (kFlagsVm | kEflagsRf), kFlagsVm | kEflagsRf, "UD2: VM and RF in the frame");
  EXPECT(kDE, 0, "xor cx, cx; div cx", "DIV by zero");
  check_eq(out.ip, 2, "DIV by zero: IP");
  in.flags |= kEflagsTf;
  EXPECT(kDB, 0, "nop; nop", "single-step");
  check(out.ip == 1 && (out.flags & kEflagsTf), "single-step: frame");
  check(!(event.handler_flags & kEflagsTf), "single-step: TF is clear in the handler");
  // Gates: the handler must run at level 0.
  set_segment(kFree, 0, 0xfffff, kExecuteRead | kDpl3, kBig | kPageGranular);
  mode_idt[kUD] = make_gate(kFree, mode_stubs[kUD], 0xe, 0, 0);
  check_event(RUN("ud2"), kGP, kFree + 1, "handler of DPL 3: #GP(selector+EXT)");
  set_segment(kFree, 0, 0xfffff, kConforming, kBig | kPageGranular);
  check_event(RUN("ud2"), kGP, kFree + 1, "conforming handler: #GP(selector+EXT)");
  mode_idt[kUserReturn] = make_gate(kFree, mode_stubs[kUserReturn], 0xe, 3, 0);
  in.flags |= kIopl3;
  check_event(RUN("int 0x80"), kGP, kFree, "INT to a conforming handler: #GP(selector)");
  mode_idt[kUserReturn] = 0;
  in.flags |= kIopl3;
  check_event(RUN("int 0x80"), kGP, kUserReturn * 8 + 2, "INT through no gate: #GP(vector*8+2)");
  reset_mode_idt();
  // A 16-bit gate saves words.
  struct snippet handler = CODE16("int 0x81");
  memcpy((void*)(kCodeLinear + 0x9000), handler.begin, 2);
  mode_idt[kUD] = make_gate(kCode16, 0x9000, 6, 0, 0);
  in.sp = 0x12345678;
  check_event(RUN("ud2"), 0x81, 0, "16-bit interrupt gate");
  uptr top = event.frame + 12 + 18;  // its frame lies above that of INT 81h
  check(LOW16(top - 2) == kExtraParagraph && LOW16(top - 6) == kDataParagraph &&
            LOW16(top - 10) == kStackParagraph,
        "16-bit interrupt gate: segments");
  check(LOW16(top - 12) == 0x5678 && LOW16(top - 16) == kCodeParagraph && LOW16(top - 18) == 0,
        "16-bit interrupt gate: SP and CS:IP");
  check_eq(event.handler_ds, 0, "16-bit interrupt gate: null DS");
  mode_idt[kUD] = make_gate(kCode16, 0x9000, 7, 0, 0);
  in.flags |= kEflagsIf;
  check_event(RUN("ud2"), 0x81, 0, "16-bit trap gate");
  check(out.flags & kEflagsIf, "16-bit trap gate leaves IF");
  reset_mode_idt();
  // SYSENTER leaves virtual-8086 mode.
  wrmsr(kMsrSysenterCs, kKernelCode);
  wrmsr(kMsrSysenterEsp, INNER_TOP);
  wrmsr(kMsrSysenterEip, mode_stubs[0x82]);
  check_event(RUN("sysenter"), 0x82, 0, "SYSENTER");
  check(!(event.handler_flags & kFlagsVm) && event.handler_ss == kKernelData, "SYSENTER: level 0, VM clear");
  wrmsr(kMsrSysenterCs, 0);
  // Alignment: virtual-8086 mode is level 3.
  write_cr0(read_cr0() | kCr0Am);
  in.flags |= kEflagsAc;
  EXPECT(kAC, 0, "mov ax, [1]", "misaligned word with AC and AM: #AC(0)");
  in.flags |= kEflagsAc, in.sp = 0x101;
  EXPECT(kAC, 0, "push ax", "misaligned PUSH: #AC(0)");
  in.flags |= kEflagsAc, in.sp = 0x102;
  EXPECT(kAC, 0, ".byte 0x66, 0x9a; .long 0x10; .word 0x1010",
         "far CALL that pushes misaligned dwords: #AC(0)");
  check_eq(out.sp, 0x102, "misaligned far CALL: SP stays");
  in.flags |= kEflagsAc, in.sp = 0x102;
  EXPECT(kAC, 0, ".byte 0x66; retf", "far RET that pops misaligned dwords: #AC(0)");
  // Far pointers count as their offsets, bounds as one of them.
  in.flags |= kEflagsAc;
  DONE("les di, [2]", "far pointer 16:16 at 2, with AC and AM");
  in.flags |= kEflagsAc;
  EXPECT(kAC, 0, "les di, [1]", "far pointer 16:16 at 1: #AC(0)");
  in.flags |= kEflagsAc;
  EXPECT(kAC, 0, "les edi, [2]", "far pointer 16:32 at 2: #AC(0)");
  in.flags |= kEflagsAc;
  EXPECT(kAC, 0, "les edi, [0xfffb]",
         "far pointer whose selector crosses the end: its offset's #AC(0) first");
  in.flags |= kEflagsAc;
  EXPECT(kGP, 0, "les edi, [0xfffd]", "far pointer whose offset crosses the end: #GP(0)");
  LOW16(kDataLinear + 2) = 0, LOW32(kDataLinear + 4) = 0x20, LOW32(kDataLinear + 8) = 0x30;
  in.flags |= kEflagsAc, in.ax = 0x10;
  DONE("bound ax, [2]", "word bounds at 2");
  in.flags |= kEflagsAc, in.ax = 0x28;
  DONE("bound eax, [4]", "dword bounds at 4");
  in.flags |= kEflagsAc, in.ax = 0x28;
  EXPECT(kAC, 0, "bound eax, [2]", "dword bounds at 2: #AC(0)");
  in.flags |= kEflagsAc, in.sp = 0x102;
  DONE(".byte 0x66; push ds", "PUSH DS of 32 bits at 2 writes a word");
  write_cr0(read_cr0() & ~(uptr)kCr0Am);
}

// ---- Paging: a user of its pages. SDM 3A 20.2.3
static u32 directory[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));
static void test_paging(void) {
  for (u32 i = 0; i < 1024; ++i) {
    directory[i] = i << 22 | kPteP | kPteW | kPteU | kPtePs;
    table[i] = i << 12 | kPteP | kPteW | kPteU;
  }
  directory[0] = (u32)table | kPteP | kPteW | kPteU;
  table[kExtraLinear >> 12] &= ~(u32)kPteU;
  table[(kExtraLinear >> 12) + 1] &= ~(u32)kPteW;
  write_cr4(read_cr4() | kCr4Pse);
  write_cr3((uptr)directory);
  write_cr0(read_cr0() | kCr0Pg);
  check_event(RUN("mov al, es:[0x10]"), kPF, kPfP | kPfU, "read of a supervisor page: #PF");
  check_eq(read_cr2(), kExtraLinear + 0x10, "read of a supervisor page: CR2");
  check_event(RUN("mov es:[0x1010], al"), kPF, kPfP | kPfU | kPfW, "write to a read-only page: #PF");
  DONE("mov al, es:[0x1010]", "read of a read-only page");
  in.es = 0xffff;
  DONE("mov al, es:[0x10]", "a segment that goes beyond 1 MiB");
  write_cr0(read_cr0() & ~kCr0Pg);
}

// ---- Task switches to and from virtual-8086 mode. SDM 3A 20.2.5, 7.3
static struct tss task __attribute__((aligned(128)));
static u8 task_stack[4096] __attribute__((aligned(16)));
static volatile u32 task_ran, task_link;
static void task_main(void) {
  for (;;) {
    ++task_ran;
    task_link = task.link & 0xffff;
    asm volatile("iret");  // NT is set
  }
}
static void prepare_task(void) {
  memset(&task, 0, sizeof task);
  task.cr3 = read_cr3();
  task.eflags = 2;
  task.ss0 = kKernelData;
  task.esp0 = INNER_TOP;
  task.iomap_base = sizeof task;
  set_segment(kFree, (uptr)&task, sizeof task - 1, 0x89, 0);
}

static void test_tasks(void) {
  // Into: the flags of the new TSS have VM.
  prepare_task();
  task.eflags = 2 | kFlagsVm | kEflagsAc;
  task.cs = kCodeParagraph, task.eip = 0x40, task.ss = kStackParagraph, task.esp = 0x7000;
  task.ds = kDataParagraph, task.es = 0x4001, task.fs = 0x4002, task.gs = 0x4003, task.eax = 0x12345678;
  struct snippet body = CODE16("mov bl, gs:[0]; pushf");
  memcpy((void*)(kCodeLinear + 0x40), body.begin, (uptr)(body.end - body.begin));
  LOW8(kExtraLinear + 0x30) = 0x66;
  set_mode(kModeProtected);
  memcpy((void*)(kCodeLinear + 0x40), body.begin, (uptr)(body.end - body.begin));
  LOW8(kExtraLinear + 0x30) = 0x66;
  set_segment(kFree, (uptr)&task, sizeof task - 1, 0x89, 0);
  in.cs = kKernelCode, in.ip = kCodeLinear, in.ss = in.ds = in.es = kKernelData,
  in.sp = kStackLinear + 0x8000;
  struct snippet jump = CODE32(".byte 0xea; .long 0; .word 0x80");
  _Static_assert(kFree == 0x80, "the selector in the jump");
  check_event(run_snippet(jump), kGP, 0,
              "far JMP to a task whose flags have VM: PUSHF with IOPL 0 faults there");
  check_eq(out.flags & (kFlagsVm | kIopl3 | kEflagsAc), kFlagsVm | kEflagsAc,
           "the task is in virtual-8086 mode");
  check(out.cs == kCodeParagraph && out.ip == 0x45 && out.ss == kStackParagraph && out.sp == 0x7000,
        "task: CS:IP and SS:SP");
  check(out.ds == kDataParagraph && out.es == 0x4001 && out.fs == 0x4002 && out.gs == 0x4003,
        "task: data segments");
  check(out.ax == 0x12345678 && (out.bx & 0xff) == 0x66, "task: general registers, GS base");
  check(event.handler_sp + 36 == INNER_TOP, "the handler's stack is that of the new TSS");
  check_eq(*gdt_slot(kTss) >> 40 & 0xf, 9, "the old task is not busy");
  check_eq(*gdt_slot(kFree) >> 40 & 0xf, 0xb, "the new task is busy");
  load_tr(kTss);
  asm volatile("clts");

  // Out of: through a task gate, and back by IRET.
  set_mode(kModeV86);
  prepare_task();
  task.eip = (uptr)task_main, task.esp = (uptr)task_stack + sizeof task_stack;
  task.cs = kKernelCode, task.ss = task.ds = task.es = task.fs = task.gs = kKernelData;
  asm volatile("" : : "r"(&task) : "memory");
  mode_idt[0x83] = make_gate(kFree, 0, 5, 3, 0);
  in.flags |= kIopl3, in.ax = 0x11112222, in.sp = 0x33337000, in.gs = 0x4003;
  DONE("int 0x83; mov bx, gs", "INT through a task gate and IRET back");
  check(task_ran == 1 && task_link == kTss, "the other task ran, linked to this one");
  check_eq(tss.eflags & (kFlagsVm | kIopl3), kFlagsVm | kIopl3, "the old TSS has VM and IOPL");
  check(tss.eip == 2 && (tss.cs & 0xffff) == kCodeParagraph && tss.esp == 0x33337000 &&
            (tss.ss & 0xffff) == kStackParagraph,
        "the old TSS has CS:EIP and SS:ESP");
  check((tss.ds & 0xffff) == kDataParagraph && (tss.gs & 0xffff) == 0x4003 && tss.eax == 0x11112222,
        "the old TSS has the rest");
  check(out.bx == 0x4003 && out.ax == 0x11112222 && out.sp == 0x33337000,
        "back in virtual-8086 mode with all registers");
  check(out.flags & kFlagsVm, "back in virtual-8086 mode: VM");
  asm volatile("clts");
  // An exception with an error code pushes it on the new task's stack.
  prepare_task();
  extern u8 task_note[];
  task.eip = (uptr)task_note, task.esp = (uptr)task_stack + sizeof task_stack;
  task.cs = kKernelCode, task.ss = task.ds = task.es = task.fs = task.gs = kKernelData;
  asm volatile("" : : "r"(&task) : "memory");
  mode_idt[kGP] = make_gate(kFree, 0, 5, 0, 0);
  check_event(RUN("hlt"), 0x84, 0, "#GP through a task gate");
  check_eq(event.frame + 16, (uptr)task_stack + sizeof task_stack,
           "#GP through a task gate: the error code is on the task's stack");
  check_eq(LOW32((uptr)task_stack + sizeof task_stack - 4), 0, "#GP through a task gate: error code");
  check(tss.eip == 0 && (tss.eflags & (kFlagsVm | kEflagsRf)) == (kFlagsVm | kEflagsRf),
        "#GP through a task gate: RF is set in the old TSS");
  load_tr(kTss);
  asm volatile("clts");
  reset_mode_idt();
}
asm(".pushsection .text\ntask_note: int $0x84\n.popsection");

// ---- A monitor that gives an 8086 program its own interrupt table and flags. SDM 3A 20.3.3
static u16* stack_word(u32 offset) { return (u16*)(uptr)(out.ss * 16 + (offset & 0xffff)); }
static int reflected;
static int run_monitored(struct snippet program) {
  bool virtual_if = true;
  int vector = run_snippet(program);
  for (int steps = 0; vector == kGP && steps < 100; ++steps) {
    const u8* code = (const u8*)(out.cs * 16 + out.ip);
    in = out;
    const u16 image = (u16)((out.flags & ~(u32)kEflagsIf) | kIopl3 | (virtual_if ? kEflagsIf : 0));
    switch (*code) {
      case 0xfa: virtual_if = false, in.ip += 1; break;
      case 0xfb: virtual_if = true, in.ip += 1; break;
      case 0x9c: in.sp -= 2, *stack_word(in.sp) = image, in.ip += 1; break;
      case 0xcd: {
        ++reflected;
        in.sp -= 6;
        *stack_word(in.sp + 4) = image;
        *stack_word(in.sp + 2) = (u16)out.cs;
        *stack_word(in.sp) = (u16)(out.ip + 2);
        in.ip = LOW16(kExtraLinear + code[1] * 4u);
        in.cs = LOW16(kExtraLinear + code[1] * 4u + 2);
        virtual_if = false;
        break;
      }
      case 0xcf:
        in.ip = *stack_word(out.sp), in.cs = *stack_word(out.sp + 2);
        virtual_if = *stack_word(out.sp + 4) & kEflagsIf;
        in.flags = (out.flags & ~0xcd5u) | (*stack_word(out.sp + 4) & 0xcd5);
        in.sp += 6;
        break;
      default: return vector;
    }
    in.flags &= ~(u32)kEflagsRf;
    vector = run_in_mode();
  }
  return vector;
}

static void test_monitor(void) {
  struct snippet handler =
      CODE16("pushf; pop cx; xor al, 0xff; stc; mov bp, sp; or byte ptr [bp+4], 1; iret");
  memcpy((void*)(kCodeLinear + 0x4000), handler.begin, (uptr)(handler.end - handler.begin));
  LOW16(kExtraLinear + 0x21 * 4) = 0x3000, LOW16(kExtraLinear + 0x21 * 4 + 2) = 0x1100;
  in.ax = 0x1234;
  check_event(run_monitored(CODE16("sti; clc; int 0x21; pushf; pop bx; cli; pushf; pop dx; int3")), kBP,
              kAnyError, "a monitored program");
  check_eq(reflected, 1, "one INT was reflected");
  check_eq(out.ax, 0x12cb, "its handler ran");
  check_eq(out.cx & 0x7200, 0x3000, "the handler sees IF clear");
  check_eq(out.bx & 0x3201, 0x3201, "the program sees IF set and the carry of the handler");
  check_eq(out.dx & 0x3200, 0x3000, "CLI is seen");
  check_eq(out.sp, 0x8000, "the stack is even");
}

void test_main(void) {
  set_mode(kModeV86);
  test_entry();
  test_limits();
  test_iopl();
  test_forbidden();
  test_io();
  test_events();
  test_paging();
  test_tasks();
  test_monitor();
}
