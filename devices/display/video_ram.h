// VideoRam: the memory of a graphics card, which processors may also reach as plain RAM. So the card looks at it as it
// likes, but whatever it changes itself goes through write(), which tells those who keep track of RAM.
#pragma once

#include <span>

#include "common/types.h"

namespace reprise::devices {

/// Thread: the one that runs the machine.
class VideoRam {
 public:
  virtual ~VideoRam() = default;
  /// A power of two of bytes, at the same place for ever.
  virtual std::span<const u8> bytes() const = 0;
  /// `offset` + size lies within bytes().
  virtual void write(u64 offset, std::span<const u8> from) = 0;
};

}  // namespace reprise::devices
