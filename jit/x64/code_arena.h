// Memory for generated code, mapped twice: writable here, executable there, never both.
// The executable one lies below 4 GiB. Hot and cold code have a half each, so that what runs often
// shares cache lines and pages.
#pragma once

#include <cstddef>

#include "common/types.h"

namespace reprise::jit::x64 {

class CodeArena {
 public:
  explicit CodeArena(std::size_t bytes);
  ~CodeArena();
  CodeArena(const CodeArena&) = delete;
  CodeArena& operator=(const CodeArena&) = delete;

  /// False when the host gives no such memory; nothing else may be called then.
  bool ok() const { return rx_ != nullptr; }
  /// Where the next hot code will run, 16-byte aligned.
  const u8* next() const { return rx_ + used_; }
  /// Where the next cold code will.
  const u8* next_cold() const { return rx_ + hot_bytes() + used_cold_; }
  u8* writable(const u8* code) { return rw_ + (code - rx_); }
  std::size_t room() const { return hot_bytes() - used_; }
  std::size_t room_cold() const { return bytes_ - hot_bytes() - used_cold_; }
  std::size_t used() const { return used_; }
  std::size_t used_cold() const { return used_cold_; }
  void take(std::size_t bytes) { used_ = align(used_ + bytes); }
  void take_cold(std::size_t bytes) { used_cold_ = align(used_cold_ + bytes); }
  /// Forgets cold code and what lies beyond `mark`, a former used().
  void rewind(std::size_t mark) {
    used_ = mark;
    used_cold_ = 0;
  }

 private:
  static std::size_t align(std::size_t bytes) { return (bytes + 15) & ~std::size_t{15}; }
  std::size_t hot_bytes() const { return align(bytes_ / 2); }

  u8* rx_ = nullptr;
  u8* rw_ = nullptr;
  std::size_t bytes_;
  std::size_t used_ = 0;
  std::size_t used_cold_ = 0;
};

}  // namespace reprise::jit::x64
