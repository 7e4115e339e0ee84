// --display and what viewers send: values, keys, lengths of messages.
#include <gtest/gtest.h>

#include <initializer_list>

#include "frontend/display/display_choice.h"
#include "frontend/display/vnc_keys.h"
#include "frontend/display/vnc_messages.h"

namespace reprise::frontend {
namespace {

using Kind = DisplayChoice::Kind;

VncChoice vnc(std::string_view text) {
  const auto choice = parse_display(text);
  EXPECT_TRUE(choice.ok()) << text;
  EXPECT_EQ(choice.value().kind, Kind::Vnc);
  return choice.value().vnc;
}

TEST(DisplayChoice, Values) {
  EXPECT_EQ(parse_display("none").value().kind, Kind::None);
  EXPECT_EQ(parse_display("sdl").value().kind, Kind::Sdl);
  EXPECT_EQ(vnc("vnc:5901").port, 5901);
  EXPECT_EQ(vnc("vnc:5901").host, "");
  EXPECT_EQ(vnc("vnc:0").port, 0);
  EXPECT_EQ(vnc("vnc:localhost:5901").host, "localhost");
  EXPECT_EQ(vnc("vnc:[::1]:5901").host, "::1");
  EXPECT_EQ(vnc("vnc:[::1]:5901").port, 5901);
  const VncChoice behind = vnc("vnc:0.0.0.0:5901,password-file=/a,b");
  EXPECT_EQ(behind.host, "0.0.0.0");
  EXPECT_EQ(behind.port, 5901);
  EXPECT_EQ(behind.password_path, "/a,b");
  EXPECT_EQ(vnc("vnc:unix:/tmp/a:b,c").unix_path, "/tmp/a:b,c");
  EXPECT_EQ(vnc("vnc:unix:a,password-file=b").unix_path, "a");
  EXPECT_EQ(vnc("vnc:unix:a,password-file=b").password_path, "b");
}

TEST(DisplayChoice, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "vnc", "vnc:", "vnc:x", "vnc:-1", "vnc:65536", "vnc:localhost",
        "vnc:localhost:", "vnc::", "vnc:unix:", "vnc:5901,password-file=", "vnc:5901,tls", "gtk", "None"}) {
    const auto choice = parse_display(text);
    ASSERT_FALSE(choice.ok()) << text;
    EXPECT_FALSE(choice.error().message.empty());
  }
  // A screen's number as other programs count them.
  EXPECT_NE(parse_display("vnc::1").error().message.find("give 5901"), std::string::npos);
}

TEST(VncKeys, Keysyms) {
  EXPECT_EQ(name_of(key_of_keysym('a').key), "a");
  EXPECT_FALSE(key_of_keysym('a').shifted);
  EXPECT_TRUE(key_of_keysym('a').letter);
  EXPECT_EQ(name_of(key_of_keysym('A').key), "a");
  EXPECT_TRUE(key_of_keysym('A').shifted);
  EXPECT_EQ(name_of(key_of_keysym('!').key), "1");
  EXPECT_TRUE(key_of_keysym('!').shifted);
  EXPECT_FALSE(key_of_keysym('!').letter);
  EXPECT_EQ(name_of(key_of_keysym('[').key), "bracket_left");
  EXPECT_FALSE(key_of_keysym('[').letter);
  EXPECT_FALSE(key_of_keysym('{').letter);
  EXPECT_EQ(name_of(key_of_keysym(' ').key), "spc");
  EXPECT_EQ(name_of(key_of_keysym(0xff0d).key), "ret");
  EXPECT_EQ(name_of(key_of_keysym(0xffff).key), "delete");
  EXPECT_EQ(key_of_keysym(0xe9).key, Key::None);  // an e with an accent
  EXPECT_EQ(key_of_keysym(0).key, Key::None);
  EXPECT_EQ(key_of_keysym(0xffffffff).key, Key::None);
  for (u32 character = ' '; character < 0x7f; ++character)
    EXPECT_NE(key_of_keysym(character).key, Key::None) << character;
  // Every name in the table is one of common/keys.h.
  for (u32 keysym = 0xfe00; keysym <= 0xffff; ++keysym) {
    const VncKey key = key_of_keysym(keysym);
    EXPECT_EQ(key.key != Key::None, find_key(key.key) != nullptr) << keysym;
  }
}

TEST(VncKeys, Keycodes) {
  EXPECT_EQ(name_of(key_of_vnc_keycode(0x01)), "esc");
  EXPECT_EQ(name_of(key_of_vnc_keycode(0x2c)), "z");
  EXPECT_EQ(name_of(key_of_vnc_keycode(0xc8)), "up");
  EXPECT_EQ(name_of(key_of_vnc_keycode(0x9d)), "ctrl_r");
  EXPECT_EQ(name_of(key_of_vnc_keycode(0x9c)), "kp_enter");
  EXPECT_EQ(name_of(key_of_vnc_keycode(0x56)), "less");
  EXPECT_EQ(key_of_vnc_keycode(0), Key::None);
  EXPECT_EQ(key_of_vnc_keycode(0xff), Key::None);
  EXPECT_EQ(key_of_vnc_keycode(0xe048), Key::None);
}

std::optional<std::size_t> length_of(std::initializer_list<u8> start) {
  return vnc_message_bytes(std::span(start.begin(), start.size()));
}

TEST(VncMessages, LengthsFollowFromTheStart) {
  EXPECT_EQ(length_of({0}), 20u);
  EXPECT_EQ(length_of({3}), 10u);
  EXPECT_EQ(length_of({4}), 8u);
  EXPECT_EQ(length_of({5}), 6u);
  EXPECT_EQ(length_of({2, 0, 0}), 4u);
  EXPECT_EQ(length_of({2, 0, 1, 0}), 4u + 4 * 256);
  EXPECT_EQ(length_of({6, 0, 0, 0, 0, 0, 0}), 8u);
  EXPECT_EQ(length_of({6, 0, 0, 0, 0, 0, 0x80, 0}), 8u + 32768);
  EXPECT_EQ(length_of({6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc}), 8u + 4);
  EXPECT_EQ(length_of({251, 0, 0, 0, 0, 0, 2, 0}), 8u + 32);
  EXPECT_EQ(length_of({255, 0}), 12u);
}

TEST(VncMessages, WhatNobodySendsIsNone) {
  EXPECT_EQ(length_of({1}), std::nullopt);
  EXPECT_EQ(length_of({7}), std::nullopt);
  EXPECT_EQ(length_of({8}), std::nullopt);
  EXPECT_EQ(length_of({15}), std::nullopt);
  EXPECT_EQ(length_of({2, 0, 1, 1}), std::nullopt);
  EXPECT_EQ(length_of({6, 0, 0, 0, 0, 0, 0x80, 1}), std::nullopt);
  EXPECT_EQ(length_of({6, 0, 0, 0, 0x80, 0, 0, 0}), std::nullopt);
  EXPECT_EQ(length_of({251, 0, 0, 0, 0, 0, 255, 0}), std::nullopt);
  EXPECT_EQ(length_of({255, 1}), std::nullopt);
}

}  // namespace
}  // namespace reprise::frontend
