// PatientWriter: writes to whatever stands behind a descriptor, and waits for a slow reader, but not for ever.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/types.h"

namespace reprise::frontend {

/// One thread at a time.
class PatientWriter {
 public:
  /// `descriptor` is not closed.
  explicit PatientWriter(int descriptor);

  /// While `wanted` says true, a reader that takes nothing is not waited for any longer.
  void give_up_when(std::function<bool()> wanted) { give_up_ = std::move(wanted); }

  /// Writes `bytes`, of which those are left that were not taken. Nothing: all were; else why not, for people.
  std::optional<std::string> write(std::span<const u8>& bytes);

 private:
  /// Waits until a piece can be written without blocking for ever. False: nobody reads it.
  bool wait_for_room();

  int descriptor_;
  bool may_block_;           // a pipe, terminal or socket
  std::size_t piece_bytes_;  // what fits once poll says that there is room
  std::function<bool()> give_up_;
  bool abandoned_ = false;  // it was given up once
};

}  // namespace reprise::frontend
