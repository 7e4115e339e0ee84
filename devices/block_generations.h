// Earlier contents of a disk: writes go to generations that lie over each other, so that one can be gone back to.
//
//     base (never written) <- generation 1 <- generation 2 <- ... <- the current one, which takes the writes
//
// The current one may also lie in the middle: over a generation that was gone back to. What runs there again writes what it
// wrote before, so that wherever the current one ends, those behind it hold what they held.
#pragma once

#include <optional>
#include <span>

#include "common/result.h"
#include "common/types.h"

namespace reprise::devices {

class BlockBackend;
enum class BlockStatus : u8;

/// Offsets and sizes are bytes, multiples of BlockBackend::kSectorBytes, within the content. Thread: the one that
/// runs the machine.
class BlockGenerations {
 public:
  /// Counts up from 1 and is never given twice.
  using Generation = u64;
  struct Range {
    u64 offset = 0;
    u64 bytes = 0;
  };

  virtual ~BlockGenerations() = default;
  /// The content below all generations.
  virtual BlockBackend& base() = 0;
  /// The generation that takes writes now.
  virtual Generation current() const = 0;
  /// Ends the current generation and returns it: the content as it is now stays known under its number. What it
  /// costs does not depend on the size of the content.
  virtual Generation begin() = 0;
  /// Something was written to the current generation.
  virtual bool written() const = 0;
  /// The content is as it was at the end of `generation`. The current one is forgotten, and a new one takes writes, which
  /// lies over `generation`. Those behind it stay known. False: there is no such generation.
  virtual bool go_to(Generation generation) = 0;
  /// The current one, which lies somewhere below, has come by as many writes to where `generation` had, and lies over it from
  /// now on. False: there is no such generation above it.
  virtual bool rise(Generation generation) = 0;
  /// The current one is to go its own way: where the content is kept elsewhere as well, it is there what it is here.
  virtual BlockStatus settle() = 0;
  /// Those over which the current one does not lie are forgotten.
  virtual void forget_above() = 0;
  /// `generation`, which has ended, is no longer to be known. What it and the next one hold becomes one. It is not the one
  /// over which the current one lies while others do, too. After an error it is still known.
  virtual BlockStatus forget(Generation generation) = 0;
  /// Forgets them all: the content is the base's.
  virtual void clear() = 0;

  /// As BlockBackend::read, of the content at the end of `generation` (the current one: as it is now).
  virtual BlockStatus read_as_of(Generation generation, u64 offset, std::span<u8> into) = 0;
  /// Where, at or behind `offset`, that content is not the base's: the next range, or nothing. Ranges may overlap the
  /// ones after them.
  virtual std::optional<Range> next_written(Generation generation, u64 offset) const = 0;
};

}  // namespace reprise::devices
