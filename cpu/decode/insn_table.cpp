#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"

#include "cpu/core/cpu.h"

namespace reprise::cpu {

#define INSN(name, ...) Handler select_##name(const Insn& insn);
#include "cpu/decode/insn_table.inc"
#undef INSN

namespace {

using namespace col;

constexpr InsnRow kRows[] = {
    {"INVALID", Feature::Base, kEnds, NONE, 0, 0, 0, Jit::Body, nullptr},
#define INSN(name, feature, checks, operands, tested, written, undefined, jit, ...) \
  {#name, Feature::feature, checks, operands, tested, written, undefined, Jit::jit, select_##name},
#include "cpu/decode/insn_table.inc"
#undef INSN
};
static_assert(std::size(kRows) == static_cast<std::size_t>(Mnemonic::Count));

}  // namespace

const InsnRow& insn_row(Mnemonic mnemonic) { return kRows[static_cast<std::size_t>(mnemonic)]; }

Status raise_ud(Cpu& cpu, const Insn&) { return cpu.raise(kUD); }
Status raise_nm(Cpu& cpu, const Insn&) { return cpu.raise(kNM); }
Status raise_gp0(Cpu& cpu, const Insn&) { return cpu.raise(kGP, 0); }

}  // namespace reprise::cpu
