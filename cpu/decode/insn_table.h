// The instruction table: one row per mnemonic. Rows live in cpu/insn/<family>.inc; bodies in cpu/sem/<family>.cpp.
#pragma once

#include <string_view>

#include "cpu/core/insn.h"
#include "cpu/decode/insn_operands.h"
#include "cpu/profile/cpuid.h"
#include "cpu/state/flags.h"

namespace reprise::cpu {

/// Checks a row asks for; decode resolves them against the ModeKey, so they cost nothing at run time.
enum Checks : u16 {
  kCheckNone = 0,
  kCheckCpl0 = 1u << 0,         // #GP(0) unless CPL = 0
  kCheckProt = 1u << 1,         // #UD in real-address and virtual-8086 mode
  kCheckX87 = 1u << 2,          // #NM when CR0.EM or CR0.TS
  kCheckWait = 1u << 3,         // #NM when CR0.MP and CR0.TS (FWAIT)
  kCheckMmx = 1u << 4,          // #UD when CR0.EM; #NM when CR0.TS
  kCheckSse = 1u << 5,          // #UD when CR0.EM or not CR4.OSFXSR; #NM when CR0.TS
  kCheckAvx = 1u << 6,          // #UD unless CR4.OSXSAVE and XCR0[2:1] = 11; #NM when CR0.TS
  kCheckUmip = 1u << 7,         // #GP(0) when CR4.UMIP and CPL > 0
  kCheckXsave = 1u << 8,        // #UD unless CR4.OSXSAVE
  kCheckTs = 1u << 10,          // #NM when CR0.TS
  kAvx2If256 = 1u << 11,        // VEX.L = 1 needs AVX2
  kAvx2IfRegister = 1u << 12,   // a register source needs AVX2
  kVaesIf256 = 1u << 13,        // VEX.L = 1 needs VAES
  kVpclmulqdqIf256 = 1u << 14,  // VEX.L = 1 needs VPCLMULQDQ
  kEnds = 1u << 9,              // the block ends after it
  kCheckSmm = 1u << 15,         // #UD outside SMM
};

/// How the JIT takes a row: as the host's instruction of the same name, with code of its own, or by its handler only.
enum class Jit : u8 { Reencode, Custom, Body };

/// Flag columns of a row: short names for the masks.
namespace col {
inline constexpr u32 CF = kRflagsCf, PF = kRflagsPf, AF = kRflagsAf, ZF = kRflagsZf, SF = kRflagsSf,
                     OF = kRflagsOf;
inline constexpr u32 DF = kRflagsDf, IF = kRflagsIf, TF = kRflagsTf;
inline constexpr u32 ALL = CF | PF | AF | ZF | SF | OF;
}  // namespace col

struct InsnRow {
  std::string_view name;
  Feature feature;
  u16 checks;
  Operands operands;
  u32 tested;     // flags it reads
  u32 written;    // flags it gives a defined value (some operands may leave them unchanged)
  u32 undefined;  // flags the manual leaves undefined; docs/undefined.md says what we do
  Jit jit;
  Handler (*select)(const Insn&);  // nullptr result: no such form, #UD
};

const InsnRow& insn_row(Mnemonic mnemonic);

/// Handlers for instructions that cannot run: they raise.
Status raise_ud(Cpu& cpu, const Insn& insn);
Status raise_nm(Cpu& cpu, const Insn& insn);
Status raise_gp0(Cpu& cpu, const Insn& insn);

}  // namespace reprise::cpu
