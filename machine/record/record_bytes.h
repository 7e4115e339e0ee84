// Numbers and texts of records as bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

class RecordBytes {
 public:
  void byte(u8 value) { bytes_.push_back(value); }
  void number(u64 value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<u8>(value | 0x80));
    byte(static_cast<u8>(value));
  }
  /// Small ones of both signs are short.
  void signed_number(i64 value) { number((static_cast<u64>(value) << 1) ^ static_cast<u64>(value >> 63)); }
  void fixed32(u32 value) { fixed(value, 4); }
  void fixed64(u64 value) { fixed(value, 8); }
  void bytes(std::span<const u8> from) {
    number(from.size());
    bytes_.insert(bytes_.end(), from.begin(), from.end());
  }
  void text(std::string_view from) { bytes({reinterpret_cast<const u8*>(from.data()), from.size()}); }

  std::span<const u8> content() const { return bytes_; }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  void fixed(u64 value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) byte(static_cast<u8>(value >> (8 * i)));
  }
  std::vector<u8> bytes_;
};

/// After the first problem it gives zeros.
class RecordParser {
 public:
  static constexpr std::size_t kMaxNumberBytes = 10;

  explicit RecordParser(std::span<const u8> bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  std::span<const u8> left() const { return left_; }

  u8 byte() {
    if (!ok_ || left_.empty()) return fail(), u8{0};
    const u8 value = left_[0];
    left_ = left_.subspan(1);
    return value;
  }
  u64 number() {
    u64 value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const u8 part = byte();
      value |= u64{part & 0x7fu} << shift;
      if (!(part & 0x80)) return ok_ ? value : 0;
    }
    return fail(), 0;
  }
  i64 signed_number() {
    const u64 value = number();
    return static_cast<i64>((value >> 1) ^ (~(value & 1) + 1));
  }
  u32 fixed32() { return static_cast<u32>(fixed(4)); }
  u64 fixed64() { return fixed(8); }
  std::vector<u8> bytes() {
    const std::span<const u8> content = take(number());
    return {content.begin(), content.end()};
  }
  std::string text() {
    const std::span<const u8> content = take(number());
    return {content.begin(), content.end()};
  }

 private:
  std::span<const u8> take(u64 count) {
    if (!ok_ || count > left_.size()) return fail(), std::span<const u8>();
    const std::span<const u8> content = left_.first(count);
    left_ = left_.subspan(count);
    return content;
  }
  u64 fixed(unsigned count) {
    u64 value = 0;
    for (unsigned i = 0; i < count; ++i) value |= u64{byte()} << (8 * i);
    return value;
  }
  std::span<const u8> left_;
  bool ok_ = true;
};

}  // namespace reprise::machine
