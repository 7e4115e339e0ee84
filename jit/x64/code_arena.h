// Memory for generated code, mapped twice: writable here, executable there, never both.
// The executable one lies below 4 GiB.
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
  /// Where the next code will run, 16-byte aligned.
  const u8* next() const { return rx_ + used_; }
  u8* writable(const u8* code) { return rw_ + (code - rx_); }
  std::size_t room() const { return bytes_ - used_; }
  std::size_t used() const { return used_; }
  void take(std::size_t bytes) { used_ = (used_ + bytes + 15) & ~std::size_t{15}; }
  /// Forgets what lies beyond `mark`, a former used().
  void rewind(std::size_t mark) { used_ = mark; }

 private:
  u8* rx_ = nullptr;
  u8* rw_ = nullptr;
  std::size_t bytes_;
  std::size_t used_ = 0;
};

}  // namespace reprise::jit::x64
