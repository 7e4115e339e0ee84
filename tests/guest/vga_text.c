// The VGA's text mode as kernels drive it: characters at B8000h, cursor and start address, scrolling, font plane,
// retrace. run_image.py compares the final screen with vga_text.screen.
#include "runtime/guest.h"

enum { kColumns = 80, kRows = 25 };
static volatile u16* const text = (volatile u16*)0xb8000;

static u8 crtc_read(u8 index) {
  outb(0x3d4, index);
  return inb(0x3d5);
}
static void crtc_write(u8 index, u8 value) { outw(0x3d4, (u16)(value << 8 | index)); }
static void sequencer(u8 index, u8 value) { outw(0x3c4, (u16)(value << 8 | index)); }
static void graphics(u8 index, u8 value) { outw(0x3ce, (u16)(value << 8 | index)); }

static void set_start(u16 address) {
  crtc_write(0x0c, (u8)(address >> 8));
  crtc_write(0x0d, (u8)address);
}
static void set_cursor(u16 address) {
  crtc_write(0x0e, (u8)(address >> 8));
  crtc_write(0x0f, (u8)address);
}

static void clear(void) {
  u32 count = kColumns * kRows / 2;
  void* to = (void*)0xb8000;
  asm volatile("rep stosl" : "+c"(count), "+D"(to) : "a"(0x07200720) : "memory");
}

static void print(unsigned row, unsigned column, const char* line) {
  while (*line) text[row * kColumns + column++] = (u16)(0x0700 | (u8)*line++);
}

static void scroll(void) {
  u32 count = kColumns * (kRows - 1) / 2;
  void* to = (void*)0xb8000;
  const void* from = (const void*)(0xb8000 + 2 * kColumns);
  asm volatile("rep movsl" : "+c"(count), "+D"(to), "+S"(from) : : "memory");
  for (unsigned column = 0; column < kColumns; ++column) text[(kRows - 1) * kColumns + column] = 0x0720;
}

static void test_memory(void) {
  text[0] = 0x1f41;
  check_eq(text[0], 0x1f41, "a word reads back");
  *(volatile u8*)0xb8001 = 0x2e;
  check_eq(text[0], 0x2e41, "the attribute is a byte of its own");
  *(volatile u32*)0xb8004 = 0x07430742;
  check_eq(text[3], 0x0743, "a doubleword is two characters");
  bool kept = true;
  for (unsigned i = 0; i < 0x4000; ++i) text[i] = (u16)(i * 0x9e37u);
  for (unsigned i = 0; i < 0x4000; ++i) kept = kept && text[i] == (u16)(i * 0x9e37u);
  check(kept, "32 KiB of text memory");
}

static void test_font(void) {
  volatile u8* font = (volatile u8*)0xa0000;
  clear();
  print(0, 0, "before");
  sequencer(2, 0x04);
  sequencer(4, 0x07);
  graphics(4, 0x02);
  graphics(5, 0x00);
  graphics(6, 0x00);
  for (unsigned line = 0; line < 16; ++line) font['A' * 32 + line] = (u8)(0x81 | line << 1);
  bool kept = true;
  for (unsigned line = 0; line < 16; ++line) kept = kept && font['A' * 32 + line] == (u8)(0x81 | line << 1);
  sequencer(2, 0x03);
  sequencer(4, 0x03);
  graphics(4, 0x00);
  graphics(5, 0x10);
  graphics(6, 0x0e);
  check(kept, "plane 2 takes a font");
  check_eq(text[0], 0x0762, "the text is as it was");
  check_eq(text[5], 0x0765, "to its end");
}

static void test_registers(void) {
  set_cursor(0x1234);
  check_eq((u64)(crtc_read(0x0e) << 8 | crtc_read(0x0f)), 0x1234, "cursor position reads back");
  check_eq(inb(0x3cc) & 1, 1, "color addresses");
  inb(0x3da);
  outb(0x3c0, 0x20 | 0x02);
  check_eq(inb(0x3c1), 0x02, "palette register 2 of BIOS mode 3");
  outb(0x3c7, 0x3f);
  u8 red = inb(0x3c9), green = inb(0x3c9), blue = inb(0x3c9);
  check(red == 0x3f && green == 0x3f && blue == 0x3f, "DAC color 63 is white");
  unsigned rises = 0, polls = 0;
  for (bool last = true; rises < 3 && polls < 100000000; ++polls) {
    bool now = (inb(0x3da) & 8) != 0;
    rises += now && !last;
    last = now;
  }
  check_eq(rises, 3, "vertical retraces come");
}

static void final_screen(void) {
  clear();
  set_start(0);
  static const char* const kGreeting = "text mode";
  print(0, 0, "this row scrolls away");
  print(1, 0, kGreeting);
  for (unsigned column = 0; column < kColumns; ++column) text[10 * kColumns + column] = 0x1fcd;
  for (unsigned glyph = 0; glyph < 256; ++glyph)
    text[(12 + glyph / 64) * kColumns + 8 + glyph % 64] = (u16)(0x0700 | glyph);
  print(24, 74, "corner");
  scroll();
  set_cursor(23 * kColumns + 79);
  note("the screen is set");
}

void test_main(void) {
  test_memory();
  test_font();
  test_registers();
  final_screen();
}
