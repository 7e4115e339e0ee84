// MOVS, STOS, LODS, CMPS, SCAS with and without REP, and XLAT. SDM 2A/2B; SDM 1 7.3.9.
//
// An operation is a struct with a body for one element, `step`, and a bulk form, `run`, which does as many
// elements as lie in one source and one destination page of plain RAM, as host loops. `repeat` drives both:
// it counts every iteration as a retired instruction, stops at the budget, at a fault (whole iterations stay
// done), and after an iteration that did something only an engine can answer (MMIO, a store to code, a data
// breakpoint).
#include <algorithm>

#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

constexpr u16 kAnyRep = Insn::kRep | Insn::kRepne;

bool backward(const Cpu& cpu) { return (cpu.state.rflags & kRflagsDf) != 0; }

/// DS:rSI, or the overriding segment.
template <class T>
bool source_linear(Cpu& cpu, const Insn& in, u64& linear) {
  return operand_linear(cpu, in, address_register(cpu.state, in, RSI), sizeof(T), mmu::Access::Read, linear);
}

/// ES:rDI, which no prefix overrides.
template <class T>
bool destination_linear(Cpu& cpu, const Insn& in, mmu::Access access, u64& linear) {
  linear = address_register(cpu.state, in, RDI);
  if (cpu.mode.has(ModeKey::kFlatData) && !in.has(Insn::kAlignCheck)) [[likely]]
    return true;
  return segment_linear(cpu, in, ES, linear, sizeof(T), access, linear);
}

template <class T>
bool load_source(Cpu& cpu, const Insn& in, T& value) {
  u64 linear;
  if (!source_linear<T>(cpu, in, linear)) return false;
  if (cpu.mmu.load(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(in.has(Insn::kStackSegment));
  return false;
}

template <class T>
bool load_destination(Cpu& cpu, const Insn& in, T& value) {
  u64 linear;
  if (!destination_linear<T>(cpu, in, mmu::Access::Read, linear)) return false;
  if (cpu.mmu.load(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(false);
  return false;
}

template <class T>
bool store_destination(Cpu& cpu, const Insn& in, T value) {
  u64 linear;
  if (!destination_linear<T>(cpu, in, mmu::Access::Write, linear)) return false;
  if (cpu.mmu.store(linear, value)) [[likely]]
    return true;
  cpu.memory_fault(false);
  return false;
}

/// Moves an index register over `count` elements.
template <class T>
void advance(Cpu& cpu, const Insn& in, Gpr reg, u64 count) {
  const u64 bytes = count * sizeof(T);
  set_address_register(cpu.state, in, reg, cpu.state.gpr[reg] + (backward(cpu) ? u64{0} - bytes : bytes));
}

/// A run of elements in host memory; element i lies at `first + i * step`.
template <class Byte>
struct Run {
  Byte* first;
  i64 step;
};

/// How many elements from `offset` on lie within the page of `linear` and the address size.
template <class T>
u64 elements_in_page(const Cpu& cpu, const Insn& in, u64 offset, u64 linear) {
  const u64 in_page = linear & ~kPageMask;
  if (backward(cpu)) {
    if (in_page > kPageBytes - sizeof(T)) return 0;
    return std::min(in_page, offset) / sizeof(T) + 1;
  }
  const u64 last = ~u64{0} >> in.addr_shift;  // highest offset of the address size
  if (last - offset < sizeof(T) - 1) return 0;
  return std::min((kPageBytes - in_page) / sizeof(T), (last - offset - (sizeof(T) - 1)) / sizeof(T) + 1);
}

/// Segmentation and alignment leave bulk runs alone: flat ES, and a source that needs no check.
bool bulk_allowed(const Cpu& cpu, const Insn& in) {
  return cpu.mode.has(ModeKey::kFlatData) && !in.has(Insn::kCheckAddress | Insn::kAlignCheck);
}

/// The elements of at most `count` at DS:rSI that lie in one page of plain RAM; `count` shrinks to their
/// number.
template <class T>
Run<const u8> source_run(Cpu& cpu, const Insn& in, u64& count) {
  const u64 offset = address_register(cpu.state, in, RSI);
  const u64 linear = offset + cpu.state.seg[in.seg].base;
  count = std::min(count, elements_in_page<T>(cpu, in, offset, linear));
  if (count == 0) return {};
  const u64 behind = backward(cpu) ? (count - 1) * sizeof(T) : 0;
  const u8* host = cpu.mmu.read_pointer(linear - behind, count * sizeof(T));
  if (host == nullptr) return count = 0, Run<const u8>{};
  return {host + behind, backward(cpu) ? -i64{sizeof(T)} : i64{sizeof(T)}};
}

/// The same at ES:rDI.
template <class T>
Run<u8> destination_run(Cpu& cpu, const Insn& in, mmu::Access access, u64& count) {
  const u64 linear = address_register(cpu.state, in, RDI);
  count = std::min(count, elements_in_page<T>(cpu, in, linear, linear));
  if (count == 0) return {};
  const u64 behind = backward(cpu) ? (count - 1) * sizeof(T) : 0;
  const u64 bytes = count * sizeof(T);
  u8* host = access == mmu::Access::Write ? cpu.mmu.write_pointer(linear - behind, bytes)
                                          : const_cast<u8*>(cpu.mmu.read_pointer(linear - behind, bytes));
  if (host == nullptr) return count = 0, Run<u8>{};
  return {host + behind, backward(cpu) ? -i64{sizeof(T)} : i64{sizeof(T)}};
}

template <class T>
struct movs {
  static constexpr bool kCompares = false;
  static constexpr bool kUsesSource = true;
  static constexpr bool kUsesDestination = true;

  static bool step(Cpu& cpu, const Insn& in) {
    T value;
    if (!load_source(cpu, in, value) || !store_destination(cpu, in, value)) return false;
    advance<T>(cpu, in, RSI, 1);
    advance<T>(cpu, in, RDI, 1);
    return true;
  }
  static u64 run(Cpu& cpu, const Insn& in, u64 count, bool&) {
    const Run<const u8> probe = source_run<T>(cpu, in, count);
    if (probe.first == nullptr) return 0;
    const Run<u8> to = destination_run<T>(cpu, in, mmu::Access::Write, count);
    if (to.first == nullptr) return 0;
    copy(to, probe.first, count);
    advance<T>(cpu, in, RSI, count);
    advance<T>(cpu, in, RDI, count);
    return count;
  }
  /// Element by element in the order of the direction, so that overlap replicates; memmove where that is the
  /// same.
  static void copy(Run<u8> to, const u8* from, u64 count) {
    const u64 bytes = count * sizeof(T);
    const bool down = to.step < 0;
    const u64 behind = down ? bytes - sizeof(T) : 0;
    u8* const to_low = to.first - behind;
    const u8* const from_low = from - behind;
    const u64 ahead = down ? reinterpret_cast<u64>(from_low) - reinterpret_cast<u64>(to_low)
                           : reinterpret_cast<u64>(to_low) - reinterpret_cast<u64>(from_low);
    if (ahead == 0 || ahead >= bytes) {
      std::memmove(to_low, from_low, bytes);
      return;
    }
    for (u64 i = 0; i < count; ++i) {
      const i64 at = static_cast<i64>(i) * to.step;
      write_unaligned<T>(to.first + at, read_unaligned<T>(from + at));
    }
  }
};

template <class T>
struct stos {
  static constexpr bool kCompares = false;
  static constexpr bool kUsesSource = false;
  static constexpr bool kUsesDestination = true;

  static bool step(Cpu& cpu, const Insn& in) {
    if (!store_destination<T>(cpu, in, gpr_part<T>(cpu.state, RAX))) return false;
    advance<T>(cpu, in, RDI, 1);
    return true;
  }
  static u64 run(Cpu& cpu, const Insn& in, u64 count, bool&) {
    const Run<u8> to = destination_run<T>(cpu, in, mmu::Access::Write, count);
    if (to.first == nullptr) return 0;
    u8* const low = to.step < 0 ? to.first - (count - 1) * sizeof(T) : to.first;
    fill(low, gpr_part<T>(cpu.state, RAX), count);
    advance<T>(cpu, in, RDI, count);
    return count;
  }
  static void fill(u8* low, T value, u64 count) {
    if (value == static_cast<T>(u64{static_cast<u8>(value)} * 0x0101010101010101)) {
      std::memset(low, static_cast<u8>(value), count * sizeof(T));
      return;
    }
    for (u64 i = 0; i < count; ++i) write_unaligned<T>(low + i * sizeof(T), value);
  }
};

template <class T>
struct lods {
  static constexpr bool kCompares = false;
  static constexpr bool kUsesSource = true;
  static constexpr bool kUsesDestination = false;

  static bool step(Cpu& cpu, const Insn& in) {
    T value;
    if (!load_source(cpu, in, value)) return false;
    set_gpr_part<T>(cpu.state, RAX, value);
    advance<T>(cpu, in, RSI, 1);
    return true;
  }
  static u64 run(Cpu&, const Insn&, u64, bool&) { return 0; }
};

template <class T>
void set_compare_flags(Cpu& cpu, T a, T b) {
  flags::assign(cpu.state.rflags, kRflagsStatus, flags::sub(a, b, static_cast<T>(a - b)));
}

/// Whether a REPE or REPNE loop goes on after comparing `a` and `b`.
template <class T>
bool goes_on(const Insn& in, T a, T b) {
  return (a == b) != in.has(Insn::kRepne);
}

template <class T>
struct cmps {
  static constexpr bool kCompares = true;
  static constexpr bool kUsesSource = true;
  static constexpr bool kUsesDestination = true;

  static bool step(Cpu& cpu, const Insn& in) {
    T a, b;
    if (!load_destination(cpu, in, b) || !load_source(cpu, in, a)) return false;
    set_compare_flags(cpu, a, b);
    advance<T>(cpu, in, RSI, 1);
    advance<T>(cpu, in, RDI, 1);
    return true;
  }
  static u64 run(Cpu& cpu, const Insn& in, u64 count, bool& ended) {
    const Run<const u8> left = source_run<T>(cpu, in, count);
    if (left.first == nullptr) return 0;
    const Run<u8> right = destination_run<T>(cpu, in, mmu::Access::Read, count);
    if (right.first == nullptr) return 0;
    u64 done = 0;
    T a, b;
    do {
      const i64 at = static_cast<i64>(done) * left.step;
      a = read_unaligned<T>(left.first + at);
      b = read_unaligned<T>(right.first + at);
      ++done;
    } while (done < count && goes_on(in, a, b));
    ended = !goes_on(in, a, b);
    set_compare_flags(cpu, a, b);
    advance<T>(cpu, in, RSI, done);
    advance<T>(cpu, in, RDI, done);
    return done;
  }
};

template <class T>
struct scas {
  static constexpr bool kCompares = true;
  static constexpr bool kUsesSource = false;
  static constexpr bool kUsesDestination = true;

  static bool step(Cpu& cpu, const Insn& in) {
    T b;
    if (!load_destination(cpu, in, b)) return false;
    set_compare_flags(cpu, gpr_part<T>(cpu.state, RAX), b);
    advance<T>(cpu, in, RDI, 1);
    return true;
  }
  static u64 run(Cpu& cpu, const Insn& in, u64 count, bool& ended) {
    const Run<u8> right = destination_run<T>(cpu, in, mmu::Access::Read, count);
    if (right.first == nullptr) return 0;
    const T a = gpr_part<T>(cpu.state, RAX);
    u64 done = 0;
    T b;
    do {
      b = read_unaligned<T>(right.first + static_cast<i64>(done) * right.step);
      ++done;
    } while (done < count && goes_on(in, a, b));
    ended = !goes_on(in, a, b);
    set_compare_flags(cpu, a, b);
    advance<T>(cpu, in, RDI, done);
    return done;
  }
};

/// With a 32-bit address size in 64-bit mode Intel processors start by clearing the upper halves of rCX and,
/// for MOVS and STOS, of the index registers: it shows when the count is 0 and when the first iteration
/// faults.
template <class Op>
void truncate_registers(Cpu& cpu, const Insn& in) {
  set_address_register(cpu.state, in, RCX, cpu.state.gpr[RCX]);
  if (Op::kCompares || !Op::kUsesDestination) return;
  if (Op::kUsesSource) set_address_register(cpu.state, in, RSI, cpu.state.gpr[RSI]);
  set_address_register(cpu.state, in, RDI, cpu.state.gpr[RDI]);
}

/// REPE and REPNE give their flags when they complete; between iterations the old ones show. SDM 2B REP.
template <class Op>
Status repeat(Cpu& cpu, const Insn& in) {
  truncate_registers<Op>(cpu, in);
  const u64 total = address_register(cpu.state, in, RCX);
  if (total == 0) return Status::Next;
  const u64 rflags_before = cpu.state.rflags;
  const u64 budget = std::min(total, cpu.iterations_left(in));
  const bool bulk = bulk_allowed(cpu, in);
  u64 done = 0;
  u64 counted = 0;
  bool ended = false;
  do {
    u64 now = bulk ? Op::run(cpu, in, budget - done, ended) : 0;
    if (now == 0) {
      // What the clock shows to MMIO, and what a fault leaves behind.
      cpu.count_iterations(done - counted);
      counted = done;
      if (!Op::step(cpu, in)) {
        cpu.state.rflags = rflags_before;
        return Status::Fault;
      }
      now = 1;
      if (Op::kCompares) ended = ((cpu.state.rflags & kRflagsZf) != 0) == in.has(Insn::kRepne);
    }
    done += now;
    set_address_register(cpu.state, in, RCX, total - done);
    // Each iteration is fetched. Between two in one page that changes nothing; the second of two pages may have put
    // the first out of the TLB.
  } while (done < budget && !ended && cpu.block_end != nullptr && cpu.debug_hits == 0 &&
           !in.has(Insn::kCrossesPage));

  if (done < total && !ended) {
    cpu.count_iterations(done - counted);
    cpu.state.rflags = rflags_before;
    return Status::Restart;
  }
  cpu.count_iterations(done - 1 - counted);
  if (done == 1) return Status::Next;
  // The block has used more of its budget than its length says.
  cpu.state.rip = cpu.next_rip(in);
  return Status::Jump;
}

template <class Op>
Status once(Cpu& cpu, const Insn& in) {
  return Op::step(cpu, in) ? Status::Next : Status::Fault;
}

template <class Op>
struct string {
  static Handler select(const Insn& in) { return in.has(kAnyRep) ? repeat<Op> : once<Op>; }
};

Status sem_xlat(Cpu& cpu, const Insn& in) {
  const u64 offset = (cpu.state.gpr[RBX] + gpr_part<u8>(cpu.state, RAX)) << in.addr_shift >> in.addr_shift;
  u64 linear;
  u8 value;
  if (!operand_linear(cpu, in, offset, 1, mmu::Access::Read, linear)) return Status::Fault;
  if (!cpu.mmu.load(linear, value)) return cpu.memory_fault(in.has(Insn::kStackSegment));
  set_gpr_part<u8>(cpu.state, RAX, value);
  return Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/string.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
