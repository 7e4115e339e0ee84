// Sampled: of things that happen any number of times, some that are spread evenly.
#pragma once

#include <vector>

#include "common/types.h"

namespace reprise::machine::memory_report {

template <class T>
class Sampled {
 public:
  static constexpr std::size_t kMax = 192;
  /// Every stride-th one is kept, from the first on; the stride doubles as often as it must.
  void add(const T& one) {
    if (count_++ % stride_ != 0) return;
    kept_.push_back(one);
    if (kept_.size() < kMax) return;
    for (std::size_t i = 0; 2 * i < kept_.size(); ++i) kept_[i] = kept_[2 * i];
    kept_.resize((kept_.size() + 1) / 2);
    stride_ *= 2;
  }
  u64 count() const { return count_; }
  const std::vector<T>& kept() const { return kept_; }

 private:
  std::vector<T> kept_;
  u64 count_ = 0;
  u64 stride_ = 1;
};

}  // namespace reprise::machine::memory_report
