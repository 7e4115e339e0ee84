#include "cpu/decode/decode.h"
#include "cpu/decode/mnemonic.h"

#include <Zydis/Zydis.h>

#include <array>

#include "cpu/core/cpu.h"
#include "cpu/decode/insn_length.h"

namespace reprise::cpu {
namespace {

// Zydis gives string and SSE forms of two mnemonics the same name; their string rows are found by category.
constexpr auto ZYDIS_MNEMONIC_MOVSD_STRING = ZYDIS_MNEMONIC_INVALID;
constexpr auto ZYDIS_MNEMONIC_CMPSD_STRING = ZYDIS_MNEMONIC_INVALID;
// Far transfers share their mnemonic with near ones; their rows are found by branch type.
constexpr auto ZYDIS_MNEMONIC_CALL_FAR = ZYDIS_MNEMONIC_INVALID;
constexpr auto ZYDIS_MNEMONIC_JMP_FAR = ZYDIS_MNEMONIC_INVALID;
constexpr auto ZYDIS_MNEMONIC_RET_FAR = ZYDIS_MNEMONIC_INVALID;

constexpr auto kMnemonicMap = [] {
  std::array<Mnemonic, ZYDIS_MNEMONIC_MAX_VALUE + 1> map{};
#define INSN(name, ...) map[ZYDIS_MNEMONIC_##name] = Mnemonic::name;
#include "cpu/decode/insn_table.inc"
#undef INSN
  map[ZYDIS_MNEMONIC_INVALID] = Mnemonic::Invalid;
  return map;
}();

/// Encodings of Knights Corner, which has POPCNT, TZCNT and LZCNT with a VEX prefix; undefined everywhere else.
bool knights_corner(ZydisISASet isa_set) {
  return isa_set == ZYDIS_ISA_SET_KNCE || isa_set == ZYDIS_ISA_SET_KNCJKBR ||
         isa_set == ZYDIS_ISA_SET_KNCSTREAM || isa_set == ZYDIS_ISA_SET_KNCV;
}

Mnemonic map_mnemonic(const ZydisDecodedInstruction& zydis) {
  if (knights_corner(zydis.meta.isa_set)) return Mnemonic::Invalid;
  if (zydis.meta.category == ZYDIS_CATEGORY_STRINGOP) {
    if (zydis.mnemonic == ZYDIS_MNEMONIC_MOVSD) return Mnemonic::MOVSD_STRING;
    if (zydis.mnemonic == ZYDIS_MNEMONIC_CMPSD) return Mnemonic::CMPSD_STRING;
  }
  if (zydis.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
    if (zydis.mnemonic == ZYDIS_MNEMONIC_CALL) return Mnemonic::CALL_FAR;
    if (zydis.mnemonic == ZYDIS_MNEMONIC_JMP) return Mnemonic::JMP_FAR;
    if (zydis.mnemonic == ZYDIS_MNEMONIC_RET) return Mnemonic::RET_FAR;
  }
  return kMnemonicMap[zydis.mnemonic];
}

constexpr u8 kNoRegister = kGprZero * 8;

u8 gpr_offset(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return kNoRegister;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return kGprPageBase * 8;
  if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
    return static_cast<u8>((reg - ZYDIS_REGISTER_AH) * 8 + 1);
  // The byte registers are numbered AL..BL, AH..BH, SPL..DIL, R8B..R15B.
  if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
    return static_cast<u8>((reg - ZYDIS_REGISTER_SPL + 4) * 8);
  return static_cast<u8>(ZydisRegisterGetId(reg) * 8);
}

void set_register(Insn& insn, unsigned index, ZydisRegister reg) {
  u8 number = static_cast<u8>(ZydisRegisterGetId(reg));
  RegClass reg_class = RegClass::Vector;
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      reg_class = RegClass::Gpr;
      number = gpr_offset(reg);
      break;
    case ZYDIS_REGCLASS_SEGMENT: reg_class = RegClass::Segment; break;
    case ZYDIS_REGCLASS_CONTROL: reg_class = RegClass::Control; break;
    case ZYDIS_REGCLASS_DEBUG: reg_class = RegClass::Debug; break;
    case ZYDIS_REGCLASS_X87: reg_class = RegClass::X87; break;
    case ZYDIS_REGCLASS_MMX: reg_class = RegClass::Mmx; break;
    default: break;
  }
  insn.reg[index] = number;
  if (index < 2) insn.reg_class[index] = reg_class;
}

u8 segment_slot(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_ES: return ES;
    case ZYDIS_REGISTER_CS: return CS;
    case ZYDIS_REGISTER_SS: return SS;
    case ZYDIS_REGISTER_FS: return FS;
    case ZYDIS_REGISTER_GS: return GS;
    default: return DS;
  }
}

/// Chooses the slot and checks of an access through `seg`.
void set_segment(Insn& insn, ModeKey mode, u8 seg) {
  const bool data = seg == ES || seg == SS || seg == DS;
  if (seg == SS) insn.flags |= Insn::kStackSegment;
  if (mode.is64()) {
    insn.seg = seg == FS || seg == GS ? seg : static_cast<u8>(kSegFlat);
  } else if (data && mode.has(ModeKey::kFlatData)) {
    insn.seg = kSegFlat;
  } else {
    insn.seg = seg;
    insn.flags |= Insn::kCheckAddress;
  }
  if (mode.has(ModeKey::kAlignCheck)) insn.flags |= Insn::kCheckAddress;
}

void set_memory(Insn& insn, ModeKey mode, const ZydisDecodedOperandMem& mem) {
  insn.base = gpr_offset(mem.base);
  if (mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
    insn.index = kNoRegister;
    insn.reg[3] = static_cast<u8>(ZydisRegisterGetId(mem.index));
  } else {
    insn.index = gpr_offset(mem.index);
  }
  insn.scale = mem.scale == 8 ? 3 : mem.scale == 4 ? 2 : mem.scale == 2 ? 1 : 0;
  insn.disp = mem.disp.has_displacement ? mem.disp.value : 0;
  if (mem.base == ZYDIS_REGISTER_RIP || mem.base == ZYDIS_REGISTER_EIP) insn.disp += insn.next_offset;
  set_segment(insn, mode, segment_slot(mem.segment));
}

/// The segment of the implicit DS:rSI operand of string instructions and XLAT: DS unless overridden.
u8 overridden_segment(ZydisInstructionAttributes attributes) {
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS) return CS;
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_SS) return SS;
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_DS) return DS;
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_ES) return ES;
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS) return FS;
  if (attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS) return GS;
  return DS;
}

void set_operands(Insn& insn, ModeKey mode, const ZydisDecodedInstruction& zydis,
                  const ZydisDecodedOperand* operands) {
  u8 kinds[4] = {};
  bool has_imm = false;
  bool has_memory = false;
  const unsigned count = zydis.operand_count_visible < 4 ? zydis.operand_count_visible : 4;
  for (unsigned i = 0; i < count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    const u8 bytes = operand.size / 8 <= 255 ? static_cast<u8>(operand.size / 8) : 0;
    if (i == 0) insn.size0 = bytes;
    if (i == 1) insn.size1 = bytes;
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        kinds[i] = static_cast<u8>(OperandKind::Reg);
        set_register(insn, i, operand.reg.value);
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        kinds[i] = static_cast<u8>(OperandKind::Mem);
        set_memory(insn, mode, operand.mem);
        has_memory = true;
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        kinds[i] = static_cast<u8>(OperandKind::Imm);
        insn.imm = operand.ptr.offset;
        insn.disp = operand.ptr.segment;
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        kinds[i] = static_cast<u8>(OperandKind::Imm);
        if (has_imm) {
          insn.disp = static_cast<i64>(operand.imm.value.u);
        } else {
          insn.imm = operand.imm.value.u;
          if (operand.imm.is_relative) insn.imm += insn.next_offset;
        }
        has_imm = true;
        break;
      default: break;
    }
  }
  insn.form = static_cast<Form>(kinds[0] | kinds[1] << 2);
  insn.kind2 = kinds[2];
  if (!has_memory) {
    insn.base = insn.index = kNoRegister;
    set_segment(insn, mode, overridden_segment(zydis.attributes));
  }
}

/// Processors of AMD in 64-bit mode: a near branch with 66h and without REX.W has 16-bit operands, and far pointers in
/// memory have no 64-bit offsets. APM 3: CALL, Jcc, JMP, RET, LFS.
void apply_amd_sizes(Insn& insn, const ZydisDecodedInstruction& zydis) {
  const bool near =
      zydis.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR || zydis.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT;
  const bool wide = (zydis.attributes & ZYDIS_ATTRIB_HAS_REX) != 0 && zydis.raw.rex.W != 0;
  if (near && !wide && (zydis.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0) {
    insn.operand_bytes = 2;
    if (insn.form == Form::R || insn.form == Form::M) insn.size0 = 2;
  }
  const bool far_pointer = insn.mnemonic == Mnemonic::CALL_FAR || insn.mnemonic == Mnemonic::JMP_FAR;
  if (far_pointer && insn.operand_bytes == 8) insn.operand_bytes = 4;
  const bool loads_pointer =
      insn.mnemonic == Mnemonic::LSS || insn.mnemonic == Mnemonic::LFS || insn.mnemonic == Mnemonic::LGS;
  if (loads_pointer && insn.size0 == 8) insn.size0 = 4;
}

/// MMX operands and no XMM one: CR4.OSFXSR has no say.
bool only_mmx(const Insn& insn) {
  const bool mmx = insn.reg_class[0] == RegClass::Mmx || insn.reg_class[1] == RegClass::Mmx;
  return mmx && insn.reg_class[0] != RegClass::Vector && insn.reg_class[1] != RegClass::Vector;
}

/// What CPUID must offer for this form of the row.
bool form_offered(const InsnRow& row, const Insn& insn, const CpuProfile& profile) {
  if (!profile.has(row.feature)) return false;
  if (!insn.has(Insn::kVex)) return true;
  const auto needs = [&](u16 check, bool applies, Feature feature) {
    return (row.checks & check) && applies && !profile.has(feature);
  };
  const bool wide = insn.has(Insn::kVex256);
  return !needs(kAvx2If256, wide, Feature::Avx2) &&
         !needs(kAvx2IfRegister, insn.form == Form::RR, Feature::Avx2) &&
         !needs(kVaesIf256, wide, Feature::Vaes) && !needs(kVpclmulqdqIf256, wide, Feature::Vpclmulqdq);
}

Handler resolve_checks(const InsnRow& row, const Insn& insn, ModeKey mode, const CpuProfile& profile) {
  u16 checks = row.checks;
  if (insn.has(Insn::kVex) && !mode.has(ModeKey::kProtected)) return raise_ud;
  const bool lahf = insn.mnemonic == Mnemonic::LAHF || insn.mnemonic == Mnemonic::SAHF;
  if (lahf && mode.is64() && !profile.has(Feature::LahfLm)) return raise_ud;
  if ((checks & kCheckSse) && only_mmx(insn)) checks = static_cast<u16>((checks & ~kCheckSse) | kCheckMmx);
  if ((checks & kCheckProt) && !mode.has(ModeKey::kProtected)) return raise_ud;
  if ((checks & kCheckSmm) && !mode.has(ModeKey::kSmm)) return raise_ud;
  if ((checks & kCheckXsave) && !mode.has(ModeKey::kOsxsave)) return raise_ud;
  if ((checks & kCheckAvx) && !mode.has(ModeKey::kAvx)) return raise_ud;
  if ((checks & kCheckSse) && (mode.has(ModeKey::kEm) || !mode.has(ModeKey::kOsfxsr))) return raise_ud;
  if ((checks & kCheckMmx) && mode.has(ModeKey::kEm)) return raise_ud;
  if ((checks & (kCheckSse | kCheckMmx | kCheckAvx | kCheckTs)) && mode.has(ModeKey::kTs)) return raise_nm;
  if ((checks & kCheckX87) && mode.has(ModeKey::kEm | ModeKey::kTs)) return raise_nm;
  if ((checks & kCheckWait) && mode.has(ModeKey::kMp) && mode.has(ModeKey::kTs)) return raise_nm;
  if ((checks & kCheckUmip) && mode.has(ModeKey::kUmip)) return raise_gp0;
  if ((checks & kCheckCpl0) && mode.cpl() != 0) return raise_gp0;
  return nullptr;
}

u16 common_flags(ModeKey mode, ZydisInstructionAttributes attributes) {
  u16 flags = 0;
  if (attributes & ZYDIS_ATTRIB_HAS_LOCK) flags |= Insn::kLock;
  if (attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) flags |= Insn::kRep;
  if (attributes & ZYDIS_ATTRIB_HAS_REPNE) flags |= Insn::kRepne;
  if (mode.has(ModeKey::kAlignCheck)) flags |= Insn::kAlignCheck;
  if (mode.is64()) flags |= Insn::kCode64 | Insn::kStack64;
  if (mode.code_size() == CodeSize::Bits16) flags |= Insn::kCode16;
  if (!mode.is64() && !mode.has(ModeKey::kStack32)) flags |= Insn::kStack16;
  return flags;
}

}  // namespace

struct Decoder::Impl {
  explicit Impl(const CpuProfile& cpu_profile) : profile(cpu_profile) {
    init(CodeSize::Bits16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    init(CodeSize::Bits32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    init(CodeSize::Bits64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  }
  void init(CodeSize size, ZydisMachineMode machine_mode, ZydisStackWidth stack_width) {
    ZydisDecoder& decoder = decoders[static_cast<unsigned>(size)];
    ZydisDecoderInit(&decoder, machine_mode, stack_width);
    // Encodings that older processors give another meaning: the old one where the profile lacks the feature.
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_LZCNT, profile.has(Feature::Lzcnt));
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_TZCNT, profile.has(Feature::Bmi1));
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_WBNOINVD, profile.has(Feature::Wbnoinvd));
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, profile.amd());
  }
  const CpuProfile& profile;
  ZydisDecoder decoders[3];
};

Decoder::Decoder(const CpuProfile& profile) : impl_(std::make_unique<Impl>(profile)) {}
Decoder::~Decoder() = default;

DecodeStatus Decoder::decode(std::span<const u8> bytes, ModeKey mode, u16 offset, Insn& insn,
                             bool& ends_block) const {
  insn = Insn{};
  insn.offset = offset;
  insn.next_offset = offset;
  ends_block = true;

  const std::size_t available =
      bytes.size() < ZYDIS_MAX_INSTRUCTION_LENGTH ? bytes.size() : ZYDIS_MAX_INSTRUCTION_LENGTH;
  const ZydisDecoder& decoder = impl_->decoders[static_cast<unsigned>(mode.code_size())];
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  ZydisDecoderContext context;
  ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder, &context, bytes.data(), available, &zydis);
  // What is not written in the instruction is the bodies' business.
  if (ZYAN_SUCCESS(status))
    status = ZydisDecoderDecodeOperands(&decoder, &context, &zydis, operands, zydis.operand_count_visible);
  const bool known_encoding = ZYAN_SUCCESS(status) && (zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                                                       zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX);
  if (!known_encoding) {
    // All bytes of it must be there, or their fetch faults first; more than 15 are #GP. SDM 3A 6.15.
    const unsigned length = insn_length(bytes.first(available), mode.code_size());
    if (length > available && available < ZYDIS_MAX_INSTRUCTION_LENGTH) return DecodeStatus::Truncated;
    const bool too_long = length > ZYDIS_MAX_INSTRUCTION_LENGTH;
    if (!too_long) insn.next_offset = static_cast<u16>(offset + length);
    insn.exec = too_long ? raise_gp0 : raise_ud;
    return DecodeStatus::Ok;
  }

  insn.next_offset = static_cast<u16>(offset + zydis.length);
  insn.mnemonic = map_mnemonic(zydis);
  const InsnRow& row = insn_row(insn.mnemonic);
  if (row.select == nullptr) {
    insn.exec = raise_ud;
    return DecodeStatus::Ok;
  }
  insn.flags = common_flags(mode, zydis.attributes);
  insn.operand_bytes = static_cast<u8>(zydis.operand_width / 8);
  insn.addr_shift = static_cast<u8>(64 - zydis.address_width);
  if (zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
    insn.flags |= Insn::kVex;
    if (zydis.avx.vector_length == 256) insn.flags |= Insn::kVex256;
  }
  set_operands(insn, mode, zydis, operands);
  if (mode.is64() && impl_->profile.amd()) apply_amd_sizes(insn, zydis);

  insn.exec =
      form_offered(row, insn, impl_->profile) ? resolve_checks(row, insn, mode, impl_->profile) : raise_ud;
  if (insn.exec != nullptr) return DecodeStatus::Ok;
  insn.exec = row.select(insn);
  if (insn.exec == nullptr) {
    insn.exec = raise_ud;
    return DecodeStatus::Ok;
  }
  ends_block = (row.checks & kEnds) != 0;
  return DecodeStatus::Ok;
}

}  // namespace reprise::cpu
