// The operands column of an instruction's row: what becomes of each explicit operand, and which registers and memory the
// instruction touches that no operand names. Rows write it in the names of namespace col.
#pragma once

#include <string_view>

#include "common/types.h"

namespace reprise::cpu {

/// What an instruction does to one operand. Address: its address counts, what is there is not accessed.
enum class Access : u8 { None, Read, Write, ReadWrite, Immediate, Address };

constexpr bool reads(Access access) { return access == Access::Read || access == Access::ReadWrite; }
constexpr bool writes(Access access) { return access == Access::Write || access == Access::ReadWrite; }

/// What becomes of operand 0 as a general register, where it is a sum with what it was: of one or less one, of operand 1, or
/// (LEA) of the parts of an address.
enum class Sum : u8 { None, Increment, Decrement, Add, Subtract, Address };

/// Bit n for general register n in encoding order, and some more.
using RegisterSet = u32;
inline constexpr RegisterSet kRegisterGprs = 0xffff;  // all general registers, each by its number
inline constexpr RegisterSet kRegisterXmm0 = 1u << 16;
inline constexpr RegisterSet kRegisterVectors = 1u << 17;  // all XMM and YMM registers
inline constexpr RegisterSet kRegisterSt0 = 1u << 18;      // as numbered before a pop and after a push
inline constexpr RegisterSet kRegisterSt1 = 1u << 19;

struct Operands {
  Access access[4] = {};             // by explicit operand; forms may have fewer
  Access alone = Access::None;       // of operand 0 when there is no other; None: as in `access`
  Access before_two = Access::None;  // of operand 0 when two more follow; None: as in `access`
  u8 third_bytes = 0;                // of operand 2 in memory when that is no whole vector: M8 to M128
  u16 traits = 0;                    // bits below
  Sum sum = Sum::None;
  RegisterSet reads = 0, writes = 0;  // implicitly: all of a register or a part; a form may touch fewer
  RegisterSet loads = 0, stores = 0;  // general registers that address implicit memory operands

  static constexpr u16 kUnaligned = 1u << 0;
  static constexpr u16 kAligned = 1u << 1;
  static constexpr u16 kGeneralThird = 1u << 2;
  static constexpr u16 kBitString = 1u << 3;
  static constexpr u16 kKeeps = 1u << 4;
  static constexpr u16 kKeepsIfRegister = 1u << 5;
  static constexpr u16 kImplicitIfAlone = 1u << 6;
  static constexpr u16 kSystem = 1u << 7;
  static constexpr u16 kX87Control = 1u << 8;
  static constexpr u16 kRelative = 1u << 9;
  static constexpr u16 kMayKeepFlags = 1u << 10;
  static constexpr u16 kMayFault = 1u << 11;
  static constexpr u16 kVendor = 1u << 12;

  constexpr bool has(u16 trait) const { return (traits & trait) != 0; }

  friend constexpr Operands operator|(Operands a, const Operands& b) {
    for (unsigned i = 0; i < 4; ++i)
      if (a.access[i] == Access::None) a.access[i] = b.access[i];
    a.third_bytes |= b.third_bytes;
    a.traits |= b.traits;
    if (a.sum == Sum::None) a.sum = b.sum;
    a.reads |= b.reads;
    a.writes |= b.writes;
    a.loads |= b.loads;
    a.stores |= b.stores;
    return a;
  }
};

namespace col {

// --- Explicit operands ------------------------------------------------------------------------------------------
// One letter each: R read, W written, X both, I an immediate in every form, A an address that is not accessed. What
// writes a part of a register by its nature (ADDSS, PINSRB) is X; writes of less than a full register for the sake of
// operand size are W. Legacy encodings leave the upper half of a YMM register alone, VEX encodings clear what they do
// not write.

constexpr Operands letters(std::string_view text) {
  Operands operands;
  for (unsigned i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    operands.access[i] = letter == 'R'   ? Access::Read
                         : letter == 'W' ? Access::Write
                         : letter == 'X' ? Access::ReadWrite
                         : letter == 'I' ? Access::Immediate
                                         : Access::Address;
  }
  return operands;
}

inline constexpr Operands NONE{};
inline constexpr Operands R = letters("R"), W = letters("W"), X = letters("X"), I = letters("I"),
                          A = letters("A");
inline constexpr Operands RR = letters("RR"), WR = letters("WR"), XR = letters("XR"), XX = letters("XX"),
                          XI = letters("XI"), WA = letters("WA"), II = letters("II");
inline constexpr Operands RRI = letters("RRI"), WRR = letters("WRR"), WRI = letters("WRI"),
                          WWR = letters("WWR"), XRR = letters("XRR"), XRI = letters("XRI"),
                          XRX = letters("XRX");
inline constexpr Operands WRRR = letters("WRRR"), WRRI = letters("WRRI");

constexpr Operands trait(u16 bit) {
  Operands operands;
  operands.traits = bit;
  return operands;
}

/// One that merges: a register for operand 0 keeps the part that is not written, so that W is X there.
inline constexpr Operands KEEPS = trait(Operands::kKeeps);
/// The same where operand 1 is a register.
inline constexpr Operands KEEPS_RR = trait(Operands::kKeepsIfRegister);

/// Forms with one, two and three operands that differ in what they do to operand 0. Implicit registers of the first are
/// its own.
constexpr Operands by_count(const Operands& one, const Operands& two, const Operands& three) {
  Operands operands = two | three;
  operands.alone = one.access[0];
  operands.before_two = three.access[0];
  operands.reads = one.reads;
  operands.writes = one.writes;
  operands.traits |= Operands::kImplicitIfAlone;
  return operands;
}
constexpr Operands by_count(const Operands& one, const Operands& two) { return by_count(one, two, two); }

constexpr Operands sum(Sum kind) {
  Operands operands;
  operands.sum = kind;
  return operands;
}
inline constexpr Operands INCREMENTS = sum(Sum::Increment), DECREMENTS = sum(Sum::Decrement),
                          ADDS = sum(Sum::Add), SUBTRACTS = sum(Sum::Subtract), ADDRESS = sum(Sum::Address);

/// Operand 0 as an immediate is where a jump or call leads to, relative to the next instruction.
inline constexpr Operands RELATIVE = trait(Operands::kRelative);

// --- Memory -----------------------------------------------------------------------------------------------------
// Decoding knows the sizes of operands 0 and 1. Operand 2 in memory has the size of the vector, or where registers are
// general the operand size, unless the row says otherwise. A register in its place is an XMM one then.

constexpr Operands third(u8 bytes) {
  Operands operands;
  operands.third_bytes = bytes;
  return operands;
}
inline constexpr Operands M8 = third(1), M16 = third(2), M32 = third(4), M64 = third(8), M128 = third(16);

/// Operand 2 of a vector instruction is a general register, or memory.
inline constexpr Operands G = trait(Operands::kGeneralThird);

// Operands of 16 bytes in memory must be aligned in legacy encodings, and none need be in VEX encodings, but for:
inline constexpr Operands UNALIGNED = trait(Operands::kUnaligned);
inline constexpr Operands ALIGNED = trait(Operands::kAligned);

/// Operand 0 in memory is a bit string when operand 1 is a register: the access may lie anywhere around it.
inline constexpr Operands BITS = trait(Operands::kBitString);

// --- Implicit registers and memory ------------------------------------------------------------------------------

inline constexpr RegisterSet AX = 1u << 0, CX = 1u << 1, DX = 1u << 2, BX = 1u << 3, SP = 1u << 4,
                             BP = 1u << 5, SI = 1u << 6, DI = 1u << 7, GPR11 = 1u << 11, XMM0 = kRegisterXmm0,
                             VECTORS = kRegisterVectors, ST0 = kRegisterSt0, ST1 = kRegisterSt1;
inline constexpr RegisterSet AX_TO_DI = AX | CX | DX | BX | SP | BP | SI | DI;

constexpr Operands in(RegisterSet registers) {
  Operands operands;
  operands.reads = registers;
  return operands;
}
constexpr Operands out(RegisterSet registers) {
  Operands operands;
  operands.writes = registers;
  return operands;
}
/// Memory operands at these registers are read, written. `in` and `out` list the registers themselves.
constexpr Operands loads(RegisterSet registers) {
  Operands operands;
  operands.loads = registers;
  return operands;
}
constexpr Operands stores(RegisterSet registers) {
  Operands operands;
  operands.stores = registers;
  return operands;
}
inline constexpr Operands PUSHES = in(SP) | out(SP) | stores(SP);
inline constexpr Operands POPS = in(SP) | out(SP) | loads(SP);

// --- The rest ---------------------------------------------------------------------------------------------------

/// Acts on, or depends on, what no column names: segment, control and debug registers, modes, translations, MSRs, the
/// clock, ports.
inline constexpr Operands SYSTEM = trait(Operands::kSystem);
/// Some operands (a count of 0) leave all status flags as they are.
inline constexpr Operands MAY_KEEP_FLAGS = trait(Operands::kMayKeepFlags);
/// Raises exceptions that no check of the row tells of, by the values of operands or by the mode.
inline constexpr Operands MAY_FAULT = trait(Operands::kMayFault);
/// Results in special cases are those of Intel processors, where those of other vendors differ: docs/undefined.md.
inline constexpr Operands VENDOR = trait(Operands::kVendor);
/// x87 instructions that are not the last one FIP, FDP and FOP tell of. SDM 1 8.1.8.
inline constexpr Operands CONTROL = trait(Operands::kX87Control);

}  // namespace col
}  // namespace reprise::cpu
