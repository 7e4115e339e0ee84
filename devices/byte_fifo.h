// ByteFifo: a bounded first-in first-out queue of bytes, as device state.
#pragma once

#include <array>

#include "common/archive.h"
#include "common/types.h"

namespace reprise::devices {

template <std::size_t N>
class ByteFifo {
 public:
  static constexpr std::size_t kCapacity = N;

  std::size_t size() const { return count_; }
  std::size_t free() const { return N - count_; }
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == N; }
  void clear() { first_ = count_ = 0; }

  /// False, changing nothing, when full.
  bool push(u8 byte) {
    if (full()) return false;
    bytes_[(first_ + count_) % N] = byte;
    ++count_;
    return true;
  }
  /// As the oldest, ahead of all others. False, changing nothing, when full.
  bool push_front(u8 byte) {
    if (full()) return false;
    first_ = static_cast<u32>((first_ + N - 1) % N);
    bytes_[first_] = byte;
    ++count_;
    return true;
  }
  /// The oldest byte, or 0 when empty.
  u8 front() const { return empty() ? u8{0} : bytes_[first_]; }
  /// The youngest byte, or 0 when empty.
  u8 back() const { return empty() ? u8{0} : bytes_[(first_ + count_ - 1) % N]; }
  u8 pop_back() {
    if (empty()) return 0;
    --count_;
    return bytes_[(first_ + count_) % N];
  }
  u8 pop() {
    if (empty()) return 0;
    const u8 byte = bytes_[first_];
    first_ = static_cast<u32>((first_ + 1) % N);
    --count_;
    return byte;
  }

  void serialize(Archive& archive) {
    archive.value(bytes_);
    archive.value(first_);
    archive.value(count_);
    if (first_ >= N || count_ > N) {
      clear();
      archive.fail();
    }
  }

 private:
  std::array<u8, N> bytes_{};
  u32 first_ = 0;
  u32 count_ = 0;
};

}  // namespace reprise::devices
