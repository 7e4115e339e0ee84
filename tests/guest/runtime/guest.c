// Checks, console and trap handling of the test images.
#include "guest.h"

enum { kCom1 = 0x3f8, kDebugExit = 0xf4, kExitPass = 0x10, kExitFail = 0x11 };

static unsigned passed, failed, skipped;

// ---- Console
static void put_char(char c) {
  while (!(inb(kCom1 + 5) & 0x20)) {
  }
  outb(kCom1, c);
}

static void put_text(const char* text) {
  while (*text) put_char(*text++);
}

static void put_number(u64 value, unsigned base) {
  char digits[24];
  unsigned count = 0;
#ifndef __x86_64__
  if (base == 10) value = (u32)value;  // 64-bit division would need a library
#endif
  do {
    unsigned digit = base == 16 ? (unsigned)value & 15 : (unsigned)((uptr)value % 10);
    digits[count++] = "0123456789abcdef"[digit];
    value = base == 16 ? value >> 4 : (uptr)value / 10;
  } while (value);
  while (count) put_char(digits[--count]);
}

/// %s %c %d %u %x %lx %llx.
static void put_format(const char* format, va_list arguments) {
  for (; *format; ++format) {
    if (*format != '%') {
      put_char(*format);
      continue;
    }
    unsigned longs = 0;
    while (*++format == 'l') ++longs;
    if (*format == 's') {
      put_text(va_arg(arguments, const char*));
    } else if (*format == 'c') {
      put_char((char)va_arg(arguments, int));
    } else if (*format == 'd') {
      int value = va_arg(arguments, int);
      if (value < 0) put_char('-');
      put_number(value < 0 ? 0u - (unsigned)value : (unsigned)value, 10);
    } else {
      u64 value = longs == 2 ? va_arg(arguments, unsigned long long)
                  : longs    ? va_arg(arguments, unsigned long)
                             : va_arg(arguments, unsigned);
      put_number(value, *format == 'x' ? 16 : 10);
    }
  }
}

// ---- Checks
static void put_result(bool ok, const char* name, va_list arguments) {
  put_text(ok ? "PASS: " : "FAIL: ");
  put_format(name, arguments);
  ++*(ok ? &passed : &failed);
}

#define PUT_RESULT(ok, name)         \
  do {                               \
    va_list arguments;               \
    va_start(arguments, name);       \
    put_result(ok, name, arguments); \
    va_end(arguments);               \
  } while (0)

void check(bool ok, const char* name, ...) {
  PUT_RESULT(ok, name);
  put_char('\n');
}

static void put_pair(const char* label, u64 got, u64 want) {
  put_text(label);
  put_number(got, 16);
  put_text(" instead of 0x");
  put_number(want, 16);
}

void check_eq(u64 got, u64 want, const char* name, ...) {
  PUT_RESULT(got == want, name);
  if (got != want) put_pair(": 0x", got, want);
  put_char('\n');
}

void check_trap(int got, int want, uptr error, const char* name, ...) {
  bool ok = got == want && (error == kAnyError || want == kNoTrap || last_trap.error == error);
  PUT_RESULT(ok, name);
  if (!ok) {
    put_text(": vector ");
    if (got < 0)
      put_text("none");
    else
      put_number(got, 10);
    put_text(" instead of ");
    if (want < 0)
      put_text("none");
    else
      put_number(want, 10);
    if (got >= 0) {
      put_text(", error 0x");
      put_number(last_trap.error, 16);
      if (error != kAnyError) {
        put_text(" instead of 0x");
        put_number(error, 16);
      }
      put_text(", ip 0x");
      put_number(last_trap.frame.ip, 16);
      if (got == kPF) {
        put_text(", cr2 0x");
        put_number(last_trap.cr2, 16);
      }
    }
  }
  put_char('\n');
}

void skip(const char* name, ...) {
  va_list arguments;
  va_start(arguments, name);
  put_text("SKIP: ");
  put_format(name, arguments);
  put_char('\n');
  va_end(arguments);
  ++skipped;
}

void note(const char* text, ...) {
  va_list arguments;
  va_start(arguments, text);
  put_format(text, arguments);
  put_char('\n');
  va_end(arguments);
}

void finish(void) {
  note("SUMMARY pass=%u fail=%u skip=%u", passed, failed, skipped);
  outb(kDebugExit, failed || !passed ? kExitFail : kExitPass);
  for (;;) asm volatile("cli; hlt");
}

// ---- Traps
volatile struct trap last_trap;
void* trap_recover[5];
volatile bool trap_armed;
void trap_arm(void) { trap_armed = true; }
struct tss tss;
static trap_handler handlers[256];
extern uptr trap_stubs[256];  // start32.asm, start64.asm

#ifdef __x86_64__
static u64 idt[256][2] __attribute__((aligned(16)));
void set_gate(int vector, void* entry, u16 selector, int type, int dpl) {
  uptr offset = (uptr)entry;
  u64 ist = idt[vector][0] & (7ull << 32);
  idt[vector][0] = (offset & 0xffff) | (u64)selector << 16 | ist | (u64)(0x80 | dpl << 5 | type) << 40 |
                   (offset >> 16 & 0xffff) << 48;
  idt[vector][1] = offset >> 32;
}
void set_gate_ist(int vector, int ist) { idt[vector][0] = (idt[vector][0] & ~(7ull << 32)) | (u64)ist << 32; }
void set_gate_dpl(int vector, int dpl) { idt[vector][0] = (idt[vector][0] & ~(3ull << 45)) | (u64)dpl << 45; }
#else
static u64 idt[256] __attribute__((aligned(16)));
void set_gate(int vector, void* entry, u16 selector, int type, int dpl) {
  uptr offset = (uptr)entry;
  idt[vector] = (offset & 0xffff) | (u64)selector << 16 | (u64)(0x80 | dpl << 5 | type) << 40 |
                (u64)(offset >> 16) << 48;
}
void set_gate_dpl(int vector, int dpl) { idt[vector] = (idt[vector] & ~(3ull << 45)) | (u64)dpl << 45; }
#endif

void on_trap(int vector, trap_handler handler) { handlers[vector] = handler; }

void trap_entry(struct trap_frame* frame) {
  if (handlers[frame->vector]) {
    handlers[frame->vector](frame);
    return;
  }
  if (!trap_armed) {
    note("FAIL: unexpected trap %u, error 0x%lx, ip 0x%lx, cs 0x%lx, flags 0x%lx, cr2 0x%lx",
         (unsigned)frame->vector, (unsigned long)frame->error, (unsigned long)frame->ip,
         (unsigned long)frame->cs, (unsigned long)frame->flags, (unsigned long)read_cr2());
    ++failed;
    finish();
  }
  trap_armed = false;
  last_trap.vector = (int)frame->vector;
  last_trap.error = frame->error;
  last_trap.cr2 = read_cr2();
  last_trap.stack = (uptr)frame + sizeof *frame;
  memcpy((void*)&last_trap.frame, frame, sizeof *frame);
  write_flags(2);  // drops AC, NT, DF and the like
  __builtin_longjmp(trap_recover, 1);
}

// ---- Start
static u8 interrupt_stack[16384] __attribute__((aligned(16)));

static u64 tss_descriptor(void) {
  uptr base = (uptr)&tss;
  return (sizeof tss - 1) | (u64)(base & 0xffffff) << 16 | 0x89ull << 40 | (u64)(base >> 24 & 0xff) << 56;
}

void runtime_main(void) {
  for (int vector = 0; vector < 256; ++vector) {
    set_gate(vector, (void*)trap_stubs[vector], kKernelCode, 0xe, vector == kUserReturn ? 3 : 0);
  }
  struct {
    u16 limit;
    uptr base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (uptr)idt};
  asm volatile("lidt %0" : : "m"(pointer));

  uptr stack = (uptr)interrupt_stack + sizeof interrupt_stack;
#ifdef __x86_64__
  tss.rsp[0] = stack;
  gdt_slot(kTss)[1] = (uptr)&tss >> 32;
#else
  tss.esp0 = stack;
  tss.ss0 = kKernelData;
#endif
  tss.iomap_base = sizeof tss;
  *gdt_slot(kTss) = tss_descriptor();
  asm volatile("ltr %0" : : "r"((u16)kTss));

  test_main();
  finish();
}

// ---- The C library that the compiler expects
void* memset(void* to, int value, size_t count) {
  u8* bytes = to;
  while (count--) *bytes++ = (u8)value;
  return to;
}
void* memcpy(void* to, const void* from, size_t count) {
  u8* target = to;
  const u8* source = from;
  while (count--) *target++ = *source++;
  return to;
}
int memcmp(const void* a, const void* b, size_t count) {
  const u8 *left = a, *right = b;
  for (; count; --count, ++left, ++right) {
    if (*left != *right) return *left < *right ? -1 : 1;
  }
  return 0;
}
