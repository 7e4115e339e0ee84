// The flag columns of the instruction table against what Zydis knows, for every row.
//
// Opcode space is enumerated (prefixes, maps, ModRM) and each encoding decoded twice: by the emulator's
// decoder, which names the row, and by Zydis, which names the flags. A row's columns must equal the union
// over its encodings, apart from the differences listed here, each with its reason.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "cpu/decode/decode.h"
#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using cpu::InsnRow;
using cpu::Mnemonic;

constexpr u32 kColumnFlags = cpu::col::ALL | cpu::col::DF | cpu::col::IF | cpu::col::TF;

struct Columns {
  u32 tested = 0, written = 0, undefined = 0;
};

enum class Column : u8 { Tested, Written, Undefined };

struct Difference {
  std::string_view rows;  // prefix of the row name
  Column column;
  u32 flags;  // that Zydis adds to, or lacks from, the column
  std::string_view reason;
};

constexpr Difference kDifferences[] = {
    {"CMPS", Column::Tested, cpu::col::ZF,
     "REPE and REPNE test the flag that the instruction itself has just written"},
    {"SCAS", Column::Tested, cpu::col::ZF, "as CMPS"},
    {"SBB", Column::Written, cpu::col::AF, "SDM 2B: AF is set according to the result"},
    {"SBB", Column::Undefined, cpu::col::AF, "as above"},
    {"BEXTR", Column::Written, cpu::col::CF | cpu::col::OF,
     "SDM 2A: all flags but ZF, AF, SF and PF are cleared"},
    {"BEXTR", Column::Undefined, cpu::col::CF | cpu::col::OF, "as above"},
    {"INT", Column::Tested, kColumnFlags, "the frame shows every flag"},
    {"INT1", Column::Written, cpu::col::IF | cpu::col::TF, "cleared by delivery, as for INT3"},
    {"VPTEST", Column::Written, cpu::col::OF | cpu::col::SF | cpu::col::AF | cpu::col::PF,
     "SDM 2B: cleared, as by PTEST"},
    {"VTESTP", Column::Written, cpu::col::OF | cpu::col::SF | cpu::col::AF | cpu::col::PF, "SDM 2C: cleared"},
    {"SYSCALL", Column::Tested, kColumnFlags, "R11 shows every flag"},
};

class TableFlags : public ::testing::Test {
 protected:
  TableFlags() : decoder_(full_profile()) {}

  void enumerate() {
    for (const auto& prefix :
         {Bytes{}, Bytes{0x66}, Bytes{0xf3}, Bytes{0xf2}, Bytes{0x48}, Bytes{0x66, 0x48}}) {
      for (const auto& map : {Bytes{}, Bytes{0x0f}, Bytes{0x0f, 0x38}, Bytes{0x0f, 0x3a}})
        legacy(prefix, map);
    }
    for (u8 map = 1; map <= 3; ++map) {
      for (u8 wlpp = 0; wlpp < 16; ++wlpp) {
        const u8 last = static_cast<u8>((wlpp & 8) << 4 | 0x78 | (wlpp & 7));
        with_every_modrm({0xc4, static_cast<u8>(0xe0 | map), last});
      }
    }
  }

  std::map<Mnemonic, Columns> found_;

 private:
  using Bytes = std::vector<u8>;

  void legacy(const Bytes& prefix, const Bytes& map) {
    Bytes start = prefix;
    start.insert(start.end(), map.begin(), map.end());
    with_every_modrm(start);
  }
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
    cpu::Insn insn;
    bool ends;
    const cpu::ModeKey mode{static_cast<u32>(size) | cpu::ModeKey::kProtected | cpu::ModeKey::kFlatData};
    if (decoder_.decode(bytes, mode, 0, insn, ends) != cpu::DecodeStatus::Ok ||
        insn.mnemonic == Mnemonic::Invalid)
      return;

    ZydisDecoder zydis_decoder;
    ZydisDecoderInit(&zydis_decoder, machine_mode, stack_width);
    ZydisDecodedInstruction zydis;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis_decoder, bytes, sizeof(bytes), &zydis, operands))) return;
    Columns& columns = found_[insn.mnemonic];
    if (zydis.cpu_flags == nullptr) return;
    columns.tested |= zydis.cpu_flags->tested & kColumnFlags;
    columns.written |=
        (zydis.cpu_flags->modified | zydis.cpu_flags->set_0 | zydis.cpu_flags->set_1) & kColumnFlags;
    columns.undefined |= zydis.cpu_flags->undefined & kColumnFlags;
  }

  cpu::Decoder decoder_;
};

u32 justified(std::string_view row, Column column) {
  u32 flags = 0;
  for (const Difference& difference : kDifferences) {
    if (difference.column == column && row.starts_with(difference.rows)) flags |= difference.flags;
  }
  return flags;
}

TEST_F(TableFlags, EqualThoseOfZydis) {
  enumerate();
  for (const auto& [mnemonic, zydis] : found_) {
    const InsnRow& row = cpu::insn_row(mnemonic);
    const auto compare = [&row](const char* name, Column column, u32 ours, u32 theirs) {
      const u32 difference = (ours ^ theirs) & ~justified(row.name, column);
      EXPECT_EQ(difference, 0u) << row.name << ' ' << name << ": table " << std::hex << ours << ", Zydis "
                                << theirs;
    };
    compare("tested", Column::Tested, row.tested, zydis.tested);
    compare("written", Column::Written, row.written, zydis.written);
    compare("undefined", Column::Undefined, row.undefined, zydis.undefined);
  }
}

TEST_F(TableFlags, EveryRowIsReached) {
  enumerate();
  for (unsigned i = 1; i < static_cast<unsigned>(Mnemonic::Count); ++i) {
    const auto mnemonic = static_cast<Mnemonic>(i);
    EXPECT_TRUE(found_.contains(mnemonic)) << cpu::insn_row(mnemonic).name;
  }
}

}  // namespace
}  // namespace reprise::test
