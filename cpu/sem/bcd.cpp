// DAA, DAS, AAA, AAS, AAM, AAD. SDM 2A. They do not exist in 64-bit mode.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

u64 when(bool condition, u64 flag) { return condition ? flag : 0; }

/// Undefined: OF, which becomes 0.
Status decimal_adjust(Cpu& cpu, bool subtract) {
  const u8 al = gpr_part<u8>(cpu.state, RAX);
  const bool af = (al & 0xf) > 9 || (cpu.state.rflags & kRflagsAf) != 0;
  const bool cf = al > 0x99 || (cpu.state.rflags & kRflagsCf) != 0;
  const u8 correction = static_cast<u8>((af ? 6 : 0) + (cf ? 0x60 : 0));
  const u8 result = static_cast<u8>(subtract ? al - correction : al + correction);
  // DAS also carries when only the low digit is corrected and borrows.
  const bool carry = cf || (subtract && af && al < 6);
  set_gpr_part<u8>(cpu.state, RAX, result);
  flags::assign(cpu.state.rflags, kRflagsStatus,
                flags::zsp(result) | when(af, kRflagsAf) | when(carry, kRflagsCf));
  return Status::Next;
}

Status sem_daa(Cpu& cpu, const Insn&) { return decimal_adjust(cpu, false); }
Status sem_das(Cpu& cpu, const Insn&) { return decimal_adjust(cpu, true); }

/// Undefined: OF and SF, which become 0; ZF and PF, which are those of AL.
Status ascii_adjust(Cpu& cpu, bool subtract) {
  const u16 ax = gpr_part<u16>(cpu.state, RAX);
  const bool adjust = (ax & 0xf) > 9 || (cpu.state.rflags & kRflagsAf) != 0;
  const u16 adjusted = static_cast<u16>(!adjust ? ax : subtract ? ax - 0x106 : ax + 0x106);
  const u16 result = adjusted & 0xff0f;
  set_gpr_part<u16>(cpu.state, RAX, result);
  flags::assign(cpu.state.rflags, kRflagsStatus,
                flags::zsp(static_cast<u8>(result)) | when(adjust, kRflagsAf | kRflagsCf));
  return Status::Next;
}

Status sem_aaa(Cpu& cpu, const Insn&) { return ascii_adjust(cpu, false); }
Status sem_aas(Cpu& cpu, const Insn&) { return ascii_adjust(cpu, true); }

/// Undefined: OF, AF and CF, which become 0.
Status sem_aam(Cpu& cpu, const Insn& in) {
  const u8 base = static_cast<u8>(in.imm);
  if (base == 0) return cpu.raise(kDE);
  const u8 al = gpr_part<u8>(cpu.state, RAX);
  const u8 low = al % base;
  set_gpr_part<u16>(cpu.state, RAX, static_cast<u16>(al / base << 8 | low));
  flags::assign(cpu.state.rflags, kRflagsStatus, flags::zsp(low));
  return Status::Next;
}

/// Undefined: OF, AF and CF, which are those of adding the product to AL.
Status sem_aad(Cpu& cpu, const Insn& in) {
  const u16 ax = gpr_part<u16>(cpu.state, RAX);
  const u8 al = static_cast<u8>(ax);
  const u8 product = static_cast<u8>((ax >> 8) * static_cast<u8>(in.imm));
  const u8 sum = static_cast<u8>(al + product);
  set_gpr_part<u16>(cpu.state, RAX, sum);
  flags::assign(cpu.state.rflags, kRflagsStatus, flags::add(al, product, sum));
  return Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/bcd.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
