// System management mode for the test images: makes an SMI enter a handler of the image's own, whatever
// firmware did before. The handler notes how it found the processor (struct smm_info), runs an action and
// returns by RSM.
#pragma once

#include "guest.h"

enum {
  kSmmBase = 0x60000,  // SMBASE from smm_setup() on
  kSmmEntry = 0x8000,  // offsets from SMBASE
  kSmmAction = 0x8200,
  kSmmInfo = 0x9000,
  kApmControl = 0xb2,
  kApmStatus = 0xb3,
  kSmramRegister = 0x72,
  kHandlerCommand = 0x55,
};

/// smm.asm knows the offsets.
struct smm_info {
  u32 count;  // of SMIs
  u16 cs, ss, ds, es, fs, gs;
  u32 esp, eip_high, flags, cr0, cr4, dr6, dr7, efer;
  u32 probe_address, probe;  // a doubleword that is read through DS
  struct {
    u16 limit;
    u32 base;
  } __attribute__((packed)) gdtr;
  u16 unused;
  u32 scratch[8];  // at 9040h: the actions'
};
#define SCRATCH(n) "cs:[0x9040 + 4 * " #n "]"

/// Enables SMIs by writes to the APM control port and moves SMBASE to kSmmBase.
void smm_setup(void);
/// Whether firmware had set SMM up before.
extern bool smm_by_firmware;
/// Where SMBASE was before.
extern u32 smm_first_base;
/// Puts the handler, with an action that does nothing, behind `base`.
void smm_install(u32 base);
/// The action of the next SMIs at SMBASE = `base`: 16-bit code in Intel syntax.
struct smm_code {
  const u8 *begin, *end;
};
void smm_set_action(u32 base, struct smm_code code);
#ifdef __x86_64__
#define SMM_BACK ".code64"
#else
#define SMM_BACK ".code32"
#endif
#define SMM_ACTION_AT(base, text)                                                                    \
  do {                                                                                               \
    struct smm_code s_;                                                                              \
    asm(".pushsection .rodata\n8800: .code16\n.intel_syntax noprefix\n" text                         \
        "\nrsm\n.att_syntax prefix\n" SMM_BACK "\n8801: .popsection\nmov $8800b, %0\nmov $8801b, %1" \
        : "=r"(s_.begin), "=r"(s_.end));                                                             \
    smm_set_action(base, s_);                                                                        \
  } while (0)
#define SMM_ACTION(text) SMM_ACTION_AT(kSmmBase, text)
#define SMM_NOTHING() SMM_ACTION("nop")

static inline volatile struct smm_info* smm_info_at(u32 base) {
  return (volatile struct smm_info*)(uptr)(base + kSmmInfo);
}
static inline volatile struct smm_info* smm_info(void) { return smm_info_at(kSmmBase); }
/// How often the handler at kSmmBase ran since last asked.
u32 smm_count(void);
#define SAVED16(offset) (*(volatile u16*)(uptr)(kSmmBase + (offset)))
#define SAVED32(offset) (*(volatile u32*)(uptr)(kSmmBase + (offset)))
#define SAVED64(offset) (*(volatile u64*)(uptr)(kSmmBase + (offset)))
#define SAVED8(offset) (*(volatile u8*)(uptr)(kSmmBase + (offset)))

/// The state save area. APM 2 table 10-1
enum {
  kSavedEs = 0xfe00,
  kSavedCs = 0xfe10,
  kSavedSs = 0xfe20,
  kSavedDs = 0xfe30,
  kSavedFs = 0xfe40,
  kSavedGs = 0xfe50,
  kSavedGdtr = 0xfe60,
  kSavedLdtr = 0xfe70,
  kSavedIdtr = 0xfe80,
  kSavedTr = 0xfe90,  // selector, attributes, limit, base
  kSavedAutoHalt = 0xfec9,
  kSavedEfer = 0xfed0,
  kSavedRevision = 0xfefc,
  kSavedSmbase = 0xff00,
  kSavedCr4 = 0xff48,
  kSavedCr3 = 0xff50,
  kSavedCr0 = 0xff58,
  kSavedDr7 = 0xff60,
  kSavedDr6 = 0xff68,
  kSavedFlags = 0xff70,
  kSavedIp = 0xff78,
  kSavedDi = 0xffc0,
  kSavedSi = 0xffc8,
  kSavedBp = 0xffd0,
  kSavedSp = 0xffd8,
  kSavedBx = 0xffe0,
  kSavedDx = 0xffe8,
  kSavedCx = 0xfff0,
  kSavedAx = 0xfff8,  // r8 to r15 follow downwards from RDI
};

static inline void smi(void) {
  asm volatile("outb %0, %1" : : "a"((u8)kHandlerCommand), "Nd"((u16)kApmControl) : "memory");
}

u32 pci_read(u8 device, u8 function, u8 offset);
void pci_write(u8 device, u8 function, u8 offset, u32 value);
u8 smram_read(void);
void smram_write(u8 value);
u16 pm_base(void);
