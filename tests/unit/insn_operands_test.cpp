// The operands column of the instruction table, as cpu/decode/insn_facts.h reads it, against what Zydis knows, for every
// row and form. Differences are listed, each with its reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "cpu/decode/insn_facts.h"
#include "tests/unit/zydis_forms.h"

namespace reprise::test {
namespace {

using cpu::Access;
using cpu::Insn;
using cpu::Mnemonic;
using cpu::OperandKind;
using cpu::Operands;
using cpu::RegisterSet;
using enum cpu::Mnemonic;

using Rows = std::vector<Mnemonic>;

bool contains(const Rows& rows, Mnemonic mnemonic) { return std::ranges::count(rows, mnemonic) != 0; }

std::string_view name_of(const Insn& in) { return cpu::insn_row(in.mnemonic).name; }

// --- Explicit operands ---

struct AccessDifference {
  Rows rows;
  Access ours;  // where Zydis says something else
  std::string_view reason;
};

const AccessDifference kAccessDifferences[] = {
    {{SQRTSS, SQRTSD, RCPSS, RSQRTSS, ROUNDSS, ROUNDSD, CVTSS2SD, CVTSD2SS, CVTPI2PS, MOVHLPS, MOVLHPS,
      MOVLPS, MOVLPD, MOVHPS, MOVHPD, MOVSS, MOVSD},
     Access::ReadWrite,
     "the other part of the destination stays"},
    {{BSF, BSR}, Access::ReadWrite, "a source of zero leaves the destination alone"},
    {{PREFETCH, PREFETCHW, PREFETCHWT1, PREFETCHNTA, PREFETCHT0, PREFETCHT1, PREFETCHT2, INVLPG},
     Access::Address,
     "nothing is loaded that anyone could see"},
    {{NOP}, Access::None, "its operands only make it longer"},
    {{UD0, UD1}, Access::None, "#UD comes first"},
};

bool justified(Mnemonic mnemonic, Access ours) {
  return std::ranges::any_of(kAccessDifferences, [&](const AccessDifference& each) {
    return each.ours == ours && contains(each.rows, mnemonic);
  });
}

OperandKind kind_of(const ZydisDecodedOperand& operand) {
  switch (operand.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER: return OperandKind::Reg;
    case ZYDIS_OPERAND_TYPE_MEMORY: return OperandKind::Mem;
    default: return OperandKind::Imm;
  }
}

/// What is written on a condition only is read too: else the old value stays.
Access access_of(const ZydisDecodedOperand& operand) {
  const bool read = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
  const bool write = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  const bool certain = (operand.actions & ZYDIS_OPERAND_ACTION_WRITE) != 0;
  if (write) return read || !certain ? Access::ReadWrite : Access::Write;
  return read ? Access::Read : Access::Address;
}

TEST(TableOperands, AccessIsThatOfZydis) {
  std::set<std::pair<Mnemonic, unsigned>> told;
  for_each_zydis_form([&](const ZydisForm& form) {
    const Insn& in = form.insn;
    for (unsigned i = 0; i < 4; ++i) {
      if (i >= form.zydis.operand_count_visible) {
        EXPECT_EQ(cpu::operand_access(in, i), Access::None) << name_of(in) << ' ' << i;
        continue;
      }
      const ZydisDecodedOperand& operand = form.operands[i];
      const Access ours = cpu::operand_access(in, i);
      const Access theirs = access_of(operand);
      const bool equal =
          ours == theirs || (ours == Access::Immediate && kind_of(operand) == OperandKind::Imm);
      if (!equal && !justified(in.mnemonic, ours) && told.insert({in.mnemonic, i}).second)
        ADD_FAILURE() << name_of(in) << " operand " << i << ": table " << static_cast<int>(ours) << ", Zydis "
                      << static_cast<int>(theirs);
    }
  });
}

/// Zydis counts the half of the register that is used.
const Rows kHalves = {VEXTRACTF128, VEXTRACTI128};

TEST(TableOperands, KindsAndSizesAreThoseOfZydis) {
  std::set<std::pair<Mnemonic, unsigned>> told;
  for_each_zydis_form([&](const ZydisForm& form) {
    const Insn& in = form.insn;
    if (in.mnemonic == NOP) return;  // some forms have operands of extensions that do not exist here
    for (unsigned i = 0; i < std::min<unsigned>(form.zydis.operand_count_visible, 4); ++i) {
      const ZydisDecodedOperand& operand = form.operands[i];
      const OperandKind kind = kind_of(operand);
      bool equal = cpu::operand_kind(in, i) == kind;
      if (kind == OperandKind::Reg) {
        const ZydisRegisterClass register_class = ZydisRegisterGetClass(operand.reg.value);
        const bool general = register_class >= ZYDIS_REGCLASS_GPR8 && register_class <= ZYDIS_REGCLASS_GPR64;
        equal &= cpu::general_register(in, i) == general;
        const bool vector = register_class == ZYDIS_REGCLASS_XMM || register_class == ZYDIS_REGCLASS_YMM;
        if (vector && !contains(kHalves, in.mnemonic))
          equal &= (cpu::operand_bytes(in, i) == 32) == (register_class == ZYDIS_REGCLASS_YMM);
      }
      if (kind == OperandKind::Mem && operand.size <= 8 * 255)
        equal &= cpu::operand_bytes(in, i) == operand.size / 8;
      if (!equal && told.insert({in.mnemonic, i}).second)
        ADD_FAILURE() << name_of(in) << " operand " << i << ": table " << int{cpu::operand_bytes(in, i)}
                      << " bytes, Zydis " << operand.size / 8;
    }
  });
}

// --- Alignment ---

unsigned alignment_of(const ZydisForm& form, unsigned bytes) {
  switch (form.zydis.meta.exception_class) {
    case ZYDIS_EXCEPTION_CLASS_AVX1: return bytes;
    case ZYDIS_EXCEPTION_CLASS_SSE1:
    case ZYDIS_EXCEPTION_CLASS_SSE2:
    case ZYDIS_EXCEPTION_CLASS_SSE4: return bytes == 16 ? 16 : 1;
    default: return 1;
  }
}

/// In class 4, of which SDM 2A 2.5.4 says that these need no alignment.
const Rows kUnaligned = {MOVUPS, MOVUPD, MOVDQU, LDDQU, PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM};
/// Without a class, for their MMX operand; aligned says SDM 3B table 23-4.
const Rows kAligned = {CVTPD2PI, CVTTPD2PI};

TEST(TableOperands, AlignmentIsThatOfTheExceptionClass) {
  std::set<Mnemonic> told;
  for_each_zydis_form([&](const ZydisForm& form) {
    const Insn& in = form.insn;
    for (unsigned i = 0; i < std::min<unsigned>(form.zydis.operand_count_visible, 3); ++i) {
      if (cpu::operand_kind(in, i) != OperandKind::Mem) continue;
      const unsigned bytes = cpu::operand_bytes(in, i);
      const unsigned theirs = contains(kUnaligned, in.mnemonic) ? 1
                              : contains(kAligned, in.mnemonic) ? bytes
                                                                : alignment_of(form, bytes);
      if (cpu::required_alignment(in, bytes) != theirs && told.insert(in.mnemonic).second)
        ADD_FAILURE() << name_of(in) << ": table " << cpu::required_alignment(in, bytes) << ", Zydis "
                      << theirs;
    }
  });
}

// --- Implicit registers and memory ---

struct Implicit {
  RegisterSet reads = 0, writes = 0, loads = 0, stores = 0;
  bool system = false;
};

RegisterSet bit_of(ZydisRegister reg) {
  const ZydisRegisterClass register_class = ZydisRegisterGetClass(reg);
  if (register_class >= ZYDIS_REGCLASS_GPR8 && register_class <= ZYDIS_REGCLASS_GPR64)
    return 1u << ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
  switch (reg) {
    case ZYDIS_REGISTER_XMM0: return cpu::kRegisterXmm0;
    case ZYDIS_REGISTER_ST0: return cpu::kRegisterSt0;
    case ZYDIS_REGISTER_ST1: return cpu::kRegisterSt1;
    default: return 0;
  }
}

bool is_system(ZydisRegister reg) {
  const ZydisRegisterClass register_class = ZydisRegisterGetClass(reg);
  return register_class == ZYDIS_REGCLASS_SEGMENT || register_class == ZYDIS_REGCLASS_TABLE ||
         register_class == ZYDIS_REGCLASS_CONTROL;
}

void add(Implicit& sum, const ZydisDecodedOperand& operand) {
  const bool read = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
  const bool write = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER) {
    const RegisterSet bit = bit_of(operand.reg.value);
    if (read) sum.reads |= bit;
    if (write) sum.writes |= bit;
    sum.system |= is_system(operand.reg.value);
  } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
    const RegisterSet base = bit_of(operand.mem.base);
    if (read) sum.loads |= base;
    if (write) sum.stores |= base;
    sum.reads |= base;
    if (operand.mem.index != ZYDIS_REGISTER_NONE) sum.reads |= bit_of(operand.mem.index);
  }
}

/// What the table has over Zydis in one of the sets, or lacks.
struct ImplicitDifference {
  Rows rows;
  RegisterSet Implicit::*set;
  RegisterSet registers;
  std::string_view reason;
};

constexpr RegisterSet kSi = 1u << cpu::RSI, kDi = 1u << cpu::RDI;

const ImplicitDifference kImplicitDifferences[] = {
    {{INSB, INSW, INSD, SCASB, SCASW, SCASD, SCASQ}, &Implicit::writes, kDi, "rDI moves on"},
    {{OUTSB, OUTSW, OUTSD}, &Implicit::writes, kSi, "rSI moves on"},
    {{CMPSB, CMPSW, CMPSD_STRING, CMPSQ}, &Implicit::writes, kSi | kDi, "both move on"},
    {{ENTER}, &Implicit::loads, 1u << cpu::RBP, "frame pointers of outer levels are copied"},
    {{LEAVE}, &Implicit::reads, 1u << cpu::RSP, "rSP comes from rBP"},
    {{XLAT}, &Implicit::reads, 1u << cpu::RAX, "AL is the index"},
    {{FTST, FXAM}, &Implicit::writes, cpu::kRegisterSt0, "only the condition codes change"},
};

RegisterSet justified(Mnemonic mnemonic, RegisterSet Implicit::*set) {
  RegisterSet registers = set == &Implicit::reads || set == &Implicit::writes ? cpu::kRegisterVectors : 0;
  for (const ImplicitDifference& each : kImplicitDifferences)
    if (each.set == set && contains(each.rows, mnemonic)) registers |= each.registers;
  return registers;
}

TEST(TableOperands, ImplicitOnesAreThoseOfZydis) {
  std::map<Mnemonic, Implicit> ours, theirs;
  for_each_zydis_form([&](const ZydisForm& form) {
    const Insn& in = form.insn;
    Implicit& sum = ours[in.mnemonic];
    const Operands& operands = cpu::insn_row(in.mnemonic).operands;
    sum.reads |= cpu::implicit_reads(in);
    sum.writes |= cpu::implicit_writes(in);
    sum.loads |= operands.loads;
    sum.stores |= operands.stores;
    sum.system = operands.has(Operands::kSystem);
    Implicit& form_sum = theirs[in.mnemonic];
    for (unsigned i = form.zydis.operand_count_visible; i < form.zydis.operand_count; ++i)
      add(form_sum, form.operands[i]);
  });
  const auto compare = [&](Mnemonic mnemonic, const char* name, RegisterSet Implicit::*set) {
    const RegisterSet a = ours[mnemonic].*set, b = theirs[mnemonic].*set;
    EXPECT_EQ((a ^ b) & ~justified(mnemonic, set), 0u)
        << cpu::insn_row(mnemonic).name << ' ' << name << ": table " << std::hex << a << ", Zydis " << b;
  };
  for (const auto& [mnemonic, sum] : theirs) {
    compare(mnemonic, "reads", &Implicit::reads);
    compare(mnemonic, "writes", &Implicit::writes);
    compare(mnemonic, "loads", &Implicit::loads);
    compare(mnemonic, "stores", &Implicit::stores);
    EXPECT_TRUE(ours[mnemonic].system || !sum.system) << cpu::insn_row(mnemonic).name;
  }
}

}  // namespace
}  // namespace reprise::test
