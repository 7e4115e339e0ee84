// Losses: what could not be written of what a run was to write. Every writer to a descriptor or file of the user's tells
// of it here and goes on; the end of the run names what was lost.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise {

struct Loss {
  std::string output;  // "standard output", "serial file 'x'"
  std::string why;     // of the first, as the host says it
  u64 bytes = 0;       // of all; 0: nobody knows
};

/// Any thread.
class Losses {
 public:
  void add(std::string_view output, std::string_view why, u64 bytes);
  /// In the order in which the first of each output came.
  std::vector<Loss> list() const;
  bool any() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Loss> losses_;  // under mutex_
};

/// "standard output lost 12 bytes: No space left on device".
std::string describe(const Loss& loss);

}  // namespace reprise
