// Snippets in other modes: defaults, copies, and what the frame of the event says. See modes.h.
#include "runtime/modes.h"

struct mode_regs in, out;
struct mode_event event;
u16 real_cache_ds, real_cache_es, real_cache_fs, real_cache_gs, real_cache_ss;
bool real_keep_fs_gs;
u32 inner_sp, inner_ss;
u64 mode_idt[256] __attribute__((aligned(16)));
struct {
  u16 limit;
  u32 base;
} __attribute__((packed)) mode_idt_pointer = {sizeof mode_idt - 1, (u32)mode_idt};

extern const u8 low_begin[], low_end[];
extern const u32 real_stubs_offset, real_stub_bytes, low_idt_offset, low_regs_offset;
void real_run(void);
void v86_run(void);
void protected_run(void);

enum { kLow = 0x7000, kFlagsVm = 1u << 17, kRealCode = 0x28, kRealData = 0x30 };
static int current_mode;
static u8 event_stack[4096] __attribute__((aligned(16)));

u64 make_segment(u32 base, u32 limit, u8 access, u8 flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
         (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}
void set_segment(u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
  *gdt_slot(selector) = make_segment(base, limit, access, flags);
}
u64 make_gate(u16 selector, u32 offset, int type, int dpl, int parameters) {
  return (offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 |
         (u64)(0x80 | dpl << 5 | type) << 40 | (u64)(offset >> 16) << 48;
}

void reset_mode_idt(void) {
  for (int vector = 0; vector < 256; ++vector) {
    int dpl = vector == kBP || vector == kUserReturn ? 3 : 0;
    mode_idt[vector] = make_gate(kKernelCode, mode_stubs[vector], 0xe, dpl, 0);
  }
}

void set_real_idt(u16 limit, u32 base) {
  LOW16(kLow + low_idt_offset) = limit;
  LOW32(kLow + low_idt_offset + 2) = base;
}

void reset_in(void) {
  memset(&in, 0, sizeof in);
  in.flags = 2;
  if (current_mode == kModeV86) in.flags |= kFlagsVm;
  in.sp = 0x8000;
  if (current_mode != kModeProtected) {
    in.cs = kCodeParagraph;
    in.ds = kDataParagraph;
    in.ss = kStackParagraph;
    in.es = in.fs = in.gs = kExtraParagraph;
  } else {
    in.cs = kCode16;
    in.ds = in.es = in.fs = in.gs = kData16;
    in.ss = kStack16;
  }
}

void set_mode(int mode) {
  current_mode = mode;
  memset((void*)kCodeLinear, 0xcc, kExtraLinear + 0x10000 - kCodeLinear);  // INT3 wherever a jump may lead
  memcpy((void*)kLow, low_begin, (uptr)(low_end - low_begin));
  set_real_idt(0x3ff, 0);
  for (u32 vector = 0; vector < 256; ++vector)
    LOW32(vector * 4) = kLow + real_stubs_offset + vector * real_stub_bytes;
  set_segment(kRealCode, 0, 0xffff, kExecuteRead, kByteGranular);
  set_segment(kRealData, 0, 0xffff, kReadWrite, kByteGranular);
  set_segment(kCode16, kCodeLinear, 0xffff, kExecuteRead, kByteGranular);
  set_segment(kData16, kDataLinear, 0xffff, kReadWrite, kByteGranular);
  set_segment(kStack16, kStackLinear, 0xffff, kReadWrite, kByteGranular);
  set_segment(kUserCode16, kCodeLinear, 0xffff, kExecuteRead | kDpl3, kByteGranular);
  set_segment(kUserData16, kDataLinear, 0xffff, kReadWrite | kDpl3, kByteGranular);
  set_segment(kUserStack16, kStackLinear, 0xffff, kReadWrite | kDpl3, kByteGranular);
  reset_mode_idt();
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  reset_in();
}

static uptr base_of(u16 selector) {
  u64 descriptor = *gdt_slot(selector);
  return (uptr)((descriptor >> 16 & 0xffffff) | descriptor >> 56 << 24);
}

static void run_real_mode(void) {
  u16* caches[] = {&real_cache_ds, &real_cache_es, &real_cache_fs, &real_cache_gs, &real_cache_ss};
  for (int i = 0; i < 5; ++i) {
    if (*caches[i] == 0) *caches[i] = kRealData;
  }
  memcpy((void*)(kLow + low_regs_offset), &in, sizeof in);
  real_run();
  event.frame = (event.handler_ss & 0xffff) * 16 + (event.handler_sp & 0xffff);
  out.ip = frame_slot(0, 2);
  out.cs = frame_slot(1, 2);
  out.flags = frame_slot(2, 2);
  out.sp = (event.handler_sp & ~0xffffu) | ((event.handler_sp + 6) & 0xffff);
  out.ss = event.handler_ss & 0xffff;
  u32* segments[] = {&out.ds, &out.es, &out.fs, &out.gs};
  const u32* found[] = {&event.handler_ds, &event.handler_es, &event.handler_fs, &event.handler_gs};
  for (int i = 0; i < 4; ++i) *segments[i] = *found[i] & 0xffff;
  for (int i = 0; i < 5; ++i) *caches[i] = 0;
  real_keep_fs_gs = false;
}

/// The frame of a 32-bit gate.
static void read_frame(void) {
  u16 ss = (u16)event.handler_ss;
  bool big = *gdt_slot(ss) >> 54 & 1;
  event.frame = base_of(ss) + (big ? event.handler_sp : event.handler_sp & 0xffff);
  out.ip = frame_slot(0, 4);
  out.cs = frame_slot(1, 4) & 0xffff;
  out.flags = frame_slot(2, 4);
  const bool v86 = out.flags & kFlagsVm;
  if (v86 || (out.cs & 3) > (ss & 3)) {
    out.sp = frame_slot(3, 4);
    out.ss = frame_slot(4, 4) & 0xffff;
  } else {
    out.sp = big ? event.handler_sp + 12 : (event.handler_sp & ~0xffffu) | ((event.handler_sp + 12) & 0xffff);
    out.ss = ss;
  }
  out.es = (v86 ? frame_slot(5, 4) : event.handler_es) & 0xffff;
  out.ds = (v86 ? frame_slot(6, 4) : event.handler_ds) & 0xffff;
  out.fs = (v86 ? frame_slot(7, 4) : event.handler_fs) & 0xffff;
  out.gs = (v86 ? frame_slot(8, 4) : event.handler_gs) & 0xffff;
}

int run_in_mode(void) {
  memset(&event, 0, sizeof event);
  tss.esp0 = inner_ss ? inner_sp : (uptr)event_stack + sizeof event_stack;
  tss.ss0 = inner_ss ? inner_ss : kKernelData;
  inner_ss = 0;
  switch (current_mode) {
    case kModeReal: run_real_mode(); break;
    case kModeV86:
      v86_run();
      read_frame();
      break;
    default:
      protected_run();
      read_frame();
      break;
  }
  // Pushes of segment registers leave the upper halves of their slots alone.
  event.handler_ss &= 0xffff;
  event.handler_ds &= 0xffff;
  event.handler_es &= 0xffff;
  event.handler_fs &= 0xffff;
  event.handler_gs &= 0xffff;
  reset_in();
  return (int)event.vector;
}

void place(uptr linear, struct snippet code) {
  memcpy((void*)linear, code.begin, (uptr)(code.end - code.begin));
}

int run_snippet(struct snippet code) {
  uptr base = current_mode == kModeProtected ? base_of((u16)in.cs) : (in.cs & 0xffff) * 16;
  place(base + in.ip, code);
  return run_in_mode();
}

void note_event(int vector) {
  last_trap.vector = vector;
  last_trap.error = event.error;
  last_trap.frame.ip = out.ip;
  last_trap.cr2 = read_cr2();
}
