// IN, OUT, INS, OUTS. SDM 1 chapter 19 (protection), SDM 2A/2B.
// Every port access ends the block, so that devices see exact time and their interrupts are taken at once. A
// REP form runs one iteration at a time, but for those that the device says only move data (a disk's data port).
#include "cpu/core/boundary.h"
#include "cpu/sem/shapes.h"
#include "cpu/system/debug_regs.h"

namespace reprise::cpu {
namespace {

/// SDM 1 19.5.2: the I/O permission bitmap of a 32- or 64-bit TSS. Raises and returns false.
bool bitmap_allows(Cpu& cpu, u16 port, unsigned bytes) {
  constexpr u64 kBitmapBaseOffset = 0x66;
  constexpr u64 kAvailableTss = 9, kBusyTss = 11;
  const Segment& tr = cpu.state.tr;
  const bool has_bitmap = tr.usable() && (tr.type() == kAvailableTss || tr.type() == kBusyTss) &&
                          tr.limit >= kBitmapBaseOffset + 1;
  u16 bitmap_base = 0;
  if (has_bitmap && !cpu.mmu.load_system(tr.base + kBitmapBaseOffset, bitmap_base)) {
    cpu.memory_fault(false);
    return false;
  }
  // Two bytes are read, so that a port range may cross a byte.
  const u64 offset = u64{bitmap_base} + port / 8;
  if (!has_bitmap || offset + 1 > tr.limit) {
    cpu.raise(kGP, 0);
    return false;
  }
  u16 denied = 0;
  if (!cpu.mmu.load_system(tr.base + offset, denied)) {
    cpu.memory_fault(false);
    return false;
  }
  if (((denied >> (port % 8)) & ((1u << bytes) - 1)) != 0) {
    cpu.raise(kGP, 0);
    return false;
  }
  return true;
}

/// SDM 1 19.5: virtual-8086 mode always asks the bitmap; protected mode when CPL > IOPL.
bool port_allowed(Cpu& cpu, u16 port, unsigned bytes) {
  const bool ask =
      cpu.mode.has(ModeKey::kV86) || (cpu.mode.has(ModeKey::kProtected) && !cpu.mode.has(ModeKey::kIoplOk));
  return !ask || bitmap_allows(cpu, port, bytes);
}

template <class T>
constexpr Width kWidth = static_cast<Width>(sizeof(T));

u16 dx(const Cpu& cpu) { return gpr_part<u16>(cpu.state, RDX); }

/// The port operand of IN and OUT: an immediate or DX.
template <bool Immediate>
u16 port_operand(const Cpu& cpu, const Insn& in) {
  return Immediate ? static_cast<u8>(in.imm) : dx(cpu);
}

template <class T, bool Immediate>
Status run_in(Cpu& cpu, const Insn& in) {
  const u16 port = port_operand<Immediate>(cpu, in);
  if (!port_allowed(cpu, port, sizeof(T))) return Status::Fault;
  note_port_access(cpu, port, sizeof(T));
  set_gpr_part<T>(cpu.state, RAX, static_cast<T>(cpu.bus.port_read(port, kWidth<T>)));
  return Status::Stop;
}

template <class T, bool Immediate>
Status run_out(Cpu& cpu, const Insn& in) {
  const u16 port = port_operand<Immediate>(cpu, in);
  if (!port_allowed(cpu, port, sizeof(T))) return Status::Fault;
  note_port_access(cpu, port, sizeof(T));
  cpu.bus.port_write(port, kWidth<T>, gpr_part<T>(cpu.state, RAX));
  return Status::Stop;
}

struct in_port {
  template <bool Immediate>
  static Handler pick(const Insn& in) {
    return in.size0 == 1   ? run_in<u8, Immediate>
           : in.size0 == 2 ? run_in<u16, Immediate>
                           : run_in<u32, Immediate>;
  }
  static Handler select(const Insn& in) { return in.form == Form::RI ? pick<true>(in) : pick<false>(in); }
};

struct out_port {
  template <bool Immediate>
  static Handler pick(const Insn& in) {
    return in.size1 == 1   ? run_out<u8, Immediate>
           : in.size1 == 2 ? run_out<u16, Immediate>
                           : run_out<u32, Immediate>;
  }
  static Handler select(const Insn& in) { return in.form == Form::IR ? pick<true>(in) : pick<false>(in); }
};

constexpr u16 kAnyRep = Insn::kRep | Insn::kRepne;

template <class T>
void advance(Cpu& cpu, const Insn& in, Gpr reg) {
  const u64 step = (cpu.state.rflags & kRflagsDf) ? u64{0} - sizeof(T) : u64{sizeof(T)};
  set_address_register(cpu.state, in, reg, cpu.state.gpr[reg] + step);
}

/// One iteration is done: counts it, and says whether the instruction is.
Status finish_iteration(Cpu& cpu, const Insn& in) {
  if (!in.has(kAnyRep)) return Status::Stop;
  const u64 left = address_register(cpu.state, in, RCX) - 1;
  set_address_register(cpu.state, in, RCX, left);
  if (left == 0) return Status::Stop;
  cpu.count_iterations(1);
  cpu.stop_after_instruction();
  return Status::Restart;
}

bool count_exhausted(const Cpu& cpu, const Insn& in) {
  return in.has(kAnyRep) && address_register(cpu.state, in, RCX) == 0;
}

/// How many iterations, besides the one that follows, may run as one: nothing can come between them, and memory
/// from `offset` of `seg`, at `linear`, is one page that passes the checks the first element has passed.
template <class T>
u64 iterations_ahead(const Cpu& cpu, const Insn& in, SegmentIndex seg, u64 offset, u64 linear) {
  if (!in.has(kAnyRep) || in.has(Insn::kAlignCheck | Insn::kCrossesPage) || (cpu.state.rflags & kRflagsDf) ||
      !nothing_waits(cpu))
    return 0;
  const u64 iterations = std::min(address_register(cpu.state, in, RCX), cpu.iterations_left(in));
  u64 last = ~u64{0} >> in.addr_shift;  // highest offset of the address size
  if (!cpu.mode.is64()) {
    const Segment& segment = cpu.state.seg[seg];
    if (!segment.code() && (segment.access & Segment::kExpandDown)) return 0;
    last = std::min<u64>(last, segment.limit);
  }
  if (last < offset || last - offset < sizeof(T) - 1) return 0;
  const u64 in_segment = (last - offset - (sizeof(T) - 1)) / sizeof(T) + 1;
  const u64 in_page = (kPageBytes - (linear & ~kPageMask)) / sizeof(T);
  return std::min({iterations - 1, in_segment, in_page});
}

/// After `count` iterations at once.
template <class T>
void advance_ahead(Cpu& cpu, const Insn& in, Gpr reg, u64 count) {
  set_address_register(cpu.state, in, reg, cpu.state.gpr[reg] + count * sizeof(T));
  set_address_register(cpu.state, in, RCX, address_register(cpu.state, in, RCX) - count);
  cpu.count_iterations(count);
  cpu.state.sti_shadow = false;
  cpu.state.rflags &= ~kRflagsRf;
}

template <class T>
bool ins_ahead(Cpu& cpu, const Insn& in, u16 port, u64 offset, u64 linear) {
  const u64 count = iterations_ahead<T>(cpu, in, ES, offset, linear);
  u8* host = count ? cpu.mmu.write_pointer(linear, count * sizeof(T)) : nullptr;
  if (!host) return false;
  const u64 done = cpu.bus.port_read_ahead(port, kWidth<T>, {host, count * sizeof(T)}) / sizeof(T);
  if (done) advance_ahead<T>(cpu, in, RDI, done);
  return done != 0;
}

template <class T>
bool outs_ahead(Cpu& cpu, const Insn& in, u16 port, u64 offset, u64 linear) {
  const u64 count = iterations_ahead<T>(cpu, in, static_cast<SegmentIndex>(in.seg), offset, linear);
  const u8* host = count ? cpu.mmu.read_pointer(linear, count * sizeof(T)) : nullptr;
  if (!host) return false;
  const u64 done = cpu.bus.port_write_ahead(port, kWidth<T>, {host, count * sizeof(T)}) / sizeof(T);
  if (done) advance_ahead<T>(cpu, in, RSI, done);
  return done != 0;
}

template <class T>
Status ins(Cpu& cpu, const Insn& in) {
  const u16 port = dx(cpu);
  // Permission comes first: it is asked for even when the count is 0.
  if (!port_allowed(cpu, port, sizeof(T))) return Status::Fault;
  if (count_exhausted(cpu, in)) return Status::Next;
  note_port_access(cpu, port, sizeof(T));
  u64 linear;
  u64 offset = address_register(cpu.state, in, RDI);
  if (!segment_linear(cpu, in, ES, offset, sizeof(T), mmu::Access::Write, linear)) return Status::Fault;
  if (ins_ahead<T>(cpu, in, port, offset, linear)) {
    offset = address_register(cpu.state, in, RDI);
    if (!segment_linear(cpu, in, ES, offset, sizeof(T), mmu::Access::Write, linear)) return Status::Fault;
  }
  if (!cpu.mmu.probe_write(linear, sizeof(T))) return cpu.memory_fault(false);
  const T value = static_cast<T>(cpu.bus.port_read(port, kWidth<T>));
  if (!cpu.mmu.store(linear, value)) return cpu.memory_fault(false);
  advance<T>(cpu, in, RDI);
  return finish_iteration(cpu, in);
}

template <class T>
Status outs(Cpu& cpu, const Insn& in) {
  const u16 port = dx(cpu);
  // Permission comes first: it is asked for even when the count is 0.
  if (!port_allowed(cpu, port, sizeof(T))) return Status::Fault;
  if (count_exhausted(cpu, in)) return Status::Next;
  note_port_access(cpu, port, sizeof(T));
  u64 linear;
  T value;
  u64 offset = address_register(cpu.state, in, RSI);
  if (!operand_linear(cpu, in, offset, sizeof(T), mmu::Access::Read, linear)) return Status::Fault;
  if (outs_ahead<T>(cpu, in, port, offset, linear)) {
    offset = address_register(cpu.state, in, RSI);
    if (!operand_linear(cpu, in, offset, sizeof(T), mmu::Access::Read, linear)) return Status::Fault;
  }
  if (!cpu.mmu.load(linear, value)) return cpu.memory_fault(in.has(Insn::kStackSegment));
  cpu.bus.port_write(port, kWidth<T>, value);
  advance<T>(cpu, in, RSI);
  return finish_iteration(cpu, in);
}

}  // namespace

#define ROWS "cpu/insn/io.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
