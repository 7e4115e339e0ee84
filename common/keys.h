// The keys of a PC keyboard, each with its name and with what every kind of keyboard sends for it: the one table behind
// PS/2 and virtio keyboards, the monitor's sendkey, windows and remote displays.
//
// A name is the one QEMU's `sendkey` and QKeyCode have; a Key's value is its code in the input subsystem of Linux
// (KEY_A and so on). Scan codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard"; Microsoft, "Keyboard
// Scan Code Specification" 1.3a for keys that IBM's had not.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise {

/// Named are those that a keyboard treats in a way of their own.
enum class Key : u8 {
  None = 0,
  LeftCtrl = 29,
  LeftShift = 42,
  RightShift = 54,
  LeftAlt = 56,
  RightCtrl = 97,
  KpDivide = 98,
  Print = 99,
  RightAlt = 100,
  Pause = 119,
};

/// What a keyboard sends in scan code set 3 from power-on for a key that is held, or let go.
enum class KeyType : u8 { MakeOnly, MakeBreak, Typematic };

struct KeyRow {
  Key key;
  std::string_view name;
  // With E0h in the high byte where that comes first. Print and Pause stand for more: ps2_keyboard.cpp.
  u16 set1;
  u16 set2;
  u8 set3;  // 0: a keyboard of that time has no such key
  KeyType set3_type;
};

/// By ascending code.
std::span<const KeyRow> key_rows();
/// nullptr: there is no such key.
const KeyRow* find_key(Key key);
/// By its name, or by another name that people use for it ("menu", "asterisk", "sysrq").
const KeyRow* find_key(std::string_view name);
/// "a", or "none".
std::string_view name_of(Key key);

/// A key and whether Shift is held with it.
struct Keystroke {
  Key key = Key::None;
  bool shift = false;
};
/// What a person presses for `character` on a keyboard of the US layout; '\n' is Enter. nullopt: it has no key.
std::optional<Keystroke> us_keystroke(char character);

/// The keys of "ctrl-alt-f1", in that order. nullopt: one of them is no key.
std::optional<std::vector<Key>> keys_between_dashes(std::string_view names);

}  // namespace reprise
