// What keyboard and pointer show to those who sit in front of them. The machine's thread keeps it up to date between turns;
// looking at it changes nothing.
#pragma once

#include <atomic>

#include "common/types.h"

namespace reprise::machine {

/// Bits of the keyboard's lights.
inline constexpr u8 kScrollLockLed = 0x01;
inline constexpr u8 kNumLockLed = 0x02;
inline constexpr u8 kCapsLockLed = 0x04;

/// Any thread.
class InputStatus {
 public:
  u8 leds() const { return leds_.load(std::memory_order_relaxed); }
  /// The guest takes absolute positions, so that the pointer needs no grab.
  bool absolute_pointer() const { return absolute_pointer_.load(std::memory_order_relaxed); }

  /// Machine thread.
  void set(u8 leds, bool absolute_pointer) {
    leds_.store(leds, std::memory_order_relaxed);
    absolute_pointer_.store(absolute_pointer, std::memory_order_relaxed);
  }

 private:
  std::atomic<u8> leds_{0};
  std::atomic<bool> absolute_pointer_{false};
};

}  // namespace reprise::machine
