// The parts of the window that need no window: places, keys, the title.
#include <gtest/gtest.h>

#include "frontend/display/picture_place.h"
#include "frontend/display/usb_keys.h"
#include "frontend/display/window_title.h"

namespace reprise::frontend {
namespace {

constexpr PictureShape kText{720, 400, true};
constexpr PictureShape kLinear{640, 400, true};
constexpr PictureShape kDesktop{1024, 768, false};
constexpr PictureShape kWide{1280, 800, false};

TEST(PicturePlace, NaturalSizes) {
  EXPECT_EQ(natural_size(kText), (WindowSize{720, 540}));
  EXPECT_EQ(natural_size(kLinear), (WindowSize{640, 480}));
  EXPECT_EQ(natural_size(kWide), (WindowSize{1280, 800}));
}

TEST(PicturePlace, SmoothFillsWhatTheShapeAllows) {
  EXPECT_EQ(place_picture(kText, {720, 540}, Scaling::Smooth), (PicturePlace{0, 0, 720, 540}));
  EXPECT_EQ(place_picture(kText, {1920, 1080}, Scaling::Smooth), (PicturePlace{240, 0, 1440, 1080}));
  EXPECT_EQ(place_picture(kDesktop, {1024, 1000}, Scaling::Smooth), (PicturePlace{0, 116, 1024, 768}));
  EXPECT_EQ(place_picture(kWide, {640, 1000}, Scaling::Smooth), (PicturePlace{0, 300, 640, 400}));
  EXPECT_EQ(place_picture(kWide, {1, 1}, Scaling::Smooth), (PicturePlace{0, 0, 1, 1}));
}

TEST(PicturePlace, WholeKeepsDotsSquare) {
  EXPECT_EQ(place_picture(kText, {1920, 1080}, Scaling::Whole), (PicturePlace{240, 140, 1440, 800}));
  EXPECT_EQ(place_picture(kDesktop, {1500, 1000}, Scaling::Whole), (PicturePlace{238, 116, 1024, 768}));
  // No whole multiple fits.
  EXPECT_EQ(place_picture(kDesktop, {512, 768}, Scaling::Whole), (PicturePlace{0, 192, 512, 384}));
}

TEST(PicturePlace, DotsAreFound) {
  const PicturePlace place = place_picture(kText, {1920, 1080}, Scaling::Smooth);
  EXPECT_EQ(dot_at(kText, place, 240, 0), (Dot{0, 0}));
  EXPECT_EQ(dot_at(kText, place, 240 + 1439, 1079), (Dot{719, 399}));
  EXPECT_EQ(dot_at(kText, place, 960, 540), (Dot{360, 200}));
  // Beside it.
  EXPECT_EQ(dot_at(kText, place, 0, 5000), (Dot{0, 399}));
  EXPECT_EQ(dot_at(kText, place, 1919, -3), (Dot{719, 0}));
}

TEST(UsbKeys, Places) {
  EXPECT_EQ(name_of(key_of_usb_usage(4)), "a");
  EXPECT_EQ(name_of(key_of_usb_usage(29)), "z");
  EXPECT_EQ(name_of(key_of_usb_usage(39)), "0");
  EXPECT_EQ(name_of(key_of_usb_usage(40)), "ret");
  EXPECT_EQ(name_of(key_of_usb_usage(69)), "f12");
  EXPECT_EQ(name_of(key_of_usb_usage(82)), "up");
  EXPECT_EQ(name_of(key_of_usb_usage(98)), "kp_0");
  EXPECT_EQ(name_of(key_of_usb_usage(100)), "less");
  EXPECT_EQ(name_of(key_of_usb_usage(115)), "f24");
  EXPECT_EQ(name_of(key_of_usb_usage(231)), "meta_r");
  EXPECT_EQ(key_of_usb_usage(0), Key::None);
  EXPECT_EQ(key_of_usb_usage(0xffff), Key::None);
  // Every name in the table is one of common/keys.h.
  for (u32 usage = 4; usage <= 115; ++usage) EXPECT_NE(key_of_usb_usage(usage), Key::None) << usage;
}

TEST(WindowTitle, SaysWhatIsKnown) {
  WindowStatus status;
  EXPECT_EQ(window_title(status), "Reprise - Ctrl+Alt+G or a click takes keyboard and mouse");
  status.known = true;
  status.mips = 312.4;
  status.virtual_ns = 45'230'000'000;
  status.instructions = 12'340'000'000;
  status.disk = true;
  status.grabbed = true;
  EXPECT_EQ(window_title(status),
            "Reprise: 312 MIPS, 45.2 s, 12.34 G, disk - Ctrl+Alt+G releases keyboard and mouse");
  status.grabbed = false;
  status.needs_grab = false;
  status.network = true;
  status.paused = true;
  status.asked_to_end = true;
  EXPECT_EQ(window_title(status),
            "Reprise: 312 MIPS, 45.2 s, 12.34 G, disk, network, paused (Ctrl+Alt+P goes on) - asked to "
            "switch off; close "
            "again to end the run");
}

}  // namespace
}  // namespace reprise::frontend
