// TableBytes: the bytes of a table, written field after field.
#pragma once

#include <initializer_list>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

class TableBytes {
 public:
  TableBytes& u8s(std::initializer_list<u8> values) {
    bytes_.insert(bytes_.end(), values);
    return *this;
  }
  /// The low `count` bytes of `value`, little-endian.
  TableBytes& le(u64 value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
  TableBytes& text(std::string_view value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  TableBytes& zeros(std::size_t count) {
    bytes_.insert(bytes_.end(), count, 0);
    return *this;
  }
  /// ACPI's generic address structure. ACPI specification 6.4, 5.2.3.2.
  enum class Space : u8 { Memory = 0, Io = 1 };
  TableBytes& address(Space space, u8 bit_width, u64 address) {
    return u8s({static_cast<u8>(space), bit_width, 0, 0}).le(address, 8);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  std::vector<u8> bytes_;
};

/// Sets the byte at `checksum`, so that all bytes add up to zero.
inline void make_sum_zero(std::span<u8> bytes, std::size_t checksum) {
  bytes[checksum] = 0;
  bytes[checksum] = static_cast<u8>(-std::accumulate(bytes.begin(), bytes.end(), 0));
}

}  // namespace reprise::machine
