#include "jit/x64/x87.h"

#include <array>
#include <cstddef>

#include "cpu/decode/mnemonic.h"
#include "jit/x64/vector_state.h"
#include "jit/x64/vector_table.h"
#include "jit/x87_facts.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::InstId;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using mmu::Access;

// FCW bits that exist; bit 6 reads as one. SDM 1 8.1.5.
constexpr i32 kFcwWritable = 0x1f3f;
constexpr i32 kFcwFixed = 0x0040;
constexpr i32 kFcwMasks = 0x3f;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

/// Results in special cases are those of Intel processors.
bool intel_only(Mnemonic mnemonic) {
  return mnemonic == Mnemonic::FSCALE || mnemonic == Mnemonic::FXTRACT || mnemonic == Mnemonic::FBSTP ||
         mnemonic == Mnemonic::FXAM;
}

std::array<InstId, kRows> make_table() {
  const bool intel_host = asmjit::CpuInfo::host().isVendor("INTEL");
  std::array<InstId, kRows> table{};
  if (!host_keeps_x87()) return table;
  for (std::size_t i = 1; i < kRows; ++i) {
    const auto mnemonic = static_cast<Mnemonic>(i);
    if (x87_facts(mnemonic).x87 && (intel_host || !intel_only(mnemonic)))
      table[i] = host_instruction(mnemonic);
  }
  return table;
}

/// 0: not emitted.
InstId instruction_of(const Insn& in) {
  static const std::array<InstId, kRows> table = make_table();
  return table[static_cast<std::size_t>(in.mnemonic)];
}

/// With an exception unmasked the handler does it, and what follows is interpreted.
void fldcw(BlockEmitter& e, const Insn& in) {
  const Mem at = e.memory.probe(in, Access::Read, 2);
  const Mem copy = x86::word_ptr(x86::rsp, offsetof(Frame, target));
  const Gp value = kScratch0.r32();
  e.flags.save();
  e.a.movzx(value, at);
  e.a.and_(value, kFcwWritable);
  e.a.or_(value, kFcwFixed);
  e.a.mov(copy, kScratch0.r16());
  e.a.not_(value);
  e.a.test(value, kFcwMasks);
  e.a.jnz(e.slow());
  e.a.fldcw(copy);
  e.flags.lost();
}

void fnstsw_ax(BlockEmitter& e) {
  e.a.mov(kScratch0.r32(), x86::eax);
  e.a.fnstsw(x86::ax);
  e.a.mov(e.regs.reg(cpu::RAX, 2), x86::ax);
  e.a.mov(x86::eax, kScratch0.r32());
}

}  // namespace

bool sets_fip(const Insn& in) { return !x87_facts(in.mnemonic).control; }

bool takes_x87(const Insn& in, PassSet passes) {
  if (!passes.has(Pass::X87) || instruction_of(in) == 0) return false;
  return in.form != Form::M || plain_memory(in);
}

bool emit_x87(BlockEmitter& e, const Insn& in, PassSet passes) {
  if (!takes_x87(in, passes)) return false;
  const X87Facts& facts = x87_facts(in.mnemonic);
  const InstId id = instruction_of(in);
  if (in.mnemonic == Mnemonic::FLDCW) {
    fldcw(e, in);
  } else if (in.mnemonic == Mnemonic::FWAIT) {
    // Nothing is pending while the registers are owned.
  } else if (in.form == Form::M) {
    e.a.emit(id, e.memory.probe(in, facts.stores ? Access::Write : Access::Read, in.size0));
  } else if (in.mnemonic == Mnemonic::FNSTSW) {
    fnstsw_ax(e);
  } else {
    if (facts.reads_flags) e.flags.need();
    if (in.form == Form::None) {
      e.a.emit(id);
    } else if (in.form == Form::RR && facts.two_registers) {
      e.a.emit(id, x86::st(in.reg[0]), x86::st(in.reg[1]));
    } else {
      e.a.emit(id, x86::st(in.reg[in.form == Form::RR && facts.second_register ? 1 : 0]));
    }
    if (facts.makes_flags) e.flags.made();
  }
  if (!facts.control) e.owned.fip_is(in);
  return true;
}

}  // namespace reprise::jit::x64
