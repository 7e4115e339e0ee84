// Paging in 32-bit protected mode: two-level with 4 KiB and 4 MiB pages, and PAE. SDM 3A 4.3, 4.4.
#include "runtime/guest.h"

enum { kAll = kPteP | kPteW | kPteU, kTest = 0x40000000 };
static u32 directory[1024] __attribute__((aligned(4096)));
static u32 table[1024] __attribute__((aligned(4096)));
static u64 pdpt[4] __attribute__((aligned(32)));
static u64 pae_directory[4][512] __attribute__((aligned(4096)));
static u64 pae_table[512] __attribute__((aligned(4096)));
static u8 page_a[4096] __attribute__((aligned(4096)));
static u8 page_b[4096] __attribute__((aligned(4096)));
static u8 user_stack[4096] __attribute__((aligned(16)));

void user_read(void);
void user_write(void);
asm("user_read: movb (%eax), %cl; int $0x80\n"
    "user_write: movb $1, (%eax); int $0x80\n");

enum access { kRead, kWrite };
static int probe(enum access access, bool user, u32 linear) {
  if (user) {
    int vector = CATCH(enter_user((uptr)(access == kRead ? user_read : user_write),
                                  (uptr)user_stack + sizeof user_stack, linear, 0, kUserCode32));
    return vector == kUserReturn ? kNoTrap : vector;
  }
  if (access == kRead) return CATCH(*(volatile u8*)linear);
  return CATCH(*(volatile u8*)linear = 1);
}

static bool allowed(bool wp, enum access access, bool user, bool w, bool u) {
  if (user) return u && (access == kRead || w);
  return access == kRead || w || !wp;
}

/// `set(leaf, upper)` writes the flags W and U of both levels.
static void check_matrix(const char* mode, void (*set)(u32 leaf, u32 upper)) {
  for (int wp = 0; wp < 2; ++wp) {
    unsigned wrong = 0;
    write_cr0(wp ? read_cr0() | kCr0Wp : read_cr0() & ~(uptr)kCr0Wp);
    for (unsigned bits = 0; bits < 16; ++bits) {
      u32 leaf = (bits & 1 ? kPteW : 0) | (bits & 2 ? kPteU : 0),
          upper = (bits & 4 ? kPteW : 0) | (bits & 8 ? kPteU : 0);
      for (int kind = 0; kind < 4; ++kind) {
        enum access access = kind & 1;
        bool user = kind & 2;
        set(leaf, upper);
        write_cr3(read_cr3());
        int got = probe(access, user, kTest);
        int want = allowed(wp, access, user, leaf & upper & kPteW, leaf & upper & kPteU) ? kNoTrap : kPF;
        uptr error = kPfP | (access == kWrite ? kPfW : 0) | (user ? kPfU : 0);
        if (got != want || (want == kPF && last_trap.error != error)) ++wrong;
      }
    }
    check(wrong == 0, "%s: permission matrix, WP=%d", mode, wp);
  }
  write_cr0(read_cr0() | kCr0Wp);
  set(kPteW | kPteU, kPteW | kPteU);
  write_cr3(read_cr3());
}

// ---- Two levels
static void set_legacy(u32 leaf, u32 upper) {
  table[0] = (u32)page_a | kPteP | leaf;
  directory[kTest >> 22] = (u32)table | kPteP | upper;
}

static void test_legacy(void) {
  // Identity map of the first 16 MiB in 4 MiB pages.
  for (u32 i = 0; i < 4; ++i) directory[i] = i << 22 | kAll | kPtePs;
  write_cr4(read_cr4() | kCr4Pse);
  write_cr3((uptr)directory);
  set_legacy(kPteW | kPteU, kPteW | kPteU);
  write_cr0(read_cr0() | kCr0Pg | kCr0Wp);
  check(read_cr0() & kCr0Pg, "32-bit paging is on");
  check_matrix("32-bit", set_legacy);
  page_a[5] = 0x42;
  check_eq(*(volatile u8*)(kTest + 5), 0x42, "32-bit: 4 KiB page");
  table[0] &= ~(u32)(kPteA | kPteD);
  directory[kTest >> 22] &= ~(u32)(kPteA | kPteD);
  write_cr3(read_cr3());
  (void)*(volatile u8*)kTest;
  check((table[0] & (kPteA | kPteD)) == kPteA && (directory[kTest >> 22] & kPteA),
        "32-bit: a read sets A at both levels");
  *(volatile u8*)kTest = 1;
  check(table[0] & kPteD, "32-bit: a write sets D");
  check(!(directory[kTest >> 22] & kPteD), "32-bit: D only in the leaf");
  table[0] = 0;
  invlpg(kTest);
  check_trap(probe(kRead, false, kTest), kPF, 0, "32-bit: PTE not present");
  check_eq(last_trap.cr2, kTest, "32-bit: CR2");
  directory[kTest >> 22] = 0;
  write_cr3(read_cr3());
  check_trap(probe(kWrite, true, kTest), kPF, kPfW | kPfU, "32-bit: PDE not present");
  directory[kTest >> 22] = ((u32)page_a & 0xffc00000) | kAll | kPtePs;
  write_cr3(read_cr3());
  check_eq(*(volatile u8*)(kTest + ((u32)page_a & 0x3fffff) + 5), 0x42, "32-bit: 4 MiB page");
  // The page table may lie anywhere; the last entry of the directory maps the top of the address space.
  directory[1023] = (u32)table | kAll;
  table[1023] = (u32)page_b | kAll;
  write_cr3(read_cr3());
  page_b[4095] = 0x99;
  check_eq(*(volatile u8*)0xffffffffu, 0x99, "32-bit: the last byte of the address space");
  table[0] = (u32)page_a | kAll;
  directory[0x3ff] = (u32)table | kAll;
  invlpg(0xffffffff);
  // Reserved bits of a 4 MiB PDE: bit 21 always.
  directory[kTest >> 22] = kAll | kPtePs | 1 << 21;
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kPF, kPfP | kPfRsvd, "32-bit: 4 MiB PDE bit 21 reserved: error 9");
  directory[kTest >> 22] = 0;
  // Global pages survive a CR3 load but not INVLPG.
  write_cr4(read_cr4() | kCr4Pge);
  set_legacy(kPteW | kPteU, kPteW | kPteU);
  table[0] |= kPteG;
  write_cr3(read_cr3());
  page_b[5] = 0x43;
  (void)*(volatile u8*)(kTest + 5);
  table[0] = (u32)page_b | kAll | kPteG;
  invlpg(kTest);
  check_eq(*(volatile u8*)(kTest + 5), 0x43, "32-bit: INVLPG drops a global page");
  write_cr4(read_cr4() & ~(uptr)kCr4Pge);
  write_cr0(read_cr0() & ~(uptr)kCr0Pg);
}

// ---- PAE
static void set_pae(u32 leaf, u32 upper) {
  pae_table[0] = (u32)page_a | kPteP | leaf;
  pae_directory[1][0] = (u32)pae_table | kPteP | upper;
}

static void test_pae(void) {
  for (u32 i = 0; i < 4; ++i) pdpt[i] = (u32)pae_directory[i] | kPteP;
  for (u32 i = 0; i < 8; ++i) pae_directory[0][i] = i << 21 | kAll | kPtePs;
  write_cr4((read_cr4() & ~(uptr)kCr4Pse) | kCr4Pae);
  write_cr3((uptr)pdpt);
  set_pae(kPteW | kPteU, kPteW | kPteU);
  write_cr0(read_cr0() | kCr0Pg | kCr0Wp);
  check_matrix("PAE", set_pae);
  page_a[5] = 0x42;
  check_eq(*(volatile u8*)(kTest + 5), 0x42, "PAE: 4 KiB page");
  pae_directory[1][0] = ((u32)page_a & 0xffe00000) | kAll | kPtePs;
  write_cr3(read_cr3());
  check_eq(*(volatile u8*)(kTest + ((u32)page_a & 0x1fffff) + 5), 0x42, "PAE: 2 MiB page");
  pae_directory[1][0] |= 1 << 13;
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kPF, kPfP | kPfRsvd, "PAE: 2 MiB PDE bit 13 reserved: error 9");
  set_pae(kPteW | kPteU, kPteW | kPteU);
  pae_table[0] |= 1ull << 62;
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kPF, kPfP | kPfRsvd, "PAE: PTE bit 62 reserved: error 9");
  set_pae(kPteW | kPteU, kPteW | kPteU);
  pae_table[0] |= kPteNx;
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kPF, kPfP | kPfRsvd, "PAE: XD with NXE=0 is reserved: error 9");
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) | kEferNxe);
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kNoTrap, 0, "PAE: XD with NXE=1 allows reads");
  page_a[0] = 0xc3;
  check_trap(CATCH(((void (*)(void))kTest)()), kPF, kPfP | kPfI,
             "PAE: XD with NXE=1 forbids fetches: error 11");
  pae_table[0] &= ~kPteNx;
  invlpg(kTest);
  check_trap(CATCH(((void (*)(void))kTest)()), kNoTrap, 0, "PAE: fetch without XD");
  // The PDPTEs are registers, loaded by MOV to CR3 (SDM 3A 4.4.1): a change in memory counts only then.
  set_pae(kPteW | kPteU, kPteW | kPteU);
  write_cr3(read_cr3());
  (void)*(volatile u8*)kTest;
  pdpt[1] = 0;
  invlpg(kTest);
  check_trap(probe(kRead, false, kTest), kNoTrap, 0, "PAE: a PDPTE changed in memory is not looked at");
  write_cr3(read_cr3());
  check_trap(probe(kRead, false, kTest), kPF, 0, "PAE: ...until CR3 is loaded");
  pdpt[1] = (u32)pae_directory[1] | kPteP | kPteW;
  check_trap(CATCH(write_cr3(read_cr3())), kGP, 0, "PAE: MOV to CR3 with a reserved PDPTE bit: #GP(0)");
  pdpt[1] = (u32)pae_directory[1] | kPteP;
  write_cr3(read_cr3());
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) & ~(u64)kEferNxe);
  write_cr0(read_cr0() & ~(uptr)kCr0Pg);
  write_cr4(read_cr4() & ~(uptr)kCr4Pae);
}

void test_main(void) {
  test_legacy();
  test_pae();
}
