// Runs snippets of 16-bit code in real-address mode, virtual-8086 mode and protected mode from a 32-bit
// image, and tells how each ended: the vector, its frame and every register. Linked into the images that test
// those modes.
#pragma once

#include "guest.h"

/// Registers as a snippet starts with them and as the event that ended it found them. modes.asm knows the
/// offsets.
struct mode_regs {
  u32 ax, bx, cx, dx, si, di, bp, flags;
  u32 ip, cs;  // CS:EIP and SS:ESP are far pointers
  u32 sp, ss;
  u32 ds, es, fs, gs;
};

/// The next run starts with these. Every run sets them back to the mode's defaults.
extern struct mode_regs in;
/// What the last run ended with.
extern struct mode_regs out;
/// The event that ended it. In real mode there is no error code, and `frame` is the 16-bit one.
extern struct mode_event {
  u32 vector, error;
  u32 handler_sp, handler_ss, handler_flags;  // as the handler found them, its own frame still on the stack
  u32 handler_ds, handler_es, handler_fs, handler_gs;
  uptr frame;  // linear address of the frame, error code excluded
} event;

enum { kModeReal, kModeV86, kModeProtected };
/// Chooses the mode of the following runs and resets `in`.
void set_mode(int mode);
void reset_in(void);

/// 16-bit code, in Intel syntax; labels are numbers below 8000.
struct snippet {
  const u8 *begin, *end;
};
#define SNIPPET(directive, text)                                                             \
  ({                                                                                         \
    struct snippet s_;                                                                       \
    asm(".pushsection .rodata\n8800: " directive "\n.intel_syntax noprefix\n" text           \
        "\n.att_syntax prefix\n.code32\n8801: .popsection\nmovl $8800b, %0\nmovl $8801b, %1" \
        : "=r"(s_.begin), "=r"(s_.end));                                                     \
    s_;                                                                                      \
  })
#define CODE16(text) SNIPPET(".code16", text)
#define CODE32(text) SNIPPET(".code32", text)

/// SS0:ESP0 of the TSS during the next run; by default a flat stack.
extern u32 inner_sp, inner_ss;
/// Copies the snippet to `linear`.
void place(uptr linear, struct snippet code);
/// Copies the snippet to CS:IP and runs it there until the first event; gives its vector.
int run_snippet(struct snippet code);
/// Runs what is at CS:IP already.
int run_in_mode(void);
#define RUN(text) run_snippet(CODE16(text))
/// A run and the event that must end it: INT3 behind the snippet if it ends well.
#define EXPECT(want, error, text, ...) check_event(RUN(text "\nint3"), want, error, __VA_ARGS__)
#define DONE(text, ...) EXPECT(kBP, kAnyError, text, __VA_ARGS__)
#define check_event(got, want, error, ...)         \
  do {                                             \
    int vector_ = (got);                           \
    note_event(vector_);                           \
    check_trap(vector_, want, error, __VA_ARGS__); \
  } while (0)
/// Puts the event where check_trap() finds it.
void note_event(int vector);

// ---- Where things are in memory below 1 MiB. Segments are 64 KiB apart.
enum {
  kCodeLinear = 0x10000,
  kDataLinear = 0x20000,
  kStackLinear = 0x30000,
  kExtraLinear = 0x40000,
  kCodeParagraph = 0x1000,
  kDataParagraph = 0x2000,
  kStackParagraph = 0x3000,
  kExtraParagraph = 0x4000,
};
#define LOW8(linear) (*(volatile u8*)(uptr)(linear))
#define LOW16(linear) (*(volatile u16*)(uptr)(linear))
#define LOW32(linear) (*(volatile u32*)(uptr)(linear))
/// One of the slots (bytes for a 16-bit gate: 2) of the frame, from its lowest address on.
static inline u32 frame_slot(int index, int slot_bytes) {
  return slot_bytes == 2 ? LOW16(event.frame + (uptr)index * 2) : LOW32(event.frame + (uptr)index * 4);
}

// ---- Real mode: hidden parts of the segment registers that protected mode leaves behind.
/// Selectors loaded before PE is cleared; 0 is a 64 KiB data segment.
extern u16 real_cache_ds, real_cache_es, real_cache_fs, real_cache_gs, real_cache_ss;
/// FS and GS as protected mode left them, base included.
extern bool real_keep_fs_gs;
/// What LIDT loads: limit and base.
void set_real_idt(u16 limit, u32 base);

// ---- Protected mode: descriptors. Slots of the GDT from kSpare on are free for tests, but for the first
// ones here.
enum {
  kCode16 = kSpare,
  kData16 = kSpare + 8,
  kStack16 = kSpare + 16,
  kUserCode16 = (kSpare + 24) | 3,
  kUserData16 = (kSpare + 32) | 3,
  kUserStack16 = (kSpare + 40) | 3,
  kFree = kSpare + 48,  // ten more
};
enum {  // access bytes, DPL 0, present
  kReadOnly = 0x91,
  kReadWrite = 0x93,
  kDownReadWrite = 0x97,
  kExecuteOnly = 0x99,
  kExecuteRead = 0x9b,
  kConforming = 0x9f,
  kDpl3 = 0x60,
  kByteGranular = 0,
  kBig = 4,
  kPageGranular = 8,
};
u64 make_segment(u32 base, u32 limit, u8 access, u8 flags);
void set_segment(u16 selector, u32 base, u32 limit, u8 access, u8 flags);
/// type: 4 and Ch call gates, 5 task gate, 6, 7, Eh and Fh interrupt and trap gates.
u64 make_gate(u16 selector, u32 offset, int type, int dpl, int parameters);
/// The IDT of the snippets in V86 and protected mode: all gates lead here, DPL 3 for INT3 and kUserReturn.
extern u64 mode_idt[256];
extern uptr mode_stubs[256];
void reset_mode_idt(void);
