#include "jit/insn_effects.h"

#include "cpu/decode/mnemonic.h"
#include "cpu/state/state.h"
#include "jit/vector_facts.h"
#include "jit/x87_facts.h"

namespace reprise::jit {
namespace {

using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using cpu::OperandKind;
using cpu::RegClass;

enum class Kind : u8 {
  Unknown,
  Reads,       // operands are read only
  Writes,      // operand 0 is written only
  Modifies,    // operand 0 is read and written
  Exchanges,   // operands 0 and 1 are read and written
  Compares,    // CMPXCHG: operand 0 and rAX
  Multiplies,  // one operand: rAX and rDX; else operand 0 is written
  Address,     // LEA: operand 0 is written, no memory is touched
  Nothing,     // no registers, no memory
  Stack,       // PUSH, POP, CALL, RET, LEAVE
  SignsA,      // CBW and kin, LAHF: rAX
  SignsD,      // CWD and kin: rDX
};

Kind kind_of(Mnemonic mnemonic) {
  if (mnemonic >= Mnemonic::JO && mnemonic <= Mnemonic::JNLE) return Kind::Nothing;
  if (mnemonic >= Mnemonic::SETO && mnemonic <= Mnemonic::SETNLE) return Kind::Writes;
  if (mnemonic >= Mnemonic::CMOVO && mnemonic <= Mnemonic::CMOVNLE) return Kind::Writes;
  switch (mnemonic) {
    case Mnemonic::CMP:
    case Mnemonic::TEST:
    case Mnemonic::BT: return Kind::Reads;
    case Mnemonic::MOV:
    case Mnemonic::MOVZX:
    case Mnemonic::MOVSX:
    case Mnemonic::MOVSXD:
    case Mnemonic::BSWAP:
    case Mnemonic::POPCNT:
    case Mnemonic::BSF:
    case Mnemonic::BSR:
    case Mnemonic::TZCNT:
    case Mnemonic::LZCNT:
    case Mnemonic::ANDN:
    case Mnemonic::BEXTR:
    case Mnemonic::BLSI:
    case Mnemonic::BLSMSK:
    case Mnemonic::BLSR:
    case Mnemonic::BZHI:
    case Mnemonic::PDEP:
    case Mnemonic::PEXT:
    case Mnemonic::RORX:
    case Mnemonic::SARX:
    case Mnemonic::SHLX:
    case Mnemonic::SHRX:
    case Mnemonic::MOVBE: return Kind::Writes;
    case Mnemonic::ADD:
    case Mnemonic::ADC:
    case Mnemonic::SUB:
    case Mnemonic::SBB:
    case Mnemonic::AND:
    case Mnemonic::OR:
    case Mnemonic::XOR:
    case Mnemonic::INC:
    case Mnemonic::DEC:
    case Mnemonic::NEG:
    case Mnemonic::NOT:
    case Mnemonic::SHL:
    case Mnemonic::SHR:
    case Mnemonic::SAR:
    case Mnemonic::ROL:
    case Mnemonic::ROR:
    case Mnemonic::SHLD:
    case Mnemonic::SHRD:
    case Mnemonic::RCL:
    case Mnemonic::RCR:
    case Mnemonic::ADCX:
    case Mnemonic::ADOX:
    case Mnemonic::CRC32:
    case Mnemonic::BTS:
    case Mnemonic::BTR:
    case Mnemonic::BTC: return Kind::Modifies;
    case Mnemonic::XCHG:
    case Mnemonic::XADD: return Kind::Exchanges;
    case Mnemonic::CMPXCHG: return Kind::Compares;
    case Mnemonic::IMUL:
    case Mnemonic::MUL:
    case Mnemonic::DIV:
    case Mnemonic::IDIV: return Kind::Multiplies;
    case Mnemonic::LEA: return Kind::Address;
    case Mnemonic::JMP:
    case Mnemonic::NOP:
    case Mnemonic::CLC:
    case Mnemonic::STC:
    case Mnemonic::CMC:
    case Mnemonic::CLD:
    case Mnemonic::STD:
    case Mnemonic::CLI:
    case Mnemonic::SAHF: return Kind::Nothing;
    case Mnemonic::PUSH:
    case Mnemonic::POP:
    case Mnemonic::CALL:
    case Mnemonic::RET:
    case Mnemonic::LEAVE: return Kind::Stack;
    case Mnemonic::LAHF:
    case Mnemonic::CBW:
    case Mnemonic::CWDE:
    case Mnemonic::CDQE: return Kind::SignsA;
    case Mnemonic::CWD:
    case Mnemonic::CDQ:
    case Mnemonic::CQO: return Kind::SignsD;
    default: return Kind::Unknown;
  }
}

/// The register is a general one and all of operand `index` or a part of it.
bool is_gpr(const Insn& in, unsigned index, unsigned gpr) {
  return operand_kind(in, index) == OperandKind::Reg && in.reg_class[index] == RegClass::Gpr &&
         in.reg[index] / 8 == gpr;
}

/// Bytes of an address in the code around `in`, and of a stack operand by default.
u8 word_bytes(const Insn& in) { return in.has(Insn::kCode64) ? 8 : 4; }
u8 word_addr_shift(const Insn& in) { return in.has(Insn::kCode64) ? 0 : 32; }

/// Larger steps leave the reach of a group anyway.
std::optional<i32> add_constant(const Insn& in, i64 amount) {
  if (in.size0 != word_bytes(in) || amount < -4096 || amount > 4096) return std::nullopt;
  return static_cast<i32>(amount);
}

std::optional<i32> change_of_stack_insn(const Insn& in, unsigned gpr) {
  if (in.mnemonic == Mnemonic::LEAVE)
    return gpr == cpu::RSP || gpr == cpu::RBP ? std::nullopt : std::optional(0);
  if (in.mnemonic == Mnemonic::POP && is_gpr(in, 0, gpr)) return std::nullopt;
  if (gpr != cpu::RSP) return 0;
  if (in.operand_bytes != word_bytes(in) || in.has(Insn::kStack16)) return std::nullopt;
  switch (in.mnemonic) {
    case Mnemonic::PUSH:
    case Mnemonic::CALL: return -i32{word_bytes(in)};
    case Mnemonic::POP: return word_bytes(in);
    default: return std::nullopt;  // RET: nothing follows
  }
}

}  // namespace

bool effects_known(const Insn& in) {
  if (on_vector_registers(in) || x87_facts(in.mnemonic).x87) return true;
  // MOV of segment, control and debug registers.
  for (unsigned i = 0; i < 2; ++i)
    if (operand_kind(in, i) == OperandKind::Reg && in.reg_class[i] != RegClass::Gpr) return false;
  return kind_of(in.mnemonic) != Kind::Unknown;
}

std::optional<i32> change_of(const Insn& in, unsigned gpr) {
  if (gpr == cpu::kGprZero || gpr == cpu::kGprPageBase) return 0;
  if (on_vector_registers(in)) {
    const bool implicit = gpr == cpu::RCX && vector_facts(in.mnemonic).writes_rcx;
    return implicit || is_gpr(in, 0, gpr) ? std::nullopt : std::optional(0);
  }
  // FNSTSW AX is the one that writes a general register.
  if (x87_facts(in.mnemonic).x87) return is_gpr(in, 0, gpr) ? std::nullopt : std::optional(0);
  const bool first = is_gpr(in, 0, gpr);
  const bool second = is_gpr(in, 1, gpr);
  switch (kind_of(in.mnemonic)) {
    case Kind::Reads:
    case Kind::Nothing: return 0;
    case Kind::Writes: return first ? std::nullopt : std::optional(0);
    case Kind::Modifies:
      if (!first) return 0;
      if (in.mnemonic == Mnemonic::INC) return add_constant(in, 1);
      if (in.mnemonic == Mnemonic::DEC) return add_constant(in, -1);
      if (in.form != Form::RI) return std::nullopt;
      if (in.mnemonic == Mnemonic::ADD) return add_constant(in, static_cast<i64>(in.imm));
      if (in.mnemonic == Mnemonic::SUB) return add_constant(in, -static_cast<i64>(in.imm));
      return std::nullopt;
    case Kind::Address:
      if (!first) return 0;
      if (in.base / 8 == gpr && in.index / 8 == cpu::kGprZero && in.addr_shift == word_addr_shift(in))
        return add_constant(in, in.disp);
      return std::nullopt;
    case Kind::Exchanges: return first || second ? std::nullopt : std::optional(0);
    case Kind::Compares: return first || gpr == cpu::RAX ? std::nullopt : std::optional(0);
    case Kind::Multiplies:
      if (in.form == Form::R || in.form == Form::M)
        return gpr == cpu::RAX || gpr == cpu::RDX ? std::nullopt : std::optional(0);
      return first ? std::nullopt : std::optional(0);
    case Kind::SignsA: return gpr == cpu::RAX ? std::nullopt : std::optional(0);
    case Kind::SignsD: return gpr == cpu::RDX ? std::nullopt : std::optional(0);
    case Kind::Stack: return change_of_stack_insn(in, gpr);
    case Kind::Unknown: break;
  }
  return std::nullopt;
}

std::optional<MemoryAccess> access_of(const Insn& in) {
  const Kind kind = kind_of(in.mnemonic);
  const bool vector = on_vector_registers(in);
  const bool x87 = x87_facts(in.mnemonic).x87;
  const bool third = vector && operand_kind(in, 2) == OperandKind::Mem;
  const bool explicit_operand =
      third || operand_kind(in, 0) == OperandKind::Mem || operand_kind(in, 1) == OperandKind::Mem;
  if (!explicit_operand) {
    const u8 bytes = word_bytes(in);
    if (kind != Kind::Stack || in.operand_bytes != bytes || in.has(Insn::kStack16 | Insn::kCheckAddress))
      return std::nullopt;
    switch (in.mnemonic) {
      case Mnemonic::PUSH:
      case Mnemonic::CALL: return MemoryAccess{cpu::RSP, cpu::kSegFlat, bytes, true, true, -i64{bytes}};
      case Mnemonic::POP:
      case Mnemonic::RET: return MemoryAccess{cpu::RSP, cpu::kSegFlat, bytes, false, true, 0};
      default: return MemoryAccess{cpu::RBP, cpu::kSegFlat, bytes, false, true, 0};  // LEAVE
    }
  }
  if (in.index / 8 != cpu::kGprZero || in.addr_shift != word_addr_shift(in) || in.has(Insn::kCheckAddress))
    return std::nullopt;
  if (in.disp < -0x4000'0000 || in.disp > 0x4000'0000) return std::nullopt;
  const bool first = operand_kind(in, 0) == OperandKind::Mem;
  bool writes = false;
  if (vector) {
    writes = first;
  } else if (x87) {
    writes = x87_facts(in.mnemonic).stores;
  } else {
    switch (kind) {
      case Kind::Reads:
      case Kind::Multiplies: break;
      case Kind::Writes:
      case Kind::Modifies:
      case Kind::Compares: writes = first; break;
      case Kind::Exchanges: writes = true; break;
      case Kind::Nothing:
        if (in.mnemonic != Mnemonic::JMP) return std::nullopt;
        break;
      case Kind::Stack:
        if (in.mnemonic == Mnemonic::POP) return std::nullopt;
        break;
      default: return std::nullopt;
    }
    // Bit strings reach beyond their operand.
    if (in.form == Form::MR && (in.mnemonic == Mnemonic::BT || in.mnemonic == Mnemonic::BTS ||
                                in.mnemonic == Mnemonic::BTR || in.mnemonic == Mnemonic::BTC))
      return std::nullopt;
  }
  const u8 bytes = third ? vector_operand_bytes(in, 2) : first ? in.size0 : in.size1;
  if (bytes == 0) return std::nullopt;
  return MemoryAccess{static_cast<u8>(in.base / 8), in.seg, bytes, writes, false, in.disp};
}

}  // namespace reprise::jit
