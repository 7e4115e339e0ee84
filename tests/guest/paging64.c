// 4-level paging in 64-bit mode: the permission matrix, error codes, accessed and dirty bits, page sizes,
// reserved bits, TLB invalidation, global pages and PCIDs. SDM 3A chapter 4.
#include "runtime/guest.h"

// The page under test hangs off its own PML4 entry; the identity map is reached through entry 0, and once more,
// always user-accessible, through entry 1, so that entry 0 can become supervisor-only for SMEP and SMAP.
enum { kTestSlot = 2, kAliasSlot = 1 };
static const u64 kAlias = (u64)kAliasSlot << 39;
static const u64 kTest = ((u64)kTestSlot << 39) | (3ull << 30) | (5ull << 21) | (7ull << 12);

static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 pt[512] __attribute__((aligned(4096)));
static u8 page_a[4096] __attribute__((aligned(4096)));
static u8 page_b[4096] __attribute__((aligned(4096)));
static u8 user_stack[4096] __attribute__((aligned(16)));
static u64 pcid_pml4[512] __attribute__((aligned(4096)));
static u64 pcid_pdpt[512] __attribute__((aligned(4096)));
static u64 pcid_pd[512] __attribute__((aligned(4096)));
static u64 pcid_pt[512] __attribute__((aligned(4096)));

static u64* const pml4e = &boot_pml4[kTestSlot];
static u64* const pdpte = &pdpt[3];
static u64* const pde = &pd[5];
static u64* const pte = &pt[7];
enum { kAll = kPteP | kPteW | kPteU };

// Ring 3 probes; they only use their arguments, so they run at any alias.
void user_read(void);
void user_write(void);
void user_fetch(void);
asm("user_read: movb (%rdi), %al; int $0x80\n"
    "user_write: movb %sil, (%rdi); int $0x80\n"
    "user_fetch: jmp *%rdi\n");

enum { kCodeUser = 0, kCodeSupervisor = 16, kProbeOffset = 64 };
/// Puts code that a fetch probe can run into both pages: `int 0x80` for ring 3, `ret` for ring 0.
static void fill_pages(void) {
  u8* pages[] = {page_a, page_b};
  for (int i = 0; i < 2; ++i) {
    pages[i][kCodeUser] = 0xcd;
    pages[i][kCodeUser + 1] = 0x80;
    pages[i][kCodeSupervisor] = 0xc3;
    pages[i][kProbeOffset] = (u8)(0xa0 + i);
  }
}

static void map_test_page(u64 phys) {
  *pml4e = (u64)pdpt | kAll;
  *pdpte = (u64)pd | kAll;
  *pde = (u64)pt | kAll;
  *pte = phys | kAll;
  invlpg(kTest);
}

/// Supervisor code must not lie on user pages while SMEP is on.
static void set_identity_user(bool user) {
  boot_pml4[0] = (boot_pml4[0] & ~(u64)kPteU) | (user ? kPteU : 0);
  write_cr3(read_cr3());
}

enum access { kRead, kWrite, kFetch };
enum privilege { kSupervisor, kUser };

static int probe(enum access access, enum privilege privilege, u64 linear) {
  if (privilege == kUser) {
    uptr stack = (uptr)user_stack + sizeof user_stack + kAlias;
    void (*entry)(void) = access == kRead ? user_read : access == kWrite ? user_write : user_fetch;
    int vector =
        CATCH(enter_user((uptr)entry + kAlias, stack,
                         access == kFetch ? linear + kCodeUser : linear + kProbeOffset, 0x55, kUserCode64));
    return vector == kUserReturn ? kNoTrap : vector;
  }
  switch (access) {
    case kRead: return CATCH(*(volatile u8*)(linear + kProbeOffset));
    case kWrite: return CATCH(*(volatile u8*)(linear + kProbeOffset) = 0x55);
    default: return CATCH(((void (*)(void))(linear + kCodeSupervisor))());
  }
}

static bool have_smep, have_smap, have_pcid, have_invpcid, have_gib_pages, have_pge;
static unsigned phys_bits;

static void read_features(void) {
  struct cpuid seven = cpuid(7, 0), one = cpuid(1, 0), extended = cpuid(0x80000001, 0);
  have_smep = seven.b >> 7 & 1;
  have_smap = seven.b >> 20 & 1;
  have_invpcid = seven.b >> 10 & 1;
  have_pcid = one.c >> 17 & 1;
  have_pge = one.d >> 13 & 1;
  have_gib_pages = extended.d >> 26 & 1;
  phys_bits = cpuid(0x80000008, 0).a & 0xff;
}

// ---- The permission matrix (SDM 3A 4.6.1, 4.7)
struct context {
  bool wp, smep, smap, ac;
};

static bool allowed(struct context c, enum access access, enum privilege privilege, bool w, bool u, bool nx) {
  if (privilege == kUser) return u && (access != kWrite || w) && (access != kFetch || !nx);
  if (access == kFetch) return !nx && !(u && c.smep);
  if (u && c.smap && !c.ac) return false;
  return access != kWrite || w || !c.wp;
}

static void check_matrix(struct context c) {
  unsigned wrong = 0, tried = 0;
  write_cr0(c.wp ? read_cr0() | kCr0Wp : read_cr0() & ~(uptr)kCr0Wp);
  set_identity_user(!c.smep && !c.smap);
  write_cr4(read_cr4() | (c.smep ? kCr4Smep : 0) | (c.smap ? kCr4Smap : 0));
  write_cr3(read_cr3());
  for (unsigned bits = 0; bits < 64; ++bits) {
    bool leaf_w = bits & 1, leaf_u = bits & 2, leaf_nx = bits & 4, upper_w = bits & 8, upper_u = bits & 16,
         upper_nx = bits & 32;
    // The restriction is put at a different upper level each time round, so that each is seen to count.
    u64* upper = (u64*[]){pde, pdpte, pml4e}[bits % 3];
    map_test_page((u64)page_a);
    *pte = (u64)page_a | kPteP | (leaf_w ? kPteW : 0) | (leaf_u ? kPteU : 0) | (leaf_nx ? kPteNx : 0);
    *upper = (*upper & ~(u64)(kPteW | kPteU)) | (upper_w ? kPteW : 0) | (upper_u ? kPteU : 0) |
             (upper_nx ? kPteNx : 0);
    bool w = leaf_w && upper_w, u = leaf_u && upper_u, nx = leaf_nx || upper_nx;
    for (int kind = 0; kind < 6; ++kind) {
      enum access access = kind % 3;
      enum privilege privilege = kind / 3;
      write_cr3(read_cr3());
      if (c.ac) write_flags(read_flags() | kEflagsAc);
      int got = probe(access, privilege, kTest);
      write_flags(read_flags() & ~(uptr)kEflagsAc);
      int want = allowed(c, access, privilege, w, u, nx) ? kNoTrap : kPF;
      uptr error = kPfP | (access == kWrite ? kPfW : 0) | (privilege == kUser ? kPfU : 0) |
                   (access == kFetch ? kPfI : 0);
      ++tried;
      if (got == want && (want == kNoTrap || last_trap.error == error)) continue;
      if (++wrong > 5) continue;
      note("  w=%d u=%d nx=%d access %d by %s: vector %d error 0x%lx, expected %d 0x%lx", w, u, nx, access,
           privilege == kUser ? "user" : "supervisor", got, (unsigned long)last_trap.error, want,
           (unsigned long)error);
    }
  }
  write_cr4(read_cr4() & ~(uptr)(kCr4Smep | kCr4Smap));
  set_identity_user(true);
  write_cr0(read_cr0() | kCr0Wp);
  check(wrong == 0, "permission matrix WP=%d SMEP=%d SMAP=%d AC=%d: %u accesses", c.wp, c.smep, c.smap, c.ac,
        tried);
}

static void test_permissions(void) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    struct context c = {bits & 1, bits & 2, bits & 4, bits & 8};
    if ((c.smep && !have_smep) || (c.smap && !have_smap)) {
      skip("permission matrix: no SMEP or SMAP");
      continue;
    }
    check_matrix(c);
  }
}

// SDM 3A 4.7: bit 4 of the error code is only reported with NXE or SMEP; implicit supervisor accesses ignore AC.
static void test_special_permissions(void) {
  map_test_page((u64)page_a);
  *pte = 0;
  write_cr3(read_cr3());
  check_trap(probe(kFetch, kSupervisor, kTest), kPF, kPfI, "fetch from a page not present, NXE=1: error 10");
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) & ~(u64)kEferNxe);
  check_trap(probe(kFetch, kSupervisor, kTest), kPF, 0,
             "fetch from a page not present, NXE=0, SMEP=0: error 0");
  if (have_smep) {
    set_identity_user(false);
    write_cr4(read_cr4() | kCr4Smep);
    check_trap(probe(kFetch, kSupervisor, kTest), kPF, kPfI,
               "fetch from a page not present, NXE=0, SMEP=1: error 10");
    write_cr4(read_cr4() & ~(uptr)kCr4Smep);
    set_identity_user(true);
  }
  map_test_page((u64)page_a);
  *pte |= kPteNx;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd,
             "XD set with NXE=0 is a reserved bit: error 9");
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) | kEferNxe);
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kNoTrap, 0, "XD set with NXE=1 does not stop reads");

  if (!have_smap) return skip("STAC, CLAC and implicit accesses: no SMAP");
  map_test_page((u64)page_a);
  set_identity_user(false);
  write_cr4(read_cr4() | kCr4Smap);
  asm volatile("stac");
  check_trap(probe(kRead, kSupervisor, kTest), kNoTrap, 0, "STAC allows a supervisor read of a user page");
  asm volatile("clac");
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP, "CLAC forbids it again");
  check_trap(probe(kWrite, kSupervisor, kTest), kPF, kPfP | kPfW, "SMAP fault on a write: error 3");
  // SDM 3A 4.6.1: a descriptor load is an implicit supervisor access; EFLAGS.AC does not matter.
  static u64 ldt[1];
  ldt[0] = *gdt_slot(kKernelData);
  u64 base = kAlias + (u64)ldt;
  gdt_slot(kSpare)[0] =
      (sizeof ldt - 1) | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56;
  gdt_slot(kSpare)[1] = base >> 32;
  asm volatile("lldt %0" : : "r"((u16)kSpare));
  int got = CATCH(asm volatile("stac; mov %0, %%es" : : "r"((u16)4)));
  asm volatile("clac; lldt %0" : : "r"((u16)0));
  check_trap(got, kPF, kPfP, "descriptor load from a user page under SMAP faults in spite of AC");
  write_cr4(read_cr4() & ~(uptr)kCr4Smap);
  set_identity_user(true);
}

// ---- Error codes, CR2, reserved bits
static void test_not_present(void) {
  u64* levels[] = {pml4e, pdpte, pde, pte};
  const char* names[] = {"PML4E", "PDPTE", "PDE", "PTE"};
  for (int i = 0; i < 4; ++i) {
    map_test_page((u64)page_a);
    *levels[i] = 0x7ffffffffffff000ull & ~(u64)kPteP;  // P=0: every other bit is ignored
    write_cr3(read_cr3());
    check_trap(probe(kRead, kSupervisor, kTest), kPF, 0, "%s not present, supervisor read", names[i]);
    check_eq(last_trap.cr2, kTest + kProbeOffset, "%s not present: CR2", names[i]);
    check_trap(probe(kWrite, kUser, kTest), kPF, kPfW | kPfU, "%s not present, user write", names[i]);
  }
  map_test_page((u64)page_a);
}

static void test_reserved_bits(void) {
  if (phys_bits < 52) {
    u64* levels[] = {pml4e, pdpte, pde, pte};
    const char* names[] = {"PML4E", "PDPTE", "PDE", "PTE"};
    for (int i = 0; i < 4; ++i) {
      map_test_page((u64)page_a);
      *levels[i] |= 1ull << 51;
      write_cr3(read_cr3());
      check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd, "%s bit 51 reserved: error 9",
                 names[i]);
      check_trap(probe(kWrite, kUser, kTest), kPF, kPfP | kPfRsvd | kPfW | kPfU,
                 "%s bit 51, user write: error f", names[i]);
    }
  } else {
    skip("physical-address bits above MAXPHYADDR: there are none");
  }
  map_test_page((u64)page_a);
  *pml4e |= kPtePs;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd, "PML4E.PS reserved: error 9");
  map_test_page((u64)page_a);
  *pde = kAll | kPtePs | 1 << 13;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd, "2 MiB PDE bit 13 reserved: error 9");
  *pde = kAll | kPtePs | 1 << 20;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd, "2 MiB PDE bit 20 reserved: error 9");
  map_test_page((u64)page_a);
  *pdpte = kAll | kPtePs | (have_gib_pages ? 1 << 13 : 0);
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd,
             "1 GiB PDPTE bit 13 (or PS) reserved: error 9");
  *pdpte = kAll | kPtePs | 1 << 29;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, kPfP | kPfRsvd,
             "1 GiB PDPTE bit 29 (or PS) reserved: error 9");
  // SDM 3A 4.7: a read-only page whose entry has a reserved bit still reports RSVD.
  map_test_page((u64)page_a);
  *pte = (*pte & ~(u64)kPteW) | (phys_bits < 52 ? 1ull << 51 : 0);
  write_cr3(read_cr3());
  if (phys_bits < 52)
    check_trap(probe(kWrite, kSupervisor, kTest), kPF, kPfP | kPfW | kPfRsvd,
               "reserved bit before permission");
  // A reserved bit below an entry that is not present is never looked at.
  map_test_page((u64)page_a);
  *pte |= 1ull << 51;
  *pde = 0;
  write_cr3(read_cr3());
  check_trap(probe(kRead, kSupervisor, kTest), kPF, 0, "not present above a reserved bit: error 0");
  map_test_page((u64)page_a);
}

static void test_crossing(void) {
  map_test_page((u64)page_a);
  pt[8] = (u64)page_b | kAll;
  invlpg(kTest + 4096);
  u64 edge = kTest + 4096 - 4;
  *(volatile u64*)edge = 0x1122334455667788ull;
  check_eq(*(volatile u32*)(page_a + 4092), 0x55667788, "page-crossing write: first half");
  check_eq(*(volatile u32*)page_b, 0x11223344, "page-crossing write: second half");
  check_eq(*(volatile u64*)edge, 0x1122334455667788ull, "page-crossing read");
  pt[8] = 0;
  invlpg(kTest + 4096);
  check_trap(CATCH(*(volatile u64*)edge), kPF, 0, "crossing read, second page not present");
  check_eq(last_trap.cr2, kTest + 4096, "crossing read: CR2 is the second page");
  check_trap(CATCH(*(volatile u64*)edge = 0), kPF, kPfW, "crossing write, second page not present");
  check_eq(last_trap.cr2, kTest + 4096, "crossing write: CR2 is the second page");
  check_eq(*(volatile u32*)(page_a + 4092), 0x55667788, "crossing write that faults has written nothing");
  pt[8] = (u64)page_b | kPteP | kPteU;
  invlpg(kTest + 4096);
  check_trap(CATCH(asm volatile("lock addq $1, (%0)"
                                :
                                : "r"(edge)
                                : "memory")),
             kPF, kPfP | kPfW, "locked crossing add, second page read-only");
  check_eq(*(volatile u32*)(page_a + 4092), 0x55667788,
           "locked crossing add that faults has written nothing");
  pt[8] = (u64)page_b | kAll;
  pt[7] = 0;
  invlpg(kTest);
  invlpg(kTest + 4096);
  check_trap(CATCH(*(volatile u64*)edge), kPF, 0, "crossing read, first page not present");
  check_eq(last_trap.cr2, edge, "crossing read: CR2 is the access itself");
  // An instruction whose bytes cross into a page that is not present: mov eax, imm32 at the last two bytes.
  map_test_page((u64)page_a);
  page_a[4094] = 0xb8;
  pt[8] = 0;
  invlpg(kTest + 4096);
  check_trap(CATCH(((void (*)(void))(kTest + 4094))()), kPF, kPfI,
             "instruction crossing into a missing page");
  check_eq(last_trap.cr2, kTest + 4096, "instruction crossing: CR2 is the second page");
  check_eq(last_trap.frame.ip, kTest + 4094, "instruction crossing: rip is the instruction");
  memcpy(page_b, "\x11\x22\x33\xc3", 4);  // ...with its operand and a ret on the second page
  page_a[4095] = 0x44;
  pt[8] = (u64)page_b | kAll;
  invlpg(kTest + 4096);
  u32 value;
  asm volatile("call *%1" : "=a"(value) : "r"(kTest + 4094));
  check_eq(value, 0x33221144, "instruction crossing two pages runs");
  pt[8] = 0;
  fill_pages();
}

// ---- Accessed and dirty bits (SDM 3A 4.8)
static void clear_accessed(void) {
  u64* levels[] = {pml4e, pdpte, pde, pte};
  for (int i = 0; i < 4; ++i) *levels[i] &= ~(u64)(kPteA | kPteD);
  write_cr3(read_cr3());
}

static void test_accessed_dirty(void) {
  map_test_page((u64)page_a);
  clear_accessed();
  probe(kRead, kSupervisor, kTest);
  check(*pml4e & *pdpte & *pde & *pte & kPteA, "read sets A at all four levels");
  check(!(*pte & kPteD), "read does not set D");
  probe(kWrite, kSupervisor, kTest);
  check(*pte & kPteD, "write after a read sets D");
  check(!(*pde & kPteD), "D is not set above the leaf");
  clear_accessed();
  probe(kFetch, kSupervisor, kTest);
  check((*pte & (kPteA | kPteD)) == kPteA, "fetch sets A only");
  clear_accessed();
  probe(kWrite, kUser, kTest);
  check((*pte & (kPteA | kPteD)) == (kPteA | kPteD), "user write sets A and D");
  clear_accessed();
  *pte &= ~(u64)kPteW;
  write_cr3(read_cr3());
  check_trap(probe(kWrite, kSupervisor, kTest), kPF, kPfP | kPfW, "write to a read-only page");
  check(!(*pte & kPteD), "a write that faults does not set D");
  // A compare-exchange that fails still writes (SDM 2A CMPXCHG), so it sets D.
  map_test_page((u64)page_a);
  clear_accessed();
  u64 expected = ~*(u64*)page_a;
  asm volatile("lock cmpxchgq %1, (%2)" : "+a"(expected) : "r"(0ull), "r"(kTest) : "memory", "cc");
  check(*pte & kPteD, "a failing CMPXCHG sets D");
  clear_accessed();
  *pte &= ~(u64)kPteW;
  write_cr3(read_cr3());
  expected = ~*(u64*)page_a;
  check_trap(CATCH(asm volatile("lock cmpxchgq %1, (%2)"
                                : "+a"(expected)
                                : "r"(0ull), "r"(kTest)
                                : "memory", "cc")),
             kPF, kPfP | kPfW, "a failing CMPXCHG on a read-only page faults");
  map_test_page((u64)page_a);
}

// ---- Large pages
static void test_large_pages(void) {
  map_test_page((u64)page_a);
  u64 offset_2m = (u64)page_a & 0x1fffff, offset_1g = (u64)page_a & 0x3fffffff;
  u64 base_2m = kTest & ~0x1fffffull, base_1g = kTest & ~0x3fffffffull;
  *pde = ((u64)page_a & ~0x1fffffull) | kAll | kPtePs;
  write_cr3(read_cr3());
  check_eq(*(volatile u8*)(base_2m + offset_2m + kProbeOffset), page_a[kProbeOffset], "2 MiB page");
  *(volatile u8*)(base_2m + offset_2m + kProbeOffset) = 0x77;
  check_eq(page_a[kProbeOffset], 0x77, "2 MiB page: write");
  check((*pde & (kPteA | kPteD)) == (kPteA | kPteD), "2 MiB page: A and D in the PDE");
  *pde &= ~(u64)kPteW;
  invlpg(base_2m);
  check_trap(CATCH(*(volatile u8*)(base_2m + offset_2m) = 1), kPF, kPfP | kPfW,
             "2 MiB page read-only; INVLPG of its start");
  if (!have_gib_pages) return skip("1 GiB pages");
  *pdpte = ((u64)page_a & ~0x3fffffffull) | kAll | kPtePs;
  write_cr3(read_cr3());
  check_eq(*(volatile u8*)(base_1g + offset_1g + kProbeOffset), page_a[kProbeOffset], "1 GiB page");
  *(volatile u8*)(base_1g + offset_1g + kProbeOffset) = 0x78;
  check_eq(page_a[kProbeOffset], 0x78, "1 GiB page: write");
  check((*pdpte & (kPteA | kPteD)) == (kPteA | kPteD), "1 GiB page: A and D in the PDPTE");
  *pdpte &= ~(u64)kPteP;
  invlpg(base_1g + 0x12345000);
  check_trap(CATCH(*(volatile u8*)(base_1g + offset_1g)), kPF, 0,
             "1 GiB page gone; INVLPG of any address in it");
  map_test_page((u64)page_a);
  fill_pages();
}

// ---- Invalidation: what must be seen after it (SDM 3A 4.10.4)
static u8 read_test(void) { return *(volatile u8*)(kTest + kProbeOffset); }

static void point_at(u64 phys, u64 extra) { *pte = phys | kAll | extra; }

static void test_invalidation(void) {
  fill_pages();
  map_test_page((u64)page_a);
  check_eq(read_test(), 0xa0, "mapped to page A");
  point_at((u64)page_b, 0);
  invlpg(kTest + 123);
  check_eq(read_test(), 0xa1, "INVLPG: page B is seen");
  point_at((u64)page_a, 0);
  write_cr3(read_cr3());
  check_eq(read_test(), 0xa0, "MOV to CR3: page A is seen");
  // Code too: the same linear address fetches from the new page.
  page_a[kCodeSupervisor] = 0xb0;
  page_a[kCodeSupervisor + 1] = 1;
  page_a[kCodeSupervisor + 2] = 0xc3;
  page_b[kCodeSupervisor] = 0xb0;
  page_b[kCodeSupervisor + 1] = 2;
  page_b[kCodeSupervisor + 2] = 0xc3;
  u8 value;
  asm volatile("call *%1" : "=a"(value) : "r"(kTest + kCodeSupervisor));
  check_eq(value, 1, "code on page A");
  point_at((u64)page_b, 0);
  invlpg(kTest);
  asm volatile("call *%1" : "=a"(value) : "r"(kTest + kCodeSupervisor));
  check_eq(value, 2, "INVLPG: code on page B");
  fill_pages();
  // Not present to present needs no invalidation (SDM 3A 4.10.4.3).
  *pte = 0;
  invlpg(kTest);
  check_trap(CATCH(read_test()), kPF, 0, "unmapped");
  point_at((u64)page_a, 0);
  check_trap(CATCH(read_test()), kNoTrap, 0, "not present to present needs no INVLPG");
  // A fault invalidates what caused it: read-only to writable needs none either, once the fault was taken.
  *pte = (u64)page_a | kPteP;
  invlpg(kTest);
  check_trap(CATCH(*(volatile u8*)(kTest + kProbeOffset) = 0xa0), kPF, kPfP | kPfW, "read-only");
  point_at((u64)page_a, 0);
  check_trap(CATCH(*(volatile u8*)(kTest + kProbeOffset) = 0xa0), kNoTrap, 0, "writable after the fault");
  // The upper levels are cached as well.
  static u64 other_pt[512] __attribute__((aligned(4096)));
  other_pt[7] = (u64)page_b | kAll;
  read_test();
  *pde = (u64)other_pt | kAll;
  invlpg(kTest);
  check_eq(read_test(), 0xa1, "INVLPG drops paging-structure caches");
  map_test_page((u64)page_a);

  if (have_pge) {
    write_cr4(read_cr4() | kCr4Pge);
    point_at((u64)page_a, kPteG);
    invlpg(kTest);
    read_test();
    point_at((u64)page_b, kPteG);
    invlpg(kTest);
    check_eq(read_test(), 0xa1, "INVLPG drops a global page");
    point_at((u64)page_a, kPteG);
    write_cr4(read_cr4() & ~(uptr)kCr4Pge);
    check_eq(read_test(), 0xa0, "clearing CR4.PGE drops global pages");
    point_at((u64)page_b, 0);
    write_cr4(read_cr4() | kCr4Pge);
    check_eq(read_test(), 0xa1, "setting CR4.PGE drops everything");
    write_cr4(read_cr4() & ~(uptr)kCr4Pge);
  }
  // CR0.WP takes effect at once.
  *pte = (u64)page_a | kPteP;
  write_cr3(read_cr3());
  write_cr0(read_cr0() & ~(uptr)kCr0Wp);
  check_trap(CATCH(*(volatile u8*)(kTest + kProbeOffset) = 0xa0), kNoTrap, 0,
             "CR0.WP=0: write to a read-only page");
  write_cr0(read_cr0() | kCr0Wp);
  check_trap(CATCH(*(volatile u8*)(kTest + kProbeOffset) = 0xa0), kPF, kPfP | kPfW, "CR0.WP=1: faults again");
  map_test_page((u64)page_a);
}

// ---- Two mappings of one page
static void test_aliases(void) {
  map_test_page((u64)page_a);
  pt[8] = (u64)page_a | kAll;
  invlpg(kTest + 4096);
  *(volatile u8*)(kTest + 100) = 0x31;
  check_eq(*(volatile u8*)(kTest + 4096 + 100), 0x31, "alias: write through one, read through the other");
  *(volatile u16*)(kTest + 4095) = 0x4241;  // crosses from the page into itself
  check_eq(page_a[4095], 0x41, "alias: crossing write, last byte");
  check_eq(page_a[0], 0x42, "alias: crossing write, first byte");
  pt[8] = 0;
  invlpg(kTest + 4096);
  fill_pages();
}

// ---- PCID and INVPCID (SDM 3A 4.10.1, 2A INVPCID)
static int invpcid(u64 type, u64 pcid, u64 linear) {
  struct {
    u64 pcid, linear;
  } descriptor = {pcid, linear};
  return CATCH(asm volatile("invpcid %1, %0" : : "r"(type), "m"(descriptor) : "memory"));
}

static void test_pcid(void) {
  if (!have_pcid) return skip("PCID");
  fill_pages();
  map_test_page((u64)page_a);
  u64 plain = (u64)boot_pml4;
  write_cr3(plain | 1 << 3);
  check_trap(CATCH(write_cr4(read_cr4() | kCr4Pcide)), kGP, 0, "CR4.PCIDE with CR3[11:0] not zero: #GP");
  write_cr3(plain);
  check_trap(CATCH(write_cr3(plain | 1ull << 63)), kGP, 0, "CR3 bit 63 without PCIDE: #GP");
  write_cr4(read_cr4() | kCr4Pcide);

  // The second address space is the same but for the page under test.
  memcpy(pcid_pml4, boot_pml4, sizeof pcid_pml4);
  memcpy(pcid_pdpt, pdpt, sizeof pcid_pdpt);
  memcpy(pcid_pd, pd, sizeof pcid_pd);
  pcid_pml4[kTestSlot] = (u64)pcid_pdpt | kAll;
  pcid_pdpt[3] = (u64)pcid_pd | kAll;
  pcid_pd[5] = (u64)pcid_pt | kAll;
  pcid_pt[7] = (u64)page_b | kAll;
  u64 one = plain | 1, two = (u64)pcid_pml4 | 2, keep = 1ull << 63;

  write_cr3(one);
  check_eq(read_test(), 0xa0, "PCID 1 sees page A");
  write_cr3(two);
  check_eq(read_test(), 0xa1, "PCID 2 sees page B");
  write_cr3(one | keep);
  check_eq(read_test(), 0xa0, "back in PCID 1 without flush: page A");
  check_eq(read_cr3(), one, "CR3 bit 63 is not stored");
  write_cr3(two | keep);
  check_eq(read_test(), 0xa1, "back in PCID 2 without flush: page B");
  // Changing PCID 1's page from PCID 2 and then loading CR3 with a flush must show.
  *pte = (u64)page_b | kAll;
  write_cr3(one);
  check_eq(read_test(), 0xa1, "MOV to CR3 with flush drops the PCID's old entries");
  *pte = (u64)page_a | kAll;
  write_cr3(one);
  read_test();

  if (have_invpcid) {
    write_cr3(two | keep);
    read_test();
    *pte = (u64)page_b | kAll;
    check_trap(invpcid(0, 1, kTest), kNoTrap, 0, "INVPCID type 0");
    write_cr3(one | keep);
    check_eq(read_test(), 0xa1, "INVPCID type 0 drops one address of another PCID");
    write_cr3(two | keep);
    *pte = (u64)page_a | kAll;
    invpcid(1, 1, 0);
    write_cr3(one | keep);
    check_eq(read_test(), 0xa0, "INVPCID type 1 drops one PCID");
    write_cr3(two | keep);
    *pte = (u64)page_b | kAll;
    invpcid(3, 0, 0);
    write_cr3(one | keep);
    check_eq(read_test(), 0xa1, "INVPCID type 3 drops all PCIDs");
    *pte = (u64)page_a | kAll | kPteG;
    write_cr4(read_cr4() | kCr4Pge);
    read_test();
    *pte = (u64)page_b | kAll | kPteG;
    invpcid(2, 0, 0);
    check_eq(read_test(), 0xa1, "INVPCID type 2 drops global pages");
    write_cr4(read_cr4() & ~(uptr)kCr4Pge);
    check_trap(invpcid(4, 0, 0), kGP, 0, "INVPCID type 4: #GP");
    check_trap(invpcid(0, 1ull << 12, 0), kGP, 0, "INVPCID descriptor bit 12: #GP");
    check_trap(invpcid(0, 1, 1ull << 47), kGP, 0, "INVPCID type 0 of a non-canonical address: #GP");
    check_trap(invpcid(1, 1, 1ull << 47), kNoTrap, 0, "INVPCID type 1 ignores the address");
  } else {
    skip("INVPCID");
  }
  // INVLPG drops global entries and the current PCID's.
  *pte = (u64)page_a | kAll;
  write_cr3(one);
  read_test();
  *pte = (u64)page_b | kAll;
  invlpg(kTest);
  check_eq(read_test(), 0xa1, "INVLPG under a PCID");

  check_trap(CATCH(write_cr0(read_cr0() & ~(uptr)kCr0Pg)), kGP, 0, "clearing CR0.PG with PCIDE=1: #GP");
  write_cr3(plain);
  write_cr4(read_cr4() & ~(uptr)kCr4Pcide);
  map_test_page((u64)page_a);
}

void test_main(void) {
  read_features();
  boot_pml4[kAliasSlot] = (u64)boot_pdpt | kAll;
  fill_pages();
  map_test_page((u64)page_a);
  test_permissions();
  test_special_permissions();
  test_not_present();
  test_reserved_bits();
  test_crossing();
  test_accessed_dirty();
  test_large_pages();
  test_invalidation();
  test_aliases();
  test_pcid();
}
