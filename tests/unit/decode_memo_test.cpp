// A decoder that has decoded much before says what a new one says, wherever the instruction lies.
#include "cpu/decode/decode.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <random>

#include "cpu/decode/mnemonic.h"

namespace reprise::cpu {
namespace {

using Raw = std::array<u8, sizeof(Insn)>;

TEST(DecodeMemo, ChangesNothing) {
  const CpuProfile& profile = default_profile();
  const Decoder used(profile);
  std::mt19937_64 random(7);
  static constexpr u32 kProtected = ModeKey::kProtected | ModeKey::kFlatCode | ModeKey::kFlatData;
  static constexpr u32 kModes[] = {
      static_cast<u32>(CodeSize::Bits16), static_cast<u32>(CodeSize::Bits32) | kProtected,
      static_cast<u32>(CodeSize::Bits64) | kProtected | ModeKey::kLongMode | ModeKey::kOsfxsr,
      static_cast<u32>(CodeSize::Bits64) | kProtected | ModeKey::kLongMode | ModeKey::kOsfxsr | ModeKey::kTs,
      static_cast<u32>(CodeSize::Bits64) | kProtected | ModeKey::kLongMode | ModeKey::kCplMask};
  unsigned defined = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    std::array<u8, 24> bytes;
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    // Few enough that the same ones come again, with other bytes behind them.
    static constexpr u8 kLikely[] = {0x0f, 0x66, 0xf3, 0x48, 0x41, 0x8b, 0x05, 0xe8, 0x74, 0x50, 0xff, 0x0c};
    const unsigned few = static_cast<unsigned>(random() % 5);
    for (unsigned k = 0; k < few; ++k) bytes[k] = kLikely[random() % std::size(kLikely)];
    const ModeKey mode{kModes[random() % std::size(kModes)]};
    const std::span<const u8> shown = std::span(bytes).first(1 + random() % bytes.size());
    // The second time it is known, if it can be.
    for (const u16 offset :
         {static_cast<u16>(random() % kPageBytes), static_cast<u16>(random() % kPageBytes)}) {
      Insn expected, actual;
      bool ends_expected, ends_actual;
      const DecodeStatus status = Decoder(profile).decode(shown, mode, offset, expected, ends_expected);
      ASSERT_EQ(used.decode(shown, mode, offset, actual, ends_actual), status);
      ASSERT_EQ(ends_actual, ends_expected);
      if (status != DecodeStatus::Ok) continue;
      ASSERT_EQ(std::bit_cast<Raw>(actual), std::bit_cast<Raw>(expected))
          << std::hex << unsigned{bytes[0]} << " " << unsigned{bytes[1]} << " " << unsigned{bytes[2]}
          << " at " << offset;
      defined += expected.mnemonic != Mnemonic::Invalid ? 1 : 0;
    }
  }
  EXPECT_GT(defined, 10'000u);
}

}  // namespace
}  // namespace reprise::cpu
