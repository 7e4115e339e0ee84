// System management mode seen from 64-bit mode: APM ports, entry state, state save area, RSM, what waits,
// HLT, SMRAM. SDM 3C chapter 31, APM 2 chapter 10; 82371AB 4.2.8, 7.1.9, 7.2.13; 82441FX 3.2.19.
#include "runtime/apic.h"
#include "runtime/smm.h"

enum { kRegisters = 17, kFlagsRegister = 16, kSciEnable = 1, kTickVector = 0x40 };
void smi_with_registers(const u64* in, u64* out);
void stepped_smi(void);
extern const u8 smi_return[], stepped_return[];

// ---- What raises an SMI. 82371AB 7.1.9, 7.2.13
static void test_ports(void) {
  outb(kApmStatus, 0xa5);
  check_eq(inb(kApmStatus), 0xa5, "the APM status port is memory");
  check_eq(smm_count(), 0, "and raises nothing");
  outb(kApmControl, 0x12);
  check_eq(smm_count(), 1, "a write to the APM control port raises an SMI");
  check_eq(inb(kApmControl), 0x12, "the handler can read it");
  const u32 devactb = pci_read(1, 3, 0x58);
  pci_write(1, 3, 0x58, devactb & ~(1u << 25));
  smi();
  check_eq(smm_count(), 0, "not with DEVACTB.APMC_EN = 0");
  pci_write(1, 3, 0x58, devactb);
  outl(pm_base() + 0x28, 0);
  smi();
  check_eq(smm_count(), 0, "not with GLBCTL.SMI_EN = 0");
  outl(pm_base() + 0x28, 1);
  // FADT ACPI_ENABLE and ACPI_DISABLE are the board's.
  outb(kApmControl, 0xf1);
  check_eq(inw(pm_base() + 4) & kSciEnable, kSciEnable, "ACPI_ENABLE sets SCI_EN");
  outb(kApmControl, 0xf0);
  check_eq(inw(pm_base() + 4) & kSciEnable, 0, "ACPI_DISABLE clears it");
  check_eq(smm_count(), 0, "neither is an SMI");
}

// ---- SDM 3C table 31-4, APM 2 10.3.2
static void test_entry(void) {
  smm_info()->probe_address = (u32)(uptr)&gdt[1];
  uptr cr0 = read_cr0() | kCr0Ts | kCr0Em;
  write_cr0(cr0);
  smi();
  write_cr0(cr0 & ~(uptr)(kCr0Ts | kCr0Em));
  volatile struct smm_info* info = smm_info();
  check_eq(info->cs, kSmmBase >> 4, "entry: CS is SMBASE >> 4");
  check(!info->ss && !info->ds && !info->es && !info->fs && !info->gs, "entry: the other selectors are 0");
  check_eq(info->probe, (u32)gdt[1], "entry: DS has base 0 and 4 GiB");
  check_eq(info->flags, 2, "entry: flags");
  check_eq(info->eip_high, 0, "entry: EIP has 16 bits");
  check_eq(info->cr0, (u32)cr0 & ~(kCr0Pe | kCr0Em | kCr0Ts | kCr0Pg), "entry: CR0 lacks PE, EM, TS and PG");
  check_eq(info->cr4, 0, "entry: CR4");
  check_eq(info->efer, 0, "entry: EFER");
  check_eq(info->dr7, 0x400, "entry: DR7");
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) gdtr;
  asm volatile("sgdt %0" : "=m"(gdtr));
  check(info->gdtr.limit == gdtr.limit && info->gdtr.base == (u32)gdtr.base, "entry: GDTR is unchanged");
}

// ---- The state save area of 64-bit mode. APM 2 table 10-1
static u64 in[kRegisters], out[kRegisters];
static void fill_registers(void) {
  for (int i = 0; i < 16; ++i) in[i] = 0x0123456789abcd00 * (u64)(i + 1) + (u64)i;
  in[kFlagsRegister] = 2 | kEflagsCf | kEflagsDf | 0x8d5;
}
static void check_segment_saved(u16 offset, u16 selector, u16 attributes, u32 limit, u64 base,
                                const char* name) {
  check_eq(SAVED16(offset), selector, "saved: %s selector", name);
  check_eq(SAVED16(offset + 2), attributes, "saved: %s attributes", name);
  check_eq(SAVED32(offset + 4), limit, "saved: %s limit", name);
  check_eq(SAVED64(offset + 8), base, "saved: %s base", name);
}

static void test_map(void) {
  fill_registers();
  asm volatile("mov %0, %%ds" : : "r"(kUserData));
  wrmsr(kMsrFsBase, 0x123456789abc);
  wrmsr(kMsrGsBase, 0xffff800000001000);
  asm volatile("mov %0, %%dr7" : : "r"(0x700ul));
  asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff3ul));
  smi_with_registers(in, out);
  asm volatile("mov %0, %%ds" : : "r"(kKernelData));
  check_eq(SAVED32(kSavedRevision) & 0xffff, 0x64, "saved: revision of the AMD64 layout");
  check_eq(SAVED32(kSavedRevision) >> 17 & 1, 1, "saved: SMBASE can be relocated");
  check_eq(SAVED32(kSavedSmbase), kSmmBase, "saved: SMBASE");
  for (int i = 0; i < 16; ++i) {
    if (i != 4) check_eq(SAVED64(kSavedAx - 8 * i), in[i], "saved: register %d", i);
  }
  check_eq(SAVED64(kSavedSp), out[4], "saved: RSP");
  check_eq(SAVED64(kSavedIp), (uptr)smi_return, "saved: RIP is behind the OUT");
  check_eq(SAVED64(kSavedFlags), in[kFlagsRegister], "saved: RFLAGS");
  check_eq(SAVED64(kSavedCr0), read_cr0(), "saved: CR0");
  check_eq(SAVED64(kSavedCr3), read_cr3(), "saved: CR3");
  check_eq(SAVED64(kSavedCr4), read_cr4(), "saved: CR4");
  check_eq(SAVED64(kSavedEfer), rdmsr(kMsrEfer), "saved: EFER");
  check_eq(SAVED64(kSavedDr6), 0xffff0ff3, "saved: DR6");
  check_eq(SAVED64(kSavedDr7), 0x700, "saved: DR7");
  check_segment_saved(kSavedCs, kKernelCode, 0xa09b, 0xffffffff, 0, "CS");
  check_segment_saved(kSavedSs, kKernelData, 0xc093, 0xffffffff, 0, "SS");
  check_segment_saved(kSavedDs, kUserData, 0xc0f3, 0xffffffff, 0, "DS");
  check_segment_saved(kSavedTr, kTss, 0x008b, sizeof tss - 1, (uptr)&tss, "TR");
  check_eq(SAVED64(kSavedFs + 8), 0x123456789abc, "saved: FS base");
  check_eq(SAVED64(kSavedGs + 8), 0xffff800000001000, "saved: GS base");
  check_eq(SAVED64(kSavedGdtr + 8), (uptr)gdt, "saved: GDTR base");
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) idtr;
  asm volatile("sidt %0" : "=m"(idtr));
  check_eq(SAVED16(kSavedIdtr + 4), idtr.limit, "saved: IDTR limit");
  check_eq(SAVED64(kSavedIdtr + 8), idtr.base, "saved: IDTR base");
}

// ---- RSM. SDM 3C 31.4.2
static void test_rsm(void) {
  fill_registers();
  SMM_ACTION(
      "mov eax, 0x11111111; mov ebx, eax; mov ecx, eax; mov edx, eax; mov esi, eax; mov edi, eax; mov ebp, "
      "eax\n"
      "mov eax, 0x20; mov cr4, eax; mov eax, 0x10000; mov cr3, eax\n"
      "mov eax, 0x703; mov dr7, eax; lgdt cs:[0x9100]; lidt cs:[0x9100]; mov ax, 0x1234; mov ds, ax; mov fs, "
      "ax; std; stc");
  const uptr cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
  const u64 efer = rdmsr(kMsrEfer), dr7_before = 0x700;
  smi_with_registers(in, out);
  for (int i = 0; i < 16; ++i) {
    if (i != 4) check_eq(out[i], in[i], "RSM: register %d", i);
  }
  check_eq(out[kFlagsRegister], in[kFlagsRegister], "RSM: RFLAGS");
  check(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4, "RSM: control registers");
  check_eq(rdmsr(kMsrEfer), efer, "RSM: EFER");
  u64 dr7;
  asm volatile("mov %%dr7, %0" : "=r"(dr7));
  check_eq(dr7, dr7_before, "RSM: DR7");
  check_eq(rdmsr(kMsrFsBase), 0x123456789abc, "RSM: FS base");
  check_eq(rdmsr(kMsrGsBase), 0xffff800000001000, "RSM: GS base");
  wrmsr(kMsrFsBase, 0);
  wrmsr(kMsrGsBase, 0);
  check_trap(CATCH(asm volatile("ud2")), kUD, kAnyError, "RSM: GDTR and IDTR");
  // What the handler writes to the area comes back.
  SMM_ACTION("mov dword ptr cs:[0xffe0], 0x87654321; mov dword ptr cs:[0xffe4], 0xfedcba98");
  smi_with_registers(in, out);
  check_eq(out[3], 0xfedcba9887654321, "RSM: RBX as the handler left it");
  SMM_ACTION("add dword ptr cs:[0xff78], 2");
  u64 value = 1;
  asm volatile("out %%al, $0xb2; jmp 1f; mov $2, %0; 1:" : "+r"(value) : "a"(kHandlerCommand));
  check_eq(value, 2, "RSM: RIP as the handler left it");
  SMM_NOTHING();
  check_trap(CATCH(asm volatile("rsm")), kUD, kAnyError, "RSM outside SMM: #UD");
}

// ---- SMBASE. SDM 3C 31.11
static void test_smbase(void) {
  if (smm_by_firmware)
    skip("SMBASE after RESET: firmware has moved it");
  else
    check_eq(smm_first_base, 0x30000, "SMBASE after RESET");
  smm_install(0x70000);
  smm_count();
  SMM_ACTION("mov dword ptr cs:[0xff00], 0x70000");
  smi();
  check_eq(smm_count(), 1, "relocation runs at the old SMBASE");
  SMM_ACTION_AT(0x70000, "mov dword ptr cs:[0xff00], 0x60000");
  smi();
  volatile struct smm_info* there = smm_info_at(0x70000);
  check_eq(there->count, 1, "the next SMI runs at the new one");
  check_eq(there->cs, 0x7000, "with its CS");
  check_eq(*(volatile u32*)(uptr)(0x70000 + kSavedSmbase), 0x60000, "and its state save area");
  SMM_NOTHING();
  smi();
  check_eq(smm_count(), 1, "and back");
}

// ---- What waits for RSM. SDM 3C 31.6, 31.7, 31.8
static volatile unsigned nmis, nmi_nested, nmi_inside;
static volatile uptr nmi_ip;
static void send_nmi(void) {
  lapic_write(kLapicIcrHigh, 0);
  lapic_write(kLapicIcrLow, 0x4400);
}
static void on_nmi(struct trap_frame* frame) {
  ++nmis;
  if (nmis == 1) nmi_ip = frame->ip;
  if (nmi_inside && nmis == 1) {
    smi();
    send_nmi();
    for (int i = 0; i < 100; ++i) asm volatile("pause");
    nmi_nested = nmis;
  }
}

#define SEND_NMI \
  "mov ebx, 0xfee00300; mov dword ptr [ebx+0x10], 0; mov dword ptr [ebx], 0x4400; nop; nop; nop\n"

static void test_waiting(void) {
  smm_count();
  SMM_ACTION(
      "cmp dword ptr cs:[0x9000], 1; jne 1f; mov al, 0x55; out 0xb2, al; out 0xb2, al; nop; nop\n"
      "mov eax, cs:[0x9000]; mov " SCRATCH(0) ", eax; 1:");
  smi_with_registers(in, out);
  check_eq(smm_info()->scratch[0], 1, "an SMI in SMM waits");
  check_eq(smm_count(), 2, "and comes after RSM, once");
  check_eq(SAVED64(kSavedIp), (uptr)smi_return, "before the next instruction");

  on_trap(kNMI, on_nmi);
  SMM_ACTION(SEND_NMI "mov eax, " SCRATCH(1) "\n inc dword ptr " SCRATCH(1));
  smi_with_registers(in, out);
  check_eq(smm_info()->scratch[1], 1, "the handler that an NMI meets goes on");
  check_eq(nmis, 1, "NMI comes after RSM");
  check_eq(nmi_ip, (uptr)smi_return, "before the next instruction");

  SMM_NOTHING();
  nmis = 0, nmi_inside = 1;
  send_nmi();
  for (int i = 0; i < 100; ++i) asm volatile("pause");
  check_eq(nmi_nested, 1, "RSM leaves NMI blocked in the handler of one");
  check_eq(nmis, 2, "IRET lets the next in");
  nmi_inside = 0;
  smm_count();
}

// ---- Interrupts in SMM, through a table of its own; IRET lets NMI in. SDM 3C 31.7, 31.8
static void test_interrupts_inside(void) {
  volatile u16* table = (volatile u16*)(uptr)(kSmmBase + 0xa000);
  table[2 * kNMI] = 0xa800, table[2 * kNMI + 1] = kSmmBase >> 4;
  table[2 * 0x20] = 0xa840, table[2 * 0x20 + 1] = kSmmBase >> 4;
  const u8 handler[] = {0x66, 0x2e, 0xff, 0x06, 0x40, 0x90, 0xcf};  // inc dword cs:[9040h]; iret
  memcpy((void*)(uptr)(kSmmBase + 0xa840), handler, sizeof handler);
  memcpy((void*)(uptr)(kSmmBase + 0xa800), handler, sizeof handler);
  *(u8*)(uptr)(kSmmBase + 0xa804) = 0x44;  // 9044h
  *(volatile u16*)(uptr)(kSmmBase + 0x9100) = 0x3ff;
  *(volatile u32*)(uptr)(kSmmBase + 0x9102) = kSmmBase + 0xa000;
  for (int i = 0; i < 8; ++i) smm_info()->scratch[i] = 0;
  nmis = 0;
  SMM_ACTION(".byte 0x66, 0x2e, 0x0f, 0x01, 0x1e, 0x00, 0x91\n" SEND_NMI "mov eax, " SCRATCH(1) "; mov " SCRATCH(2) ", eax\n"
             "int 0x20; nop; nop");
  smi();
  check_eq(smm_info()->scratch[0], 1, "INT in SMM");
  check_eq(smm_info()->scratch[2], 0, "NMI waits in SMM");
  check_eq(smm_info()->scratch[1], 1, "until an IRET there");
  check_eq(nmis, 0, "and then does not come again");
  SMM_NOTHING();
}

// ---- TF. SDM 3A table 6-2: SMI comes before traps on the previous instruction
static volatile unsigned debug_traps, smis_at_trap;
static volatile uptr debug_ip;
static void on_debug(struct trap_frame* frame) {
  if (++debug_traps == 1) {
    debug_ip = frame->ip;
    smis_at_trap = smm_info()->count;
  }
  frame->flags &= ~(uptr)kEflagsTf;
}
static void test_single_step(void) {
  smm_count();
  on_trap(kDB, on_debug);
  stepped_smi();
  check_eq(smm_count(), 1, "TF: one SMI");
  check_eq(debug_traps, 1, "TF: one trap");
  check_eq(debug_ip, (uptr)stepped_return, "TF: behind the OUT");
  check_eq(smis_at_trap, 1, "TF: the SMI came first");
  on_trap(kDB, 0);
}

// ---- Other sources: LAPIC ICR. SDM 3A 10.6.1
static void test_ipi(void) {
  smm_count();
  lapic_write(kLapicIcrHigh, 0);
  lapic_write(kLapicIcrLow, 0x4200);
  asm volatile("nop; nop");
  check_eq(smm_count(), 1, "SMI by IPI");
}

// ---- HLT. SDM 3C 31.10. The PIT raises the SMI through the IOAPIC, the LAPIC timer a later interrupt
static volatile unsigned ticks;
static void on_tick(struct trap_frame* frame) {
  (void)frame;
  ++ticks;
  lapic_eoi();
}
static void halt(void) {
  ticks = 0;
  smm_count();
  outb(0x43, 0x30);
  lapic_write(kLapicLvtTimer, kTickVector);
  lapic_write(kLapicDivide, 0xb);
  lapic_write(kLapicInitialCount, 20000000);
  outb(0x40, 0xa9);
  outb(0x40, 0x04);  // 1 ms
  asm volatile("sti; hlt; cli" : : : "memory");
}
static void test_halt(void) {
  pic_setup(0);
  lapic_enable();
  on_trap(kTickVector, on_tick);
  ioapic_route(2, 2 << 8);
  SMM_NOTHING();
  smi();
  check_eq(SAVED8(kSavedAutoHalt), 0, "auto-halt restart: clear when running");
  halt();
  check_eq(SAVED8(kSavedAutoHalt) & 1, 1, "auto-halt restart: set when halted");
  check_eq(smm_count(), 1, "the SMI of the PIT came");
  check_eq(ticks, 1, "RSM went back to HLT");
  SMM_ACTION("mov byte ptr cs:[0xfec9], 0");
  halt();
  check_eq(smm_count(), 1, "the SMI of the PIT came again");
  check_eq(ticks, 0, "the handler ended the HLT");
  lapic_write(kLapicInitialCount, 0);
  ioapic_route(2, 1 << 16);
  interrupt_window();
  SMM_NOTHING();
}

// ---- The handler in 64-bit mode, and code that runs inside and outside
static volatile u64 smm_long_result;
__attribute__((noinline)) u64 mix(u64 seed) {
  for (int i = 0; i < 20000; ++i) seed = (seed ^ seed >> 13) * 0x9e3779b97f4a7c15 + (u64)i;
  return seed;
}
void smm_long_main(void) { smm_long_result = mix(7); }
static void test_long_handler(void) {
  const u64 before = mix(7);
  SMM_ACTION(
      "mov eax, 0x20; mov cr4, eax; mov ecx, 0xc0000080; rdmsr; or eax, 0x900; wrmsr\n"
      "mov eax, cr0; or eax, 0x80000001; mov cr0, eax; .byte 0x66, 0xea; .long smm_long_entry; .word 8");
  for (int i = 0; i < 3; ++i) {
    smm_long_result = 0;
    fill_registers();
    smi_with_registers(in, out);
    check_eq(smm_long_result, before, "64-bit handler: result");
    check(!memcmp(in + 8, out + 8, 8 * sizeof in[0]), "64-bit handler: R8 to R15");
    check_eq(mix(7), before, "64-bit handler: the same code outside");
  }
  SMM_NOTHING();
}

// ---- Translations. What the program has mapped is not what SMM sees
static u64 low_table[512] __attribute__((aligned(4096)));
static void test_translations(void) {
  for (u64 i = 0; i < 512; ++i) low_table[i] = i << 12 | kPteP | kPteW | kPteU;
  const u64 page = boot_pd[0][0];
  volatile u32* here = (volatile u32*)0x74000;
  volatile u32* there = (volatile u32*)0x75000;
  *here = 0x1111, *there = 0x2222;
  low_table[0x74] = 0x75000 | kPteP | kPteW | kPteU | kPteG;
  boot_pd[0][0] = (uptr)low_table | kPteP | kPteW | kPteU;
  write_cr4(read_cr4() | kCr4Pge);
  write_cr3(read_cr3());
  check_eq(*here, 0x2222, "a page is mapped elsewhere");
  SMM_ACTION("mov ebx, 0x74000; mov eax, [ebx]; mov " SCRATCH(0) ", eax; mov dword ptr [ebx], 0x3333");
  smi();
  check_eq(smm_info()->scratch[0], 0x1111, "SMM sees physical addresses");
  check_eq(*here, 0x2222, "RSM goes back to the mapping");
  boot_pd[0][0] = page;
  write_cr4(read_cr4() & ~(uptr)kCr4Pge);
  write_cr3(read_cr3());
  check_eq(*here, 0x3333, "SMM wrote to physical memory");
  SMM_NOTHING();
}

// ---- SMRAM. 82441FX 3.2.19
static volatile u32* const smram = (volatile u32*)0xa1000;
static void test_smram(void) {
  smram_write(0x4a);
  smram[0] = 0x11223344, smram[1] = 0, smram[2] = 0;
  check_eq(smram[0], 0x11223344, "D_OPEN: RAM for everybody");
  smram_write(0x0a);
  check(smram[0] != 0x11223344, "G_SMRAME: hidden outside SMM");
  SMM_ACTION("mov ebx, 0xa1000; mov eax, [ebx]; mov " SCRATCH(0) ", eax; mov dword ptr [ebx+4], 0x55667788");
  smi();
  check_eq(smm_info()->scratch[0], 0x11223344, "G_SMRAME: SMM reads it");
  check(smram[1] != 0x55667788, "G_SMRAME: what SMM wrote is hidden");
  smram_write(0x4a);
  check_eq(smram[1], 0x55667788, "G_SMRAME: and is there");
  smram_write(0x02);
  smi();
  check(smm_info()->scratch[0] != 0x11223344, "G_SMRAME = 0: SMM does not see it");
  smram_write(0x2a);
  smi();
  check(smm_info()->scratch[0] != 0x11223344, "D_CLS: data in SMM do not see it");
  // A handler in SMRAM.
  smram_write(0x4a);
  smm_install(0xa0000);
  SMM_ACTION_AT(0xa0000, "cmp dword ptr cs:[0x9000], 20; jne 1f; mov dword ptr cs:[0xff00], 0x60000; 1:");
  smram_write(0x0a);
  SMM_ACTION("mov dword ptr cs:[0xff00], 0xa0000");
  smm_count();
  smi();
  for (int i = 0; i < 20; ++i) {
    smi();
    *(volatile u8*)0xa8000 = 0;  // the VGA's
  }
  check_eq(smm_count(), 1, "a handler in SMRAM: relocation");
  smram_write(0x4a);
  check_eq(smm_info_at(0xa0000)->count, 20, "a handler in SMRAM: runs");
  check_eq(smm_info_at(0xa0000)->cs, 0xa000, "a handler in SMRAM: CS");
  SMM_NOTHING();
  smi();
  check_eq(smm_count(), 1, "a handler in SMRAM: and back");
  smram_write(0x5a);
  check_eq(smram_read() & 0x50, 0x10, "D_LCK clears D_OPEN");
  smram_write(0x4a);
  check_eq(smram_read(), 0x1a, "D_LCK locks the register");
  check(smram[0] != 0x11223344, "D_LCK: SMRAM stays hidden");
}

void test_main(void) {
  lapic_enable();
  smm_setup();
  test_smbase();
  test_ports();
  test_entry();
  test_map();
  test_rsm();
  test_waiting();
  test_interrupts_inside();
  test_single_step();
  test_ipi();
  test_halt();
  test_long_handler();
  test_translations();
  test_smram();
}
