// Displays look while a guest draws: what they see is one moment, and the guest cannot tell.
#include "machine/screen/screen_feed.h"

#include <gtest/gtest.h>

#include <atomic>

#include "machine/firmware/firmware.h"
#include "machine/screen/picture_file.h"
#include "machine/storage/run_files.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

using devices::DispiRegisters;
using devices::Rect;

constexpr u32 kWidth = 1024, kHeight = 768;
constexpr u32 kDrawnPixels = kWidth * 64;

Code dispi(u16 index, u16 value) { return out16(0x1ce, index) + out16(0x1cf, value); }

u32 framebuffer() {
  Guest probe(kSpin);
  for (const mmu::PhysMap::Range& range : probe.machine->pc().phys_map().ranges())
    if (range.name == "00:02.0 vga BAR0") return static_cast<u32>(range.first_phys);
  ADD_FAILURE() << "direct boot did not place the framebuffer";
  return 0;
}

Code show_1024x768() {
  return dispi(DispiRegisters::kXres, kWidth) + dispi(DispiRegisters::kYres, kHeight) +
         dispi(DispiRegisters::kBpp, 32) + dispi(DispiRegisters::kEnable, DispiRegisters::kEnabled);
}

/// Fills the top of the screen with 1, 2, 3 and so on.
Code painter() {
  const u32 at = framebuffer();
  Code loop = {0xbf};  // mov edi, at; mov ecx, kDrawnPixels; inc ebx; mov eax, ebx; rep stosd; jmp loop
  const auto dword = [&](u32 value) {
    for (unsigned i = 0; i < 4; ++i) loop.push_back(static_cast<u8>(value >> (8 * i)));
  };
  dword(at);
  loop.push_back(0xb9);
  dword(kDrawnPixels);
  return show_1024x768() + Code{0x31, 0xdb} + loop + Code{0x43, 0x89, 0xd8, 0xf3, 0xab, 0xeb, 0xef};
}

RunLimits until(u64 instructions) {
  RunLimits limits = kADay;
  limits.stop_at_retired = instructions;
  return limits;
}

/// Some prefix of the drawn pixels has a number, the rest the one before.
bool is_one_moment(const devices::Picture& picture) {
  u32 steps = 0;
  for (u32 i = 1; i < kDrawnPixels; ++i) {
    const u32 before = picture.pixels[i - 1], here = picture.pixels[i];
    if (before == here) continue;
    if (before != here + 1 || ++steps > 1) return false;
  }
  for (u64 i = kDrawnPixels; i < picture.pixels.size(); ++i)
    if (picture.pixels[i] != 0) return false;
  return true;
}

TEST(ScreenFeed, ShowsMomentsAndChangesNothing) {
  const Code code = painter();
  constexpr u64 kInstructions = 200'000'000;
  const boot::TemporaryFile file(Guest::image(code));  // its name is in the guest's memory
  Guest alone(file, {});
  const u64 hash = alone.run(until(kInstructions)).state_hash;

  Guest guest(file, {});
  std::atomic<unsigned> told{0};
  const auto view = guest.machine->screen().open({.pictures_per_s = 200, .on_new_picture = [&] { ++told; }});
  const auto idler = guest.machine->screen().open({.pictures_per_s = 1});
  std::atomic<bool> over{false};
  unsigned pictures = 0;
  std::thread front_end([&] {
    for (unsigned seen = 0; !over;) {
      if (told == seen) {
        std::this_thread::yield();
        continue;
      }
      seen = told;
      const std::vector<Rect> pieces = view->update();
      if (pieces.empty() || view->picture().width != kWidth) continue;
      ++pictures;
      EXPECT_TRUE(is_one_moment(view->picture()));
    }
  });
  EXPECT_EQ(guest.run(until(kInstructions)).state_hash, hash);
  over = true;
  front_end.join();
  EXPECT_GT(pictures, 0u);
  EXPECT_EQ(idler->update(), std::vector<Rect>({{0, 0, kWidth, kHeight}}));
  EXPECT_TRUE(is_one_moment(idler->picture()));
  EXPECT_TRUE(idler->update().empty());
}

TEST(ScreenFeed, ViewsComeAndGoWithoutARun) {
  Guest guest(kSpin);
  for (int i = 0; i < 3; ++i) {
    const auto view = guest.machine->screen().open({});
    EXPECT_TRUE(view->update().empty());
    EXPECT_EQ(view->picture().width, 0u);
  }
  const auto view = guest.machine->screen().open({.pictures_per_s = 1000});
  guest.run(until(30'000'000));
  EXPECT_EQ(view->update().size(), 1u);
  EXPECT_EQ(view->picture().width, 720u);
}

TEST(ScreenFeed, AChangeOfTheModeIsAllNew) {
  Guest guest(show_1024x768() + kSpin);
  const auto view = guest.machine->screen().open({.pictures_per_s = 1000});
  guest.run(until(1));
  guest.run(until(30'000'000));
  EXPECT_EQ(view->update(), std::vector<Rect>({{0, 0, kWidth, kHeight}}));
  EXPECT_FALSE(view->picture().fills_4_to_3);
}

/// Code in video memory: what a bank write changes, and what lies there after the window has moved.
TEST(VideoMemory, CodeInItIsForgottenWhenTheCardWritesIt) {
  const u32 at = framebuffer();
  const auto call = [](u32 target) {
    Code code = {0xb8};  // mov eax, target; call eax
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(target >> (8 * i)));
    return code + Code{0xff, 0xd0};
  };
  // "mov al, X; ret" at the start of the framebuffer, with X changed through the window at A0000h.
  const Code stack = {0xbc, 0x00, 0x80, 0x00, 0x00};  // mov esp, 8000h
  const Code code = stack + show_1024x768() + store32(at, 0x00c3'01b0) + call(at) + call(at) +
                    store32(at, 0x00c3'02b0) + call(at) + store32(0xa0000, 0x00c3'41b0) + call(at) +
                    Code{0x66, 0xba, 0xf8, 0x03, 0xee} + store32(0xa0000, 0x00c3'42b0) + call(at) +
                    Code{0x66, 0xba, 0xf8, 0x03, 0xee} + kPowerOff;
  for (const EngineKind engine : {EngineKind::Interp, EngineKind::Jit, EngineKind::Lockstep}) {
    MachineConfig config;
    config.engine = engine;
    Guest guest(code, config);
    const RunResult result = guest.run();
    EXPECT_EQ(result.reason, ExitReason::PowerOff) << result.message << result.details;
    EXPECT_EQ(guest.com1.text, "AB");
  }
}

TEST(ScreenContent, FormatsGoByTheName) {
  EXPECT_EQ(picture_format_of("screen.png"), PictureFormat::Png);
  EXPECT_EQ(picture_format_of("SCREEN.PNG"), PictureFormat::Png);
  EXPECT_EQ(picture_format_of("a/b.ppm"), PictureFormat::Ppm);
  EXPECT_EQ(picture_format_of("png"), PictureFormat::Text);
  EXPECT_EQ(picture_format_of("-"), PictureFormat::Text);
  Guest guest(kSpin);
  const auto ppm = screen_content(guest.machine->pc().vga(), PictureFormat::Ppm);
  ASSERT_TRUE(ppm.ok());
  EXPECT_EQ(std::string(ppm.value().begin(), ppm.value().begin() + 15), "P6\n720 400\n255\n");
  EXPECT_EQ(ppm.value().size(), 15u + 3 * 720 * 400);
  // The guest's console has a font where there is one to take.
  RunFiles files;
  const std::vector<u8> font = load_text_font(files);
  EXPECT_EQ(files.files_read().size(), font.empty() ? 0u : 1u);
  const devices::Vga& vga = guest.machine->pc().vga();
  for (u32 i = 0; i < font.size(); ++i)
    ASSERT_EQ(vga.memory().plane_byte(2, i / 16 * 32 + i % 16), font[i]) << i;
  const auto png = screen_content(guest.machine->pc().vga(), PictureFormat::Png);
  ASSERT_EQ(png.ok(), png_is_offered());
  if (png) {
    EXPECT_EQ(std::string(png.value().begin() + 1, png.value().begin() + 4), "PNG");
  }
}

}  // namespace
}  // namespace reprise::machine
