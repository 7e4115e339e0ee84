#include "tests/native/generator.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <algorithm>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "tests/native/random.h"

namespace reprise::native {
namespace {

using cpu::Mnemonic;

// Zydis gives the string forms of two mnemonics the name of the SSE ones.
constexpr auto ZYDIS_MNEMONIC_MOVSD_STRING = ZYDIS_MNEMONIC_MOVSD;
constexpr auto ZYDIS_MNEMONIC_CMPSD_STRING = ZYDIS_MNEMONIC_CMPSD;
// Rows of far transfers, which Zydis tells from near ones by branch type.
constexpr auto ZYDIS_MNEMONIC_CALL_FAR = ZYDIS_MNEMONIC_CALL;
constexpr auto ZYDIS_MNEMONIC_JMP_FAR = ZYDIS_MNEMONIC_JMP;
constexpr auto ZYDIS_MNEMONIC_RET_FAR = ZYDIS_MNEMONIC_RET;

constexpr ZydisMnemonic kZydisMnemonics[] = {
    ZYDIS_MNEMONIC_INVALID,
#define INSN(name, ...) ZYDIS_MNEMONIC_##name,
#include "cpu/decode/insn_table.inc"
#undef INSN
};

/// Rows that user mode on the host cannot serve as an oracle for.
struct SkippedRow {
  Mnemonic mnemonic;
  std::string_view reason;
};
constexpr SkippedRow kSkipped[] = {
    {Mnemonic::SYSCALL, "enters the host kernel"},
    {Mnemonic::SYSENTER, "enters the host kernel"},
    {Mnemonic::INT, "enters the host kernel"},
    {Mnemonic::CALL_FAR, "loads host selectors"},
    {Mnemonic::JMP_FAR, "loads host selectors"},
    {Mnemonic::RET_FAR, "loads host selectors"},
    {Mnemonic::INT1, "the host kernel reports a single-step"},
    {Mnemonic::INT3, "ends every case"},
    {Mnemonic::INTO, "not in 64-bit mode"},
    {Mnemonic::AAA, "not in 64-bit mode"},
    {Mnemonic::AAD, "not in 64-bit mode"},
    {Mnemonic::AAM, "not in 64-bit mode"},
    {Mnemonic::AAS, "not in 64-bit mode"},
    {Mnemonic::DAA, "not in 64-bit mode"},
    {Mnemonic::DAS, "not in 64-bit mode"},
    {Mnemonic::SALC, "not in 64-bit mode"},
    {Mnemonic::JCXZ, "not in 64-bit mode"},
    {Mnemonic::BOUND, "not in 64-bit mode"},
    {Mnemonic::ARPL, "not in 64-bit mode"},
    {Mnemonic::LDS, "not in 64-bit mode"},
    {Mnemonic::LES, "not in 64-bit mode"},
    {Mnemonic::POPFD, "not in 64-bit mode"},
    {Mnemonic::PUSHFD, "not in 64-bit mode"},
    {Mnemonic::POPA, "not in 64-bit mode"},
    {Mnemonic::POPAD, "not in 64-bit mode"},
    {Mnemonic::PUSHA, "not in 64-bit mode"},
    {Mnemonic::PUSHAD, "not in 64-bit mode"},
    {Mnemonic::IRET, "depends on host selectors"},
    {Mnemonic::IRETD, "depends on host selectors"},
    {Mnemonic::IRETQ, "depends on host selectors"},
    {Mnemonic::CPUID, "the host's own model"},
    {Mnemonic::RDTSC, "the host's own time"},
    {Mnemonic::RDTSCP, "the host's own time"},
    {Mnemonic::RDPID, "the host's own value"},
    {Mnemonic::RDPMC, "depends on host control registers"},
    {Mnemonic::RDRAND, "random on the host"},
    {Mnemonic::RDSEED, "random on the host"},
    {Mnemonic::XGETBV, "the host enables other components"},
    {Mnemonic::XSETBV, "the host enables other components"},
    {Mnemonic::XSAVES, "not for user mode"},
    {Mnemonic::XSAVES64, "not for user mode"},
    {Mnemonic::XRSTORS, "not for user mode"},
    {Mnemonic::XRSTORS64, "not for user mode"},
    {Mnemonic::SGDT, "UMIP emulation by the host kernel"},
    {Mnemonic::SIDT, "UMIP emulation by the host kernel"},
    {Mnemonic::SLDT, "UMIP emulation by the host kernel"},
    {Mnemonic::STR, "UMIP emulation by the host kernel"},
    {Mnemonic::SMSW, "UMIP emulation by the host kernel"},
    {Mnemonic::LAR, "depends on the host's descriptor tables"},
    {Mnemonic::LSL, "depends on the host's descriptor tables"},
    {Mnemonic::VERR, "depends on the host's descriptor tables"},
    {Mnemonic::VERW, "depends on the host's descriptor tables"},
    {Mnemonic::LFS, "loads host selectors"},
    {Mnemonic::LGS, "loads host selectors"},
    {Mnemonic::LSS, "loads host selectors"},
    {Mnemonic::WRFSBASE, "would take the thread pointer from the signal handler"},
    {Mnemonic::RDFSBASE, "the host's thread pointer"},
    {Mnemonic::WRGSBASE, "needs CR4.FSGSBASE on the host"},
    {Mnemonic::RDGSBASE, "needs CR4.FSGSBASE on the host"},
    {Mnemonic::STAC, "not for user mode"},
    {Mnemonic::CLAC, "not for user mode"},
    {Mnemonic::IN, "the host kernel may grant ports"},
};

/// Rows whose faults leave more traces on the host than here.
struct TolerantRow {
  Mnemonic mnemonic;
  u32 tolerance;
};
constexpr TolerantRow kTolerant[] = {
    {Mnemonic::CALL, kMemoryOnFault},     {Mnemonic::ENTER, kMemoryOnFault},
    {Mnemonic::XRSTOR, kStateOnFault},    {Mnemonic::XRSTOR64, kStateOnFault},
    {Mnemonic::F2XM1, kTranscendental},   {Mnemonic::FYL2X, kTranscendental},
    {Mnemonic::FYL2XP1, kTranscendental}, {Mnemonic::FPATAN, kTranscendental},
    {Mnemonic::FSIN, kTranscendental},    {Mnemonic::FCOS, kTranscendental},
    {Mnemonic::FSINCOS, kTranscendental}, {Mnemonic::FPTAN, kTranscendental},
    {Mnemonic::FBSTP, kMemoryOnFault},    {Mnemonic::FSTP, kMemoryOnFault},
    {Mnemonic::MASKMOVQ, kX87OnFault},    {Mnemonic::MOVNTQ, kX87OnFault},
    {Mnemonic::MOVD, kX87OnFault},        {Mnemonic::MOVQ, kX87OnFault},
};

u32 tolerance(Mnemonic mnemonic, const ZydisDecodedInstruction& zydis) {
  u32 bits = kExact;
  for (const TolerantRow& row : kTolerant) {
    if (row.mnemonic == mnemonic) bits |= row.tolerance;
  }
  if (zydis.meta.category == ZYDIS_CATEGORY_STRINGOP && zydis.address_width == 32) bits |= kHighHalvesOnFault;
  return bits;
}

/// The same on a host of AMD, in addition.
u32 amd_case_tolerance(Mnemonic mnemonic, const ZydisDecodedInstruction& zydis) {
  u32 bits = amd_tolerance(mnemonic);
  if (zydis.meta.category == ZYDIS_CATEGORY_STRINGOP && zydis.address_width == 32) bits |= kHighHalves;
  // Words that are shifted by more than 16 bits.
  const bool double_shift = mnemonic == Mnemonic::SHLD || mnemonic == Mnemonic::SHRD;
  if (double_shift && zydis.operand_width == 16) bits |= kResult;
  return bits;
}

/// What is #UD on AMD and a NOP elsewhere: PREFETCHW of a register.
bool undefined_on_amd(const ZydisDecodedInstruction& zydis) {
  return zydis.mnemonic == ZYDIS_MNEMONIC_NOP && zydis.opcode_map == ZYDIS_OPCODE_MAP_0F &&
         zydis.opcode == 0x0d;
}

bool last_bits_differ(Mnemonic mnemonic) {
  for (const TolerantRow& row : kTolerant) {
    if (row.mnemonic == mnemonic) return (row.tolerance & kTranscendental) != 0;
  }
  return false;
}

/// Kinds of operand the encoder is asked about.
// clang-format off
enum class Kind : u8 {
  Gpr8, Gpr16, Gpr32, Gpr64, Cl, Xmm, Ymm, Xmm0, Mmx, St0, Sti, Imm, One, Target,
  Mem1, Mem2, Mem4, Mem6, Mem8, Mem10, Mem14, Mem16, Mem28, Mem32, Mem64, Mem94, Mem108, Mem512, Mem576,
  Vm32x, Vm32y, Vm64x, Vm64y,  // gathers: elements of 4 or 8 bytes, an XMM or YMM index
};
// clang-format on
constexpr Kind kKinds[] = {Kind::Gpr8,   Kind::Gpr16,  Kind::Gpr32, Kind::Gpr64, Kind::Cl,    Kind::Xmm,
                           Kind::Ymm,    Kind::Xmm0,   Kind::Mmx,   Kind::St0,   Kind::Sti,   Kind::Imm,
                           Kind::One,    Kind::Mem1,   Kind::Mem2,  Kind::Mem4,  Kind::Mem8,  Kind::Mem10,
                           Kind::Mem14,  Kind::Mem16,  Kind::Mem28, Kind::Mem32, Kind::Mem64, Kind::Mem94,
                           Kind::Mem108, Kind::Mem512, Kind::Mem576};

unsigned memory_bytes(Kind kind) {
  switch (kind) {
    case Kind::Mem1: return 1;
    case Kind::Mem2: return 2;
    case Kind::Mem4: return 4;
    case Kind::Mem6: return 6;
    case Kind::Mem8: return 8;
    case Kind::Mem10: return 10;
    case Kind::Mem14: return 14;
    case Kind::Mem16: return 16;
    case Kind::Mem28: return 28;
    case Kind::Mem32: return 32;
    case Kind::Mem64: return 64;
    case Kind::Mem94: return 94;
    case Kind::Mem108: return 108;
    case Kind::Mem512: return 512;
    case Kind::Mem576: return 576;
    case Kind::Vm32x: return 4;
    case Kind::Vm32y: return 4;
    case Kind::Vm64x: return 8;
    case Kind::Vm64y: return 8;
    default: return 0;
  }
}

struct Form {
  std::vector<Kind> operands;
  ZydisOperandSizeHint size_hint = ZYDIS_OPERAND_SIZE_HINT_NONE;
};

ZydisRegister numbered(ZydisRegister first, u64 number) { return static_cast<ZydisRegister>(first + number); }

struct Draw {
  ZydisEncoderRequest request{};
  int base = -1;  // general register numbers of the memory operand
  int index = -1;
  int vector_index = -1;  // XMM or YMM register number
  bool memory = false;
};

void draw_memory(Random& random, ZydisEncoderOperand& operand, unsigned bytes, Draw& draw) {
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = static_cast<ZyanU16>(bytes);
  operand.mem.scale = 0;
  draw.memory = true;
  const bool small = random.chance(5);  // 32-bit addressing
  const auto first = small ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX;
  if (random.chance(6)) {
    operand.mem.base = ZYDIS_REGISTER_RIP;
    return;
  }
  draw.base = static_cast<int>(random.below(16));
  operand.mem.base = numbered(first, static_cast<u64>(draw.base));
  if (random.chance(40)) {
    draw.index = static_cast<int>(random.below(16));
    if (draw.index == 4 || draw.index == draw.base) {
      draw.index = -1;  // no such index; or the base could not be solved for
    } else {
      operand.mem.index = numbered(first, static_cast<u64>(draw.index));
      operand.mem.scale = static_cast<ZyanU8>(1u << random.below(4));
    }
  }
  switch (random.below(3)) {
    case 0: break;
    case 1: operand.mem.displacement = static_cast<i8>(random.next()); break;
    default: operand.mem.displacement = static_cast<i32>(random.next()); break;
  }
}

/// base + vector index * scale + displacement.
void draw_vsib(Random& random, ZydisEncoderOperand& operand, Kind kind, Draw& draw) {
  const bool ymm = kind == Kind::Vm32y || kind == Kind::Vm64y;
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = static_cast<ZyanU16>(memory_bytes(kind));
  draw.memory = true;
  draw.base = static_cast<int>(random.below(16));
  draw.vector_index = static_cast<int>(random.below(16));
  operand.mem.base =
      numbered(random.chance(5) ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX, static_cast<u64>(draw.base));
  operand.mem.index =
      numbered(ymm ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0, static_cast<u64>(draw.vector_index));
  operand.mem.scale = static_cast<ZyanU8>(1u << random.below(4));
  if (random.chance(50)) operand.mem.displacement = static_cast<i8>(random.next());
}

void draw_operand(Random& random, Kind kind, u64 rip, ZydisEncoderOperand& operand, Draw& draw) {
  operand.type = ZYDIS_OPERAND_TYPE_REGISTER;
  const u64 number = random.below(16);
  switch (kind) {
    case Kind::Gpr8: operand.reg.value = numbered(ZYDIS_REGISTER_AL, random.below(20)); return;
    case Kind::Gpr16: operand.reg.value = numbered(ZYDIS_REGISTER_AX, number); return;
    case Kind::Gpr32: operand.reg.value = numbered(ZYDIS_REGISTER_EAX, number); return;
    case Kind::Gpr64: operand.reg.value = numbered(ZYDIS_REGISTER_RAX, number); return;
    case Kind::Cl: operand.reg.value = ZYDIS_REGISTER_CL; return;
    case Kind::Xmm: operand.reg.value = numbered(ZYDIS_REGISTER_XMM0, number); return;
    case Kind::Ymm: operand.reg.value = numbered(ZYDIS_REGISTER_YMM0, number); return;
    case Kind::Xmm0: operand.reg.value = ZYDIS_REGISTER_XMM0; return;
    case Kind::Mmx: operand.reg.value = numbered(ZYDIS_REGISTER_MM0, number & 7); return;
    case Kind::St0: operand.reg.value = ZYDIS_REGISTER_ST0; return;
    case Kind::Sti: operand.reg.value = numbered(ZYDIS_REGISTER_ST0, number & 7); return;
    case Kind::One:
      operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
      operand.imm.u = 1;
      return;
    case Kind::Imm:
      operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
      // Mostly small enough for any immediate field.
      operand.imm.s =
          random.chance(70) ? static_cast<i8>(random.next()) : static_cast<i64>(random_integer(random));
      return;
    case Kind::Target:
      operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
      // Half of them within reach of a short branch.
      operand.imm.u = random.chance(50) ? rip + 2 + random.below(120)
                                        : kCodeLinear + random.below(kCodePages * kPageBytes);
      return;
    case Kind::Vm32x:
    case Kind::Vm32y:
    case Kind::Vm64x:
    case Kind::Vm64y: draw_vsib(random, operand, kind, draw); return;
    default: draw_memory(random, operand, memory_bytes(kind), draw); return;
  }
}

Draw draw_request(Random& random, ZydisMnemonic mnemonic, const Form& form, u64 rip) {
  Draw draw;
  draw.request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  draw.request.mnemonic = mnemonic;
  draw.request.allowed_encodings =
      static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY | ZYDIS_ENCODABLE_ENCODING_VEX);
  draw.request.operand_size_hint = form.size_hint;
  draw.request.operand_count = static_cast<ZyanU8>(form.operands.size());
  for (std::size_t i = 0; i < form.operands.size(); ++i)
    draw_operand(random, form.operands[i], rip, draw.request.operands[i], draw);
  if (form.operands.size() == 4) draw.request.operands[3].reg.is4 = form.operands[3] != Kind::Imm;
  return draw;
}

/// Where a memory operand points: mostly writable data, often across page ends, sometimes where it must fault.
u64 draw_target(Random& random) {
  constexpr u64 kReadOnly = kDataLinear + kWritablePages * kPageBytes;
  constexpr u64 kEnd = kDataLinear + kDataBytes;
  const u64 choice = random.below(100);
  if (choice < 50) return kDataLinear + 64 + random.below(2 * kPageBytes - 1024) / 16 * 16;
  if (choice < 70) return kDataLinear + 64 + random.below(2 * kPageBytes - 1024);
  if (choice < 80) return kDataLinear + kPageBytes - 1 - random.below(40);
  if (choice < 88) return kReadOnly - 1 - random.below(40);
  if (choice < 92) return kReadOnly + random.below(kPageBytes - 600);
  if (choice < 95) return kEnd - 1 - random.below(40);
  if (choice < 98) return kEnd + random.below(kPageBytes);
  // Not canonical, or around the end of the lower half.
  return 0x0000800000000000 - random.below(40) + (random.chance(50) ? 0 : random.next() & 0xff00000000000000);
}

void draw_fx(Random& random, FxImage& fx) {
  fx = {};
  u16 fcw = 0x037f;
  if (random.chance(40)) fcw = static_cast<u16>(0x0040 | (random.next() & 0x0f3f));
  if (random.chance(70)) fcw |= 0x3f;
  u16 fsw = static_cast<u16>(random.next() & 0x7f7f);  // ES and B set only with a pending unmasked exception
  if ((fsw & ~fcw & 0x3f) != 0) {
    if (random.chance(80)) {
      fsw &= static_cast<u16>(~0x3f | fcw);
    } else {
      fsw |= 0x8080;
    }
  }
  fx.set(FxImage::kFcw, fcw);
  fx.set(FxImage::kFsw, fsw);
  fx.set<u8>(FxImage::kFtw, random.chance(60) ? 0xff : static_cast<u8>(random.next()));
  u32 mxcsr = 0x1f80;
  if (random.chance(50)) mxcsr = static_cast<u32>(random.next() & 0xffff) | (random.chance(75) ? 0x1f80 : 0);
  fx.set(FxImage::kMxcsr, mxcsr);
  fx.set<u32>(FxImage::kMxcsrMask, 0xffff);
  for (unsigned i = 0; i < 8; ++i) {
    const Extended value = random_extended(random);
    fx.set(FxImage::st(i), value.significand);
    fx.set(FxImage::st(i) + 8, value.sign_exponent);
  }
  for (unsigned i = 0; i < 16; ++i) random_vector(random, fx.bytes + FxImage::xmm(i));
}

void draw_registers(Random& random, Registers& in) {
  for (u64& value : in.gpr) value = random_integer(random);
  // The stack: mostly usable, sometimes at an edge.
  in.gpr[4] =
      random.chance(70) ? kDataLinear + kPageBytes + 256 + random.below(512) * 4 : draw_target(random);
  in.gpr[5] = random.chance(50) ? kDataLinear + kPageBytes + 256 + random.below(512) * 4 : in.gpr[5];
  in.rflags = 0x202 | (random.next() & 0x8d5) | (random.chance(10) ? 0x400 : 0);
  if (random.chance(4)) in.rflags |= 0x40000;  // AC
  draw_fx(random, in.fx);
  for (auto& half : in.ymm_high) random_vector(random, half);
}

bool is_xsave_family(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64: return true;
    default: return false;
  }
}

/// The components asked for: x87, SSE and AVX state, as the host may enable more. Before the operand is drawn.
void draw_components(Random& random, Registers& in) {
  in.gpr[0] = random.chance(60) ? 7 : random.below(8);
  in.gpr[2] = 0;
}

/// Mostly a valid XSAVE area where the operand points, in either format.
void patch_xsave_area(Random& random, u64 linear, Case& test) {
  if (linear < kDataLinear || linear + 576 > kDataLinear + kDataBytes || random.chance(5)) return;
  const u64 offset = linear - kDataLinear;
  const auto patch = [&](u64 at, u64 value) {
    test.patches[test.patch_count++] = {static_cast<u16>(offset + at), value};
  };
  const u64 mxcsr = random.next() & (random.chance(90) ? 0xffff : 0x1ffff);
  patch(24, mxcsr | 0xffff00000000);
  const bool compacted = random.chance(50);
  const u64 compacted_components = random.chance(70) ? 7 : random.below(8);
  u64 present = random.chance(50) ? 7 : random.below(8);
  if (compacted && random.chance(90)) present &= compacted_components;
  if (random.chance(4)) present |= u64{1} << 40;
  patch(512, present);
  patch(520, compacted ? compacted_components | u64{1} << 63 : random.chance(96) ? 0 : u64{1} << 62);
  for (u64 at = 528; at < 576; at += 8) patch(at, random.chance(98) ? 0 : random.next());
}

/// Registers with a meaning beyond their operand: counts, string and table pointers, dividends, jump targets.
void adjust_registers(Random& random, const ZydisDecodedInstruction& zydis,
                      const ZydisDecodedOperand* operands, Registers& in) {
  if (zydis.meta.category == ZYDIS_CATEGORY_STRINGOP || zydis.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ||
      zydis.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU || zydis.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU) {
    in.gpr[6] = draw_target(random);
    in.gpr[7] = random.chance(25) ? in.gpr[6] + random.below(64) - 32 : draw_target(random);
    in.gpr[1] = random.chance(80) ? random.below(24) : random.below(0x3000);
    if (random.chance(15))
      in.gpr[1] |= 0xffffffff00000000;  // matters only with 64-bit addresses: faults soon
  }
  if (zydis.mnemonic == ZYDIS_MNEMONIC_XLAT) in.gpr[3] = draw_target(random) - (in.gpr[0] & 0xff);
  if (zydis.mnemonic == ZYDIS_MNEMONIC_DIV || zydis.mnemonic == ZYDIS_MNEMONIC_IDIV) {
    if (random.chance(60)) in.gpr[2] = random.chance(50) ? 0 : (in.gpr[0] >> 63 ? ~u64{0} : 0);
  }
  if (zydis.meta.category == ZYDIS_CATEGORY_COND_BR && random.chance(60)) in.gpr[1] = random.below(3);
  if ((zydis.meta.category == ZYDIS_CATEGORY_UNCOND_BR || zydis.meta.category == ZYDIS_CATEGORY_CALL) &&
      operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && random.chance(70)) {
    const i8 number = ZydisRegisterGetId(operands[0].reg.value);
    if (number != 4) in.gpr[number] = kCodeLinear + random.below(kCodePages * kPageBytes);
  }
}

/// BT and relatives of memory by a register: offsets that mostly stay within the data, on both sides of the operand.
void draw_bit_offset(Random& random, const ZydisDecodedInstruction& zydis,
                     const ZydisDecodedOperand* operands, const Draw& draw, Registers& in) {
  if (zydis.mnemonic != ZYDIS_MNEMONIC_BT && zydis.mnemonic != ZYDIS_MNEMONIC_BTS &&
      zydis.mnemonic != ZYDIS_MNEMONIC_BTR && zydis.mnemonic != ZYDIS_MNEMONIC_BTC)
    return;
  if (operands[0].type != ZYDIS_OPERAND_TYPE_MEMORY || operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
      random.chance(20))
    return;
  const int number = ZydisRegisterGetId(operands[1].reg.value);
  if (number == draw.base || number == draw.index) return;
  const u64 offset = random.below(8192) - 4096;
  const u64 mask = operands[1].size == 64 ? ~u64{0} : (u64{1} << operands[1].size) - 1;
  in.gpr[number] = (in.gpr[number] & ~mask) | (offset & mask);
}

/// CMPXCHG and relatives: often with what is there.
void draw_equal_comparison(Random& random, const ZydisDecodedInstruction& zydis, const Draw& draw, u64 linear,
                           Case& test) {
  const bool pair8 = zydis.mnemonic == ZYDIS_MNEMONIC_CMPXCHG8B;
  const bool pair16 = zydis.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B;
  if (!pair8 && !pair16 && zydis.mnemonic != ZYDIS_MNEMONIC_CMPXCHG) return;
  if (linear < kDataLinear || linear - kDataLinear > kDataBytes - 16 || random.chance(50)) return;
  for (const int number : {0, 2})
    if (number == draw.base || number == draw.index) return;
  std::vector<u8> data(kDataBytes);
  fill_data(test, data.data());
  u64 low, high;
  std::memcpy(&low, data.data() + (linear - kDataLinear), 8);
  std::memcpy(&high, data.data() + (linear - kDataLinear) + 8, 8);
  test.in.gpr[0] = pair8 ? (test.in.gpr[0] & ~u64{0xffffffff}) | static_cast<u32>(low) : low;
  if (pair8) test.in.gpr[2] = (test.in.gpr[2] & ~u64{0xffffffff}) | low >> 32;
  if (pair16) test.in.gpr[2] = high;
}

}  // namespace

std::string_view skip_reason(Mnemonic mnemonic) {
  const cpu::InsnRow& row = cpu::insn_row(mnemonic);
  for (const SkippedRow& skipped : kSkipped) {
    if (skipped.mnemonic == mnemonic) return skipped.reason;
  }
  if (!cpu::default_profile().has(row.feature)) return "the default CPU profile does not offer it";
  return {};
}

struct Generator::Impl {
  explicit Impl(Vendor host_vendor) : vendor(host_vendor) {
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  }

  /// The forms of a row, found when they are first asked for.
  const std::vector<Form>& forms(Mnemonic mnemonic) {
    Row& row = rows[static_cast<std::size_t>(mnemonic)];
    if (!row.searched && skip_reason(mnemonic).empty()) find_forms(mnemonic, row.forms);
    row.searched = true;
    return row.forms;
  }

  /// Everything sequences are made of.
  struct Usable {
    Mnemonic mnemonic;
    const Form* form;
  };
  const std::vector<Usable>& usable() {
    for (u16 i = 1; i < static_cast<u16>(Mnemonic::Count) && !usable_complete; ++i) {
      const auto mnemonic = static_cast<Mnemonic>(i);
      // POPF would single-step, or fault on alignment, from there on; the last bits of transcendentals are our own.
      if (mnemonic == Mnemonic::POPF || mnemonic == Mnemonic::POPFQ || last_bits_differ(mnemonic)) continue;
      // In a sequence the components asked for would be any.
      if (is_xsave_family(kZydisMnemonics[i])) continue;
      for (const Form& form : forms(mnemonic)) usable_rows.push_back({mnemonic, &form});
    }
    usable_complete = true;
    return usable_rows;
  }

  bool is_string_row(Mnemonic mnemonic) const {
    return mnemonic == Mnemonic::MOVSD_STRING || mnemonic == Mnemonic::CMPSD_STRING;
  }

  bool encodes(Mnemonic mnemonic, const Form& form) const {
    // Several tries: a form may exist only for some registers or immediates.
    Random random(1);
    for (unsigned attempt = 0; attempt < 4; ++attempt) {
      u8 bytes[16];
      if (encode(random, mnemonic, form, 0x800, bytes, nullptr) != 0) return true;
    }
    return false;
  }

  void find_forms(Mnemonic mnemonic, std::vector<Form>& found) const {
    static constexpr ZydisOperandSizeHint kHints[] = {ZYDIS_OPERAND_SIZE_HINT_16, ZYDIS_OPERAND_SIZE_HINT_32,
                                                      ZYDIS_OPERAND_SIZE_HINT_64};
    const auto try_form = [&](std::vector<Kind> operands) {
      Form form{std::move(operands)};
      const bool known = std::any_of(found.begin(), found.end(),
                                     [&](const Form& other) { return other.operands == form.operands; });
      if (!known && encodes(mnemonic, form)) found.push_back(form);
      return !found.empty() && found.back().operands == form.operands;
    };
    if (!try_form({})) {
      for (const auto hint : kHints) {
        const Form form{{}, hint};
        if (encodes(mnemonic, form)) found.push_back(form);
      }
    }
    try_form({Kind::Target});
    for (const Kind a : kKinds) {
      try_form({a});
      for (const Kind b : kKinds) {
        if (memory_bytes(a) && memory_bytes(b)) continue;
        try_form({a, b});
        for (const Kind c : kKinds) {
          // Three-operand forms with memory have it first with an immediate or CL last, in the middle, or last.
          if (a == Kind::Imm || b == Kind::One) continue;
          if (memory_bytes(a) && c != Kind::Imm && c != Kind::Cl) continue;
          if (memory_bytes(c) && (memory_bytes(b) || b == Kind::Imm)) continue;
          try_form({a, b, c});
        }
      }
    }
    if ((cpu::insn_row(mnemonic).checks & cpu::kCheckAvx) != 0) find_vex_forms(try_form);
  }

  /// Forms only VEX has: four operands, masked stores, gathers.
  template <class TryForm>
  static void find_vex_forms(TryForm try_form) {
    static constexpr Kind kVectors[] = {Kind::Xmm, Kind::Ymm};
    static constexpr Kind kThird[] = {Kind::Xmm,  Kind::Ymm,  Kind::Gpr32, Kind::Gpr64, Kind::Mem1,
                                      Kind::Mem2, Kind::Mem4, Kind::Mem8,  Kind::Mem16, Kind::Mem32};
    for (const Kind a : kVectors) {
      for (const Kind b : kVectors) {
        for (const Kind c : kThird) {
          for (const Kind d : {Kind::Imm, Kind::Xmm, Kind::Ymm}) try_form({a, b, c, d});
        }
        for (const Kind memory : {Kind::Mem16, Kind::Mem32}) try_form({memory, a, b});
        for (const Kind vsib : {Kind::Vm32x, Kind::Vm32y, Kind::Vm64x, Kind::Vm64y}) try_form({a, vsib, b});
      }
    }
  }

  /// Small offsets in every doubleword or quadword of the index register, mostly.
  static void draw_indices(Random& random, Registers& in, int number) {
    static constexpr u64 kRanges[] = {16, 64, 512, 0x3000};
    const unsigned bytes = random.chance(50) ? 4 : 8;
    const u64 range = random.pick(kRanges);
    for (unsigned at = 0; at < 32; at += bytes) {
      if (random.chance(4)) continue;
      const u64 offset = random.below(2 * range) - range;
      u8* part = at < 16 ? in.fx.bytes + FxImage::xmm(static_cast<unsigned>(number)) + at
                         : in.ymm_high[number] + at - 16;
      std::memcpy(part, &offset, bytes);
    }
  }

  /// Sometimes changes what a VEX prefix leaves reserved or ignored (L, W, vvvv), or puts a prefix before it that makes
  /// it undefined.
  static unsigned disturb_vex(Random& random, u8* bytes, unsigned length) {
    if ((bytes[0] != 0xc4 && bytes[0] != 0xc5) || !random.chance(6)) return length;
    u8& last = bytes[bytes[0] == 0xc4 ? 2 : 1];
    switch (random.below(4)) {
      case 0: last ^= 4; break;                                       // L
      case 1: last ^= static_cast<u8>(random.below(16) << 3); break;  // vvvv
      case 2:
        if (bytes[0] == 0xc4) last ^= 0x80;  // W
        break;
      default: {
        if (length >= ZYDIS_MAX_INSTRUCTION_LENGTH) break;
        static constexpr u8 kPrefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x40, 0x48};
        std::memmove(bytes + 1, bytes, length);
        bytes[0] = random.pick(kPrefixes);
        ++length;
      }
    }
    return length;
  }

  /// Encodes with fresh random operands at kCodeLinear + offset. Returns the length, 0 when there is no encoding.
  /// `test`, when given, gets the registers that make the memory operand hit its target.
  unsigned encode(Random& random, Mnemonic mnemonic, const Form& form, u64 offset, u8* bytes,
                  Case* test) const {
    Registers* in = test != nullptr ? &test->in : nullptr;
    const bool xsave_family = is_xsave_family(kZydisMnemonics[static_cast<std::size_t>(mnemonic)]);
    if (in != nullptr && xsave_family) {
      draw_components(random, *in);
      test->patch_count = 0;
    }
    Draw draw =
        draw_request(random, kZydisMnemonics[static_cast<std::size_t>(mnemonic)], form, kCodeLinear + offset);
    u64 memory_linear = 0;
    if (in != nullptr) {
      u64 target = draw_target(random);
      if (xsave_family) {
        if (draw.base == 0 || draw.base == 2) return 0;  // holds the components
        if (random.chance(90)) target &= ~u64{63};
        patch_xsave_area(random, target, *test);
      }
      for (unsigned i = 0; i < draw.request.operand_count; ++i) {
        ZydisEncoderOperand& operand = draw.request.operands[i];
        if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
        if (operand.mem.base == ZYDIS_REGISTER_RIP) {
          operand.mem.displacement = static_cast<i64>(kDataLinear + random.below(kDataBytes));
        } else {
          const u64 index = draw.index < 0 ? 0 : in->gpr[draw.index] * operand.mem.scale;
          if (draw.vector_index >= 0) draw_indices(random, *in, draw.vector_index);
          in->gpr[draw.base] = target - index - static_cast<u64>(operand.mem.displacement);
          memory_linear = target;
        }
      }
    } else {
      for (unsigned i = 0; i < draw.request.operand_count; ++i) {
        ZydisEncoderOperand& operand = draw.request.operands[i];
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == ZYDIS_REGISTER_RIP)
          operand.mem.displacement = kDataLinear;
      }
    }
    const bool first_operand_memory =
        draw.request.operand_count > 0 && draw.request.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
    if (in != nullptr && first_operand_memory && random.chance(25))
      draw.request.prefixes |= ZYDIS_ATTRIB_HAS_LOCK;
    if (in != nullptr && draw.request.operand_count == 0 && random.chance(60)) {
      draw.request.prefixes |= random.chance(50)   ? ZYDIS_ATTRIB_HAS_REP
                               : random.chance(50) ? ZYDIS_ATTRIB_HAS_REPE
                                                   : ZYDIS_ATTRIB_HAS_REPNE;
      if (random.chance(15)) draw.request.address_size_hint = ZYDIS_ADDRESS_SIZE_HINT_32;
    }
    ZyanUSize length = ZYDIS_MAX_INSTRUCTION_LENGTH;
    ZyanStatus status =
        ZydisEncoderEncodeInstructionAbsolute(&draw.request, bytes, &length, kCodeLinear + offset);
    if (!ZYAN_SUCCESS(status) && draw.request.prefixes != 0) {
      draw.request.prefixes = 0;
      length = ZYDIS_MAX_INSTRUCTION_LENGTH;
      status = ZydisEncoderEncodeInstructionAbsolute(&draw.request, bytes, &length, kCodeLinear + offset);
    }
    if (!ZYAN_SUCCESS(status)) return 0;
    // The row must be the one the bytes mean (strings and SSE share two names).
    ZydisDecodedInstruction zydis;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, length, &zydis, operands))) return 0;
    const bool string = zydis.meta.category == ZYDIS_CATEGORY_STRINGOP;
    if (zydis.mnemonic == ZYDIS_MNEMONIC_MOVSD || zydis.mnemonic == ZYDIS_MNEMONIC_CMPSD) {
      if (string != is_string_row(mnemonic)) return 0;
    }
    if (zydis.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return 0;  // loads host selectors
    for (unsigned i = 0; i < zydis.operand_count; ++i) {
      if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
          operands[i].visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
          ZydisRegisterGetClass(operands[i].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
        return 0;
      }
    }
    if (test != nullptr) {
      adjust_registers(random, zydis, operands, *in);
      draw_bit_offset(random, zydis, operands, draw, *in);
      draw_equal_comparison(random, zydis, draw, memory_linear, *test);
      test->tolerance |= tolerance(mnemonic, zydis);
      if (vendor == Vendor::Amd) {
        if (undefined_on_amd(zydis)) return 0;
        test->tolerance |= amd_case_tolerance(mnemonic, zydis);
        if (test->tolerance & kVectorAlignment) in->rflags &= ~cpu::kRflagsAc;
      }
    }
    // A relative branch into itself would never end.
    if (operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative) {
      ZyanU64 absolute = 0;
      ZydisCalcAbsoluteAddress(&zydis, &operands[0], kCodeLinear + offset, &absolute);
      if (absolute >= kCodeLinear + offset && absolute < kCodeLinear + offset + length) return 0;
    }
    return static_cast<unsigned>(length);
  }

  u64 draw_rip(Random& random) const {
    const u64 offset = random.chance(85) ? 0x100 + random.below(0x800) : kPageBytes - 1 - random.below(16);
    return kCodeLinear + offset;
  }

  const Vendor vendor;
  ZydisDecoder decoder;
  struct Row {
    bool searched = false;
    std::vector<Form> forms;
  };
  Row rows[static_cast<std::size_t>(Mnemonic::Count)];
  bool usable_complete = false;
  std::vector<Usable> usable_rows;
};

Generator::Generator(Vendor vendor) : impl_(std::make_unique<Impl>(vendor)) {}
Generator::~Generator() = default;

unsigned Generator::forms(Mnemonic mnemonic) const {
  return static_cast<unsigned>(impl_->forms(mnemonic).size());
}

std::optional<Case> Generator::make(Mnemonic mnemonic, u64 seed, u64 index) const {
  const auto& forms = impl_->forms(mnemonic);
  if (forms.empty()) return std::nullopt;
  Random random(seed ^ (static_cast<u64>(mnemonic) << 48) ^ (index * 0x2545f4914f6cdd1d));
  Case test{};
  test.seed = random.next();
  const Form& form = forms[index % forms.size()];
  for (unsigned attempt = 0; attempt < 16; ++attempt) {
    draw_registers(random, test.in);
    test.tolerance = kExact;
    test.rip = impl_->draw_rip(random);
    unsigned length = impl_->encode(random, mnemonic, form, test.rip - kCodeLinear, test.code, &test);
    if (length == 0) continue;
    length = Impl::disturb_vex(random, test.code, length);
    test.code_bytes = static_cast<u8>(length);
    test.undefined_flags = cpu::insn_row(mnemonic).undefined;
    return test;
  }
  return std::nullopt;
}

std::optional<Case> Generator::make_sequence(u64 seed, u64 index, unsigned length,
                                             bool (*wanted)(Mnemonic mnemonic)) const {
  Random random(seed ^ (index * 0xd1342543de82ef95) ^ 0x5ec0);
  Case test{};
  test.seed = random.next();
  draw_registers(random, test.in);
  test.rip = impl_->draw_rip(random);
  u64 undefined = 0;
  const unsigned count = 2 + static_cast<unsigned>(random.below(length - 1));
  for (unsigned i = 0; i < count && test.code_bytes + 18u < kMaxCodeBytes; ++i) {
    if (undefined != 0) {
      // CMP AL, AL sets every status flag.
      test.code[test.code_bytes++] = 0x38;
      test.code[test.code_bytes++] = 0xc0;
      undefined = 0;
    }
    const auto& usable = impl_->usable();
    auto chosen = usable[random.below(usable.size())];
    while (wanted != nullptr && !wanted(chosen.mnemonic)) chosen = usable[random.below(usable.size())];
    const u64 offset = test.rip - kCodeLinear + test.code_bytes;
    const unsigned bytes =
        impl_->encode(random, chosen.mnemonic, *chosen.form, offset, test.code + test.code_bytes, &test);
    test.code_bytes = static_cast<u8>(test.code_bytes + bytes);
    if (bytes != 0) undefined = cpu::insn_row(chosen.mnemonic).undefined;
    // An earlier fault leaves the flags of an earlier instruction: mask what any of them leaves undefined.
    test.undefined_flags |= undefined;
  }
  if (test.code_bytes == 0) return std::nullopt;
  return test;
}

std::optional<Case> Generator::make_undefined(u64 seed, u64 index) const {
  Random random(seed ^ (index * 0x9fb21c651e98df25) ^ 0x0f0b);
  Case test{};
  test.seed = random.next();
  draw_registers(random, test.in);
  static constexpr u8 kFirst[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x48, 0x41,
                                  0x0f, 0x0f, 0xc4, 0xc5, 0x62, 0xff, 0xd9};
  u8 bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
  for (u8& byte : bytes) byte = static_cast<u8>(random.next());
  const u64 prefixes = random.below(random.chance(98) ? 4 : 16);
  for (u64 i = 0; i < prefixes; ++i) bytes[i] = random.pick(kFirst);
  ZydisDecodedInstruction zydis;
  const ZyanStatus status =
      ZydisDecoderDecodeInstruction(&impl_->decoder, nullptr, bytes, sizeof bytes, &zydis);
  if (ZYAN_SUCCESS(status)) return std::nullopt;
  test.code_bytes = static_cast<u8>(1 + random.below(sizeof bytes));
  std::memcpy(test.code, bytes, test.code_bytes);
  if (impl_->vendor == Vendor::Amd) test.tolerance |= kFetch;
  test.rip = kCodeLinear + kCodePages * kPageBytes - test.code_bytes;
  return test;
}

std::string Generator::disassemble(const Case& test) {
  std::string text;
  unsigned at = 0;
  while (at < test.code_bytes) {
    ZydisDisassembledInstruction instruction;
    if (!ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, test.rip + at, test.code + at,
                                            test.code_bytes - at, &instruction))) {
      text += fmt::format("  {:#x}: bytes {:02x}\n", test.rip + at,
                          fmt::join(test.code + at, test.code + test.code_bytes, " "));
      break;
    }
    text += fmt::format("  {:#x}: {}\n", test.rip + at, instruction.text);
    at += instruction.info.length;
  }
  return text;
}

}  // namespace reprise::native
