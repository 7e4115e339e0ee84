// The length decoder against Zydis, for everything that Zydis knows; and what it says of the rest.
#include "cpu/decode/insn_length.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

namespace reprise::cpu {
namespace {

constexpr std::array<std::pair<CodeSize, ZydisMachineMode>, 3> kModes = {
    {{CodeSize::Bits16, ZYDIS_MACHINE_MODE_LEGACY_16},
     {CodeSize::Bits32, ZYDIS_MACHINE_MODE_LEGACY_32},
     {CodeSize::Bits64, ZYDIS_MACHINE_MODE_LONG_64}}};

TEST(InsnLength, AgreesWithZydisOnWhatIsDefined) {
  std::mt19937_64 random(15);
  for (const auto& [size, machine_mode] : kModes) {
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, machine_mode,
                     size == CodeSize::Bits16   ? ZYDIS_STACK_WIDTH_16
                     : size == CodeSize::Bits32 ? ZYDIS_STACK_WIDTH_32
                                                : ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_KNC, ZYAN_FALSE);
    unsigned compared = 0;
    for (int i = 0; i < 600'000; ++i) {
      std::array<u8, 15> bytes;
      for (u8& byte : bytes) byte = static_cast<u8>(random());
      static constexpr u8 kLikely[] = {0x0f, 0x66, 0xf2, 0xf3, 0x67, 0xc4, 0xc5, 0x62, 0x48, 0x41, 0x0f};
      const unsigned prefixes = random() % 4;
      for (unsigned k = 0; k < prefixes; ++k) bytes[k] = kLikely[random() % std::size(kLikely)];
      ZydisDecodedInstruction insn;
      if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, bytes.data(), bytes.size(), &insn)))
        continue;
      // Encodings of AMD alone.
      if (insn.encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ||
          insn.encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW || insn.mnemonic == ZYDIS_MNEMONIC_EXTRQ ||
          insn.mnemonic == ZYDIS_MNEMONIC_INSERTQ)
        continue;
      ++compared;
      ASSERT_EQ(insn_length(bytes, size), insn.length)
          << ZydisMnemonicGetString(insn.mnemonic) << " of " << i << " " << std::hex << unsigned{bytes[0]}
          << " " << unsigned{bytes[1]} << " " << unsigned{bytes[2]} << " " << unsigned{bytes[3]};
    }
    EXPECT_GT(compared, 200'000u);
  }
}

TEST(InsnLength, WhatIsNotDefinedHasALengthToo) {
  struct Row {
    std::array<u8, 15> bytes;
    unsigned length;
  };
  static constexpr Row kRows[] = {
      {{0x06}, 1},
      {{0x9a}, 7},
      {{0xff, 0xbc, 0x24}, 7},
      {{0x0f, 0x04, 0x84, 0x24}, 2},
      {{0x0f, 0x39, 0x84, 0x24}, 5},
      {{0x0f, 0x3f, 0xc0, 0x00}, 5},
      {{0x0f, 0x7a, 0x84, 0x24}, 8},
      {{0x0f, 0x38, 0xff, 0x84, 0x24}, 9},
      {{0xc4, 0xe0, 0x78}, 2},
      {{0xc4, 0xff, 0x78, 0x00, 0x84, 0x24}, 11},
      {{0x0f, 0x0f, 0x84, 0x24}, 2},
      {{0xc4, 0xe5, 0x78, 0x04}, 4},
      {{0xc4, 0x80}, 6},
      {{0x62, 0xf0, 0x7c}, 2},
      {{0xf0, 0xb8}, 6},
      {{0x66, 0x66, 0x0f, 0x04}, 4},
  };
  for (const Row& row : kRows)
    EXPECT_EQ(insn_length(row.bytes, CodeSize::Bits64), row.length) << unsigned{row.bytes[0]};
}

TEST(InsnLength, BytesThatAreMissingCount) {
  const std::array<u8, 2> bytes = {0x0f, 0x7a};
  EXPECT_GT(insn_length(std::span(bytes).first(1), CodeSize::Bits64), 1u);
  EXPECT_GT(insn_length(std::span(bytes), CodeSize::Bits64), 2u);
}

}  // namespace
}  // namespace reprise::cpu
