// Runtime of the freestanding test images: checks, traps, page tables, ports. Shared by the 32- and 64-bit images.
// An image defines test_main(); every check prints one PASS or FAIL line on COM1, and the image ends by writing
// kExitPass or kExitFail to the debug-exit port.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uintptr_t uptr;

// ---- Selectors, in the order that SYSCALL, SYSRET, SYSENTER and SYSEXIT want (SDM 2B, 3A 5.8.7).
enum {
  kKernelCode = 0x08,  // of the image's own width
  kKernelData = 0x10,
  kUserCode32 = 0x18 | 3,
  kUserData = 0x20 | 3,
  kUserCode64 = 0x28 | 3,
  kUserData64 = 0x30 | 3,
  kKernelCode32 = 0x38,
  kTss = 0x40,    // two slots in 64-bit images
  kSpare = 0x50,  // first of the slots that tests may fill
  kSpareSlots = 16,
};
extern u64 gdt[];
static inline u64* gdt_slot(u16 selector) { return &gdt[selector >> 3]; }

// ---- Exceptions
enum {
  kDE = 0,
  kDB = 1,
  kNMI = 2,
  kBP = 3,
  kOF = 4,
  kBR = 5,
  kUD = 6,
  kNM = 7,
  kDF = 8,
  kTS = 10,
  kNP = 11,
  kSS = 12,
  kGP = 13,
  kPF = 14,
  kMF = 16,
  kAC = 17,
  kXM = 19,
  kUserReturn = 0x80,  // `int 0x80`: ring 3 code is done
  kNoTrap = -1,
};

struct trap_frame {
#ifdef __x86_64__
  u64 r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
#else
  u32 gs, fs, es, ds, di, si, bp, pushed_sp, bx, dx, cx, ax;
#endif
  uptr vector, error, ip, cs, flags, sp, ss;  // 32-bit: sp and ss only if the privilege level changed
};

/// The last trap that reached a CATCH.
struct trap {
  int vector;
  uptr error, cr2;
  uptr stack;  // where its frame began
  struct trap_frame frame;
};
extern volatile struct trap last_trap;

/// Runs `statement`; gives the vector of the exception or interrupt that ended it, or kNoTrap.
/// A trap abandons the statement for good: control comes back here at CPL 0.
#define CATCH(...)                             \
  ({                                           \
    last_trap.vector = kNoTrap;                \
    if (__builtin_setjmp(trap_recover) == 0) { \
      trap_arm();                              \
      __VA_ARGS__;                             \
    }                                          \
    trap_armed = false;                        \
    last_trap.vector;                          \
  })
extern void* trap_recover[5];
extern volatile bool trap_armed;
/// A call that the compiler cannot see through: to it, this is what may jump back.
void trap_arm(void);

/// A handler that returns resumes the interrupted code with the registers of `frame`.
typedef void (*trap_handler)(struct trap_frame* frame);
void on_trap(int vector, trap_handler handler);
/// Makes the gate of `vector` use interrupt stack `ist` (64-bit images; 0 is none).
void set_gate_ist(int vector, int ist);
void set_gate_dpl(int vector, int dpl);
/// A gate to `entry` instead of the common stub.
void set_gate(int vector, void* entry, u16 selector, int type, int dpl);

#ifdef __x86_64__
struct tss {
  u32 reserved0;
  u64 rsp[3];
  u64 reserved1;
  u64 ist[7];
  u64 reserved2;
  u16 reserved3, iomap_base;
  u8 iomap[8193];
} __attribute__((packed));
#else
struct tss {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, iomap_base;
} __attribute__((packed));
#endif
extern struct tss tss;

/// Enters ring 3 at `entry` with the two arguments in rdi and rsi (64-bit) or eax and edx (32-bit);
/// never returns but by a trap. `code` is kUserCode64 or kUserCode32.
void enter_user(uptr entry, uptr stack, uptr argument0, uptr argument1, u16 code) __attribute__((noreturn));

// ---- Checks
void check(bool ok, const char* name, ...) __attribute__((format(printf, 2, 3)));
void check_eq(u64 got, u64 want, const char* name, ...) __attribute__((format(printf, 3, 4)));
/// The trap that a CATCH gave: vector and, where `error` is not kAnyError, its error code.
void check_trap(int got, int want, uptr error, const char* name, ...) __attribute__((format(printf, 4, 5)));
void skip(const char* name, ...) __attribute__((format(printf, 1, 2)));
/// A line that is neither PASS nor FAIL.
void note(const char* text, ...) __attribute__((format(printf, 1, 2)));
#define kAnyError ((uptr)-2)

void finish(void) __attribute__((noreturn));
void test_main(void);

// ---- Ports, registers, MSRs
static inline void outb(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
  u8 v;
  asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}
static inline u16 inw(u16 port) {
  u16 v;
  asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}
static inline u32 inl(u16 port) {
  u32 v;
  asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}

static inline u64 rdmsr(u32 index) {
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (u64)high << 32 | low;
}
static inline void wrmsr(u32 index, u64 value) {
  asm volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
static inline u64 rdtsc(void) {
  u32 low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return (u64)high << 32 | low;
}
struct cpuid {
  u32 a, b, c, d;
};
static inline struct cpuid cpuid(u32 leaf, u32 subleaf) {
  struct cpuid r;
  asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
  return r;
}

#define DEFINE_CR(n)                                           \
  static inline uptr read_cr##n(void) {                        \
    uptr v;                                                    \
    asm volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory"); \
    return v;                                                  \
  }                                                            \
  static inline void write_cr##n(uptr v) { asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); }
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
static inline void invlpg(uptr linear) { asm volatile("invlpg (%0)" : : "r"(linear) : "memory"); }
static inline uptr read_flags(void) {
  uptr v;
  asm volatile("pushf; pop %0" : "=r"(v) : : "memory");
  return v;
}
static inline void write_flags(uptr v) { asm volatile("push %0; popf" : : "r"(v) : "memory", "cc"); }
static inline void cli(void) { asm volatile("cli" : : : "memory"); }
static inline void sti(void) { asm volatile("sti" : : : "memory"); }

enum {
  kCr0Pe = 1u << 0,
  kCr0Mp = 1u << 1,
  kCr0Em = 1u << 2,
  kCr0Ts = 1u << 3,
  kCr0Ne = 1u << 5,
  kCr0Wp = 1u << 16,
  kCr0Am = 1u << 18,
  kCr0Nw = 1u << 29,
  kCr0Cd = 1u << 30,
  kCr0Pg = 1u << 31,
  kCr4Tsd = 1u << 2,
  kCr4De = 1u << 3,
  kCr4Pse = 1u << 4,
  kCr4Pae = 1u << 5,
  kCr4Pge = 1u << 7,
  kCr4Osfxsr = 1u << 9,
  kCr4Osxmmexcpt = 1u << 10,
  kCr4Umip = 1u << 11,
  kCr4Fsgsbase = 1u << 16,
  kCr4Pcide = 1u << 17,
  kCr4Osxsave = 1u << 18,
  kCr4Smep = 1u << 20,
  kCr4Smap = 1u << 21,
  kEflagsCf = 1u << 0,
  kEflagsZf = 1u << 6,
  kEflagsTf = 1u << 8,
  kEflagsIf = 1u << 9,
  kEflagsDf = 1u << 10,
  kEflagsIopl = 3u << 12,
  kEflagsNt = 1u << 14,
  kEflagsRf = 1u << 16,
  kEflagsAc = 1u << 18,
  kEflagsId = 1u << 21,
};
enum {
  kMsrTsc = 0x10,
  kMsrApicBase = 0x1b,
  kMsrSysenterCs = 0x174,
  kMsrSysenterEsp = 0x175,
  kMsrSysenterEip = 0x176,
  kMsrMiscEnable = 0x1a0,
  kMsrTscDeadline = 0x6e0,
  kMsrEfer = 0xc0000080,
  kMsrStar = 0xc0000081,
  kMsrLstar = 0xc0000082,
  kMsrCstar = 0xc0000083,
  kMsrFmask = 0xc0000084,
  kMsrFsBase = 0xc0000100,
  kMsrGsBase = 0xc0000101,
  kMsrKernelGsBase = 0xc0000102,
  kMsrTscAux = 0xc0000103,
  kEferSce = 1 << 0,
  kEferLme = 1 << 8,
  kEferLma = 1 << 10,
  kEferNxe = 1 << 11,
};

// ---- Paging: the identity map of the low 4 GiB that start32.asm and start64.asm make, all pages writable and user.
enum {
  kPteP = 1 << 0,
  kPteW = 1 << 1,
  kPteU = 1 << 2,
  kPtePwt = 1 << 3,
  kPtePcd = 1 << 4,
  kPteA = 1 << 5,
  kPteD = 1 << 6,
  kPtePs = 1 << 7,
  kPteG = 1 << 8,
};
#define kPteNx (1ull << 63)
enum { kPfP = 1, kPfW = 2, kPfU = 4, kPfRsvd = 8, kPfI = 16 };
#ifdef __x86_64__
extern u64 boot_pml4[512], boot_pdpt[512], boot_pd[4][512];
#endif

// ---- The C library that the compiler expects
void* memset(void* to, int value, size_t count);
void* memcpy(void* to, const void* from, size_t count);
int memcmp(const void* a, const void* b, size_t count);
