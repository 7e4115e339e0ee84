#include "jit/x64/x87.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "cpu/insn_table.h"
#include "cpu/mnemonic.h"
#include "jit/x64/vector_state.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::InstId;
using cpu::Form;
using cpu::Insn;
using cpu::InsnRow;
using cpu::Mnemonic;
using mmu::Access;

// FCW bits that exist; bit 6 reads as one. SDM 1 8.1.5.
constexpr i32 kFcwWritable = 0x1f3f;
constexpr i32 kFcwFixed = 0x0040;
constexpr i32 kFcwMasks = 0x3f;

struct X87Row {
  InstId id = 0;             // 0: not emitted here
  bool two_registers = false;
  bool second_register = false;  // of two the second is the one that is named
  bool stores = false;
  bool reads_flags = false;
  bool makes_flags = false;
  bool control = false;  // FIP is not its address
};

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

/// Rows that the instruction table has as bodies, and what re-encodes them. FLDCW, FNSTSW and FWAIT need more.
struct Extra {
  Mnemonic mnemonic;
  bool control;
};
constexpr Extra kExtra[] = {
    {Mnemonic::FLDCW, true},  {Mnemonic::FNSTCW, true},   {Mnemonic::FNSTSW, true},   {Mnemonic::FNCLEX, true},
    {Mnemonic::FWAIT, true},  {Mnemonic::FFREE, false},   {Mnemonic::FINCSTP, false}, {Mnemonic::FDECSTP, false},
    {Mnemonic::FNOP, false},
};
/// Results in special cases are those of Intel processors.
constexpr Mnemonic kIntelOnly[] = {Mnemonic::FSCALE, Mnemonic::FXTRACT, Mnemonic::FBSTP, Mnemonic::FXAM};

bool starts_with(std::string_view text, std::string_view begin) { return text.substr(0, begin.size()) == begin; }

X87Row make_row(Mnemonic mnemonic) {
  const InsnRow& row = cpu::insn_row(mnemonic);
  const auto* const extra = std::find_if(std::begin(kExtra), std::end(kExtra),
                                         [&](const Extra& each) { return each.mnemonic == mnemonic; });
  const bool reencoded = row.jit == cpu::Jit::Reencode && (row.checks & cpu::kCheckX87) != 0;
  if (!reencoded && extra == std::end(kExtra)) return {};
  if (!asmjit::CpuInfo::host().isVendor("INTEL") &&
      std::find(std::begin(kIntelOnly), std::end(kIntelOnly), mnemonic) != std::end(kIntelOnly))
    return {};
  std::string name(row.name);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  X87Row result;
  result.id = asmjit::InstAPI::stringToInstId(asmjit::Arch::kX64, name.data(), name.size());
  for (const char* each : {"fadd", "fsub", "fsubr", "fmul", "fdiv", "fdivr"}) result.two_registers |= name == each;
  for (const char* each : {"fcom", "fucom", "fcmov"}) result.second_register |= starts_with(name, each);
  for (const char* each : {"fst", "fist", "fbst", "fnst"}) result.stores |= starts_with(name, each);
  result.reads_flags = row.tested != 0;
  result.makes_flags = row.written != 0;
  result.control = extra != std::end(kExtra) && extra->control;
  return result;
}

std::array<X87Row, kRows> make_table() {
  std::array<X87Row, kRows> table;
  for (std::size_t i = 1; i < kRows; ++i) table[i] = make_row(static_cast<Mnemonic>(i));
  return table;
}

const X87Row& x87_row(Mnemonic mnemonic) {
  static const std::array<X87Row, kRows> table = make_table();
  return table[static_cast<std::size_t>(mnemonic)];
}

/// With an exception unmasked the handler does it, and what follows is interpreted.
void fldcw(BlockEmitter& e, const Insn& in) {
  const Mem at = e.probe(in, Access::Read, 2);
  const Mem copy = x86::word_ptr(x86::rsp, offsetof(Frame, target));
  const Gp value = kScratch0.r32();
  e.a.movzx(value, at);
  e.a.and_(value, kFcwWritable);
  e.a.or_(value, kFcwFixed);
  e.a.mov(copy, kScratch0.r16());
  e.a.not_(value);
  e.a.test(value, kFcwMasks);
  e.a.jnz(e.slow());
  e.a.fldcw(copy);
}

void fnstsw_ax(BlockEmitter& e) {
  e.a.mov(kScratch0.r32(), x86::eax);
  e.a.fnstsw(x86::ax);
  e.a.mov(e.reg(cpu::RAX, 2), x86::ax);
  e.a.mov(x86::eax, kScratch0.r32());
}

}  // namespace

bool sets_fip(const Insn& in) { return !x87_row(in.mnemonic).control; }

bool takes_x87(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::X87) || x87_row(in.mnemonic).id == 0 || !host_keeps_x87()) return false;
  return in.form != Form::M || BlockEmitter::plain_memory(in);
}

bool emit_x87(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (!takes_x87(in, passes)) return false;
  const X87Row& row = x87_row(in.mnemonic);
  if (in.mnemonic == Mnemonic::FLDCW) {
    fldcw(e, in);
  } else if (in.mnemonic == Mnemonic::FWAIT) {
    // Nothing is pending while the registers are owned.
  } else if (in.form == Form::M) {
    e.a.emit(row.id, e.probe(in, row.stores ? Access::Write : Access::Read, in.size0));
  } else if (in.mnemonic == Mnemonic::FNSTSW) {
    fnstsw_ax(e);
  } else {
    if (row.reads_flags) e.need_flags();
    if (in.form == Form::None) {
      e.a.emit(row.id);
    } else if (in.form == Form::RR && row.two_registers) {
      e.a.emit(row.id, x86::st(in.reg[0]), x86::st(in.reg[1]));
    } else {
      e.a.emit(row.id, x86::st(in.reg[in.form == Form::RR && row.second_register ? 1 : 0]));
    }
    if (row.makes_flags) e.flags_made();
  }
  if (!row.control) e.fip_is(in);
  return true;
}

}  // namespace reprise::jit::x64
