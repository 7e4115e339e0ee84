// Lanes of vector values, and the functions bodies are written with. V is V64 (MMX) or V128 (SSE and each half of a
// 256-bit AVX register); T is the lane type. Lane 0 is the least significant. Pure; plain loops, so that the
// compiler turns them into the host's vector instructions.
#pragma once

#include <array>
#include <bit>
#include <limits>

#include "common/bits.h"
#include "cpu/state/state.h"

namespace reprise::cpu {

template <class T, class V>
inline constexpr unsigned kLanes = sizeof(V) / sizeof(T);

template <class T, class V>
using Lanes = std::array<T, kLanes<T, V>>;

template <class T, class V>
constexpr Lanes<T, V> lanes(const V& value) {
  return std::bit_cast<Lanes<T, V>>(value);
}

/// The vector made of all its lanes.
template <class T, std::size_t N>
constexpr auto from_lanes(const std::array<T, N>& value) {
  return std::bit_cast<Vec<sizeof(T) * N>>(value);
}

template <class T, class V>
constexpr T lane(const V& value, unsigned index) {
  return lanes<T>(value)[index];
}

template <class T, class V>
constexpr V with_lane(const V& value, unsigned index, T element) {
  auto all = lanes<T>(value);
  all[index] = element;
  return from_lanes(all);
}

/// fn(lane index) in every lane.
template <class T, class V, class Fn>
constexpr V fill_lanes(Fn fn) {
  Lanes<T, V> result{};
  for (unsigned i = 0; i < kLanes<T, V>; ++i) result[i] = static_cast<T>(fn(i));
  return from_lanes(result);
}

/// fn(a) or fn(a, b) lane by lane.
template <class T, class V, class Fn>
constexpr V map_lanes(const V& a, Fn fn) {
  const auto x = lanes<T>(a);
  Lanes<T, V> result{};
  for (unsigned i = 0; i < kLanes<T, V>; ++i) result[i] = static_cast<T>(fn(x[i]));
  return from_lanes(result);
}
template <class T, class V, class Fn>
constexpr V map_lanes(const V& a, const V& b, Fn fn) {
  const auto x = lanes<T>(a);
  const auto y = lanes<T>(b);
  Lanes<T, V> result{};
  for (unsigned i = 0; i < kLanes<T, V>; ++i) result[i] = static_cast<T>(fn(x[i], y[i]));
  return from_lanes(result);
}

/// `value` clamped to the range of T.
template <class T>
constexpr T saturate(i64 value) {
  constexpr i64 low = std::numeric_limits<T>::min();
  constexpr i64 high = std::numeric_limits<T>::max();
  return static_cast<T>(value < low ? low : value > high ? high : value);
}
template <class T>
constexpr T saturate(i32 value) {
  constexpr i32 low = std::numeric_limits<T>::min();
  constexpr i32 high = std::numeric_limits<T>::max();
  return static_cast<T>(value < low ? low : value > high ? high : value);
}

/// The most significant bit of each lane, lane i in bit i.
template <class T, class V>
constexpr u32 sign_mask(const V& value) {
  const auto x = lanes<T>(value);
  u32 mask = 0;
  for (unsigned i = 0; i < kLanes<T, V>; ++i) mask |= static_cast<u32>(x[i] >> (kBits<T> - 1) & 1) << i;
  return mask;
}

}  // namespace reprise::cpu
