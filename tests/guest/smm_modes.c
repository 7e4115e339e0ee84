// System management mode seen from real-address mode, virtual-8086 mode, protected mode and PAE paging: what
// an SMI saves, and that RSM goes back there. SDM 3C 31.4, APM 2 10.2.3.
#include "runtime/modes.h"
#include "runtime/smm.h"

enum { kFlagsVm = 1 << 17, kIopl3 = 3 << 12, kInnerStack = 8192 };
#define SMI_THEN "mov al, 0x55; out 0xb2, al\n"
static const u32 kBehindOut = 4;

static void set_registers(void) {
  in.ax = 0x11112255, in.bx = 0x22223333, in.cx = 0x33334444, in.dx = 0x44445555;
  in.si = 0x55556666, in.di = 0x66667777, in.bp = 0x77778888;
}
static void check_registers(const char* mode) {
  check(out.ax == 0x11112255 && out.bx == 0x22223333 && out.cx == 0x33334444 && out.dx == 0x44445555 &&
            out.si == 0x55556666 && out.di == 0x66667777 && out.bp == 0x77778888,
        "%s: RSM gives back the registers", mode);
  check(SAVED32(kSavedAx) == 0x11112255 && SAVED32(kSavedBx) == 0x22223333 && SAVED32(kSavedBp) == 0x77778888,
        "%s: saved registers", mode);
  check_eq(SAVED64(kSavedIp), kBehindOut, "%s: saved IP", mode);
  check_eq(smm_count(), 1, "%s: one SMI", mode);
}
static void check_saved(u16 offset, u16 selector, u32 limit, u32 base, const char* name) {
  check_eq(SAVED16(offset), selector, "saved: %s selector", name);
  check_eq(SAVED32(offset + 4), limit, "saved: %s limit", name);
  check_eq(SAVED64(offset + 8), base, "saved: %s base", name);
}
/// The action for all of these: nothing that the program knows survives but through the state save area.
static void trash(void) {
  SMM_ACTION(
      "mov eax, 0x99999999; mov ebx, eax; mov ecx, eax; mov edx, eax; mov esi, eax; mov edi, eax; mov ebp, "
      "eax\n"
      "mov ax, 0x1234; mov ds, ax; mov es, ax; mov fs, ax; mov gs, ax; std; stc");
}

// ---- Real-address mode
static void test_real(void) {
  set_mode(kModeReal);
  trash();
  set_registers();
  in.flags = 2 | kEflagsCf | kEflagsIf;
  DONE(SMI_THEN, "real mode");
  check_registers("real mode");
  check_saved(kSavedCs, kCodeParagraph, 0xffff, kCodeLinear, "real CS");
  check_saved(kSavedDs, kDataParagraph, 0xffff, kDataLinear, "real DS");
  check_saved(kSavedSs, kStackParagraph, 0xffff, kStackLinear, "real SS");
  check_eq(SAVED32(kSavedCr0) & kCr0Pe, 0, "saved: PE is clear");
  check_eq(SAVED32(kSavedFlags) & (kEflagsCf | kEflagsIf), kEflagsCf | kEflagsIf,
           "saved: flags of real mode");
  check(out.ds == kDataParagraph && out.es == kExtraParagraph && out.gs == kExtraParagraph,
        "real mode: segments");
  check_eq(out.flags & (kEflagsCf | kEflagsDf | kEflagsIf), kEflagsCf | kEflagsIf, "real mode: flags");
  // What protected mode left in the hidden parts stays.
  LOW32(0x100500) = 0x12345678;
  real_cache_fs = kKernelData, real_keep_fs_gs = true;
  DONE(SMI_THEN "mov ebx, 0x100500; mov eax, fs:[ebx]", "real mode with a flat FS");
  check_eq(out.ax, 0x12345678, "real mode with a flat FS: its limit comes back");
  check_saved(kSavedFs, kKernelData, 0xffffffff, 0, "flat FS");
  EXPECT(kUD, 0, "rsm", "RSM in real mode: #UD");
}

// ---- A20, which SMM does not know
static void test_a20(void) {
  LOW8(0x500) = 0x11;
  const u8 old = LOW8(0x100500);
  LOW8(0x100500) = 0x22;
  SMM_ACTION("mov ebx, 0x100500; mov al, [ebx]; mov " SCRATCH(0) ", al");
  in.ds = 0xffff;
  DONE("mov al, 0xdd; out 0x64, al; in al, 0x92; and al, 0xfc; out 0x92, al\n" SMI_THEN
       "mov bl, [0x510]; in al, 0x92; or al, 2; out 0x92, al; mov al, 0xdf; out 0x64, al",
       "an SMI with A20 off");
  check_eq(smm_info()->scratch[0] & 0xff, 0x22, "SMM has A20 on");
  check_eq(out.bx & 0xff, 0x11, "RSM: A20 is off again");
  LOW8(0x100500) = old;
  smm_count();
}

// ---- Virtual-8086 mode
static struct {
  struct tss tss;
  u8 bitmap[8193];
} __attribute__((packed, aligned(128))) io_tss;
static u8 inner_stack[kInnerStack] __attribute__((aligned(16)));

static void test_v86(void) {
  set_mode(kModeV86);
  memset(&io_tss, 0, sizeof io_tss);
  io_tss.tss.esp0 = (uptr)inner_stack + kInnerStack;
  io_tss.tss.ss0 = kKernelData;
  io_tss.tss.iomap_base = sizeof io_tss.tss;
  io_tss.bitmap[8192] = 0xff;
  set_segment(kFree, (uptr)&io_tss, sizeof io_tss - 1, 0x89, 0);
  asm volatile("ltr %0" : : "r"((u16)kFree));
  trash();
  smm_count();
  set_registers();
  EXPECT(kGP, 0, SMI_THEN "cli", "virtual-8086 mode: level 3 with IOPL 0 comes back");
  check_eq(out.ip, kBehindOut, "virtual-8086 mode: it is the CLI that faults");
  check_registers("virtual-8086 mode");
  check_saved(kSavedCs, kCodeParagraph, 0xffff, kCodeLinear, "virtual-8086 CS");
  check_saved(kSavedSs, kStackParagraph, 0xffff, kStackLinear, "virtual-8086 SS");
  check_saved(kSavedTr, kFree, sizeof io_tss - 1, (uptr)&io_tss, "TR");
  check_eq(SAVED32(kSavedFlags) & kFlagsVm, kFlagsVm, "saved: VM");
  check_eq(SAVED32(kSavedCr0) & kCr0Pe, kCr0Pe, "saved: PE");
  check(out.ds == kDataParagraph && out.es == kExtraParagraph && out.gs == kExtraParagraph,
        "virtual-8086 mode: segments");
  EXPECT(kUD, 0, "rsm", "RSM in virtual-8086 mode: #UD");
}

// ---- 16-bit protected mode, levels 0 and 3
static void test_protected(void) {
  set_mode(kModeProtected);
  trash();
  set_segment(kData16, kDataLinear, 0x1234, kReadWrite, kByteGranular);
  set_registers();
  DONE(SMI_THEN, "16-bit protected mode");
  check_registers("16-bit protected mode");
  check_saved(kSavedCs, kCode16, 0xffff, kCodeLinear, "16-bit CS");
  check_eq(SAVED16(kSavedCs + 2), 0x009b, "saved: 16-bit CS attributes");
  check_saved(kSavedDs, kData16, 0x1234, kDataLinear, "16-bit DS");
  check_eq(SAVED16(kSavedDs + 2), 0x0093, "saved: 16-bit DS attributes");
  EXPECT(kGP, 0, SMI_THEN "mov al, [0x1235]", "16-bit protected mode: the limit of DS comes back");
  DONE(SMI_THEN "mov al, [0x1234]", "16-bit protected mode: so does the rest of it");

  in.cs = kUserCode16, in.ss = kUserStack16, in.ds = in.es = in.fs = in.gs = kUserData16;
  in.flags = 2 | kIopl3;
  smm_count();
  set_registers();
  EXPECT(kGP, 0, SMI_THEN "hlt", "16-bit protected mode: level 3 comes back");
  check_eq(out.ip, kBehindOut, "16-bit protected mode, level 3: it is the HLT that faults");
  check_registers("16-bit protected mode, level 3");
  check(out.cs == kUserCode16 && out.ss == kUserStack16, "16-bit protected mode, level 3: CS and SS");
  check_saved(kSavedCs, kUserCode16, 0xffff, kCodeLinear, "level 3 CS");
  check_eq(SAVED16(kSavedCs + 2), 0x00fb, "saved: level 3 CS attributes");
  check_eq(SAVED16(kSavedSs + 2), 0x00f3, "saved: level 3 SS attributes");
  EXPECT(kUD, 0, "rsm", "RSM in protected mode: #UD");
  in.cs = kUserCode16, in.ss = kUserStack16, in.ds = in.es = in.fs = in.gs = kUserData16;
  EXPECT(kUD, 0, "rsm", "RSM at level 3: #UD");
  smm_count();
}

// ---- PAE paging: RSM loads the PDPTEs. SDM 3A 4.4.1
static u64 pdpt[4] __attribute__((aligned(32))), directories[2][512] __attribute__((aligned(4096)));
static void test_pae(void) {
  for (u64 i = 0; i < 512; ++i) {
    directories[0][i] = i << 21 | kPteP | kPteW | kPtePs;
    directories[1][i] = 0x200000 | kPteP | kPteW | kPtePs;
  }
  pdpt[0] = (uptr)directories[0] | kPteP;
  pdpt[1] = (uptr)directories[1] | kPteP;
  LOW32(0x200010) = 0xabcdef01;
  trash();
  write_cr4(read_cr4() | kCr4Pae);
  write_cr3((uptr)pdpt);
  write_cr0(read_cr0() | kCr0Pg);
  smi();
  invlpg(0x40000010);
  check_eq(LOW32(0x40000010), 0xabcdef01, "PAE paging comes back");
  check_eq(SAVED64(kSavedCr3), (uptr)pdpt, "saved: CR3");
  check_eq(SAVED32(kSavedCr0), read_cr0(), "saved: CR0");
  check_eq(SAVED32(kSavedCr4), read_cr4(), "saved: CR4");
  check_eq(smm_count(), 1, "PAE paging: one SMI");
  write_cr0(read_cr0() & ~kCr0Pg);
  write_cr4(read_cr4() & ~(uptr)kCr4Pae);
}

void test_main(void) {
  smm_setup();
  smm_count();
  test_real();
  test_a20();
  test_v86();
  test_protected();
  test_pae();
}
