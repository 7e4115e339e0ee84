// What a pointing device tells: the vocabulary between front ends, the log, and mice and tablets.
#pragma once

#include "common/types.h"

namespace reprise {

/// Bits of a set of buttons.
namespace pointer_buttons {
inline constexpr u8 kLeft = 0x01;
inline constexpr u8 kRight = 0x02;
inline constexpr u8 kMiddle = 0x04;
inline constexpr u8 kSide = 0x08;   // "back" of browsers
inline constexpr u8 kExtra = 0x10;  // "forward"
inline constexpr u8 kAll = 0x1f;
}  // namespace pointer_buttons

/// Absolute positions go from 0 (left, top) to this (right, bottom).
inline constexpr i32 kPointerMax = 32767;

struct PointerChange {
  enum class Motion : u8 { None, Relative, Absolute };
  Motion motion = Motion::None;
  i32 x = 0;       // Relative: counts to the right; Absolute: 0 to kPointerMax
  i32 y = 0;       // Relative: counts down; Absolute: 0 to kPointerMax
  i32 wheel = 0;   // notches away from the person, who scrolls up
  u8 buttons = 0;  // all that are held now
};

}  // namespace reprise
