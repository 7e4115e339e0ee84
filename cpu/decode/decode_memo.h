// DecodeMemo: what instructions were decoded to before, by their bytes and mode. Programs are made of few different ones.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>

#include "common/types.h"
#include "cpu/core/insn.h"
#include "cpu/state/mode.h"

namespace reprise::cpu {

class DecodeMemo {
 public:
  /// The bytes of an instruction, zeros behind it.
  struct Bytes {
    u64 low = 0, high = 0;
    friend bool operator==(const Bytes&, const Bytes&) = default;
  };
  /// The first `length` of `bytes`, at least 1 and at most 15.
  static Bytes first(std::span<const u8> bytes, unsigned length) {
    static_assert(std::endian::native == std::endian::little);
    u64 words[2] = {};
    if (bytes.size() >= sizeof words)
      std::memcpy(words, bytes.data(), sizeof words);
    else
      std::memcpy(words, bytes.data(), length);
    if (length < 8) return {words[0] & ((u64{1} << 8 * length) - 1), 0};
    return {words[0], words[1] & ((u64{1} << 8 * (length - 8)) - 1)};
  }

  /// As it would be at offset 0 of a page, behind which nothing is counted: targets of relative jumps and displacements from rip
  /// count from its end.
  struct Entry {
    Bytes bytes;  // never zeros: no instruction is
    u32 mode = 0;
    u8 length = 0;
    bool ends_block = false;
    bool relative_imm = false;
    bool relative_disp = false;
    Insn insn;
  };
  /// The place of what may be `bytes` of `length` in `mode`.
  Entry& at(const Bytes& bytes, unsigned length, ModeKey mode) {
    constexpr u64 kGolden = 0x9e37'79b9'7f4a'7c15u;
    const u64 hash = ((bytes.low ^ std::rotl(bytes.high, 29) ^ (u64{mode.bits} << 37)) + length) * kGolden;
    return (*entries_)[hash >> (64 - std::countr_zero(kEntries))];
  }

 private:
  static constexpr u64 kEntries = 4096;
  std::unique_ptr<std::array<Entry, kEntries>> entries_ = std::make_unique<std::array<Entry, kEntries>>();
};

}  // namespace reprise::cpu
