// Insn: one decoded guest instruction, compact, as engines run it. Made by cpu/decode/decode.cpp.
#pragma once

#include "common/types.h"
#include "cpu/state/exceptions.h"

namespace reprise::cpu {

struct Cpu;
struct Insn;

/// Executes one instruction: loads operands, runs the body, writes back.
using Handler = Status (*)(Cpu& cpu, const Insn& insn);

enum class Mnemonic : u16;  // cpu/decode/mnemonic.h

enum class OperandKind : u8 { None, Reg, Mem, Imm };
enum class RegClass : u8 { Gpr, Segment, Control, Debug, X87, Mmx, Vector };

/// The kinds of the first two explicit operands, for choosing a handler.
// clang-format off
enum class Form : u8 {
  None = 0,
  R = 1, M = 2, I = 3,
  RR = 1 | 1 << 2, MR = 2 | 1 << 2, IR = 3 | 1 << 2,
  RM = 1 | 2 << 2, MM = 2 | 2 << 2,
  RI = 1 | 3 << 2, MI = 2 | 3 << 2, II = 3 | 3 << 2,
};
// clang-format on

struct Insn {
  Handler exec = nullptr;
  u64 imm = 0;   // immediate, sign-extended where the manual does; branches: target relative to the page base
  i64 disp = 0;  // memory displacement (RIP-relative: relative to the page base); second immediate of ENTER;
                 // selector of a far pointer
  u16 offset = 0;       // of the first byte, from the start of the page the block lies in
  u16 next_offset = 0;  // of the next instruction
  Mnemonic mnemonic{};
  u16 flags = 0;

  // Memory operand: linear = seg.base + truncate(base + (index << scale) + disp).
  u8 base = 0;        // byte offset in CpuState::gpr
  u8 index = 0;       // byte offset in CpuState::gpr
  u8 scale = 0;       // 0..3
  u8 seg = 0;         // slot in CpuState::seg; kSegFlat when segmentation does not touch the access
  u8 addr_shift = 0;  // 64 - address size in bits: effective addresses are truncated by shl, shr

  u8 operand_bytes = 0;  // the instruction's operand size: 1, 2, 4, 8
  u8 size0 = 0;          // bytes of explicit operand 0 (0: none, or over 255)
  u8 size1 = 0;          // bytes of explicit operand 1
  Form form = Form::None;
  u8 kind2 = 0;  // OperandKind of operand 2

  // Register operands by explicit operand number. General registers: byte offset in CpuState::gpr (AH is 1);
  // others: register number. VEX forms, in the order of the manual's syntax:
  //   vaddps ymm1, ymm2, ymm3/m256          reg[0] destination, reg[1] VEX.vvvv, reg[2] unless kind2 is Mem
  //   vblendvps ymm1, ymm2, ymm3/m256, ymm4 as above, reg[3] from imm8[7:4]
  //   vpermq ymm1, ymm2/m256, imm8          reg[0], reg[1] unless `form` is RM; the immediate is in imm, wherever it stands
  //   vpsrld ymm1, ymm2, imm8               reg[0] is VEX.vvvv
  //   vmaskmovps m256, ymm1, ymm2           reg[1] is VEX.vvvv (the mask), reg[2] the source; the load has the mask in
  //                                         reg[1] and memory as operand 2
  //   vpgatherdd ymm1, vm32y, ymm2          reg[0], reg[2] the mask, reg[3] the index register; `index` counts as zero
  // Sizes: kVex256 says whether packed operands have 32 bytes; the row says the rest (scalar rows ignore it).
  u8 reg[4] = {};
  RegClass reg_class[2] = {};  // of operands 0 and 1, when they are registers

  // Bits of `flags`.
  static constexpr u16 kLock = 1u << 0;
  static constexpr u16 kRep = 1u << 1;           // F3
  static constexpr u16 kRepne = 1u << 2;         // F2
  static constexpr u16 kCheckAddress = 1u << 3;  // legacy segment checks or alignment checks apply
  static constexpr u16 kStackSegment = 1u << 4;  // the memory operand is in SS: non-canonical gives #SS
  static constexpr u16 kAlignCheck = 1u << 5;    // EFLAGS.AC is in force
  static constexpr u16 kCode64 = 1u << 6;        // 64-bit mode
  static constexpr u16 kCode16 = 1u << 7;        // 16-bit code segment
  static constexpr u16 kStack16 = 1u << 8;       // stack pointer is SP
  static constexpr u16 kStack64 = 1u << 9;       // stack pointer is RSP
  static constexpr u16 kVex = 1u << 10;          // VEX-encoded: non-destructive, upper lanes zeroed
  static constexpr u16 kVex256 = 1u << 11;       // VEX.L = 1
  static constexpr u16 kCrossesPage = 1u << 12;

  unsigned length() const { return next_offset - offset; }
  bool has(u16 mask) const { return (flags & mask) != 0; }
};
static_assert(sizeof(Insn) == 48);

}  // namespace reprise::cpu
