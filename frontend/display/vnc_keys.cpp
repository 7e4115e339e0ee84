#include "frontend/display/vnc_keys.h"

#include <algorithm>
#include <string_view>

namespace reprise::frontend {
namespace {

struct KeysymRow {
  u32 keysym;
  std::string_view name;  // common/keys.h
};

// In the order of X11's own list of keysyms.
constexpr KeysymRow kRows[] = {
    {0xff08, "backspace"},
    {0xff09, "tab"},
    {0xff0a, "ret"},  // Linefeed
    {0xff0d, "ret"},
    {0xff13, "pause"},
    {0xff14, "scroll_lock"},
    {0xff15, "print"},  // Sys_Req
    {0xff1b, "esc"},
    {0xff22, "muhenkan"},
    {0xff23, "henkan"},
    {0xff27, "katakanahiragana"},
    {0xff50, "home"},
    {0xff51, "left"},
    {0xff52, "up"},
    {0xff53, "right"},
    {0xff54, "down"},
    {0xff55, "pgup"},
    {0xff56, "pgdn"},
    {0xff57, "end"},
    {0xff61, "print"},
    {0xff63, "insert"},
    {0xff67, "compose"},
    {0xff6b, "pause"},  // Break
    {0xff7e, "alt_r"},  // Mode_switch
    {0xff7f, "num_lock"},
    {0xff8d, "kp_enter"},
    {0xff95, "kp_7"},
    {0xff96, "kp_4"},
    {0xff97, "kp_8"},
    {0xff98, "kp_6"},
    {0xff99, "kp_2"},
    {0xff9a, "kp_9"},
    {0xff9b, "kp_3"},
    {0xff9c, "kp_1"},
    {0xff9d, "kp_5"},
    {0xff9e, "kp_0"},
    {0xff9f, "kp_decimal"},
    {0xffaa, "kp_multiply"},
    {0xffab, "kp_add"},
    {0xffac, "kp_comma"},
    {0xffad, "kp_subtract"},
    {0xffae, "kp_decimal"},
    {0xffaf, "kp_divide"},
    {0xffb0, "kp_0"},
    {0xffb1, "kp_1"},
    {0xffb2, "kp_2"},
    {0xffb3, "kp_3"},
    {0xffb4, "kp_4"},
    {0xffb5, "kp_5"},
    {0xffb6, "kp_6"},
    {0xffb7, "kp_7"},
    {0xffb8, "kp_8"},
    {0xffb9, "kp_9"},
    {0xffbd, "kp_equals"},
    {0xffbe, "f1"},
    {0xffbf, "f2"},
    {0xffc0, "f3"},
    {0xffc1, "f4"},
    {0xffc2, "f5"},
    {0xffc3, "f6"},
    {0xffc4, "f7"},
    {0xffc5, "f8"},
    {0xffc6, "f9"},
    {0xffc7, "f10"},
    {0xffc8, "f11"},
    {0xffc9, "f12"},
    {0xffca, "f13"},
    {0xffcb, "f14"},
    {0xffcc, "f15"},
    {0xffcd, "f16"},
    {0xffce, "f17"},
    {0xffcf, "f18"},
    {0xffd0, "f19"},
    {0xffd1, "f20"},
    {0xffd2, "f21"},
    {0xffd3, "f22"},
    {0xffd4, "f23"},
    {0xffd5, "f24"},
    {0xffe1, "shift"},
    {0xffe2, "shift_r"},
    {0xffe3, "ctrl"},
    {0xffe4, "ctrl_r"},
    {0xffe5, "caps_lock"},
    {0xffe7, "meta_l"},
    {0xffe8, "meta_r"},
    {0xffe9, "alt"},
    {0xffea, "alt_r"},
    {0xffeb, "meta_l"},  // Super
    {0xffec, "meta_r"},
    {0xffff, "delete"},
    {0xfe03, "alt_r"},  // ISO_Level3_Shift, AltGr
    {0xfe20, "tab"},    // ISO_Left_Tab: Shift and Tab
    {0x1008ff11, "volumedown"},
    {0x1008ff12, "audiomute"},
    {0x1008ff13, "volumeup"},
};

}  // namespace

VncKey key_of_keysym(u32 keysym) {
  if (keysym >= 0x20 && keysym < 0x7f) {
    const std::optional<Keystroke> stroke = us_keystroke(static_cast<char>(keysym));
    if (!stroke) return {};
    const u32 small = keysym | 0x20;
    return {.key = stroke->key, .letter = small >= 'a' && small <= 'z', .shifted = stroke->shift};
  }
  const auto* row = std::ranges::find(kRows, keysym, &KeysymRow::keysym);
  if (row == std::end(kRows)) return {};
  return {.key = find_key(row->name)->key};
}

Key key_of_vnc_keycode(u32 keycode) {
  if (keycode > 0xff) return Key::None;
  const u32 set1 = keycode & 0x80 ? 0xe000 | (keycode & 0x7f) : keycode;
  const auto rows = key_rows();
  const auto row = std::ranges::find(rows, set1, &KeyRow::set1);
  return row == rows.end() ? Key::None : row->key;
}

}  // namespace reprise::frontend
