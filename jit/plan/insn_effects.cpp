#include "jit/plan/insn_effects.h"

#include "cpu/decode/insn_facts.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/state/state.h"
#include "jit/plan/insn_forms.h"

namespace reprise::jit {
namespace {

using cpu::Access;
using cpu::Form;
using cpu::Insn;
using cpu::InsnRow;
using cpu::Mnemonic;
using cpu::OperandKind;
using cpu::Operands;
using cpu::RegClass;
using cpu::Sum;

constexpr u32 kStackPointer = 1u << cpu::RSP;
constexpr u32 kFramePointer = 1u << cpu::RBP;

const InsnRow& row_of(const Insn& in) { return cpu::insn_row(in.mnemonic); }

/// Generated code may hold the row, which has one of `checks`.
bool held(Mnemonic mnemonic, u16 checks) {
  const InsnRow& row = cpu::insn_row(mnemonic);
  return row.jit != cpu::Jit::Body && (row.checks & checks) != 0;
}

/// Register operands are of these classes only.
template <class Allowed>
bool registers_are(const Insn& in, Allowed allowed) {
  for (unsigned i = 0; i < 2; ++i)
    if (cpu::form_kind(in, i) == OperandKind::Reg && !allowed(in.reg_class[i])) return false;
  return true;
}

/// Bytes of an address in the code around `in`, and of a stack operand by default.
u8 word_bytes(const Insn& in) { return in.has(Insn::kCode64) ? 8 : 4; }
u8 word_addr_shift(const Insn& in) { return in.has(Insn::kCode64) ? 0 : 32; }

/// Larger steps leave the reach of a group anyway.
std::optional<i32> add_constant(const Insn& in, i64 amount) {
  if (in.size0 != word_bytes(in) || amount < -4096 || amount > 4096) return std::nullopt;
  return static_cast<i32>(amount);
}

/// What an instruction that writes operand 0, general register `gpr`, adds to it.
std::optional<i32> added_to_first(const Insn& in, unsigned gpr) {
  const bool immediate = in.form == Form::RI;
  switch (row_of(in).operands.sum) {
    case Sum::None: return std::nullopt;
    case Sum::Increment: return add_constant(in, 1);
    case Sum::Decrement: return add_constant(in, -1);
    case Sum::Add: return immediate ? add_constant(in, static_cast<i64>(in.imm)) : std::nullopt;
    case Sum::Subtract: return immediate ? add_constant(in, -static_cast<i64>(in.imm)) : std::nullopt;
    case Sum::Address: break;
  }
  if (in.base / 8 != gpr || in.index / 8 != cpu::kGprZero || in.addr_shift != word_addr_shift(in))
    return std::nullopt;
  return add_constant(in, in.disp);
}

/// What a push or a pop adds to rSP. RET ends its block: nothing asks.
std::optional<i32> added_to_stack_pointer(const Insn& in) {
  const Operands& operands = row_of(in).operands;
  if (in.operand_bytes != word_bytes(in) || in.has(Insn::kStack16)) return std::nullopt;
  if (operands.stores == kStackPointer) return -i32{word_bytes(in)};
  if (operands.loads == kStackPointer) return word_bytes(in);
  return std::nullopt;  // LEAVE
}

/// The access to memory that no operand names.
std::optional<MemoryAccess> implicit_access(const Insn& in) {
  const Operands& operands = row_of(in).operands;
  const u8 bytes = word_bytes(in);
  if (in.operand_bytes != bytes || in.has(Insn::kStack16 | Insn::kCheckAddress)) return std::nullopt;
  if (operands.stores == kStackPointer)
    return MemoryAccess{cpu::RSP, cpu::kSegFlat, bytes, true, true, -i64{bytes}};
  if (operands.loads == kStackPointer) return MemoryAccess{cpu::RSP, cpu::kSegFlat, bytes, false, true, 0};
  if (operands.loads == kFramePointer) return MemoryAccess{cpu::RBP, cpu::kSegFlat, bytes, false, true, 0};
  return std::nullopt;
}

}  // namespace

bool vector_row(Mnemonic mnemonic) { return held(mnemonic, cpu::kCheckSse | cpu::kCheckAvx); }

bool x87_row(Mnemonic mnemonic) { return held(mnemonic, cpu::kCheckX87 | cpu::kCheckWait); }

bool on_vector_registers(const Insn& in) {
  return vector_row(in.mnemonic) &&
         registers_are(in, [](RegClass each) { return each == RegClass::Vector || each == RegClass::Gpr; });
}

bool effects_known(const Insn& in) {
  if (on_vector_registers(in) || x87_row(in.mnemonic)) return true;
  const InsnRow& row = row_of(in);
  const u32 memory = row.operands.loads | row.operands.stores;
  return row.jit != cpu::Jit::Body && !row.operands.has(Operands::kSystem) &&
         (memory & ~(kStackPointer | kFramePointer)) == 0 &&
         registers_are(in, [](RegClass each) { return each == RegClass::Gpr; });
}

bool registers_only(const Insn& in) {
  const InsnRow& row = row_of(in);
  if (raises(in) || row.checks != cpu::kCheckNone || !effects_known(in)) return false;
  if ((row.operands.loads | row.operands.stores) != 0 || row.operands.has(Operands::kMayFault)) return false;
  for (unsigned i = 0; i < 4; ++i) {
    const Access access = cpu::operand_access(in, i);
    if (cpu::operand_kind(in, i) == OperandKind::Mem && (reads(access) || writes(access))) return false;
  }
  return true;
}

std::optional<i32> change_of(const Insn& in, unsigned gpr) {
  if (gpr == cpu::kGprZero || gpr == cpu::kGprPageBase || (cpu::written_gprs(in) >> gpr & 1) == 0) return 0;
  const bool first = cpu::form_kind(in, 0) == OperandKind::Reg && in.reg_class[0] == RegClass::Gpr &&
                     in.reg[0] / 8 == gpr && cpu::writes(cpu::operand_access(in, 0));
  if (first) return added_to_first(in, gpr);
  if (gpr == cpu::RSP) return added_to_stack_pointer(in);
  return std::nullopt;
}

std::optional<MemoryAccess> access_of(const Insn& in) {
  if (!effects_known(in)) return std::nullopt;
  // Of integer instructions those with a third operand in memory make no groups.
  const unsigned count = on_vector_registers(in) ? 3 : 2;
  unsigned index = 0;
  while (index < count && cpu::form_kind(in, index) != OperandKind::Mem) ++index;
  if (index == count) return implicit_access(in);
  if (in.addr_shift != word_addr_shift(in) || in.has(Insn::kCheckAddress)) return std::nullopt;
  if (in.disp < -0x4000'0000 || in.disp > 0x4000'0000) return std::nullopt;
  const Operands& operands = row_of(in).operands;
  const Access access = cpu::operand_access(in, index);
  if (!reads(access) && !writes(access)) return std::nullopt;
  // POP to memory: the other access comes first, and its address counts from rSP as that leaves it.
  if (operands.loads != 0) return std::nullopt;
  // Bit strings reach beyond their operand.
  if (operands.has(Operands::kBitString) && in.form == Form::MR) return std::nullopt;
  const u8 bytes = cpu::operand_bytes(in, index);
  if (bytes == 0) return std::nullopt;
  return MemoryAccess{static_cast<u8>(in.base / 8),
                      in.seg,
                      bytes,
                      writes(access),
                      false,
                      in.disp,
                      static_cast<u8>(in.index / 8),
                      in.scale,
                      static_cast<u8>(cpu::required_alignment(in, bytes))};
}

}  // namespace reprise::jit
