// Memory for generated code, mapped twice: writable here, executable there, never both.
// The executable one lies below 4 GiB. Hot and cold code have a half each, so that what runs often
// shares cache lines and pages. Both halves consist of the same number of parts, which are filled and emptied together.
#pragma once

#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

#include "common/types.h"
#include "jit/host/code_image.h"

namespace reprise::jit::x64 {

class CodeArena {
 public:
  static constexpr unsigned kMaxParts = CodeImage::kMaxParts;
  /// As many parts of `part_bytes` at least as there may be.
  CodeArena(std::size_t bytes, std::size_t part_bytes);
  ~CodeArena();
  CodeArena(const CodeArena&) = delete;
  CodeArena& operator=(const CodeArena&) = delete;

  /// False when the host gives no such memory; nothing else may be called then.
  bool ok() const { return rx_ != nullptr; }
  /// Where the next hot code will run, 16-byte aligned.
  const u8* next() const { return rx_ + part_ * hot_part_bytes() + used_[part_]; }
  /// Where the next cold code will.
  const u8* next_cold() const {
    return rx_ + parts_ * hot_part_bytes() + part_ * cold_part_bytes() + used_cold_[part_];
  }
  u8* writable(const u8* code) { return rw_ + (code - rx_); }
  /// Of the part that is being filled.
  std::size_t room() const { return hot_part_bytes() - used_[part_]; }
  std::size_t room_cold() const { return cold_part_bytes() - used_cold_[part_]; }
  void take(std::size_t bytes) { used_[part_] = align(used_[part_] + bytes); }
  void take_cold(std::size_t bytes) { used_cold_[part_] = align(used_cold_[part_] + bytes); }
  /// Of all parts.
  std::size_t used() const { return std::accumulate(used_.begin(), used_.end(), std::size_t{0}); }
  std::size_t used_cold() const {
    return std::accumulate(used_cold_.begin(), used_cold_.end(), std::size_t{0});
  }

  const u8* begin() const { return rx_; }
  /// All that is in it but what was kept; its bytes are in `bytes`.
  CodeImage image(std::vector<u8>& bytes) const;
  /// Has that again. False, and nothing changed: it is not that of an arena like this one, or there is code already.
  bool restore(const CodeImage& image);

  unsigned parts() const { return parts_; }
  unsigned part() const { return part_; }
  /// What the first part has now stays there. Before another one is begun.
  void keep() { kept_ = used_[0]; }
  /// Forgets what is in `part`, which is filled from here on.
  void begin_part(unsigned part) {
    part_ = part;
    used_[part] = part == 0 ? kept_ : 0;
    used_cold_[part] = 0;
  }

 private:
  /// Calls `visit(offset, bytes)` for the hot and the cold code of each part of `image`.
  template <class Visit>
  void for_each_piece(const CodeImage& image, Visit visit) const {
    for (unsigned part = 0; part < parts_; ++part) {
      const std::size_t begin = part == 0 ? kept_ : 0;
      visit(part * hot_part_bytes() + begin, image.used[part] - begin);
      visit(parts_ * hot_part_bytes() + part * cold_part_bytes(), image.used_cold[part]);
    }
  }
  static std::size_t align(std::size_t bytes) { return (bytes + 15) & ~std::size_t{15}; }
  std::size_t hot_part_bytes() const { return align(bytes_ / 2 / parts_); }
  std::size_t cold_part_bytes() const {
    return (bytes_ - parts_ * hot_part_bytes()) / parts_ & ~std::size_t{15};
  }

  u8* rx_ = nullptr;
  u8* rw_ = nullptr;
  std::size_t bytes_;
  unsigned parts_;
  unsigned part_ = 0;
  std::size_t kept_ = 0;
  std::array<std::size_t, kMaxParts> used_{};
  std::array<std::size_t, kMaxParts> used_cold_{};
};

}  // namespace reprise::jit::x64
