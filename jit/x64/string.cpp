// Emission of MOVS, STOS, LODS, CMPS, SCAS, and of REP MOVS and REP STOS inside single pages.
//
// Upwards only, with 64-bit or 32-bit addresses; those of 32 bits when the upper halves of the registers are
// zero. A repeated instruction runs here as the host's own when all its elements lie in one page at either
// end and the budget lasts for all its iterations, each of which counts as an instruction; host pointers
// overlap where guest-physical ones do, so that overlap replicates as it should. All other cases are the
// handler's.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

constexpr u16 kAnyRep = Insn::kRep | Insn::kRepne;

bool plain_string(const Insn& in) {
  return in.addr_shift <= 32 && !in.has(Insn::kCheckAddress | Insn::kAlignCheck);
}

Gp source_pointer(const BlockEmitter& e) { return e.regs.reg(cpu::RSI, 8); }
Gp destination_pointer(const BlockEmitter& e) { return e.regs.reg(cpu::RDI, 8); }
/// A pointer of 32 bits wraps.
void step(BlockEmitter& e, const Insn& in, const Gp& pointer, unsigned bytes) {
  e.a.lea(in.addr_shift == 0 ? pointer : pointer.r32(), x86::ptr(pointer, static_cast<i32>(bytes)));
}
/// With 32-bit addresses: anything in the upper halves of the registers goes the slow path.
void check_upper_halves(BlockEmitter& e, const Insn& in) {
  if (in.addr_shift == 0) return;
  e.flags.save();
  e.a.mov(kScratch0, source_pointer(e));
  e.a.or_(kScratch0, destination_pointer(e));
  e.a.or_(kScratch0, e.regs.reg(cpu::RCX, 8));
  e.a.shr(kScratch0, 32);
  e.a.jnz(e.slow());
  e.flags.lost();
}

Mem probe_source(BlockEmitter& e, const Insn& in, unsigned bytes) {
  return e.memory.probe(x86::ptr(source_pointer(e)), 8, in.seg, Access::Read, bytes);
}
Mem probe_destination(BlockEmitter& e, Access access, unsigned bytes, Extent extent = Extent::Operand) {
  return e.memory.probe(x86::ptr(destination_pointer(e)), 8, cpu::kSegFlat, access, bytes, 1, extent);
}

/// DF set: slow path.
void upwards_only(BlockEmitter& e) {
  Mem rflags_byte1 = e.regs.rflags();
  rflags_byte1.addOffset(1);
  rflags_byte1.setSize(1);
  e.flags.save();
  e.a.test(rflags_byte1, static_cast<u32>(cpu::kRflagsDf >> 8));
  e.a.jnz(e.slow());
  e.flags.lost();
}

// --- One element ---

void movs(BlockEmitter& e, const Insn& in, unsigned bytes) {
  upwards_only(e);
  Mem value = waiting_value();
  value.setSize(bytes);
  e.a.mov(scratch0(bytes), probe_source(e, in, bytes));
  e.a.mov(value, scratch0(bytes));
  const Mem to = e.memory.one_register(probe_destination(e, Access::Write, bytes));
  e.a.mov(scratch0(bytes), value);
  e.a.mov(to, scratch0(bytes));
  step(e, in, source_pointer(e), bytes);
  step(e, in, destination_pointer(e), bytes);
}

void stos(BlockEmitter& e, const Insn& in, unsigned bytes) {
  upwards_only(e);
  e.a.mov(probe_destination(e, Access::Write, bytes), e.regs.reg(cpu::RAX, bytes));
  step(e, in, destination_pointer(e), bytes);
}

void lods(BlockEmitter& e, const Insn& in, unsigned bytes) {
  upwards_only(e);
  e.a.mov(e.regs.reg(cpu::RAX, bytes), probe_source(e, in, bytes));
  step(e, in, source_pointer(e), bytes);
}

void scas(BlockEmitter& e, const Insn& in, unsigned bytes) {
  upwards_only(e);
  e.a.cmp(e.regs.reg(cpu::RAX, bytes), probe_destination(e, Access::Read, bytes));
  e.flags.made();
  step(e, in, destination_pointer(e), bytes);
}

void cmps(BlockEmitter& e, const Insn& in, unsigned bytes) {
  upwards_only(e);
  Mem value = waiting_value();
  value.setSize(bytes);
  e.a.mov(scratch0(bytes), probe_destination(e, Access::Read, bytes));
  e.a.mov(value, scratch0(bytes));
  e.a.mov(scratch0(bytes), probe_source(e, in, bytes));
  e.a.cmp(scratch0(bytes), value);
  e.flags.made();
  step(e, in, source_pointer(e), bytes);
  step(e, in, destination_pointer(e), bytes);
}

// --- Many ---

unsigned log2_of(unsigned bytes) { return bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0; }

/// All elements lie in the page of `pointer`; their number is at most that of a page. Else slow path.
void within_page(BlockEmitter& e, const Gp& pointer, unsigned bytes) {
  e.a.mov(scratch0(4), pointer.r32());
  e.a.and_(scratch0(4), static_cast<u32>(kPageBytes - 1));
  e.a.lea(scratch0(4), x86::ptr(kScratch0, e.regs.reg(cpu::RCX, 8), log2_of(bytes)));
  e.a.cmp(scratch0(4), static_cast<u32>(kPageBytes));
  e.a.ja(e.slow());
}

/// A count of 0 goes to `done`; one that does not fit a page or the budget, or DF, to the slow path.
void check_count(BlockEmitter& e, const Label& done, unsigned bytes) {
  const Gp count = e.regs.reg(cpu::RCX, 8);
  e.flags.save();
  e.a.test(count, count);
  e.a.jz(done);
  upwards_only(e);
  e.a.cmp(count, static_cast<u32>(kPageBytes / bytes));
  e.a.ja(e.slow());
  // The first iteration is charged with the block.
  e.a.lea(kScratch0, x86::ptr(count, -1));
  e.a.cmp(kScratch0, kBudgetReg);
  e.a.ja(e.slow());
}

/// Nothing can fail any more. Takes scratch 0.
void charge_iterations(BlockEmitter& e) {
  e.a.lea(kScratch0, x86::ptr(e.regs.reg(cpu::RCX, 8), -1));
  e.a.sub(kBudgetReg, kScratch0);
  e.a.add(e.regs.field(&e.context.cpu.state.retired_no_insn, 8), kScratch0);
}

/// Exchanges a guest pointer for the host's in `scratch`, which becomes their distance. ADD undoes it.
void to_host(BlockEmitter& e, const Gp& pointer, const Gp& scratch) {
  e.a.sub(pointer, scratch);
  e.a.xchg(pointer, scratch);
}

/// After the last element of the address space.
void wrap(BlockEmitter& e, const Insn& in, const Gp& pointer) {
  if (in.addr_shift != 0) e.a.mov(pointer.r32(), pointer.r32());
}

void rep_stos(BlockEmitter& e, const Insn& in, unsigned bytes) {
  const Label done = e.a.newLabel();
  check_count(e, done, bytes);
  within_page(e, destination_pointer(e), bytes);
  const Mem to = probe_destination(e, Access::Write, bytes, Extent::Page);
  e.a.lea(kScratch1, to);
  charge_iterations(e);
  to_host(e, destination_pointer(e), kScratch1);
  e.a.mov(kScratch0, x86::rax);
  e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.rep().stos(x86::ptr(x86::rdi, 0, bytes), host_gp(Gp::kIdAx, bytes));
  e.a.mov(x86::rax, kScratch0);
  e.a.add(destination_pointer(e), kScratch1);
  wrap(e, in, destination_pointer(e));
  e.flags.lost();
  e.a.bind(done);
}

void rep_movs(BlockEmitter& e, const Insn& in, unsigned bytes) {
  const Label done = e.a.newLabel();
  check_count(e, done, bytes);
  within_page(e, source_pointer(e), bytes);
  within_page(e, destination_pointer(e), bytes);
  const Mem from = probe_source(e, in, bytes);
  e.a.lea(kScratch1, from);
  e.a.mov(waiting_value(), kScratch1);
  const Mem to = probe_destination(e, Access::Write, bytes, Extent::Page);
  e.a.lea(kScratch1, to);
  charge_iterations(e);
  e.a.mov(kScratch0, waiting_value());
  to_host(e, source_pointer(e), kScratch0);
  to_host(e, destination_pointer(e), kScratch1);
  e.a.rep().movs(x86::ptr(x86::rdi, 0, bytes), x86::ptr(x86::rsi, 0, bytes));
  e.a.add(source_pointer(e), kScratch0);
  wrap(e, in, source_pointer(e));
  e.a.add(destination_pointer(e), kScratch1);
  wrap(e, in, destination_pointer(e));
  e.flags.lost();
  e.a.bind(done);
}

static_assert(kHostOfGuest[cpu::RCX] == Gp::kIdCx && kHostOfGuest[cpu::RSI] == Gp::kIdSi &&
              kHostOfGuest[cpu::RDI] == Gp::kIdDi);

using Emit = void (*)(BlockEmitter& e, const Insn& in, unsigned bytes);

struct StringRow {
  Mnemonic mnemonic;
  u8 bytes;
  Emit one;
  Emit many;  // with REP; nullptr: the handler's
};
constexpr StringRow kRows[] = {
    {Mnemonic::MOVSB, 1, movs, rep_movs},        {Mnemonic::MOVSW, 2, movs, rep_movs},
    {Mnemonic::MOVSD_STRING, 4, movs, rep_movs}, {Mnemonic::MOVSQ, 8, movs, rep_movs},
    {Mnemonic::STOSB, 1, stos, rep_stos},        {Mnemonic::STOSW, 2, stos, rep_stos},
    {Mnemonic::STOSD, 4, stos, rep_stos},        {Mnemonic::STOSQ, 8, stos, rep_stos},
    {Mnemonic::LODSB, 1, lods, nullptr},         {Mnemonic::LODSW, 2, lods, nullptr},
    {Mnemonic::LODSD, 4, lods, nullptr},         {Mnemonic::LODSQ, 8, lods, nullptr},
    {Mnemonic::SCASB, 1, scas, nullptr},         {Mnemonic::SCASW, 2, scas, nullptr},
    {Mnemonic::SCASD, 4, scas, nullptr},         {Mnemonic::SCASQ, 8, scas, nullptr},
    {Mnemonic::CMPSB, 1, cmps, nullptr},         {Mnemonic::CMPSW, 2, cmps, nullptr},
    {Mnemonic::CMPSD_STRING, 4, cmps, nullptr},  {Mnemonic::CMPSQ, 8, cmps, nullptr},
};

/// The source's segment is flat, or there is no source: one with a base would have other page offsets.
bool flat_source(const Insn& in) {
  return (cpu::insn_row(in.mnemonic).operands.loads & 1u << cpu::RSI) == 0 || in.seg == cpu::kSegFlat;
}

}  // namespace

bool emit_string(BlockEmitter& e, const Insn& in) {
  const StringRow* const row = find_row(kRows, in.mnemonic);
  if (row == nullptr || !plain_string(in)) return false;
  const bool many = in.has(kAnyRep);
  if (many && (row->many == nullptr || !flat_source(in))) return false;
  check_upper_halves(e, in);
  (many ? row->many : row->one)(e, in, row->bytes);
  return true;
}

}  // namespace reprise::jit::x64
