// Integer types and access widths used everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reprise {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
__extension__ using u128 = unsigned __int128;
__extension__ using i128 = __int128;

/// The width of one bus or memory access; the value is the number of bytes.
enum class Width : u8 { Byte = 1, Word = 2, Dword = 4, Qword = 8 };

constexpr unsigned width_bytes(Width width) { return static_cast<unsigned>(width); }
constexpr u64 width_mask(Width width) {
  return width == Width::Qword ? ~u64{0} : (u64{1} << (8 * width_bytes(width))) - 1;
}

inline constexpr u64 kPageBytes = 4096;
inline constexpr u64 kPageShift = 12;
inline constexpr u64 kPageMask = ~(kPageBytes - 1);

}  // namespace reprise
