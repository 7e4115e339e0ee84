// Opcode space enumerated (prefixes, maps, ModRM), each encoding decoded twice: by the emulator's decoder, which names the
// row, and by Zydis, which knows flags and operands. For tests that compare the instruction table with Zydis.
#pragma once

#include <Zydis/Zydis.h>

#include <vector>

#include "cpu/decode/decode.h"
#include "cpu/decode/mnemonic.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {

/// One encoding that both decoders know, in 64-bit or in 32-bit code.
struct ZydisForm {
  cpu::Insn insn;
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/// Calls `visit(const ZydisForm&)` for at least one encoding of every form of every row.
template <class Visit>
class ZydisForms {
 public:
  explicit ZydisForms(Visit visit) : decoder_(full_profile()), visit_(visit) {}

  void enumerate() {
    for (const auto& prefix : {Bytes{}, Bytes{0x66}, Bytes{0xf3}, Bytes{0xf2}, Bytes{0x48}, Bytes{0x66, 0x48},
                               Bytes{0xf3, 0x66}, Bytes{0xf3, 0x48}}) {
      for (const auto& map : {Bytes{}, Bytes{0x0f}, Bytes{0x0f, 0x38}, Bytes{0x0f, 0x3a}}) {
        Bytes start = prefix;
        start.insert(start.end(), map.begin(), map.end());
        with_every_modrm(start);
      }
    }
    for (u8 map = 1; map <= 3; ++map) {
      for (u8 wlpp = 0; wlpp < 16; ++wlpp) {
        const u8 last = static_cast<u8>((wlpp & 8) << 4 | 0x78 | (wlpp & 7));
        with_every_modrm({0xc4, static_cast<u8>(0xe0 | map), last});
      }
    }
  }

 private:
  using Bytes = std::vector<u8>;

  void with_every_modrm(const Bytes& start) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      for (unsigned modrm = 0; modrm < 256; ++modrm) {
        const bool representative = modrm >= 0xc0 || (modrm & 0xc7) == 0 || (modrm & 0xc7) == 4;
        if (representative) look_at(start, static_cast<u8>(opcode), static_cast<u8>(modrm));
      }
    }
  }
  void look_at(const Bytes& start, u8 opcode, u8 modrm) {
    u8 bytes[15] = {};
    std::copy(start.begin(), start.end(), bytes);
    bytes[start.size()] = opcode;
    bytes[start.size() + 1] = modrm;
    if ((modrm & 0xc7) == 4) bytes[start.size() + 2] = 0x10;  // an index register that gathers take
    look_at(bytes, cpu::CodeSize::Bits64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    look_at(bytes, cpu::CodeSize::Bits32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  }
  void look_at(const u8 (&bytes)[15], cpu::CodeSize size, ZydisMachineMode machine_mode,
               ZydisStackWidth stack_width) {
    ZydisForm form;
    bool ends;
    const cpu::ModeKey mode{static_cast<u32>(size) | cpu::ModeKey::kProtected | cpu::ModeKey::kFlatData};
    if (decoder_.decode(bytes, mode, 0, form.insn, ends) != cpu::DecodeStatus::Ok ||
        form.insn.mnemonic == cpu::Mnemonic::Invalid)
      return;

    ZydisDecoder zydis_decoder;
    ZydisDecoderInit(&zydis_decoder, machine_mode, stack_width);
    if (ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&zydis_decoder, bytes, sizeof(bytes), &form.zydis, form.operands)))
      visit_(form);
  }

  cpu::Decoder decoder_;
  Visit visit_;
};

template <class Visit>
void for_each_zydis_form(Visit visit) {
  ZydisForms<Visit>(visit).enumerate();
}

}  // namespace reprise::test
