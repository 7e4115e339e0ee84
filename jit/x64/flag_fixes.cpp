#include "jit/x64/flag_fixes.h"

namespace reprise::jit::x64 {
namespace {

// Where rax keeps them: AH as LAHF shows it, OF in AL.
constexpr u32 kCfInEax = 0x100;
constexpr u32 kAfInAh = 0x10;
constexpr u32 kZfInAh = 0x40;
constexpr u32 kFixedInAh = 0x02;  // always set

/// Scratch 1: OF after a shift of `value` by any count but 0. Destroys the host's flags.
void shifted_overflow(BlockEmitter& e, InstId id, const Gp& value, unsigned bytes) {
  if (id == Inst::kIdSar) {
    e.a.xor_(scratch1(4), scratch1(4));
    return;
  }
  if (id == Inst::kIdShl) {
    e.a.lea(kScratch1, x86::ptr(value.r64(), value.r64()));
    e.a.xor_(kScratch1, value.r64());
  } else {
    e.a.mov(kScratch1, value.r64());
  }
  if (bytes >= 4) {  // the rest is gone
    e.a.shr(scratch1(bytes), bytes * 8 - 1);
    return;
  }
  e.a.shr(scratch1(4), bytes * 8 - 1);
  e.a.and_(scratch1(4), 1);
}

}  // namespace

void fix_all_but_carry(BlockEmitter& e) {
  e.a.sbb(scratch1(4), scratch1(4));
  e.a.and_(scratch1(4), kCfInEax);
  e.a.and_(x86::eax, ~kCfInEax);
  e.a.or_(x86::eax, scratch1(4));
  e.flags.made_in_rax();
}

void fix_all_but(BlockEmitter& e, u8 kept) {
  e.a.lahf();
  e.a.and_(x86::ah, static_cast<u8>(kept | kFixedInAh));
  e.a.mov(x86::al, 0);
  e.flags.made_in_rax();
}

void fix_product(BlockEmitter& e, const Gp& low) {
  e.a.seto(x86::al);
  e.a.test(low, low);
  e.a.lahf();
  e.a.and_(x86::ah, static_cast<u8>(~(kAfInAh | kZfInAh)));
  e.a.or_(x86::ah, x86::al);
  e.flags.made_in_rax();
}

void fixed_shift(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  const unsigned dst = gpr_of(in, 0);
  const Label done = e.a.newLabel();
  const u32 mask = bytes == 8 ? 63 : 31;
  const bool by_cl = in.form == Form::RR;
  if (by_cl) e.flags.save();
  const Gp value = e.regs.fetched(dst, bytes, kScratch0);
  shifted_overflow(e, id, value, bytes);
  if (by_cl) {
    // A count of 0 changes no flag, but clears the upper half as every write of 32 bits does.
    if (bytes == 4) e.a.mov(value, value);
    e.a.test(x86::cl, static_cast<u8>(mask));
    e.a.jz(done);
    e.a.emit(id, value, x86::cl);
  } else {
    e.a.emit(id, value, Imm(in.imm & mask));
  }
  e.a.lahf();
  e.a.mov(x86::al, scratch1(1));
  e.a.and_(x86::ah, static_cast<u8>(~kAfInAh));
  e.a.bind(done);
  e.regs.put_back(dst, value);
  e.flags.made_in_rax();
}

}  // namespace reprise::jit::x64
